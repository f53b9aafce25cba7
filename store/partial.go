package store

import (
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
	// Effort is what reading from disk took.
	Effort Effort

	groups groups
	key    []uint32
}

// Effort counts what was read of files, and what could be left alone.
type Effort struct {
	// Files were asked; RowGroups and Pages were read, those skipped were not.
	Files, RowGroups, RowGroupsSkipped, Pages, PagesSkipped uint64
	// BytesRead is what was read of files, in bytes.
	BytesRead uint64
}

// Add adds what another reader took.
func (e *Effort) Add(o Effort) {
	e.Files += o.Files
	e.RowGroups += o.RowGroups
	e.RowGroupsSkipped += o.RowGroupsSkipped
	e.Pages += o.Pages
	e.PagesSkipped += o.PagesSkipped
	e.BytesRead += o.BytesRead
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
		groups: newGroups(len(r.By), r.MaxGroups), key: make([]uint32, 1+len(r.By)),
	}
}

// Len is the number of groups.
func (p *Partial) Len() int { return p.groups.n }

// Add adds to a group, or to the overflow if there is no room for one more group.
func (p *Partial) Add(k GroupKey, t messages.Totals) {
	p.key[0] = uint32(k.Step) //nolint:gosec // Steps are few.
	for i, cell := range k.Cells {
		p.key[1+i] = p.groups.number(i, cell)
	}
	p.add(p.key, &t)
}

// add adds to the group with a step and numbers of cells.
func (p *Partial) add(key []uint32, t *messages.Totals) {
	if !p.groups.add(key, t) {
		addAt(p.Overflow, int(key[0]), *t)
	}
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
	p.mergeGroups(&o.groups)
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
	p.Effort.Add(o.Effort)
	p.Rows += o.Rows
	p.Covered = Hull(p.Covered, o.Covered)
}

// mergeGroups adds groups: each distinct cell is looked up once, whatever the number of groups.
func (p *Partial) mergeGroups(o *groups) {
	numbers := make([][]uint32, len(o.names))
	for i := range numbers {
		numbers[i] = remap(len(o.names[i].cells))
	}
	for group := range o.n {
		key := o.key(group)
		p.key[0] = key[0]
		for i, id := range key[1:] {
			if numbers[i][id] == unnumbered {
				numbers[i][id] = p.groups.number(i, o.names[i].cells[id])
			}
			p.key[1+i] = numbers[i][id]
		}
		p.add(p.key, o.sum(group))
	}
}

// Groups gives every group once, in no order that means anything. The cells of a key are the caller's.
func (p *Partial) Groups() iter.Seq2[GroupKey, messages.Totals] {
	return func(yield func(GroupKey, messages.Totals) bool) {
		for i := range p.groups.n {
			if !yield(p.groups.decode(i), *p.groups.sum(i)) {
				return
			}
		}
	}
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
