package bucket

import (
	"encoding/binary"
	"time"

	"weir/messages"
)

// indexVersion is that of the index; a reader refuses others.
const indexVersion = 1

// packer writes an index.
type packer struct{ b []byte }

func (p *packer) uint(v uint64)    { p.b = binary.AppendUvarint(p.b, v) }
func (p *packer) int(v int64)      { p.b = binary.AppendVarint(p.b, v) }
func (p *packer) byte(v byte)      { p.b = append(p.b, v) }
func (p *packer) sum(v uint32)     { p.b = binary.LittleEndian.AppendUint32(p.b, v) }
func (p *packer) text(s string)    { p.count(len(s)); p.b = append(p.b, s...) }
func (p *packer) count(n int)      { p.uint(uint64(n)) } //nolint:gosec // A length.
func (p *packer) time(t time.Time) { p.int(t.UnixNano()) }

func (p *packer) span(s messages.Span) {
	if s == (messages.Span{}) {
		p.byte(0)
		return
	}
	p.byte(1)
	p.time(s.Start)
	p.time(s.End)
}

func (p *packer) totals(t messages.Totals) {
	for _, v := range [...]uint64{
		t.Up.Bytes, t.Up.Packets, t.Down.Bytes, t.Down.Packets, t.Started, t.Ended, t.Rows,
	} {
		p.uint(v)
	}
}

// pack writes an index.
func (x *index) pack() []byte {
	p := &packer{}
	p.uint(indexVersion)
	p.text(x.tier)
	p.text(x.program)
	p.int(int64(x.resolution))
	p.span(x.bucket)
	p.count(len(x.sources))
	for _, s := range x.sources {
		p.text(s)
	}
	p.totals(x.totals)
	p.sum(x.body)
	p.count(len(x.fields))
	for _, f := range x.fields {
		p.byte(byte(f.kind))
		p.byte(byte(f.measure))
		p.text(f.name)
		p.text(f.column)
	}
	p.heads(x.heads)
	p.count(len(x.groups))
	for i := range x.groups {
		p.group(&x.groups[i])
	}
	return p.b
}

// The flags of a head.
const (
	headComplete = 1 << iota
	headOther
	headLosses
)

// heads writes slices, of which one mostly follows the other in number and time.
func (p *packer) heads(heads []head) {
	p.count(len(heads))
	seq, end := uint64(0), int64(0)
	for i := range heads {
		h := &heads[i]
		flags := byte(0)
		if h.Complete {
			flags |= headComplete
		}
		if h.Other != (messages.Totals{}) {
			flags |= headOther
		}
		if len(h.Losses) > 0 {
			flags |= headLosses
		}
		p.byte(flags)
		p.int(int64(h.Seq - seq)) //nolint:gosec // It wraps both ways.
		p.int(h.Span.Start.UnixNano() - end)
		p.int(int64(h.Span.Duration()))
		p.uint(h.rows)
		if flags&headOther != 0 {
			p.totals(h.Other)
		}
		if flags&headLosses != 0 {
			p.losses(h.Losses)
		}
		seq, end = h.Seq+1, h.Span.End.UnixNano()
	}
}

func (p *packer) losses(losses []messages.Loss) {
	p.count(len(losses))
	for _, l := range losses {
		p.text(l.Source)
		p.text(string(l.Kind))
		p.uint(l.Count)
		p.uint(l.Bytes)
		p.span(l.Span)
		p.text(l.Detail)
	}
}

func (p *packer) group(g *rowGroup) {
	p.count(g.rows)
	p.int(g.first)
	p.int(g.last)
	for i := range g.chunks {
		c := &g.chunks[i]
		p.byte(byte(c.encoding))
		if c.encoding == encodingDictionary {
			p.count(c.entries)
			p.block(&c.dictionary)
		}
		p.block(&c.bloom)
		p.uint(uint64(c.pages[0].offset)) //nolint:gosec // It is not negative.
		for k := range c.pages {
			p.page(&c.pages[k], c.encoding)
		}
	}
}

// block writes where a block is; a size of 0 says that there is none.
func (p *packer) block(b *block) {
	p.count(b.size)
	if b.size == 0 {
		return
	}
	p.uint(uint64(b.offset)) //nolint:gosec // It is not negative.
	p.count(b.header)
	p.count(b.raw)
	p.sum(b.sum)
}

// page writes a page: one follows the other in the file.
func (p *packer) page(g *page, e encoding) {
	p.count(g.size)
	p.count(g.header)
	p.count(g.raw)
	p.count(g.levels)
	p.count(g.empty)
	if e == encodingDictionary {
		p.uint(uint64(g.low))
		p.uint(uint64(g.high))
	}
	p.sum(g.sum)
}
