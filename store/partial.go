package store

import (
	"encoding/binary"
	"iter"
	"time"

	"weir/columns"
	"weir/messages"
)

// Partial gathers the answers of tiers to one request. It belongs to one goroutine; those of several
// are put together with [Partial.Merge].
type Partial struct {
	// Other sums, for each step, the rows that a budget folded: they have no columns, so that a filter
	// cannot choose among them. With a filter they are told in the answer and not counted in it.
	Other map[int]messages.Totals
	// Overflow sums, for each step, the groups that did not fit into Request.MaxGroups.
	Overflow map[int]messages.Totals
	// Losses of all slices that were read, those of one source and kind in one.
	Losses []messages.Loss
	// Incomplete counts slices that closed without some participant.
	Incomplete uint64
	// Covered runs from the start of the first slice that was read to the end of the last; zero if none
	// was read.
	Covered messages.Span
	// Resolution is the longest slice that was read.
	Resolution time.Duration
	// Slices and Rows count what was read.
	Slices, Rows uint64

	by, bound int
	// index tells the place in sums of an encoded GroupKey: one block of sums costs the collector less
	// than a pointer for each group.
	index map[string]uint32
	sums  []messages.Totals
	key   []byte
}

// GroupKey is what tells two groups of an answer apart.
type GroupKey struct {
	// Step is the number of the step, from 0.
	Step int
	// Cells are the cells of the columns of Request.By, in that order.
	Cells []columns.Value
}

// NewPartial makes the empty answer to a request.
func NewPartial(r *Request) *Partial {
	return &Partial{
		Other: map[int]messages.Totals{}, Overflow: map[int]messages.Totals{},
		by: len(r.By), bound: r.MaxGroups, index: map[string]uint32{},
	}
}

// Len is the number of groups.
func (p *Partial) Len() int { return len(p.sums) }

// Add adds to a group.
func (p *Partial) Add(k GroupKey, t messages.Totals) {
	p.key = appendKeyStep(p.key[:0], k.Step)
	for _, c := range k.Cells {
		p.key = appendKeyCell(p.key, c)
	}
	p.add(p.key, k.Step, t)
}

// add adds to the group with an encoded key, or to the overflow if there is no room for one more group.
func (p *Partial) add(key []byte, step int, t messages.Totals) {
	if i, ok := p.index[string(key)]; ok {
		p.sums[i].Add(t)
		return
	}
	if p.bound > 0 && len(p.sums) >= p.bound {
		addAt(p.Overflow, step, t)
		return
	}
	p.index[string(key)] = uint32(len(p.sums)) //nolint:gosec // Groups are bounded.
	p.sums = append(p.sums, t)
}

// AddOther adds rows that have no columns.
func (p *Partial) AddOther(step int, t messages.Totals) {
	if t != (messages.Totals{}) {
		addAt(p.Other, step, t)
	}
}

func addAt(m map[int]messages.Totals, step int, t messages.Totals) {
	sum := m[step]
	sum.Add(t)
	m[step] = sum
}

// AddSlice tells that a slice was read.
func (p *Partial) AddSlice(span messages.Span, losses []messages.Loss, complete bool) {
	p.Slices++
	if !complete {
		p.Incomplete++
	}
	p.Losses = MergeLosses(p.Losses, losses)
	p.Covered = Hull(p.Covered, span)
	p.Resolution = max(p.Resolution, span.Duration())
}

// Merge adds what another goroutine found for the same request. The other one is used up.
func (p *Partial) Merge(o *Partial) {
	for key, i := range o.index {
		step, _ := binary.Uvarint([]byte(key))
		p.add([]byte(key), int(step), o.sums[i]) //nolint:gosec // Written by appendKeyStep from an int.
	}
	for step, t := range o.Other {
		addAt(p.Other, step, t)
	}
	for step, t := range o.Overflow {
		addAt(p.Overflow, step, t)
	}
	p.Losses = MergeLosses(p.Losses, o.Losses)
	p.Incomplete += o.Incomplete
	p.Resolution = max(p.Resolution, o.Resolution)
	p.Slices += o.Slices
	p.Rows += o.Rows
	p.Covered = Hull(p.Covered, o.Covered)
}

// Groups gives every group once, in no order. The cells of a key are the caller's.
func (p *Partial) Groups() iter.Seq2[GroupKey, messages.Totals] {
	return func(yield func(GroupKey, messages.Totals) bool) {
		for key, i := range p.index {
			if !yield(p.decodeKey(key), p.sums[i]) {
				return
			}
		}
	}
}

func appendKeyStep(dst []byte, step int) []byte {
	return binary.AppendUvarint(dst, uint64(step)) //nolint:gosec // Steps count from 0.
}

func appendKeyCell(dst []byte, cell columns.Value) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(cell)))
	return append(dst, cell...)
}

// uvarint reads a number from a key that this process wrote.
func uvarint(key string) (n int, rest string) {
	for shift := 0; ; shift += 7 {
		b := key[0]
		key = key[1:]
		n |= int(b&0x7f) << shift
		if b < 0x80 {
			return n, key
		}
	}
}

func (p *Partial) decodeKey(key string) GroupKey {
	k := GroupKey{Cells: make([]columns.Value, p.by)}
	k.Step, key = uvarint(key)
	for i := range k.Cells {
		var n int
		n, key = uvarint(key)
		k.Cells[i], key = columns.Value(key[:n]), key[n:]
	}
	return k
}

// Hull is the shortest span that holds both; a zero span holds nothing.
func Hull(a, b messages.Span) messages.Span {
	switch {
	case a == messages.Span{}:
		return b
	case b == messages.Span{}:
		return a
	}
	if b.Start.Before(a.Start) {
		a.Start = b.Start
	}
	if b.End.After(a.End) {
		a.End = b.End
	}
	return a
}
