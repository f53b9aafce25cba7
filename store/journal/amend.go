package journal

import (
	"strings"
	"sync"

	"weir/columns"
)

// amendments are what slices say of rows that were written before them. They are held in memory and heeded when
// rows are read.
type amendments struct {
	mu    sync.RWMutex
	of    map[flowOf][]amendedCell
	bytes int64
	// heard counts the flows that were amended, cut those for which there was no room or that were forgotten.
	heard, cut uint64
}

// flowOf is a flow in a session.
type flowOf struct {
	session salt
	number  uint64
}

// amendedCell replaces a cell in the rows of the slices up to the one with its order.
type amendedCell struct {
	order  uint64
	column *columns.Column
	value  columns.Value
}

// maxAmended bounds the memory of amendments in bytes, cellBytes is about what one takes besides its text.
const maxAmended, cellBytes = 16 << 20, 96

func newAmendments() *amendments { return &amendments{of: map[flowOf][]amendedCell{}} }

// add keeps the cells of a flow that a slice amends.
func (a *amendments) add(f flowOf, order uint64, c *columns.Column, v columns.Value) {
	a.mu.Lock()
	defer a.mu.Unlock()
	size := int64(cellBytes + len(v))
	if a.bytes+size > maxAmended {
		a.cut++
		return
	}
	a.bytes += size
	list := a.of[f]
	if len(list) == 0 || list[len(list)-1].order != order {
		a.heard++
	}
	a.of[f] = append(list, amendedCell{order: order, column: c, value: columns.Value(strings.Clone(string(v)))})
}

// forget drops what is said of slices before an order only.
func (a *amendments) forget(before uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for f, list := range a.of {
		n := 0
		for n < len(list) && list[n].order <= before {
			a.bytes -= int64(cellBytes + len(list[n].value))
			n++
		}
		switch {
		case n == len(list):
			delete(a.of, f)
		case n > 0:
			a.of[f] = append([]amendedCell(nil), list[n:]...)
		}
	}
}

// amending heeds amendments while an epoch is read.
type amending struct {
	from *amendments
	// session and order are those of the slice that is read; what is of an order above limit is not known yet.
	session      salt
	order, limit uint64
	// known tells of each definition 1 that it is not amended, 2 that cells has it.
	known []byte
	cells map[uint32][]amendedCell
	hits  []hit
	seen  int // rows
}

// hit is a row that has another cell.
type hit struct {
	row    int
	column *columns.Column
	value  columns.Value
}

// reset makes ready for the next epoch.
func (a *amending) reset() {
	a.known = a.known[:0]
	a.cells = map[uint32][]amendedCell{}
	a.clearRows()
}

func (a *amending) clearRows() { a.hits, a.seen = a.hits[:0], 0 }

// rows looks at the rows that the decoder read since.
func (a *amending) rows(d *decoder) {
	for len(a.known) < d.defs {
		a.known = append(a.known, 0)
	}
	a.from.mu.RLock()
	defer a.from.mu.RUnlock()
	for row := a.seen; row < len(d.rows.defs); row++ {
		def := d.rows.defs[row]
		if a.known[def] == 0 {
			a.known[def] = 1
			if n := d.numbers[def]; n != 0 {
				if cells := a.from.of[flowOf{session: a.session, number: n}]; len(cells) > 0 {
					a.cells[def], a.known[def] = cells, 2
				}
			}
		}
		if a.known[def] == 1 {
			continue
		}
		for _, c := range a.cells[def] {
			if c.order >= a.order && c.order <= a.limit && (d.want == nil || d.want(c.column)) {
				a.hits = append(a.hits, hit{row: row, column: c.column, value: c.value})
			}
		}
	}
	a.seen = len(d.rows.defs)
}

// between gives the hits of n rows from place from on, by column, with rows counted from there.
func (a *amending) between(from, n int) map[*columns.Column][]hit {
	var out map[*columns.Column][]hit
	for _, h := range a.hits {
		if h.row < from || h.row >= from+n {
			continue
		}
		if out == nil {
			out = map[*columns.Column][]hit{}
		}
		h.row -= from
		out[h.column] = append(out[h.column], h)
	}
	return out
}
