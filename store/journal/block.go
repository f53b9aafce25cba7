package journal

import (
	"slices"

	"weir/columns"
	"weir/messages"
	"weir/store"
)

// block makes a view of the rows from place from on; it holds until the decoder reads on.
func (d *decoder) block(b *store.Block, from, n int) {
	r := &d.rows
	b.Rows, b.Other, b.Cells = n, messages.Totals{}, b.Cells[:0]
	for m := range b.Measures {
		r.bufs[m] = packInts(&b.Measures[m], r.bufs[m], r.measures[m][from:from+n])
	}
	r.bufs[store.Measures] = packInts(&b.Starts, r.bufs[store.Measures], r.starts[from:from+n])
	var amended map[*columns.Column][]hit
	if d.amend != nil {
		amended = d.amend.between(from, n)
	}
	for i := range d.columns {
		c := &d.columns[i]
		if c.column == nil || !c.wanted {
			continue
		}
		hits := amended[c.column]
		delete(amended, c.column)
		if len(c.ends) == 0 && len(hits) == 0 {
			continue
		}
		d.gather(c, from, n)
		text, ends := c.amend(hits)
		cells := store.PartCells{Column: c.column, IDs: store.IntsOf(c.buf, c.ids)}
		c.buf = cells.IDs.Bytes()
		cells.Dict = store.NewDict(string(text), store.IntsOf(nil, ends), nil)
		b.Cells = append(b.Cells, cells)
	}
	for column, hits := range amended { // Columns that no row of the epoch has.
		c := decColumn{column: column, ids: make([]uint32, n)}
		text, ends := c.amend(hits)
		dict := store.NewDict(string(text), store.IntsOf(nil, ends), nil)
		b.Cells = append(b.Cells, store.PartCells{Column: column, IDs: store.IntsOf(nil, c.ids), Dict: dict})
	}
}

// amend puts other cells into some rows. The dictionary stays as it is for the slices to come: what is new is in
// the copy.
func (c *decColumn) amend(hits []hit) (text []byte, ends []uint32) {
	if len(hits) == 0 {
		return c.text, c.ends
	}
	text, ends = slices.Clone(c.text), slices.Clone(c.ends)
	known := make(map[columns.Value]uint32, len(ends)+1)
	known[""] = 0
	for n := 1; n <= len(ends); n++ {
		known[columns.Value(c.value(uint32(n)))] = uint32(n) //nolint:gosec // Numbers of cells fit.
	}
	for _, h := range hits {
		n, ok := known[h.value]
		if !ok {
			text = append(text, h.value...)
			ends = append(ends, uint32(len(text))) //nolint:gosec // Bounded with the amendments.
			n = uint32(len(ends))                  //nolint:gosec // Likewise.
			known[h.value] = n
		}
		c.ids[h.row] = n
	}
	return text, ends
}

// gather finds the cell of each row.
func (d *decoder) gather(c *decColumn, from, n int) {
	if cap(c.ids) < n {
		c.ids = make([]uint32, n)
	}
	c.ids = c.ids[:n]
	of := c.of
	for i, def := range d.rows.defs[from : from+n] {
		c.ids[i] = of[def]
	}
}

func packInts(into *store.Ints, buf []byte, values []uint64) []byte {
	*into = store.IntsOf(buf, values)
	return into.Bytes()
}
