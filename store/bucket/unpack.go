package bucket

import (
	"encoding/binary"
	"math"
	"time"

	"weir/messages"
	"weir/store"
)

// Bounds of what is believed of an index.
const (
	maxFields = 4096
	maxBlock  = 64 << 20
)

// unpacker reads an index that may hold anything: the first mistake ends it, and all that follows is zero.
type unpacker struct {
	b   []byte
	err error
	// end is where the part of the file ends of which an index may tell.
	end int64
}

func (u *unpacker) fail(what string) {
	if u.err == nil {
		u.err = damaged("index: %s", what)
	}
	u.b = nil
}

func (u *unpacker) uint() uint64 {
	v, n := binary.Uvarint(u.b)
	if n <= 0 {
		u.fail("a number")
		return 0
	}
	u.b = u.b[n:]
	return v
}

func (u *unpacker) int() int64 {
	v, n := binary.Varint(u.b)
	if n <= 0 {
		u.fail("a number")
		return 0
	}
	u.b = u.b[n:]
	return v
}

// upTo reads a number that is at most bound.
func (u *unpacker) upTo(bound int) int {
	v := u.uint()
	if v > uint64(bound) { //nolint:gosec // Bounds are not negative.
		u.fail("a number out of bounds")
		return 0
	}
	return int(v) //nolint:gosec // Checked.
}

// count reads how many things follow, each of which takes so many bytes at least.
func (u *unpacker) count(least int) int { return u.upTo(len(u.b) / least) }

func (u *unpacker) byte() byte {
	if len(u.b) == 0 {
		u.fail("its end")
		return 0
	}
	v := u.b[0]
	u.b = u.b[1:]
	return v
}

func (u *unpacker) sum() uint32 {
	if len(u.b) < 4 {
		u.fail("its end")
		return 0
	}
	v := binary.LittleEndian.Uint32(u.b)
	u.b = u.b[4:]
	return v
}

func (u *unpacker) text() string {
	n := u.uint()
	if n > uint64(len(u.b)) {
		u.fail("a text beyond its end")
		return ""
	}
	s := string(u.b[:n])
	u.b = u.b[n:]
	return s
}

func (u *unpacker) time() time.Time { return time.Unix(0, u.int()) }

func (u *unpacker) span() messages.Span {
	if u.byte() == 0 {
		return messages.Span{}
	}
	return messages.Span{Start: u.time(), End: u.time()}
}

func (u *unpacker) totals() (t messages.Totals) {
	for _, v := range [...]*uint64{
		&t.Up.Bytes, &t.Up.Packets, &t.Down.Bytes, &t.Down.Packets, &t.Started, &t.Ended, &t.Rows,
	} {
		*v = u.uint()
	}
	return t
}

// unpack reads an index; the blocks of which it tells end before end.
func unpack(b []byte, end int64) (*index, error) {
	u := &unpacker{b: b, end: end}
	x := &index{}
	if version := u.uint(); u.err == nil && version != indexVersion {
		return nil, damaged("index of version %d, not %d", version, indexVersion)
	}
	x.tier, x.program = u.text(), u.text()
	x.resolution = time.Duration(u.int())
	x.bucket = u.span()
	for range u.count(1) {
		x.sources = append(x.sources, u.text())
	}
	x.totals = u.totals()
	x.body = u.sum()
	for range min(u.count(4), maxFields) {
		x.fields = append(x.fields, u.field())
	}
	x.heads = u.heads()
	for range u.count(4) {
		x.groups = append(x.groups, u.group(len(x.fields)))
		if u.err != nil {
			break
		}
	}
	if u.err == nil && len(u.b) > 0 {
		u.fail("more than there should be")
	}
	if u.err == nil {
		u.err = x.check()
	}
	return x, u.err
}

func (u *unpacker) field() field {
	f := field{kind: kind(u.byte()), measure: store.Measure(u.byte()), name: u.text(), column: u.text()}
	if f.kind < kindStart || f.kind > kindInteger || f.measure >= store.Measures {
		u.fail("a field of an unknown kind")
	}
	return f
}

