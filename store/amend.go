package store

import (
	"cmp"
	"slices"

	"weir/columns"
	"weir/messages"
)

// Amendments are ready to be looked for among many rows. They belong to one goroutine.
type Amendments struct {
	cells map[uint64][]messages.AmendedCell
	// sieve has a bit for each flow: nearly all rows are of none, which is seen without asking the map.
	sieve [sieveBits / 64]uint64
	// raw and text are where blocks are put together.
	raw, text []byte
}

// sieveBits is a power of two; 8 KiB stay in the processor's cache.
const sieveBits = 1 << 16

// NewAmendments gives what the amendments of a slice say, or nil if that is nothing. If they speak of one flow
// more than once, the last word counts.
func NewAmendments(list []messages.Amendment) *Amendments {
	a := &Amendments{cells: make(map[uint64][]messages.AmendedCell, len(list))}
	for _, m := range list {
		for _, c := range m.Cells {
			if c.Column != nil && m.Flow != 0 {
				a.put(m.Flow, c)
			}
		}
	}
	if len(a.cells) == 0 {
		return nil
	}
	return a
}

func (a *Amendments) put(flow uint64, c messages.AmendedCell) {
	have := a.cells[flow]
	same := func(o messages.AmendedCell) bool { return o.Column == c.Column }
	if at := slices.IndexFunc(have, same); at >= 0 {
		have[at] = c
		return
	}
	a.cells[flow] = append(have, c)
	bit := flow % sieveBits
	a.sieve[bit/64] |= 1 << (bit % 64)
}

// Len is how many flows they speak of.
func (a *Amendments) Len() int { return len(a.cells) }

// may says quickly whether they can speak of a flow.
func (a *Amendments) may(flow uint64) bool {
	bit := flow % sieveBits
	return a.sieve[bit/64]&(1<<(bit%64)) != 0
}

// Amendable is how many rows can be amended; each takes eight bytes for that.
func (p *Packed) Amendable() int { return len(p.flows) }

// Forget gives the same rows as ones that cannot be amended.
func (p *Packed) Forget() *Packed {
	if p.flows == nil {
		return p
	}
	n := *p
	n.flows = nil
	return &n
}

// Amend gives the same rows with the cells replaced that the amendments speak of, and how many rows that
// changed. Counts stay as they are, and so do rows that were folded.
func (p *Packed) Amend(a *Amendments) (*Packed, int) {
	byColumn := map[*columns.Column][]amendedRow{}
	for row, flow := range p.flows {
		if !a.may(flow) {
			continue
		}
		for _, c := range a.cells[flow] {
			byColumn[c.Column] = append(byColumn[c.Column], amendedRow{row: row, cell: c.Value})
		}
	}
	if len(byColumn) == 0 {
		return p, 0
	}
	var part Part
	p.View(&part)
	changed := map[int]struct{}{}
	anew := map[*columns.Column]*packColumn{}
	for c, rows := range byColumn {
		cells := part.Find(c)
		rows = slices.DeleteFunc(rows, func(r amendedRow) bool { return cells.at(r.row) == r.cell })
		for _, r := range rows {
			changed[r.row] = struct{}{}
		}
		if len(rows) > 0 {
			anew[c] = cells.amend(c, part.Rows, rows)
		}
	}
	if len(changed) == 0 {
		return p, 0
	}
	return p.replace(anew, a), len(changed)
}

// amendedRow is a row of a column with its new cell.
type amendedRow struct {
	row  int
	cell columns.Value
}

// at gives the cell of a row, also of a column that the part does not have.
func (c *PartCells) at(row int) columns.Value {
	if c == nil {
		return ""
	}
	return c.Dict.At(int(c.IDs.At(row))) //nolint:gosec // Checked when it was packed.
}

// amend gathers a column anew, with other cells in some rows, which are in order.
func (c *PartCells) amend(column *columns.Column, n int, rows []amendedRow) *packColumn {
	pc := &packColumn{column: column, known: make(map[columns.Value]uint32, len(rows)), ids: make([]uint32, n)}
	for _, r := range rows {
		pc.known[r.cell] = unnumbered
	}
	m := []uint32{unnumbered}
	if c != nil {
		c.IDs.LoadIDs(pc.ids, 0)
		m = remap(c.Dict.Len())
	}
	m[0], pc.known[""] = 0, 0
	for row, old := range pc.ids {
		if len(rows) > 0 && rows[0].row == row {
			pc.ids[row] = pc.number(rows[0].cell)
			rows = rows[1:]
			continue
		}
		if m[old] == unnumbered {
			m[old] = pc.number(c.Dict.At(int(old)))
		}
		pc.ids[row] = m[old]
	}
	return pc
}

// number gives the number of a cell. All that are asked for more than once are known; others are not looked for,
// which would cost more than all the rest.
func (pc *packColumn) number(cell columns.Value) uint32 {
	id, known := pc.known[cell]
	if known && id != unnumbered {
		return id
	}
	pc.text = append(pc.text, cell...)
	pc.ends = append(pc.ends, uint32(len(pc.text))) //nolint:gosec // Not much more than it was.
	id = uint32(len(pc.ends))                       //nolint:gosec // Not more than rows.
	if known {
		pc.known[cell] = id
	}
	return id
}

// replace gives the same rows with other columns in the place of those that it has, or in addition.
func (p *Packed) replace(anew map[*columns.Column]*packColumn, scratch *Amendments) *Packed {
	n := *p
	n.columns = make([]*columns.Column, 0, len(p.columns)+len(anew))
	raw, text := scratch.raw[:0], scratch.text[:0]
	b, t := p.raw, p.text
	for range Measures {
		_, b = cutInts(b, p.rows)
	}
	raw = append(raw, p.raw[:len(p.raw)-len(b)]...)
	add := func(pc *packColumn) {
		if len(pc.ends) > 0 {
			n.columns = append(n.columns, pc.column)
			raw, text = pc.appendTo(raw, text)
		}
		delete(anew, pc.column)
	}
	for _, c := range p.columns {
		_, rest, restText := cutDict(b, t)
		_, rest = cutInts(rest, p.rows)
		if pc := anew[c]; pc != nil {
			add(pc)
		} else {
			n.columns = append(n.columns, c)
			raw, text = append(raw, b[:len(b)-len(rest)]...), append(text, t[:len(t)-len(restText)]...)
		}
		b, t = rest, restText
	}
	more := make([]*packColumn, 0, len(anew))
	for _, pc := range anew {
		more = append(more, pc)
	}
	slices.SortFunc(more, func(a, b *packColumn) int { return cmp.Compare(a.column.Index(), b.column.Index()) })
	for _, pc := range more {
		add(pc)
	}
	scratch.raw, scratch.text = raw, text
	n.seal(raw, text)
	return &n
}
