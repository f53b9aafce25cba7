package store

import (
	"encoding/binary"
	"strings"

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
	// Equal is optional. It is a quick way to find some values in the dictionary: it sets found at the number of
	// each that is there and says how many those are.
	Equal func(values []columns.Value, found []bool) int
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
	// read makes a cell of what is in text; nil if that is the cell.
	read func(text string) columns.Value
	// shared says that a text means the same in all dictionaries of the column.
	shared bool
}

// DictOf makes a dictionary of distinct cells, of which the first is the empty one.
func DictOf(cells []columns.Value) Dict {
	var text strings.Builder
	ends := make([]uint32, 0, len(cells))
	for _, c := range cells[1:] {
		text.WriteString(string(c))
		ends = append(ends, uint32(text.Len())) //nolint:gosec // Far below 4 GiB.
	}
	return NewDict(text.String(), IntsOf(nil, ends), nil)
}

// NewDict makes a dictionary of texts that are back to back; ends tells where each one ends, in order and none
// beyond the text. The cell that a text stands for is what read makes of it, whenever it is asked for; without
// read it is the text itself.
func NewDict(text string, ends Ints, read func(text string) columns.Value) Dict {
	return Dict{text: text, ends: ends, n: 1 + ends.Len(), read: read}
}

// Shared promises that the same text stands for the same cell in all dictionaries of the column for which that is
// promised: it need not be made a cell again.
func (d Dict) Shared() Dict {
	d.shared = true
	return d
}

// Len is how many cells there are, with the empty one.
func (d *Dict) Len() int { return d.n }

// At gives a cell. It shares memory with the part: clone what outlives the query.
func (d *Dict) At(id int) columns.Value {
	if id == 0 {
		return ""
	}
	if d.read != nil {
		return d.read(d.Text(id))
	}
	return columns.Value(d.Text(id))
}

// Text gives what stands for a cell other than the empty one.
func (d *Dict) Text(id int) string {
	switch {
	case d.fixed > 0:
		return d.text[(id-1)*d.fixed : id*d.fixed]
	case id == 1:
		return d.text[:d.ends.At(0)]
	}
	return d.text[d.ends.At(id-2):d.ends.At(id-1)]
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
