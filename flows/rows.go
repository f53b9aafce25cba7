package flows

import (
	"weir/columns"
	"weir/messages"
)

// rowBuilder gathers the rows of a slice column by column.
type rowBuilder struct {
	rows    messages.Rows
	derived []*cellBuilder
	tagged  map[*columns.Column]*cellBuilder
	scratch []byte
}

// cellBuilder is one column: its dictionary grows with each new cell.
type cellBuilder struct {
	column *columns.Column
	ids    []uint32
	dict   []columns.Value
	byCell map[columns.Value]uint32
}

func newCellBuilder(c *columns.Column, n int) *cellBuilder {
	return &cellBuilder{
		column: c, ids: make([]uint32, 0, n),
		dict: []columns.Value{""}, byCell: map[columns.Value]uint32{"": 0},
	}
}

func newRowBuilder(n int) *rowBuilder {
	b := &rowBuilder{tagged: map[*columns.Column]*cellBuilder{}}
	b.rows = messages.Rows{
		UpBytes: make([]uint64, 0, n), UpPackets: make([]uint64, 0, n),
		DownBytes: make([]uint64, 0, n), DownPackets: make([]uint64, 0, n),
		Started: make([]uint32, 0, n), Ended: make([]uint32, 0, n),
	}
	for _, c := range columns.ByIndex() {
		if c.Derived {
			b.derived = append(b.derived, newCellBuilder(c, n))
		}
	}
	return b
}

// row adds a row.
func (b *rowBuilder) row(f *columns.Flow, tags []columns.Tag, localIsA bool, t messages.Totals) {
	for _, c := range b.derived {
		b.scratch = c.column.AppendDerived(b.scratch[:0], f)
		c.addBytes(b.scratch)
	}
	b.tags(tags, localIsA)
	r := &b.rows
	r.UpBytes, r.UpPackets = append(r.UpBytes, t.Up.Bytes), append(r.UpPackets, t.Up.Packets)
	r.DownBytes, r.DownPackets = append(r.DownBytes, t.Down.Bytes), append(r.DownPackets, t.Down.Packets)
	r.Started = append(r.Started, uint32(t.Started)) //nolint:gosec // A row's count is 16 bits wide.
	r.Ended = append(r.Ended, uint32(t.Ended))       //nolint:gosec // A row's count is 16 bits wide.
}

// tags adds the cells of the tags, which are sorted by column and end.
func (b *rowBuilder) tags(tags []columns.Tag, localIsA bool) {
	for len(tags) > 0 {
		first, n := tags[0], 1
		for n < len(tags) && tags[n].Column == first.Column && tags[n].End == first.End {
			n++
		}
		cell := first.Value
		if first.Column.Set {
			values := make([]columns.Value, n)
			for i := range values {
				values[i] = tags[i].Value
			}
			cell = columns.JoinSet(values)
		}
		b.column(first.Column.Sibling(sideOf(first.End, localIsA))).add(cell)
		tags = tags[n:]
	}
}

// sideOf says which side an end of the key is.
func sideOf(end columns.KeyEnd, localIsA bool) columns.Side {
	switch {
	case end == columns.NoEnd:
		return columns.OfFlow
	case (end == columns.EndA) == localIsA:
		return columns.OfLocal
	default:
		return columns.OfRemote
	}
}

// column gives the builder of a tagged column, with empty cells for the rows before this one.
func (b *rowBuilder) column(c *columns.Column) *cellBuilder {
	cb := b.tagged[c]
	if cb == nil {
		cb = newCellBuilder(c, cap(b.rows.UpBytes))
		b.tagged[c] = cb
	}
	cb.pad(len(b.rows.UpBytes))
	return cb
}

func (c *cellBuilder) pad(n int) {
	for len(c.ids) < n {
		c.ids = append(c.ids, 0)
	}
}

func (c *cellBuilder) addBytes(b []byte) {
	if id, ok := c.byCell[columns.Value(b)]; ok {
		c.ids = append(c.ids, id)
		return
	}
	c.add(columns.Value(b))
}

func (c *cellBuilder) add(v columns.Value) {
	id, ok := c.byCell[v]
	if !ok {
		id = uint32(len(c.dict)) //nolint:gosec // At most one a row.
		c.dict = append(c.dict, v)
		c.byCell[v] = id
	}
	c.ids = append(c.ids, id)
}

// finish gives the rows; columns in which no row has a value are left out.
func (b *rowBuilder) finish(other messages.Totals) *messages.Rows {
	r := &b.rows
	r.Other = other
	for _, c := range columns.ByIndex() {
		cb := b.tagged[c]
		for _, d := range b.derived {
			if d.column == c {
				cb = d
			}
		}
		if cb == nil || len(cb.dict) == 1 {
			continue
		}
		cb.pad(r.Len())
		r.Cells = append(r.Cells, messages.Cells{Column: c, Dict: cb.dict, IDs: cb.ids})
	}
	return r
}
