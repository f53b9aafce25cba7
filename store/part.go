package store

import (
	"encoding/binary"

	"weir/columns"
	"weir/messages"
)

// Measure names a column of counts in a [Part].
type Measure int

// The measures, in the order of a part.
const (
	UpBytes Measure = iota
	UpPackets
	DownBytes
	DownPackets
	Started
	Ended
	Measures // how many there are
)

// Part is a stretch of rows of one slice as a [Scan] reads them: column by column, cells as small numbers.
// It is a view of what a tier keeps.
type Part struct {
	Rows     int
	Cells    []PartCells
	Measures [Measures]Ints
	// Other sums the rows that were folded.
	Other messages.Totals
}

// PartCells is one column of a part: row i has the cell Dict.At(IDs.At(i)).
type PartCells struct {
	Column *columns.Column
	Dict   Dict
	IDs    Ints
}

// Find gives the cells of a column, or nil if no row of the part has any.
func (p *Part) Find(c *columns.Column) *PartCells {
	for i := range p.Cells {
		if p.Cells[i].Column == c {
			return &p.Cells[i]
		}
	}
	return nil
}

// Row sums row i alone.
func (p *Part) Row(i int) messages.Totals {
	return messages.Totals{
		Up:      messages.Counter{Bytes: p.Measures[UpBytes].At(i), Packets: p.Measures[UpPackets].At(i)},
		Down:    messages.Counter{Bytes: p.Measures[DownBytes].At(i), Packets: p.Measures[DownPackets].At(i)},
		Started: p.Measures[Started].At(i),
		Ended:   p.Measures[Ended].At(i),
		Rows:    1,
	}
}

// Dict holds the distinct cells of a column in one string. Number 0 is the empty cell; it takes no room.
type Dict struct {
	text string
	// ends says where cell i+1 ends in text, unless every cell is fixed bytes long.
	ends  Ints
	fixed int
	n     int
}

// Len is how many cells there are, with the empty one.
func (d *Dict) Len() int { return d.n }

// At gives a cell. It shares memory with the part: clone what outlives the query.
func (d *Dict) At(id int) columns.Value {
	switch {
	case id == 0:
		return ""
	case d.fixed > 0:
		return columns.Value(d.text[(id-1)*d.fixed : id*d.fixed])
	case id == 1:
		return columns.Value(d.text[:d.ends.At(0)])
	}
	return columns.Value(d.text[d.ends.At(id-2):d.ends.At(id-1)])
}

// appendDict writes how long each of the n cells is, which are in text back to back.
func appendDict(dst []byte, ends []uint32) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(ends)))
	fixed := fixedLength(ends)
	dst = binary.AppendUvarint(dst, uint64(fixed))
	if fixed == 0 {
		dst = appendInts(dst, ends)
	}
	return dst
}

// fixedLength is the length that all cells have, or 0 if they differ or there are none.
func fixedLength(ends []uint32) uint32 {
	for i, end := range ends {
		if uint64(end) != uint64(ends[0])*uint64(i+1) { //nolint:gosec // A place in a slice.
			return 0
		}
	}
	if len(ends) == 0 {
		return 0
	}
	return ends[0]
}

// cutDict gives the dictionary at the start of b, whose cells are at the start of text, and what follows.
func cutDict(b []byte, text string) (d Dict, rest []byte, restText string) {
	cells, w := binary.Uvarint(b)
	fixed, w2 := binary.Uvarint(b[w:])
	b = b[w+w2:]
	d = Dict{n: int(cells) + 1, fixed: int(fixed)} //nolint:gosec // Written by appendDict from lengths of slices.
	size := d.fixed * int(cells)
	if d.fixed == 0 {
		d.ends, b = cutInts(b, int(cells))
		if cells > 0 {
			size = int(d.ends.At(int(cells) - 1)) //nolint:gosec // Likewise.
		}
	}
	d.text = text[:size]
	return d, b, text[size:]
}
