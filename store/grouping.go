package store

import (
	"math/bits"

	"weir/columns"
)

// grouping numbers the rows of a part by their cells in some columns: equal cells, equal number.
//
// The ids of a row are put side by side into one code of 64 bits. Where they do not fit, the codes so far
// are numbered first, and the numbers, which are short, go on in the next stage.
type grouping struct {
	stages []stage
	used   int
	// first[g] is the first row of group g.
	first []uint32

	ids   [blockRows]uint32
	codes [blockRows]uint64
}

// stage numbers the codes made of some columns and of the numbers of the stage before.
type stage struct {
	ids    []*Ints
	shifts []uint8
	bits   int
	// dense[code] is 1 + the number of a code, where codes are short; else sparse tells the number.
	dense  []uint32
	sparse map[uint64]uint32
	next   uint32
}

// maxDenseBits bounds the table of a stage to 256 KiB.
const maxDenseBits = 16

// begin makes ready for a part. Columns with one cell for all rows tell nothing apart.
func (g *grouping) begin(by []*columns.Column, p *Part) {
	g.used, g.first = 0, g.first[:0]
	st := g.stage(0)
	for _, c := range by {
		cells := p.Find(c)
		if cells == nil || cells.IDs.width == 0 {
			continue
		}
		width := bits.Len(uint(cells.Dict.Len() - 1)) //nolint:gosec // At least 0.
		if st.bits+width > 64 {
			st = g.stage(bits.Len(uint(p.Rows))) //nolint:gosec // At least 0.
		}
		st.ids = append(st.ids, &cells.IDs)
		st.shifts = append(st.shifts, uint8(st.bits)) //nolint:gosec // At most 64.
		st.bits += width
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
	st.ids, st.shifts, st.bits, st.next = st.ids[:0], st.shifts[:0], width, 0
	return st
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

// number tells the group of each chosen row of the block of n rows at from.
func (g *grouping) number(out []uint32, chosen []uint16, from, n int) {
	codes := g.codes[:len(chosen)]
	clear(codes)
	for i := range g.stages[:g.used] {
		st := &g.stages[i]
		for k, ids := range st.ids {
			ids.LoadIDs(g.ids[:n], from)
			shift := st.shifts[k]
			for j, row := range chosen {
				codes[j] |= uint64(g.ids[row%blockRows]) << (shift & 63)
			}
		}
		last := i == g.used-1
		for j, code := range codes {
			group, isNew := st.number(code)
			if isNew && last {
				g.first = append(g.first, uint32(from+int(chosen[j]))) //nolint:gosec // Rows of a part fit.
			}
			codes[j], out[j] = uint64(group), group
		}
	}
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
