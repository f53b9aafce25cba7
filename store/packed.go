package store

import (
	"cmp"
	"slices"

	"weir/columns"
	"weir/messages"
)

// Packed is the rows of one slice in little memory: two blocks without pointers, whatever the number of
// rows. It never changes.
type Packed struct {
	columns []*columns.Column
	// raw holds the measures, then for each column its dictionary's lengths and its ids (see [packer.finish]).
	raw []byte
	// text holds the cells of all dictionaries.
	text  string
	rows  int
	other messages.Totals
	// flows names the flow of each row in 8 bytes, 0 for a row that nobody will amend; nil if all are.
	flows []uint64
}

// packedOverhead is about what the structure and its two blocks cost beyond their bytes.
const packedOverhead = 176

// Rows is how many rows have their columns.
func (p *Packed) Rows() int { return p.rows }

// Other sums the rows that were folded.
func (p *Packed) Other() messages.Totals { return p.other }

// Size is how many bytes of memory it takes.
func (p *Packed) Size() int64 { return p.Foldable() + packedOverhead }

// Foldable is how much of Size goes away if all rows are folded.
func (p *Packed) Foldable() int64 {
	if p.rows == 0 {
		return 0
	}
	return int64(len(p.raw)) + int64(len(p.text)) + 8*int64(len(p.columns)) + 8*int64(len(p.flows))
}

// View makes part a view of all rows; what part held before is reused.
func (p *Packed) View(part *Part) {
	part.Rows, part.Other = p.rows, p.other
	part.Cells = part.Cells[:0]
	if p.rows == 0 {
		return
	}
	b, text := p.raw, p.text
	for m := range part.Measures {
		part.Measures[m], b = cutInts(b, p.rows)
	}
	for _, c := range p.columns {
		cells := PartCells{Column: c}
		cells.Dict, b, text = cutDict(b, text)
		cells.IDs, b = cutInts(b, p.rows)
		part.Cells = append(part.Cells, cells)
	}
}

// Fold gives the same rows with all but the keep rows of most bytes folded into Other.
func (p *Packed) Fold(keep int) *Packed {
	if keep >= p.rows {
		return p
	}
	var part Part
	p.View(&part)
	kept := part.heaviest(keep)
	pk := packer{other: p.other}
	next := 0
	for row := range part.Rows {
		if next < len(kept) && kept[next] == row {
			next++
		} else {
			pk.other.Add(part.Row(row))
		}
	}
	pk.addPart(&part, kept)
	if p.flows != nil {
		pk.flows = make([]uint64, 0, len(kept))
		for _, row := range kept {
			pk.flows = append(pk.flows, p.flows[row])
		}
	}
	return pk.finish()
}

// heaviest gives the n rows of most bytes, in the order of the rows.
func (p *Part) heaviest(n int) []int {
	type weight struct {
		bytes uint64
		row   int
	}
	all := make([]weight, p.Rows)
	for i := range all {
		all[i] = weight{bytes: p.Measures[UpBytes].At(i) + p.Measures[DownBytes].At(i), row: i}
	}
	slices.SortFunc(all, func(a, b weight) int {
		return cmp.Or(cmp.Compare(b.bytes, a.bytes), cmp.Compare(a.row, b.row))
	})
	rows := make([]int, n)
	for i := range rows {
		rows[i] = all[i].row
	}
	slices.Sort(rows)
	return rows
}
