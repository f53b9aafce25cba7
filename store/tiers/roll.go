package tiers

import (
	"cmp"
	"context"
	"slices"
	"time"

	"weir/columns"
	"weir/messages"
	"weir/store"
)

// rollSource is what rows come from: a bucket file or a segment of the journal.
type rollSource interface {
	// Heads are the slices.
	Heads() []store.Head
	// Blocks calls f with all rows, of which only some columns are wanted; nil wants all.
	Blocks(ctx context.Context, want []*columns.Column, f func(*store.Block) error) error
}

// rollSink takes what becomes of them.
type rollSink interface {
	Head(h *store.Head) error
	Block(b *store.Block) error
}

const (
	// windowRows is how many rows of a source are summed at once, about: they are groups at most, of 150 to 250
	// bytes, and their cells take no more than the files allow for as many rows. Together that is less than 48
	// MiB.
	windowRows = 1 << 17
)

// roll sums rows of finer slices into those of a coarser tier. It is a function of what it reads alone.
//
// Memory is bounded as follows. The sources are cut into windows of whole coarse slices, so short that they hold
// about windowRows rows each; one window after the other is summed, written and forgotten, and a source is read
// once for each of its windows. A window that has more groups than windowRows is cut in two and read again; if it
// is one slice, the groups that came last are folded. Each group is summed in one place, so nothing needs to be
// merged.
type roll struct {
	slice time.Duration
	rule  rule
	top   int
	least uint64
	// bound is how many groups are summed at once; windowRows but in tests.
	bound int
	// pace waits before more is read; it is told how many rows that was.
	pace func(ctx context.Context, rows int) error
}

func newRoll(l *Level, r rule) *roll {
	return &roll{
		slice: l.Slice.Duration, rule: r, top: l.TopK, bound: windowRows,
		least: uint64(l.MinBytes), //nolint:gosec // Not negative.
		pace:  func(context.Context, int) error { return nil },
	}
}

