package store

import (
	"slices"
	"strings"

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

	part  *Part
	times timing
	test  test
	masks masks
	// mode says how rows are chosen, page of each row of a page whether it was.
	mode rowMode
	page []bool
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
	// texts[k] tells how the answer numbers what the texts of shared dictionaries stand for.
	texts []map[string]uint32
	key   []uint32
}

// NewScan makes a scan that answers a request into a partial.
func NewScan(r *Request, into *Partial) *Scan {
	s := &Scan{
		request: r, into: into, chosen: make([]uint16, 0, blockRows),
		numbers: make([][]uint32, len(r.By)), key: make([]uint32, 1+len(r.By)),
		texts: make([]map[string]uint32, len(r.By)),
	}
	for k := range s.texts {
		s.texts[k] = map[string]uint32{}
	}
	return s
}

// Add adds what the rows of a part say. All of them count in the step.
func (s *Scan) Add(step int, p *Part) {
	s.into.AddOther(step, p.Other)
	s.into.Rows += uint64(p.Rows) //nolint:gosec // A count.
	if p.Rows == 0 {
		return
	}
	s.times.at(step)
	if s.begin(p, prepare(s.request.Filter, p)) {
		s.rows(p.Rows)
		s.End()
	}
}

// AddBlock adds what those rows of a block say whose slices are asked for. The heads of the slices are the
// caller's to tell.
func (s *Scan) AddBlock(b *Block) {
	if b.Rows == 0 {
		return
	}
	times := timesOf(b)
	if s.Begin(&b.Part, times) {
		s.rows(b.Rows)
		s.End()
	}
	for i := range b.Rows {
		if s.times.held[times.IDs.At(i)] {
			s.into.Rows++
		}
	}
}

// timesOf numbers the starts of a block.
func timesOf(b *Block) *Times {
	t := &Times{}
	known := map[uint64]uint32{}
	ids := make([]uint32, b.Rows)
	last, number := uint64(0), uint32(0)
	for i := range ids {
		start := b.Starts.At(i)
		if i == 0 || start != last {
			var ok bool
			if number, ok = known[start]; !ok {
				number = uint32(len(known)) //nolint:gosec // Not more than rows.
				known[start] = number
				t.Starts = append(t.Starts, int64(start)) //nolint:gosec // It was one.
			}
			last = start
		}
		ids[i] = number
	}
	t.IDs = IntsOf(nil, ids)
	return t
}

func (s *Scan) begin(p *Part, t test) bool {
	s.part, s.test, s.mode = p, t, byTest
	if t.verdict == never {
		return false
	}
	s.grouping.begin(s.request.By, p, &s.times)
	s.sums = s.sums[:0]
	return true
}

// rows adds the first n rows of the part.
func (s *Scan) rows(n int) {
	for from := 0; from < n; from += blockRows {
		s.block(from, min(blockRows, n-from))
	}
}

// block adds n rows from place from on to the sums of their groups.
func (s *Scan) block(from, n int) {
	s.choose(from, n)
	if len(s.chosen) == 0 {
		return
	}
	for m := range s.part.Measures {
		if !s.request.Skip[m] {
			s.part.Measures[m].Load(s.counts[m][:n], from)
		}
	}
	one := s.grouping.number(s.groups[:len(s.chosen)], s.chosen, from, n)
	s.grow(s.grouping.groups)
	if one {
		s.sumAll(&s.sums[s.groups[0]], n)
		return
	}
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
	if s.test.verdict == always || s.mode == allOfPage {
		for row := range n {
			s.chosen = append(s.chosen, uint16(row)) //nolint:gosec // Less than blockRows.
		}
		return
	}
	var out []bool
	if s.mode == chosenOfPage {
		out = s.page[from : from+n]
	} else {
		out = s.masks.level(0)[:n]
		s.test.run(out, from, 1, &s.masks)
	}
	for row, pass := range out {
		if pass {
			s.chosen = append(s.chosen, uint16(row)) //nolint:gosec // Less than blockRows.
		}
	}
}

// sumAll adds the chosen rows of a block of n rows to one group.
func (s *Scan) sumAll(into *messages.Totals, n int) {
	var sums [Measures]uint64
	for m := range sums {
		if s.request.Skip[m] {
			continue
		}
		column, sum := &s.counts[m], uint64(0)
		if len(s.chosen) == n {
			for _, v := range column[:n] {
				sum += v
			}
		} else {
			for _, row := range s.chosen {
				sum += column[row%blockRows]
			}
		}
		sums[m] = sum
	}
	into.Add(messages.Totals{
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

// End adds the sums of a part's groups to the answer.
func (s *Scan) End() {
	for k, cells := range s.grouping.cells {
		if cells != nil {
			n := cells.Dict.Len()
			s.numbers[k] = slices.Grow(s.numbers[k][:0], n)[:n]
			clear(s.numbers[k])
		}
	}
	for g := range s.sums {
		key := s.grouping.key(g)
		s.key[0] = key[0]
		for k, id := range key[1:] {
			s.key[1+k] = s.number(k, id)
		}
		s.into.add(s.key, &s.sums[g])
	}
}

// number tells how the answer numbers a cell of the k-th column.
func (s *Scan) number(k int, id uint32) uint32 {
	if id == 0 {
		return 0
	}
	if n := s.numbers[k][id]; n != 0 {
		return n - 1
	}
	dict := &s.grouping.cells[k].Dict
	if !dict.shared {
		n := s.into.groups.number(k, dict.At(int(id)))
		s.numbers[k][id] = n + 1
		return n
	}
	text := dict.Text(int(id))
	n, ok := s.texts[k][text]
	if !ok {
		n = s.into.groups.number(k, dict.At(int(id)))
		if n != unknown {
			s.texts[k][strings.Clone(text)] = n
		}
	}
	s.numbers[k][id] = n + 1
	return n
}
