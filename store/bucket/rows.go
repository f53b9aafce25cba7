package bucket

import (
	"slices"

	"weir/columns"
	"weir/store"
)

// rows are those of the row group that is being filled.
type rows struct {
	// group is the number of the row group, from 1.
	group uint32
	n     int
	// starts is when the slice of each row starts, measures what it counts, columns its cells.
	starts   []int64
	measures [store.Measures][]uint64
	columns  []*gather

	// order is that in which the rows are written.
	order, next []uint32
	counts      []uint32
}

// keys name the columns by which the rows of a row group are sorted after their local end, the first ones first, so
// that those of one device and one name lie together, and within them those of one flow.
var keys = []string{ //nolint:gochecknoglobals // A constant table.
	"remote.name", "remote.site", "remote.ip", "remote.port", "local.ip", "local.port", "proto", "app",
}

// localEnds name the column that stands for the local end: the first of them that has cells.
var localEnds = []string{"local.mac", "local.ip"} //nolint:gochecknoglobals // A constant table.

func (r *rows) find(name string) *gather {
	for _, g := range r.columns {
		if g.column.Name == name {
			return g
		}
	}
	return nil
}

// gather finds the gatherer of a column, or makes it.
func (r *rows) gather(c *columns.Column) *gather {
	for _, g := range r.columns {
		if g.column == c {
			return g
		}
	}
	g := newGather(c)
	r.columns = append(r.columns, g)
	return g
}

// text is how much room the texts of all cells take.
func (r *rows) text() (sum int) {
	for _, g := range r.columns {
		sum += g.text
	}
	return sum
}

// sort finds the order of the rows; where all keys are the same it stays what it was, which is that of time.
func (r *rows) sort() {
	r.order = slices.Grow(r.order[:0], r.n)[:r.n]
	r.next = slices.Grow(r.next[:0], r.n)[:r.n]
	for i := range r.order {
		r.order[i] = uint32(i) //nolint:gosec // At most groupRows.
	}
	for i := len(keys) - 1; i >= 0; i-- {
		r.sortBy(r.find(keys[i]))
	}
	for _, name := range localEnds {
		if g := r.find(name); g != nil && len(g.used) > 0 {
			r.sortBy(g)
			return
		}
	}
}

// sortBy sorts by one column and keeps the order of rows with the same cell.
func (r *rows) sortBy(g *gather) {
	if g == nil || len(g.used) == 0 {
		return
	}
	r.counts = slices.Grow(r.counts[:0], len(g.ranks)+1)[:len(g.ranks)+1]
	clear(r.counts)
	for _, id := range g.ids {
		r.counts[g.ranks[id]+1]++
	}
	for i := 1; i < len(r.counts); i++ {
		r.counts[i] += r.counts[i-1]
	}
	for _, row := range r.order {
		at := &r.counts[g.ranks[g.ids[row]]]
		r.next[*at] = row
		*at++
	}
	r.order, r.next = r.next, r.order
}

// reset makes ready for the next row group.
func (r *rows) reset() {
	r.n, r.starts = 0, r.starts[:0]
	for m := range r.measures {
		r.measures[m] = r.measures[m][:0]
	}
	for _, g := range r.columns {
		g.reset()
	}
	r.group++
}
