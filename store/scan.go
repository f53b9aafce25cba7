package store

import (
	"slices"

	"weir/messages"
)

// blockRows is how many rows a scan takes at once: their numbers stay in the fastest memory.
const blockRows = 1024

// Scan adds the rows of parts to a partial answer, block by block and column by column: a filter is asked
// once about each distinct cell, rows are told apart by small numbers, and cells are looked at again only
// once for each group. It belongs to one goroutine.
type Scan struct {
	request *Request
	into    *Partial

	test  test
	masks masks
	// chosen are the rows of the block that pass, counted from the block's start.
	chosen []uint16
	// groups[i] is the group of the i-th chosen row.
	groups [blockRows]uint32
	counts [Measures][blockRows]uint64

	grouping grouping
	// sums are those of the groups of this part.
	sums []messages.Totals
	// numbers[k][id] is 1 + what a cell of this part in the k-th column is numbered in the answer, or 0.
	numbers [][]uint32
	key     []uint32
}

// NewScan makes a scan that answers a request into a partial.
func NewScan(r *Request, into *Partial) *Scan {
	return &Scan{
		request: r, into: into, chosen: make([]uint16, 0, blockRows),
		numbers: make([][]uint32, len(r.By)), key: make([]uint32, 1+len(r.By)),
	}
}

// Add adds what the rows of a part say. All of them count in the step.
func (s *Scan) Add(step int, p *Part) {
	s.into.AddOther(step, p.Other)
	s.into.Rows += uint64(p.Rows) //nolint:gosec // A count.
	s.test = prepare(s.request.Filter, p)
	if p.Rows == 0 || s.test.verdict == never {
		return
	}
	s.grouping.begin(s.request.By, p)
	s.sums = s.sums[:0]
	for from := 0; from < p.Rows; from += blockRows {
		s.block(p, from, min(blockRows, p.Rows-from))
	}
	s.flush(step, p)
}

// block adds n rows from place from on to the sums of their groups.
func (s *Scan) block(p *Part, from, n int) {
	s.choose(from, n)
	if len(s.chosen) == 0 {
		return
	}
	for m := range p.Measures {
		p.Measures[m].Load(s.counts[m][:n], from)
	}
	if len(s.request.By) == 0 {
		s.sumAll(from)
		return
	}
	s.grouping.number(s.groups[:len(s.chosen)], s.chosen, from, n)
	s.grow(len(s.grouping.first))
	c := &s.counts
	for i, row := range s.chosen {
		t := &s.sums[s.groups[i]]
		t.Up.Bytes += c[UpBytes][row]
		t.Up.Packets += c[UpPackets][row]
		t.Down.Bytes += c[DownBytes][row]
		t.Down.Packets += c[DownPackets][row]
		t.Started += c[Started][row]
		t.Ended += c[Ended][row]
		t.Rows++
	}
}

// choose finds the rows of a block that pass the filter.
func (s *Scan) choose(from, n int) {
	s.chosen = s.chosen[:0]
	if s.test.verdict == always {
		for row := range n {
			s.chosen = append(s.chosen, uint16(row)) //nolint:gosec // Less than blockRows.
		}
		return
	}
	out := s.masks.level(0)[:n]
	s.test.run(out, from, 1, &s.masks)
	for row, pass := range out {
		if pass {
			s.chosen = append(s.chosen, uint16(row)) //nolint:gosec // Less than blockRows.
		}
	}
}

// sumAll adds the chosen rows of a block to the only group.
func (s *Scan) sumAll(from int) {
	if len(s.sums) == 0 {
		s.sums = append(s.sums, messages.Totals{})
		s.grouping.first = append(s.grouping.first[:0], uint32(from)) //nolint:gosec // Rows of a part fit.
	}
	var sums [Measures]uint64
	for m := range sums {
		column := &s.counts[m]
		for _, row := range s.chosen {
			sums[m] += column[row%blockRows]
		}
	}
	s.sums[0].Add(messages.Totals{
		Up:      messages.Counter{Bytes: sums[UpBytes], Packets: sums[UpPackets]},
		Down:    messages.Counter{Bytes: sums[DownBytes], Packets: sums[DownPackets]},
		Started: sums[Started],
		Ended:   sums[Ended],
		Rows:    uint64(len(s.chosen)),
	})
}

// grow makes room for n groups.
func (s *Scan) grow(n int) {
	if old := len(s.sums); n > old {
		s.sums = slices.Grow(s.sums, n-old)[:n]
		clear(s.sums[old:])
	}
}

// flush adds the sums of a part's groups to the answer. The first row of a group tells its cells.
func (s *Scan) flush(step int, p *Part) {
	by := make([]*PartCells, len(s.request.By))
	for k, c := range s.request.By {
		if by[k] = p.Find(c); by[k] != nil {
			n := by[k].Dict.Len()
			s.numbers[k] = slices.Grow(s.numbers[k][:0], n)[:n]
			clear(s.numbers[k])
		}
	}
	s.key[0] = uint32(step) //nolint:gosec // Steps are few.
	for g := range s.sums {
		row := int(s.grouping.first[g])
		for k, cells := range by {
			s.key[1+k] = s.number(k, cells, row)
		}
		s.into.add(s.key, &s.sums[g])
	}
}

// number tells how the answer numbers the cell of a row in the k-th column.
func (s *Scan) number(k int, cells *PartCells, row int) uint32 {
	if cells == nil {
		return 0
	}
	id := int(cells.IDs.At(row)) //nolint:gosec // Checked when it was packed.
	if n := s.numbers[k][id]; n != 0 {
		return n - 1
	}
	n := s.into.groups.number(k, cells.Dict.At(id))
	s.numbers[k][id] = n + 1
	return n
}
