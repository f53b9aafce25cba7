package storetest

import (
	"math/rand/v2"
	"time"

	"weir/columns"
	"weir/messages"
	"weir/store"
)

// Resolution is the length of the slices that the suite makes.
const Resolution = 10 * time.Second

// Begin is when the first slice of a maker starts.
func Begin() time.Time { return time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC) }

// Maker makes random slices, one after the other in time, of all columns that are registered. Values
// come from small pools, so that rows have cells in common.
type Maker struct {
	R       *rand.Rand
	Columns []*columns.Column
	pools   [][]columns.Value
	seq     uint64
	start   time.Time
}

// NewMaker makes a maker; the same seed makes the same slices.
func NewMaker(seed uint64) *Maker {
	m := &Maker{R: rand.New(rand.NewPCG(seed, 1)), Columns: columns.All(), start: Begin()}
	for _, c := range m.Columns {
		pool := make([]columns.Value, 1, 7)
		for range 6 {
			pool = append(pool, m.cell(c))
		}
		m.pools = append(m.pools, pool)
	}
	return m
}

// cell makes some cell that is not empty.
func (m *Maker) cell(c *columns.Column) columns.Value {
	if !c.Set {
		return c.Random(m.R)
	}
	var vs []columns.Value
	for range 1 + m.R.IntN(3) {
		vs = append(vs, c.Random(m.R))
	}
	return columns.JoinSet(vs)
}

// Slice makes the next slice, of some parts with at most so many rows each.
func (m *Maker) Slice(rows int) *messages.Slice {
	s := &messages.Slice{
		Seq: m.seq, Span: messages.Span{Start: m.start, End: m.start.Add(Resolution)}, Complete: true,
	}
	m.seq++
	m.start = s.Span.End
	for range m.R.IntN(4) {
		s.Parts = append(s.Parts, m.Rows(m.R.IntN(rows+1)))
	}
	return s
}

// Rows makes one part of n rows.
func (m *Maker) Rows(n int) *messages.Rows {
	r := &messages.Rows{}
	for i, c := range m.Columns {
		if m.R.IntN(8) == 0 {
			continue
		}
		r.Cells = append(r.Cells, m.cells(c, m.pools[i], n))
	}
	for range n {
		r.UpBytes = append(r.UpBytes, m.count())
		r.UpPackets = append(r.UpPackets, m.count())
		r.DownBytes = append(r.DownBytes, m.count())
		r.DownPackets = append(r.DownPackets, m.count())
		r.Started = append(r.Started, uint32(m.R.IntN(3))) //nolint:gosec // Below 3.
		r.Ended = append(r.Ended, uint32(m.R.IntN(3)))     //nolint:gosec // Below 3.
	}
	if m.R.IntN(3) == 0 {
		r.Other = messages.Totals{Up: messages.Counter{Bytes: m.count(), Packets: 1}, Ended: 2, Rows: 3}
	}
	return r
}

// cells makes a column whose dictionary has its values in random order, some of them unused.
func (m *Maker) cells(c *columns.Column, pool []columns.Value, n int) messages.Cells {
	cells := messages.Cells{Column: c, Dict: []columns.Value{""}}
	number := map[columns.Value]uint32{"": 0}
	for _, i := range m.R.Perm(len(pool)) {
		if _, dup := number[pool[i]]; !dup {
			number[pool[i]] = uint32(len(cells.Dict)) //nolint:gosec // Small.
			cells.Dict = append(cells.Dict, pool[i])
		}
	}
	usable := 1 + m.R.IntN(len(pool))
	for range n {
		cells.IDs = append(cells.IDs, number[pool[m.R.IntN(usable)]])
	}
	return cells
}

// count makes numbers of every magnitude that a sum of many still holds.
func (m *Maker) count() uint64 { return m.R.Uint64() >> (10 + m.R.IntN(54)) }

// Filter makes a random filter; nil now and then.
func (m *Maker) Filter(depth int) store.Filter {
	switch kind := m.R.IntN(8); {
	case kind == 0:
		return nil
	case kind <= 2 && depth > 0:
		return store.Not{Filter: m.Filter(depth - 1)}
	case kind == 3 && depth > 0:
		return store.And(m.filters(depth - 1))
	case kind == 4 && depth > 0:
		return store.Or(m.filters(depth - 1))
	}
	i := m.R.IntN(len(m.Columns))
	chosen := map[columns.Value]bool{}
	for range 1 + m.R.IntN(4) {
		chosen[m.pools[i][m.R.IntN(len(m.pools[i]))]] = true
	}
	return store.Match{Column: m.Columns[i], Cell: func(v columns.Value) bool { return chosen[v] }}
}

func (m *Maker) filters(depth int) []store.Filter {
	fs := make([]store.Filter, m.R.IntN(4))
	for i := range fs {
		fs[i] = m.Filter(depth)
	}
	return fs
}

// Request makes a random request into the time of the slices made so far.
func (m *Maker) Request() *store.Request {
	slices := max(1, int(m.start.Sub(Begin())/Resolution))
	from := Begin().Add(time.Duration(m.R.IntN(slices)) * Resolution)
	r := &store.Request{
		Span:   messages.Span{Start: from, End: from.Add(time.Duration(1+m.R.IntN(slices)) * Resolution)},
		Origin: from,
		Filter: m.Filter(3),
	}
	if m.R.IntN(2) == 0 {
		r.Step = time.Duration(1+m.R.IntN(5)) * Resolution
	}
	for _, i := range m.R.Perm(len(m.Columns))[:m.R.IntN(min(8, len(m.Columns))+1)] {
		r.By = append(r.By, m.Columns[i])
	}
	return r
}

// Everything asks for the sum of all that a tier holds.
func Everything() *store.Request {
	return &store.Request{Span: messages.Span{Start: time.Unix(-1<<33, 0), End: time.Unix(1<<33, 0)}}
}

// Rewind makes the next slice the one after a number, at the time that belongs to it.
func (m *Maker) Rewind(seq uint64) {
	m.seq = seq
	m.start = Begin().Add(time.Duration(seq) * Resolution) //nolint:gosec // Tests make few slices.
}
