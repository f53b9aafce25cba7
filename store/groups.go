package store

import (
	"math/bits"
	"slices"
	"strings"

	"weir/columns"
	"weir/messages"
)

// groups sums by step and cells. Each distinct cell of a column is kept once and numbered; a group is known
// by the numbers, and all that is kept of groups is free of pointers.
type groups struct {
	// names tell the cells that numbers stand for, by column.
	names []names
	// bound is how many groups there may be; 0 sets none.
	bound int
	// keys holds, group by group, the step and the numbers of its cells.
	keys []uint32
	// sums lie in chunks, so that growing copies nothing; n is how many there are.
	sums [][]messages.Totals
	n    int
	// slots is a hash table, open and a power of two long: 1 + the group, or 0. At most half is used.
	slots []uint32
}

// names numbers the cells of one column. Number 0 is the empty cell.
type names struct {
	number map[columns.Value]uint32
	cells  []columns.Value
}

func newGroups(by, bound int) groups {
	g := groups{names: make([]names, by), bound: bound, slots: make([]uint32, 16)}
	for i := range g.names {
		g.names[i] = names{number: map[columns.Value]uint32{"": 0}, cells: []columns.Value{""}}
	}
	return g
}

// chunk is how many sums lie together.
const chunk = 128

// sum gives the sums of a group.
func (g *groups) sum(group int) *messages.Totals { return &g.sums[group/chunk][group%chunk] }

// full says that no more groups are taken.
func (g *groups) full() bool { return g.bound > 0 && g.n >= g.bound }

// unknown is the number of a cell that no group has, when there is no room for one more group.
const unknown = ^uint32(0)

// number gives the number of a cell of the i-th column.
func (g *groups) number(i int, cell columns.Value) uint32 {
	n := &g.names[i]
	if id, ok := n.number[cell]; ok {
		return id
	}
	if g.full() {
		return unknown
	}
	id := uint32(len(n.cells)) //nolint:gosec // Not more than groups and rows of a part.
	own := columns.Value(strings.Clone(string(cell)))
	n.cells = append(n.cells, own)
	n.number[own] = id
	return id
}

// add adds to a group; ok is false if there is no room for one more.
func (g *groups) add(key []uint32, t *messages.Totals) (ok bool) {
	mask := uint32(len(g.slots) - 1) //nolint:gosec // Slots are bounded by groups.
	at := hash(key) & mask
	for ; g.slots[at] != 0; at = (at + 1) & mask {
		if group := int(g.slots[at] - 1); equal(g.key(group), key) {
			g.sum(group).Add(*t)
			return true
		}
	}
	if g.full() || slices.Contains(key[1:], unknown) {
		return false
	}
	g.keys = append(g.keys, key...)
	if g.n%chunk == 0 {
		g.sums = append(g.sums, make([]messages.Totals, chunk))
	}
	*g.sum(g.n) = *t
	g.n++
	g.slots[at] = uint32(g.n) //nolint:gosec // Likewise.
	if 2*g.n > len(g.slots) {
		g.rehash()
	}
	return true
}

// equal compares keys, which are equally long and short: a call of something more general takes longer than this.
func equal(a, b []uint32) bool {
	for i, n := range a {
		if i >= len(b) || b[i] != n {
			return false
		}
	}
	return true
}

func (g *groups) key(group int) []uint32 {
	width := 1 + len(g.names)
	return g.keys[group*width : (group+1)*width]
}

// rehash doubles the table.
func (g *groups) rehash() {
	g.slots = make([]uint32, 2*len(g.slots))
	mask := uint32(len(g.slots) - 1) //nolint:gosec // Slots are bounded by groups.
	for group := range g.n {
		at := hash(g.key(group)) & mask
		for g.slots[at] != 0 {
			at = (at + 1) & mask
		}
		g.slots[at] = uint32(group + 1) //nolint:gosec // Likewise.
	}
}

// hash mixes numbers. They count up from 0 in the order of appearance, so that nobody can choose them to
// collide.
func hash(key []uint32) uint32 {
	const golden = 0x9E3779B97F4A7C15
	h := uint64(golden)
	for _, n := range key {
		hi, lo := bits.Mul64(h^uint64(n), golden)
		h = hi ^ lo
	}
	return uint32(h ^ h>>32) //nolint:gosec // The lower half is wanted.
}

// decode tells step and cells of a group.
func (g *groups) decode(group int) GroupKey {
	key := g.key(group)
	k := GroupKey{Step: int(key[0]), Cells: make([]columns.Value, len(g.names))}
	for i := range k.Cells {
		k.Cells[i] = g.names[i].cells[key[1+i]]
	}
	return k
}
