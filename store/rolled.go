package store

import (
	"cmp"
	"slices"
	"time"

	"weir/columns"
	"weir/messages"
)

// Rolled gives the groups of an answer as rows, in order of their steps: each step is a slice that starts when
// start says. by are the columns that the request grouped by. Of the groups of one step only the top ones by bytes
// become rows, if top is not 0, and those that moved least bytes or more; the others are summed in folded, by
// step.
func (p *Partial) Rolled(
	by []*columns.Column, start func(step int) time.Time, top int, least uint64,
) (b *Block, folded map[int]messages.Totals) {
	kept, folded := p.choose(top, least)
	b = &Block{Part: Part{Rows: len(kept)}}
	starts := make([]uint64, len(kept))
	for i, group := range kept {
		starts[i] = uint64(start(int(p.groups.key(group)[0])).UnixNano()) //nolint:gosec // Times are kept like this.
	}
	b.Starts = IntsOf(nil, starts)
	for m := range b.Measures {
		counts := make([]uint64, len(kept))
		for i, group := range kept {
			counts[i] = measureOf(p.groups.sum(group), Measure(m))
		}
		b.Measures[m] = IntsOf(nil, counts)
	}
	for k, c := range by {
		cells := p.groups.names[k].cells
		if len(cells) == 1 {
			continue
		}
		ids := make([]uint32, len(kept))
		for i, group := range kept {
			ids[i] = p.groups.key(group)[1+k]
		}
		b.Cells = append(b.Cells, PartCells{Column: c, Dict: DictOf(cells), IDs: IntsOf(nil, ids)})
	}
	return b, folded
}

// measureOf gives one measure of a sum.
func measureOf(t *messages.Totals, m Measure) uint64 {
	switch m {
	case UpBytes:
		return t.Up.Bytes
	case UpPackets:
		return t.Up.Packets
	case DownBytes:
		return t.Down.Bytes
	case DownPackets:
		return t.Down.Packets
	case Started:
		return t.Started
	case Ended:
		return t.Ended
	default:
		return 0
	}
}

// choose gives the groups that become rows, and the sums of the others.
func (p *Partial) choose(top int, least uint64) (kept []int, folded map[int]messages.Totals) {
	folded = map[int]messages.Totals{}
	bytes := func(group int) uint64 { t := p.groups.sum(group); return t.Up.Bytes + t.Down.Bytes }
	step := func(group int) int { return int(p.groups.key(group)[0]) }
	order := make([]int, p.groups.n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if s := cmp.Compare(step(a), step(b)); s != 0 || top == 0 {
			return s
		}
		return cmp.Compare(bytes(b), bytes(a))
	})
	kept = order[:0]
	rank, last := 0, -1
	for _, group := range order {
		if s := step(group); s != last {
			rank, last = 0, s
		}
		rank++
		if top > 0 && rank > top || bytes(group) < least {
			addAt(folded, last, *p.groups.sum(group))
			continue
		}
		kept = append(kept, group)
	}
	return kept, folded
}
