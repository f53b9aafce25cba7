package bucket

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	"weir/columns"
	"weir/store"
)

// gather collects the cells of one column for the row group that is being filled.
type gather struct {
	column *columns.Column
	// known numbers the cells that were seen, entries tells what they are written as. They outlive the row group, so
	// that a cell is put into words once, until they are too many.
	known   map[columns.Value]uint32
	entries []entry
	// ids are those of the rows: 0 for the empty cell, else 1 + a place in used.
	ids []uint32
	// used are the entries of this row group, by their first row; text is how long their texts are.
	used []uint32
	text int
	// integers says whether all of them are integers.
	integers bool
	// remap translates the ids of a block, wide holds those of its rows.
	remap []uint32
	// ranks tells for a place in used its number, from 1, in the order of the dictionary; ranks[0] is 0.
	ranks []uint32
	// order is the dictionary: entries in the order of what is written.
	order []uint32
}

// entry is a cell as it is written.
type entry struct {
	text    string
	integer int64
	// whole says that integer is all there is to it.
	whole bool
	// group is the number of the row group, from 1, in which it was last used, id what it is there.
	group, id uint32
}

// maxKnown bounds the cells that are remembered from one row group to the next.
const maxKnown = 1 << 15

func newGather(c *columns.Column) *gather {
	return &gather{column: c, known: map[columns.Value]uint32{}, integers: isInteger(c)}
}

const unmapped = ^uint32(0)

// begin makes ready for a block with a dictionary.
func (g *gather) begin(d *store.Dict) {
	g.remap = slices.Grow(g.remap[:0], d.Len())[:d.Len()]
	for i := range g.remap {
		g.remap[i] = unmapped
	}
	g.remap[0] = 0
}

// pad gives the rows up to the n-th the empty cell.
func (g *gather) pad(n int) {
	if missing := n - len(g.ids); missing > 0 {
		g.ids = append(g.ids, make([]uint32, missing)...)
	}
}

// add takes the cells of n rows of a block, from one on. ok is false if one has no number in the dictionary.
func (g *gather) add(cells *store.PartCells, from, n int, group uint32) (ok bool) {
	at := len(g.ids)
	g.ids = slices.Grow(g.ids, n)[:at+n]
	ids := g.ids[at:]
	cells.IDs.LoadIDs(ids, from)
	for i, old := range ids {
		if uint64(old) >= uint64(len(g.remap)) {
			return false
		}
		id := g.remap[old]
		if id == unmapped {
			id = g.use(cells.Dict.At(int(old)), group)
			g.remap[old] = id
		}
		ids[i] = id
	}
	return true
}

// use gives the id of a cell in this row group.
func (g *gather) use(cell columns.Value, group uint32) uint32 {
	if cell == "" {
		return 0
	}
	number, ok := g.known[cell]
	if !ok {
		own := columns.Value(strings.Clone(string(cell)))
		number = uint32(len(g.entries)) //nolint:gosec // Bounded by maxKnown and the rows of a group.
		g.entries = append(g.entries, g.entry(own))
		g.known[own] = number
	}
	e := &g.entries[number]
	if e.group != group {
		e.group = group
		g.used = append(g.used, number)
		e.id = uint32(len(g.used)) //nolint:gosec // Likewise.
		g.integers = g.integers && e.whole
		g.text += len(e.text) + 4
	}
	return e.id
}

func (g *gather) entry(cell columns.Value) (e entry) {
	if isInteger(g.column) {
		if e.integer, e.whole = integerOf(g.column, cell); e.whole {
			return e
		}
	}
	e.text = textOf(g.column, cell)
	return e
}

// rank orders the dictionary: integers by size, texts by their bytes.
func (g *gather) rank() {
	if isInteger(g.column) && !g.integers {
		g.wordIntegers()
	}
	type keyed struct {
		entry
		number, at uint32
	}
	sorted := make([]keyed, len(g.used))
	for at, number := range g.used {
		sorted[at] = keyed{entry: g.entries[number], number: number, at: uint32(at)} //nolint:gosec // Not more than rows.
	}
	if g.integers {
		slices.SortFunc(sorted, func(a, b keyed) int { return cmp.Compare(a.integer, b.integer) })
	} else {
		slices.SortFunc(sorted, func(a, b keyed) int { return strings.Compare(a.text, b.text) })
	}
	g.ranks = slices.Grow(g.ranks[:0], len(g.used)+1)[:len(g.used)+1]
	g.ranks[0] = 0
	g.order = g.order[:0]
	for rank, k := range sorted {
		g.ranks[k.at+1] = uint32(rank + 1) //nolint:gosec // Likewise.
		g.order = append(g.order, k.number)
	}
}

// wordIntegers gives integers their texts, since some cell of the row group is none.
func (g *gather) wordIntegers() {
	for _, number := range g.used {
		if e := &g.entries[number]; e.whole {
			e.text = g.column.Format(cellOfInteger(g.column, e.integer))
		}
	}
}

// reset makes ready for the next row group.
func (g *gather) reset() {
	g.ids, g.used, g.text, g.integers = g.ids[:0], g.used[:0], 0, isInteger(g.column)
	if len(g.entries) > maxKnown {
		clear(g.known)
		g.entries = g.entries[:0]
	}
}

// maxBound bounds the texts that the footer tells as the least and the greatest of a column.
const maxBound = 64

// bounds gives two entries of the dictionary, by their ranks, as Parquet writes bounds; nil if there are none or one
// is too long.
func (g *gather) bounds(low, high uint32) (least, greatest []byte) {
	if low > high {
		return nil, nil
	}
	a, b := &g.entries[g.order[low-1]], &g.entries[g.order[high-1]]
	if g.integers {
		return binary.LittleEndian.AppendUint64(nil, uint64(a.integer)), //nolint:gosec // A bit pattern.
			binary.LittleEndian.AppendUint64(nil, uint64(b.integer)) //nolint:gosec // Likewise.
	}
	if len(a.text) > maxBound || len(b.text) > maxBound {
		return nil, nil
	}
	return []byte(a.text), []byte(b.text)
}

// appendDictionary appends all entries as Parquet writes them plainly.
func (g *gather) appendDictionary(b []byte) []byte {
	for _, number := range g.order {
		e := &g.entries[number]
		if g.integers {
			b = binary.LittleEndian.AppendUint64(b, uint64(e.integer)) //nolint:gosec // A bit pattern.
			continue
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(len(e.text))) //nolint:gosec // Bounded by maxBlock.
		b = append(b, e.text...)
	}
	return b
}
