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
	// integers says whether all of them are integers, plain whether they are written without a dictionary.
	integers, plain bool
	// remap translates the ids of a block to those of this row group, numbers to entries.
	remap, numbers []uint32
	// ranks tells for a place in used its number, from 1, in the order of the dictionary; ranks[0] is 0.
	ranks []uint32
	// order is the dictionary: entries in the order of what is written.
	order  []uint32
	sorted []keyed
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

// manyIntegers: where not even so many rows have the same integer, on average, a dictionary takes more room than it
// saves.
const manyIntegers = 8

// maxKnown bounds the cells that are remembered from one row group to the next.
const maxKnown = 1 << 15

func newGather(c *columns.Column) *gather {
	return &gather{column: c, known: map[columns.Value]uint32{}, integers: isInteger(c)}
}

const unmapped = ^uint32(0)

// begin makes ready for a block with a dictionary.
func (g *gather) begin(d *store.Dict) {
	g.numbers = slices.Grow(g.numbers[:0], d.Len())[:d.Len()]
	for i := range g.numbers {
		g.numbers[i] = unmapped
	}
	g.again()
}

// again makes ready for a row group in the middle of a block.
func (g *gather) again() {
	g.remap = slices.Grow(g.remap[:0], len(g.numbers))[:len(g.numbers)]
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
			if g.numbers[old] == unmapped {
				g.numbers[old] = g.number(cells.Dict.At(int(old)))
			}
			id = g.use(g.numbers[old], group)
			g.remap[old] = id
		}
		ids[i] = id
	}
	return true
}

// nothing is the number of the empty cell, which has no entry.
const nothing = unmapped - 1

// number gives the entry of a cell.
func (g *gather) number(cell columns.Value) uint32 {
	if cell == "" {
		return nothing
	}
	number, ok := g.known[cell]
	if !ok {
		own := columns.Value(strings.Clone(string(cell)))
		number = uint32(len(g.entries)) //nolint:gosec // Bounded by maxKnown and the rows of a group.
		g.entries = append(g.entries, g.entry(own))
		g.known[own] = number
	}
	return number
}

// use gives the id of an entry in this row group.
func (g *gather) use(number, group uint32) uint32 {
	if number == nothing {
		return 0
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

// rank orders the dictionary, integers by size and texts by their bytes, and makes ids numbers of its entries. Integers
// that are written without one keep theirs. rows is how many rows there are.
func (g *gather) rank(rows int) {
	if isInteger(g.column) && !g.integers {
		g.wordIntegers()
	}
	if g.plain = g.integers && len(g.used) > rows/manyIntegers; g.plain {
		return
	}
	sorted := slices.Grow(g.sorted[:0], len(g.used))[:len(g.used)]
	for at, number := range g.used {
		e := &g.entries[number]
		sorted[at] = keyed{key: g.key(e), at: uint32(at)} //nolint:gosec // Not more than rows.
	}
	slices.SortFunc(sorted, func(a, b keyed) int {
		if c := cmp.Compare(a.key, b.key); c != 0 {
			return c
		}
		return strings.Compare(g.entries[g.used[a.at]].text, g.entries[g.used[b.at]].text)
	})
	g.sorted = sorted
	g.ranks = slices.Grow(g.ranks[:0], len(g.used)+1)[:len(g.used)+1]
	g.ranks[0] = 0
	g.order = g.order[:0]
	for rank, k := range sorted {
		g.ranks[k.at+1] = uint32(rank + 1) //nolint:gosec // Likewise.
		g.order = append(g.order, g.used[k.at])
	}
	for row, id := range g.ids {
		g.ids[row] = g.ranks[id]
	}
}

// keyed is an entry while the dictionary is sorted: most are told apart by a key, without looking at the text.
type keyed struct {
	key uint64
	at  uint32
}

// key is in the order of integers, or of the first bytes of texts.
func (g *gather) key(e *entry) uint64 {
	if g.integers {
		return uint64(e.integer) ^ 1<<63 //nolint:gosec // A bit pattern.
	}
	var b [8]byte
	copy(b[:], e.text)
	return binary.BigEndian.Uint64(b[:])
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
		for i := range g.numbers {
			g.numbers[i] = unmapped
		}
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