// run rolls sources up, whose slices are inside the span. rows is how many there are.
func (r *roll) run(ctx context.Context, sources []rollSource, span messages.Span, rows uint64, into rollSink) error {
	heads := r.heads(sources)
	slices64 := max(1, int64(span.Duration()/r.slice))
	windows := min(slices64, int64(rows/uint64(r.bound))+1) //nolint:gosec // Counts.
	each := time.Duration((slices64+windows-1)/windows) * r.slice
	for at := span.Start; at.Before(span.End); at = at.Add(each) {
		w := messages.Span{Start: at, End: earliest(at.Add(each), span.End)}
		if err := r.window(ctx, sources, w, heads, into); err != nil {
			return err
		}
	}
	for _, start := range sortedStarts(heads) {
		if err := into.Head(heads[start]); err != nil {
			return err
		}
	}
	return nil
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func sortedStarts(heads map[int64]*store.Head) []int64 {
	starts := make([]int64, 0, len(heads))
	for start := range heads {
		starts = append(starts, start)
	}
	slices.Sort(starts)
	return starts
}

// heads makes the coarse slices, by their starts.
func (r *roll) heads(sources []rollSource) map[int64]*store.Head {
	heads := map[int64]*store.Head{}
	var all []store.Head //nolint:prealloc // Nobody knows how many they are.
	for _, s := range sources {
		all = append(all, s.Heads()...)
	}
	slices.SortStableFunc(all, func(a, b store.Head) int { return cmp.Compare(a.Seq, b.Seq) })
	for i := range all {
		h := &all[i]
		start := h.Span.Start.Truncate(r.slice)
		c := heads[start.UnixNano()]
		if c == nil {
			c = &store.Head{Complete: true, Span: messages.Span{Start: start, End: start.Add(r.slice)}}
			heads[start.UnixNano()] = c
		}
		c.Seq = h.Seq
		if h.Span.End.After(c.Span.End) {
			c.Span.End = h.Span.End
		}
		c.Complete = c.Complete && h.Complete
		c.Losses = store.MergeLosses(c.Losses, h.Losses)
		c.Other.Add(h.Other)
	}
	return heads
}

// window rolls up what starts in a span.
func (r *roll) window(
	ctx context.Context, sources []rollSource, span messages.Span, heads map[int64]*store.Head, into rollSink,
) error {
	by, err := r.columns(ctx, sources)
	if err != nil {
		return err
	}
	request := &store.Request{Span: span, Origin: span.Start, Step: r.slice, By: by, MaxGroups: r.bound}
	sum := store.NewPartial(request)
	scan := store.NewScan(request, sum)
	mask := newMask(r.rule)
	for _, s := range sources {
		err := s.Blocks(ctx, by, func(b *store.Block) error {
			scan.AddBlock(mask.apply(b))
			return r.pace(ctx, b.Rows)
		})
		if err != nil {
			return err
		}
	}
	if len(sum.Overflow) > 0 && span.Duration() > r.slice {
		half := span.Start.Add((span.Duration() / 2).Truncate(r.slice))
		if !half.After(span.Start) {
			half = span.Start.Add(r.slice)
		}
		if err := r.window(ctx, sources, messages.Span{Start: span.Start, End: half}, heads, into); err != nil {
			return err
		}
		return r.window(ctx, sources, messages.Span{Start: half, End: span.End}, heads, into)
	}
	start := func(step int) time.Time { return span.Start.Add(time.Duration(step) * r.slice) }
	b, folded := sum.Rolled(by, start, r.top, r.least)
	for _, more := range []map[int]messages.Totals{folded, sum.Overflow} {
		for step, t := range more {
			if h := heads[start(step).UnixNano()]; h != nil { // Every row has its slice.
				h.Other.Add(t)
			}
		}
	}
	if b.Rows == 0 {
		return nil
	}
	return into.Block(b)
}

// columns lists those columns of the sources that are kept, in the order of their names.
func (r *roll) columns(ctx context.Context, sources []rollSource) ([]*columns.Column, error) {
	type named interface{ Columns() []string }
	seen := map[string]bool{}
	for _, s := range sources {
		if n, ok := s.(named); ok {
			for _, name := range n.Columns() {
				seen[name] = true
			}
			continue
		}
		err := s.Blocks(ctx, nil, func(b *store.Block) error {
			for i := range b.Cells {
				seen[b.Cells[i].Column.Name] = true
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	var by []*columns.Column
	for _, c := range columns.All() {
		if at, _ := r.rule.find(c.Name); seen[c.Name] && (at < 0) == r.rule.drop {
			by = append(by, c)
		}
	}
	return by, nil
}

// mask empties the cells of alternatives that come after one that a row has.
type mask struct {
	rule  rule
	rules [][]*columns.Column
	kept  []bool
	ids   []uint32
	block store.Block
}

func newMask(r rule) *mask {
	m := &mask{rule: r}
	if r.drop {
		return m
	}
	for _, names := range r.names {
		var either []*columns.Column
		for _, name := range names {
			if c, ok := columns.Lookup(name); ok {
				either = append(either, c)
			}
		}
		if len(either) > 1 {
			m.rules = append(m.rules, either)
		}
	}
	return m
}

// apply gives the block with the cells emptied; it holds until the next call.
func (m *mask) apply(b *store.Block) *store.Block {
	if len(m.rules) == 0 {
		return b
	}
	m.block = *b
	m.block.Cells = slices.Clone(b.Cells)
	for _, either := range m.rules {
		m.either(either)
	}
	return &m.block
}

func (m *mask) either(either []*columns.Column) {
	b := &m.block
	m.kept = append(m.kept[:0], make([]bool, b.Rows)...)
	for _, c := range either {
		cells := b.Find(c)
		if cells == nil {
			continue
		}
		m.ids = append(m.ids[:0], make([]uint32, b.Rows)...)
		cells.IDs.LoadIDs(m.ids, 0)
		for row, id := range m.ids {
			if m.kept[row] {
				m.ids[row] = 0
			}
			m.kept[row] = m.kept[row] || id != 0
		}
		if _, place := m.rule.find(c.Name); place > 0 {
			cells.IDs = store.IntsOf(nil, m.ids)
		}
	}
}
