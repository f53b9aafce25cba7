package store

import (
	"math/bits"

	"weir/columns"
)

// grouping numbers the rows of a part by their step and their cells in some columns: all equal, equal number.
//
// The ids of a row are put side by side into one code of 64 bits. Where they do not fit, the codes so far
// are numbered first, and the numbers, which are short, go on in the next stage.
type grouping struct {
	stages []stage
	used   int
	// cells are the columns of the key in the part, nil for one that no row has; times tells of steps.
	cells []*PartCells
	times *timing
	// keys holds of each group its step and the ids of its cells.
	keys []uint32
	// groups is how many there are.
	groups int

	ids   [blockRows]uint32
	codes [blockRows]uint64
}

// stage numbers the codes made of some columns and of the numbers of the stage before.
type stage struct {
	ids []coded
	// bits is how long a code is.
	bits int
	// dense[code] is 1 + the number of a code, where codes are short; else sparse tells the number.
	dense  []uint32
	sparse map[uint64]uint32
	next   uint32
}

// coded is one column of a code.
type coded struct {
	ids   *Ints
	shift uint8
	// steps, if there, tells what stands in the code for an id.
	steps []uint32
}

// maxDenseBits bounds the table of a stage to 256 KiB.
const maxDenseBits = 16

// begin makes ready for a part. Columns with one cell for all rows tell nothing apart.
func (g *grouping) begin(by []*columns.Column, p *Part, t *timing) {
	g.used, g.groups, g.keys, g.cells, g.times = 0, 0, g.keys[:0], g.cells[:0], t
	st := g.stage(0)
	if t.distinct > 1 {
		st.add(coded{ids: &t.times.IDs, steps: t.number}, bits.Len(uint(t.distinct-1))) //nolint:gosec // Above 0.
	}
	for _, c := range by {
		cells := p.Find(c)
		g.cells = append(g.cells, cells)
		if cells == nil || cells.IDs.width == 0 && cells.IDs.n == p.Rows {
			continue
		}
		width := bits.Len(uint(cells.Dict.Len() - 1)) //nolint:gosec // At least 0.
		if st.bits+width > 64 {
			st = g.stage(bits.Len(uint(p.Rows))) //nolint:gosec // At least 0.
		}
		st.add(coded{ids: &cells.IDs}, width)
	}
	for i := range g.stages[:g.used] {
		g.stages[i].ready(p.Rows)
	}
}

// stage gives the next unused stage, whose codes begin with a number of so many bits.
func (g *grouping) stage(width int) *stage {
	if g.used == len(g.stages) {
		g.stages = append(g.stages, stage{})
	}
	st := &g.stages[g.used]
	g.used++
	st.ids, st.bits, st.next = st.ids[:0], width, 0
	return st
}

func (st *stage) add(c coded, width int) {
	c.shift = uint8(st.bits) //nolint:gosec // At most 64.
	st.ids = append(st.ids, c)
	st.bits += width
}

// ready empties the stage's table. A dense one pays where it is not much larger than the part.
func (st *stage) ready(rows int) {
	if st.bits <= maxDenseBits && 1<<st.bits <= 64*rows {
		size := 1 << st.bits
		if cap(st.dense) < size {
			st.dense = make([]uint32, size)
		}
		st.dense = st.dense[:size]
		clear(st.dense)
		return
	}
	st.dense = st.dense[:0]
	if st.sparse == nil {
		st.sparse = map[uint64]uint32{}
	}
	clear(st.sparse)
}

// number tells the group of each chosen row of the block of n rows at from. one says that they are all of the
// group of the first; then the others are not told.
func (g *grouping) number(out []uint32, chosen []uint16, from, n int) (one bool) {
	codes := g.codes[:len(chosen)]
	clear(codes)
	for i := range g.stages[:g.used] {
		st := &g.stages[i]
		for k := range st.ids {
			g.code(&st.ids[k], codes, chosen, from, n)
		}
		last := i == g.used-1
		if one = last && same(codes); one {
			codes = codes[:1]
		}
		before, group := ^codes[0], uint32(0)
		for j, code := range codes {
			if code != before { // Rows that lie together are often of one group.
				var isNew bool
				if group, isNew = st.number(code); isNew && last {
					g.found(from + int(chosen[j]))
				}
				before = code
			}
			codes[j], out[j] = uint64(group), group
		}
	}
	return one
}

// code adds the ids of one column to the codes.
func (g *grouping) code(c *coded, codes []uint64, chosen []uint16, from, n int) {
	ids := g.ids[:n]
	c.ids.LoadIDs(ids, from)
	if c.steps != nil {
		for i, id := range ids {
			ids[i] = c.steps[id]
		}
	}
	shift := c.shift & 63
	if len(chosen) == n {
		for j, id := range ids[:len(codes)] {
			codes[j] |= uint64(id) << shift
		}
		return
	}
	for j, row := range chosen {
		codes[j] |= uint64(g.ids[row%blockRows]) << shift
	}
}

// same says whether all codes are equal.
func same(codes []uint64) bool {
	first, differ := codes[0], uint64(0)
	for _, code := range codes {
		differ |= code ^ first
	}
	return differ == 0
}

// found keeps the key of a new group, which its first row tells.
func (g *grouping) found(row int) {
	g.groups++
	g.keys = append(g.keys, g.times.step(row))
	for _, cells := range g.cells {
		id := uint32(0)
		if cells != nil {
			id = uint32(cells.IDs.At(row)) //nolint:gosec // Checked when it was packed.
		}
		g.keys = append(g.keys, id)
	}
}

// key gives the step of a group and the ids of its cells.
func (g *grouping) key(group int) []uint32 {
	width := 1 + len(g.cells)
	return g.keys[group*width : (group+1)*width]
}

func (st *stage) number(code uint64) (group uint32, isNew bool) {
	if len(st.dense) > 0 {
		if n := st.dense[code]; n > 0 {
			return n - 1, false
		}
		st.dense[code] = st.next + 1
	} else {
		if n, ok := st.sparse[code]; ok {
			return n, false
		}
		st.sparse[code] = st.next
	}
	st.next++
	return st.next - 1, true
}
