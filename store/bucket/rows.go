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
	// starts are when slices start, in no order; startIDs tells for each row which is its own. measures are what it
	// counts, columns its cells.
	starts   []int64
	known    map[int64]uint32
	startIDs []uint32
	measures [store.Measures][]uint64
	columns  []*gather

	// order is that in which the rows are written.
	order, next []uint32
	counts      []uint32
}

// keys name the columns by which the rows of a row group are sorted after their local end, the first ones first, so
// that those of one device and one name lie together, and within them those of one flow.
var keys = []string{ //nolint:gochecknoglobals // A constant table.
	"remote.site", "remote.name", "remote.ip", "remote.port", "local.ip", "local.port", "proto", "app",
}

// localEnds name the columns that stand for the local end: the first, or the second for rows that lack it.
var localEnds = [...]string{"local.mac", "local.ip"} //nolint:gochecknoglobals // A constant table.

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

// start numbers when a slice starts.
func (r *rows) start(at int64) uint32 {
	id, ok := r.known[at]
	if !ok {
		id = uint32(len(r.starts)) //nolint:gosec // At most groupRows.
		r.starts = append(r.starts, at)
		if r.known == nil {
			r.known = map[int64]uint32{}
		}
		r.known[at] = id
	}
	return id
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
	r.sortByEnd(r.find(localEnds[0]), r.find(localEnds[1]))
}

// sortByEnd sorts by the first column, and rows without a cell in it, behind the others, by the second.
func (r *rows) sortByEnd(first, second *gather) {
	switch {
	case first == nil || len(first.used) == 0:
		r.sortBy(second)
		return
	case second == nil || !slices.Contains(first.ids, 0):
		r.sortBy(first)
		return
	}
	n := uint32(len(first.used)) //nolint:gosec // At most groupRows.
	ends := make([]uint32, r.n)
	for row, id := range first.ids {
		if ends[row] = id; id == 0 {
			ends[row] = n + 1 + second.ids[row]
		}
	}
	r.sortIDs(ends, int(n)+1+len(second.used))
}

// sortBy sorts by one column and keeps the order of rows with the same cell.
func (r *rows) sortBy(g *gather) {
	if g != nil && len(g.used) > 0 {
		r.sortIDs(g.ids, len(g.used))
	}
}

// sortIDs sorts by numbers up to top, one for each row.
func (r *rows) sortIDs(ids []uint32, top int) {
	r.counts = slices.Grow(r.counts[:0], top+2)[:top+2]
	clear(r.counts)
	for _, id := range ids {
		r.counts[id+1]++
	}
	for i := 1; i < len(r.counts); i++ {
		r.counts[i] += r.counts[i-1]
	}
	for _, row := range r.order {
		at := &r.counts[ids[row]]
		r.next[*at] = row
		*at++
	}
	r.order, r.next = r.next, r.order
}

// reset makes ready for the next row group.
func (r *rows) reset() {
	r.n, r.starts, r.startIDs = 0, r.starts[:0], r.startIDs[:0]
	clear(r.known)
	for m := range r.measures {
		r.measures[m] = r.measures[m][:0]
	}
	for _, g := range r.columns {
		g.reset()
	}
	r.group++
}