func (u *unpacker) heads() []head {
	n := u.count(5)
	heads := make([]head, 0, n)
	seq, end := uint64(0), int64(0)
	for range n {
		flags := u.byte()
		h := head{Head: store.Head{Complete: flags&headComplete != 0}}
		h.Seq = seq + uint64(u.int()) //nolint:gosec // It wraps both ways.
		start := end + u.int()
		end = start + u.int()
		h.Span = messages.Span{Start: time.Unix(0, start), End: time.Unix(0, end)}
		h.rows = u.uint()
		if flags&headOther != 0 {
			h.Other = u.totals()
		}
		if flags&headLosses != 0 {
			h.Losses = u.losses()
		}
		heads = append(heads, h)
		seq = h.Seq + 1
	}
	return heads
}

func (u *unpacker) losses() []messages.Loss {
	n := u.count(6)
	losses := make([]messages.Loss, 0, n)
	for range n {
		losses = append(losses, messages.Loss{
			Source: u.text(), Kind: messages.LossKind(u.text()), Count: u.uint(), Bytes: u.uint(), Span: u.span(),
			Detail: u.text(),
		})
	}
	return losses
}

func (u *unpacker) group(fields int) rowGroup {
	g := rowGroup{rows: u.upTo(groupRows), first: u.int(), last: u.int()}
	if g.rows == 0 {
		u.fail("a row group without rows")
	}
	for range fields {
		if u.err != nil {
			break
		}
		g.chunks = append(g.chunks, u.chunk(g.rows))
	}
	return g
}

func (u *unpacker) chunk(rows int) chunk {
	c := chunk{encoding: encoding(u.byte())}
	if c.encoding >= encodings {
		u.fail("an unknown encoding")
	}
	if c.encoding == encodingDictionary {
		c.entries = u.upTo(rows)
		c.dictionary = u.block()
		if c.entries == 0 || c.dictionary.size == 0 {
			u.fail("an empty dictionary")
		}
	}
	c.bloom = u.block()
	at := u.upTo64()
	for rows > 0 && u.err == nil {
		p := u.page(min(rows, pageRows), at, &c)
		at += int64(p.size)
		rows -= p.rows
		c.pages = append(c.pages, p)
	}
	return c
}

// upTo64 reads a place in the file.
func (u *unpacker) upTo64() int64 {
	v := u.uint()
	if v > uint64(u.end) { //nolint:gosec // Sizes are not negative.
		u.fail("a place beyond the file")
		return 0
	}
	return int64(v) //nolint:gosec // Checked.
}

func (u *unpacker) block() block {
	b := block{size: u.upTo(maxBlock)}
	if b.size == 0 {
		return block{}
	}
	b.offset = u.upTo64()
	b.header, b.raw, b.sum = u.upTo(b.size), u.upTo(maxBlock), u.sum()
	if b.offset+int64(b.size) > u.end {
		u.fail("a block beyond the file")
	}
	return b
}

func (u *unpacker) page(rows int, at int64, c *chunk) page {
	p := page{rows: rows, block: block{offset: at, size: u.upTo(maxBlock)}, low: 1}
	p.header, p.raw = u.upTo(p.size), u.upTo(maxBlock)
	p.levels = u.upTo(p.size - p.header)
	p.empty = u.upTo(rows)
	if c.encoding == encodingDictionary {
		p.low, p.high = uint32(u.upTo(c.entries+1)), uint32(u.upTo(c.entries)) //nolint:gosec // Checked.
	}
	p.sum = u.sum()
	switch {
	case at+int64(p.size) > u.end:
		u.fail("a page beyond the file")
	case p.low == 0, c.encoding == encodingEmpty && p.empty != rows:
		u.fail("a page that contradicts itself")
	}
	return p
}

// check looks for what cannot be.
func (x *index) check() error {
	rows := uint64(0)
	for i := range x.heads {
		h := &x.heads[i]
		if !h.Span.Start.Before(h.Span.End) || h.rows > math.MaxInt64 {
			return damaged("index: a slice of no length")
		}
		rows += h.rows
	}
	for i := range x.groups {
		rows -= uint64(x.groups[i].rows) //nolint:gosec // A count.
	}
	if rows != 0 {
		return damaged("index: slices and row groups have different numbers of rows")
	}
	count := map[kind]int{}
	measures := [store.Measures]int{}
	for _, f := range x.fields {
		count[f.kind]++
		if f.kind == kindMeasure {
			measures[f.measure]++
		}
	}
	for _, n := range append(measures[:], count[kindStart]) {
		if n != 1 && len(x.groups) > 0 {
			return damaged("index: a column of counts or of times is missing or there twice")
		}
	}
	return nil
}
