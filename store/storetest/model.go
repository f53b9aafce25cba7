package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"weir/columns"
	"weir/messages"
	"weir/store"
)

// Model is the simplest tier: it keeps every row and answers row by row. Others are compared with it.
type Model struct {
	Resolution time.Duration
	// Amends says that it heeds amendments.
	Amends bool

	mu     sync.RWMutex
	slices []*messages.Slice
}

// rowBytes is about what a row takes.
const rowBytes = 100

// Append keeps a slice.
func (m *Model) Append(s *messages.Slice) error {
	if !s.Span.Start.Before(s.Span.End) {
		return errors.New("append slice: its span is empty")
	}
	for _, p := range s.Parts {
		if p.Flow != nil && len(p.Flow) != p.Len() {
			return fmt.Errorf("append slice: %d flows for %d rows", len(p.Flow), p.Len())
		}
		for _, c := range p.Cells {
			if len(c.IDs) != p.Len() {
				return fmt.Errorf("append slice: %d cells for %d rows", len(c.IDs), p.Len())
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.slices = append(m.slices, s)
	if m.Amends {
		for i, old := range m.slices {
			for _, a := range s.Amendments {
				old = amended(old, a)
			}
			m.slices[i] = old
		}
	}
	return nil
}

// amended gives a slice in which one flow's rows have other cells.
func amended(s *messages.Slice, a messages.Amendment) *messages.Slice {
	n := *s
	n.Parts = nil
	for _, p := range s.Parts {
		for row := range p.Flow {
			if p.Flow[row] == a.Flow && a.Flow != 0 {
				p = amendRow(p, row, a.Cells)
			}
		}
		n.Parts = append(n.Parts, p)
	}
	return &n
}

// amendRow copies all rows for the sake of one.
func amendRow(p *messages.Rows, row int, amended []messages.AmendedCell) *messages.Rows {
	n := *p
	for _, a := range amended {
		c := messages.Cells{Column: a.Column, Dict: []columns.Value{""}}
		for i := range p.Len() {
			cell := CellOf(&n, a.Column, i)
			if i == row {
				cell = a.Value
			}
			c.Dict = append(c.Dict, cell)
			c.IDs = append(c.IDs, uint32(i)+1) //nolint:gosec // A test has few rows.
		}
		n.Cells = slices.DeleteFunc(slices.Clone(n.Cells), func(o messages.Cells) bool { return o.Column == a.Column })
		n.Cells = append(n.Cells, c)
	}
	return &n
}

// Relabel shifts the times of slices.
func (m *Model) Relabel(since uint64, delta time.Duration) error {
	for delta%m.Resolution != 0 {
		delta -= (delta%m.Resolution + m.Resolution) % m.Resolution
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, s := range m.slices {
		if s.Seq < since {
			continue
		}
		moved := *s
		moved.Span = move(s.Span, delta)
		moved.Losses = nil
		for _, l := range s.Losses {
			l.Span = move(l.Span, delta)
			moved.Losses = append(moved.Losses, l)
		}
		m.slices[i] = &moved
	}
	return nil
}

func move(s messages.Span, by time.Duration) messages.Span {
	return messages.Span{Start: s.Start.Add(by), End: s.End.Add(by)}
}

// Query looks at each row by itself.
func (m *Model) Query(ctx context.Context, r *store.Request, into *store.Partial) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, s := range m.slices {
		if s.Span.Start.Before(r.Span.Start) || !s.Span.Start.Before(r.Span.End) {
			continue
		}
		into.AddSlice(s.Span, s.Losses, s.Complete)
		step := 0
		if r.Step > 0 {
			step = int(s.Span.Start.Sub(r.Origin) / r.Step)
		}
		for _, p := range s.Parts {
			into.AddOther(step, p.Other)
			into.Rows += uint64(p.Len()) //nolint:gosec // A count.
			for row := range p.Len() {
				addRow(into, r, step, p, row)
			}
		}
	}
	return ctx.Err()
}

func addRow(into *store.Partial, r *store.Request, step int, p *messages.Rows, row int) {
	cell := func(c *columns.Column) columns.Value { return CellOf(p, c, row) }
	if !store.Passes(r.Filter, cell) {
		return
	}
	key := store.GroupKey{Step: step}
	for _, c := range r.By {
		key.Cells = append(key.Cells, cell(c))
	}
	into.Add(key, RowTotals(p, row))
}

// CellOf gives the cell of one row.
func CellOf(p *messages.Rows, c *columns.Column, row int) columns.Value {
	for i := range p.Cells {
		if p.Cells[i].Column == c {
			return p.Cells[i].Dict[p.Cells[i].IDs[row]]
		}
	}
	return ""
}

// RowTotals gives the sums of one row.
func RowTotals(p *messages.Rows, row int) messages.Totals {
	return messages.Totals{
		Up:      messages.Counter{Bytes: p.UpBytes[row], Packets: p.UpPackets[row]},
		Down:    messages.Counter{Bytes: p.DownBytes[row], Packets: p.DownPackets[row]},
		Started: uint64(p.Started[row]),
		Ended:   uint64(p.Ended[row]),
		Rows:    1,
	}
}

// Coverage says what the model holds.
func (m *Model) Coverage() store.Coverage {
	m.mu.RLock()
	defer m.mu.RUnlock()
	c := store.Coverage{Name: "model", Resolution: m.Resolution, Slices: uint64(len(m.slices)), Budget: math.MaxInt64}
	for _, s := range m.slices {
		c.Span = store.Hull(c.Span, s.Span)
		for _, p := range s.Parts {
			c.Rows += uint64(p.Len()) //nolint:gosec // A count.
			c.Folded += p.Other.Rows
			c.Bytes += rowBytes * uint64(p.Len()) //nolint:gosec // A count.
		}
	}
	return c
}
