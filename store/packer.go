package store

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"weir/columns"
	"weir/messages"
)

// Pack makes one compact block of the parts of a slice. Nothing of the parts is kept. Parts that do not
// hold together are an error.
func Pack(parts []*messages.Rows) (*Packed, error) {
	var pk packer
	rows := 0
	parts = slices.DeleteFunc(slices.Clone(parts), func(r *messages.Rows) bool { return r == nil })
	for _, r := range parts {
		if err := wellFormed(r); err != nil {
			return nil, fmt.Errorf("pack rows: %w", err)
		}
		rows += r.Len()
	}
	for _, r := range parts {
		pk.other.Add(r.Other)
		pk.addRows(r)
	}
	if int64(rows) > math.MaxUint32 {
		return nil, fmt.Errorf("pack rows: %d are too many", rows)
	}
	return pk.finish(), nil
}

// wellFormed checks what reading the rows relies on.
func wellFormed(r *messages.Rows) error {
	n := r.Len()
	counts := []int{len(r.UpPackets), len(r.DownBytes), len(r.DownPackets), len(r.Started), len(r.Ended)}
	if r.Flow != nil {
		counts = append(counts, len(r.Flow))
	}
	for _, l := range counts {
		if l != n {
			return fmt.Errorf("%d counts for %d rows", l, n)
		}
	}
	seen := map[*columns.Column]bool{}
	for _, c := range r.Cells {
		if c.Column == nil || seen[c.Column] {
			return errors.New("no column, or one twice")
		}
		seen[c.Column] = true
		if err := wellFormedCells(&c, n); err != nil {
			return fmt.Errorf("column %s: %w", c.Column.Name, err)
		}
	}
	return nil
}

func wellFormedCells(c *messages.Cells, rows int) error {
	if len(c.IDs) != rows {
		return fmt.Errorf("%d cells for %d rows", len(c.IDs), rows)
	}
	if len(c.Dict) == 0 || c.Dict[0] != "" {
		return errors.New("the first cell of the dictionary is not the empty one")
	}
	for _, id := range c.IDs {
		if uint64(id) >= uint64(len(c.Dict)) {
			return fmt.Errorf("id %d with %d cells", id, len(c.Dict))
		}
	}
	return nil
}

// packer gathers rows in plain slices before they are packed.
type packer struct {
	columns  []packColumn
	measures [Measures][]uint64
	rows     int
	other    messages.Totals
	// flows are those of the rows so far; it may be shorter.
	flows []uint64
}

// packColumn gathers one column. A column that turns up late has no ids for the rows before.
type packColumn struct {
	column *columns.Column
	known  map[columns.Value]uint32
	text   []byte
	ends   []uint32
	ids    []uint32
}

func (pk *packer) column(c *columns.Column) *packColumn {
	for i := range pk.columns {
		if pk.columns[i].column == c {
			return &pk.columns[i]
		}
	}
	pk.columns = append(pk.columns, packColumn{column: c, known: map[columns.Value]uint32{"": 0}})
	return &pk.columns[len(pk.columns)-1]
}

// id numbers a cell, and keeps a copy of one that is new.
func (pc *packColumn) id(cell columns.Value) uint32 {
	if id, ok := pc.known[cell]; ok {
		return id
	}
	pc.text = append(pc.text, cell...)
	pc.ends = append(pc.ends, uint32(len(pc.text))) //nolint:gosec // The flow table's budget is far below.
	id := uint32(len(pc.ends))                      //nolint:gosec // Not more than rows.
	pc.known[cell] = id
	return id
}

// pad gives the rows up to number n the empty cell.
func (pc *packColumn) pad(n int) {
	if n > len(pc.ids) {
		pc.ids = append(pc.ids, make([]uint32, n-len(pc.ids))...)
	}
}

// unnumbered marks a cell of the old dictionary that has no number in the new one yet.
const unnumbered = math.MaxUint32

// remap gives room for translating the numbers of a dictionary of n cells.
func remap(n int) []uint32 {
	m := make([]uint32, n)
	for i := range m {
		m[i] = unnumbered
	}
	return m
}

func (pk *packer) addRows(r *messages.Rows) {
	for i := range r.Cells {
		c := &r.Cells[i]
		pc := pk.column(c.Column)
		pc.pad(pk.rows)
		m := remap(len(c.Dict))
		for _, old := range c.IDs {
			if m[old] == unnumbered {
				m[old] = pc.id(c.Dict[old])
			}
			pc.ids = append(pc.ids, m[old])
		}
	}
	for m, counts := range [...][]uint64{r.UpBytes, r.UpPackets, r.DownBytes, r.DownPackets} {
		pk.measures[m] = append(pk.measures[m], counts...)
	}
	for i := range r.Started {
		pk.measures[Started] = append(pk.measures[Started], uint64(r.Started[i]))
		pk.measures[Ended] = append(pk.measures[Ended], uint64(r.Ended[i]))
	}
	if r.Flow != nil {
		pk.flows = append(pk.padFlows(), r.Flow...)
	}
	pk.rows += r.Len()
}

// padFlows gives the flows, with those rows that have none.
func (pk *packer) padFlows() []uint64 {
	return append(pk.flows, make([]uint64, pk.rows-len(pk.flows))...)
}

// addPart adds some rows of a part.
func (pk *packer) addPart(p *Part, rows []int) {
	for i := range p.Cells {
		c := &p.Cells[i]
		pc := pk.column(c.Column)
		pc.pad(pk.rows)
		m := remap(c.Dict.Len())
		for _, row := range rows {
			old := c.IDs.At(row)
			if m[old] == unnumbered {
				m[old] = pc.id(c.Dict.At(int(old))) //nolint:gosec // Checked when it was packed.
			}
			pc.ids = append(pc.ids, m[old])
		}
	}
	for m := range p.Measures {
		for _, row := range rows {
			pk.measures[m] = append(pk.measures[m], p.Measures[m].At(row))
		}
	}
	pk.rows += len(rows)
}

// finish lays the columns out. Columns that no row has are left out.
func (pk *packer) finish() *Packed {
	p := &Packed{rows: pk.rows, other: pk.other}
	if pk.rows == 0 {
		return p
	}
	var raw, text []byte
	for _, counts := range pk.measures {
		raw = appendInts(raw, counts)
	}
	for i := range pk.columns {
		pc := &pk.columns[i]
		if len(pc.ends) == 0 {
			continue
		}
		pc.pad(pk.rows)
		p.columns = append(p.columns, pc.column)
		raw, text = pc.appendTo(raw, text)
	}
	if pk.flows != nil {
		p.flows = append(make([]uint64, 0, pk.rows), pk.padFlows()...)
	}
	p.seal(raw, text)
	return p
}

// appendTo writes the column's dictionary and ids, and its cells.
func (pc *packColumn) appendTo(raw, text []byte) (rawNow, textNow []byte) {
	raw = appendDict(raw, pc.ends)
	raw = appendInts(raw, pc.ids)
	return raw, append(text, pc.text...)
}

// seal keeps copies of the blocks, without room to grow.
func (p *Packed) seal(raw, text []byte) {
	p.raw = append(make([]byte, 0, len(raw)), raw...)
	p.text = string(text)
	p.columns = append(make([]*columns.Column, 0, len(p.columns)), p.columns...)
}
