package journal

import (
	"fmt"
	"slices"

	"weir/columns"
	"weir/store"
)

const (
	// maxColumns bounds the columns of an epoch.
	maxColumns = 512
	// blockRows is how many rows are handed on at once, at most.
	blockRows = 1 << 16
)

// decoder reads the slices of one epoch.
type decoder struct {
	salt    salt
	columns []decColumn
	key     keyColumns
	// defs is how many definitions there are; numbers and identities tell of each, where they are wanted.
	defs       int
	numbers    []uint64
	identityOf []int32 // or -1
	identities []identity
	lastNumber uint64

	// want chooses columns, nil all; accounts asks for accounts, and thus for all columns.
	want     func(*columns.Column) bool
	accounts *ledger
	amend    *amending
	mask     []byte

	rows decRows
}

// decColumn is a column of the epoch.
type decColumn struct {
	column *columns.Column // nil if this build does not have it
	name   string
	wanted bool
	cells  uint32 // how many there are, with the empty one
	text   []byte
	ends   []uint32
	// of tells the cell of each definition, of a wanted column.
	of  []uint32
	ids []uint32
	buf []byte
}

// decRows are the rows that were read and not handed on.
type decRows struct {
	defs     []uint32
	starts   []uint64
	measures [store.Measures][]uint64
	bufs     [store.Measures + 1][]byte
}

func newDecoder(s salt) *decoder {
	d := &decoder{salt: s}
	d.reset()
	return d
}

// reset makes ready for the next epoch; memory is kept.
func (d *decoder) reset() {
	d.columns, d.key = d.columns[:0], noKeyColumns
	d.defs, d.lastNumber = 0, 0
	d.numbers, d.identityOf, d.identities = d.numbers[:0], d.identityOf[:0], d.identities[:0]
	d.clearRows()
}

func (d *decoder) clearRows() {
	d.rows.defs, d.rows.starts = d.rows.defs[:0], d.rows.starts[:0]
	for m := range d.rows.measures {
		d.rows.measures[m] = d.rows.measures[m][:0]
	}
}

// slice reads what follows the head. Rows are kept if shown is true, with start as that of their slice.
func (d *decoder) slice(w *wire, h *head, start int64, shown bool) error {
	d.readColumns(w)
	n := w.count(2)
	for range n {
		d.definition(w, h.start)
		if w.bad {
			return fmt.Errorf("definition of a flow: %w", errDamaged)
		}
	}
	if h.rows > w.left()/2 {
		return fmt.Errorf("rows: %w", errDamaged)
	}
	if d.accounts != nil {
		d.accounts.begin(h)
	}
	if err := d.readRows(w, h.rows, uint64(start), shown); err != nil { //nolint:gosec // Only read as int64 again.
		return err
	}
	if h.flags&sliceIdle != 0 {
		d.readIdle(w)
	}
	if h.flags&sliceAmendments != 0 {
		d.readAmendments(w)
	}
	if w.bad || w.left() > 0 {
		return fmt.Errorf("end of a slice: %w", errDamaged)
	}
	return nil
}

func (d *decoder) readColumns(w *wire) {
	for range w.count(1) {
		name := w.text()
		if len(d.columns) == maxColumns {
			w.fail()
		}
		if w.bad {
			return
		}
		if len(d.columns) < cap(d.columns) {
			d.columns = d.columns[:len(d.columns)+1]
		} else {
			d.columns = append(d.columns, decColumn{})
		}
		c := &d.columns[len(d.columns)-1]
		if c.name != string(name) {
			c.name = string(name)
			c.column, _ = columns.Lookup(c.name)
		}
		c.cells, c.text, c.ends, c.of = 1, c.text[:0], c.ends[:0], c.of[:0]
		c.wanted = d.accounts != nil || c.column != nil && (d.want == nil || d.want(c.column))
		if c.wanted {
			c.of = append(c.of, make([]uint32, d.defs)...)
		}
		d.key.learn(c.name, len(d.columns)-1)
	}
}

// cell reads one and gives its number in the column.
func (d *decoder) cell(w *wire, c *decColumn) uint32 {
	k := w.u()
	if k > 0 {
		if k > uint64(c.cells) {
			w.fail()
			return 0
		}
		return uint32(k - 1) //nolint:gosec // Checked.
	}
	text := w.text()
	if c.wanted {
		c.text = append(c.text, text...)
		c.ends = append(c.ends, uint32(len(c.text))) //nolint:gosec // An epoch is far below 4 GiB.
	}
	c.cells++
	return c.cells - 1
}

// value gives a cell, which shares memory with the decoder.
func (c *decColumn) value(n uint32) []byte {
	if n == 0 || int(n) > len(c.ends) {
		return nil
	}
	from := uint32(0)
	if n > 1 {
		from = c.ends[n-2]
	}
	return c.text[from:c.ends[n-1]]
}

// cellOf gives the number of the cell of a definition.
func (c *decColumn) cellOf(def int) uint32 {
	if def < len(c.of) {
		return c.of[def]
	}
	return 0
}

// definition reads one.
func (d *decoder) definition(w *wire, start int64) {
	v := w.u()
	flags, distance := v&(1<<defFlags-1), v>>defFlags
	if distance > uint64(d.defs) { //nolint:gosec // A count.
		w.fail()
		return
	}
	ref := d.defs - int(distance) // Without a reference it is the definition itself.
	number, id := uint64(0), int32(-1)
	if distance > 0 {
		number, id = d.numbers[ref], d.identityOf[ref]
	}
	if flags&defNumber != 0 {
		number = d.lastNumber + uint64(w.s()) //nolint:gosec // A difference.
		if number != 0 {
			d.lastNumber = number
		}
		id = -1
	}
	d.tuple(w, ref)
	if flags&defIdentity != 0 && !w.bad {
		id = d.identity(w, start)
	}
	d.numbers = append(d.numbers, number)
	d.identityOf = append(d.identityOf, id)
	d.defs++
}

// tuple reads the cells that differ from those of the reference.
func (d *decoder) tuple(w *wire, ref int) {
	d.mask = d.mask[:0]
	for more := true; more; {
		b := w.byte()
		more = b&0x80 != 0
		d.mask = append(d.mask, b&0x7f)
		if len(d.mask) > maxColumns/7+1 {
			w.fail()
		}
	}
	for i := range d.columns {
		c := &d.columns[i]
		switch {
		case i/7 < len(d.mask) && d.mask[i/7]&(1<<(i%7)) != 0:
			if n := d.cell(w, c); c.wanted {
				c.of = append(c.of, n)
			}
		case !c.wanted:
		case ref < d.defs:
			c.of = append(c.of, c.of[ref])
		default:
			c.of = append(c.of, 0)
		}
	}
	for i := len(d.columns); i < 7*len(d.mask); i++ {
		if d.mask[i/7]&(1<<(i%7)) != 0 {
			w.fail()
			return
		}
	}
}

// readRows reads the rows of a slice.
func (d *decoder) readRows(w *wire, n int, start uint64, shown bool) error {
	def := uint64(0)
	r := &d.rows
	at := len(r.defs)
	if shown {
		d.grow(n)
	}
	for range n {
		def += w.u()
		flags := w.byte()
		if def >= uint64(d.defs) || w.bad { //nolint:gosec // A count.
			return fmt.Errorf("row: %w", errDamaged)
		}
		var m [store.Measures]uint64
		if flags&rowCounts != 0 {
			m[store.Started], m[store.Ended] = w.u(), w.u()
		} else {
			m[store.Started], m[store.Ended] = uint64(flags&rowStarted), uint64((flags&rowEnded)/rowEnded)
		}
		if flags&rowNoUp == 0 {
			m[store.UpBytes], m[store.UpPackets] = w.u(), w.u()
		}
		if flags&rowNoDown == 0 {
			m[store.DownBytes], m[store.DownPackets] = w.u(), w.u()
		}
		if flags&rowGiven != 0 || d.accounts != nil {
			d.account(w, int(def), flags, &m) //nolint:gosec // Checked.
		}
		if shown {
			r.defs[at], r.starts[at] = uint32(def), start //nolint:gosec // Checked.
			for i, v := range m {
				r.measures[i][at] = v
			}
			at++
		}
	}
	if w.bad {
		return fmt.Errorf("rows: %w", errDamaged)
	}
	if shown && d.amend != nil {
		d.amend.rows(d)
	}
	return nil
}

// grow makes room for n rows.
func (d *decoder) grow(n int) {
	r := &d.rows
	n += len(r.defs)
	r.defs = slices.Grow(r.defs, n-len(r.defs))[:n]
	r.starts = slices.Grow(r.starts, n-len(r.starts))[:n]
	for i := range r.measures {
		r.measures[i] = slices.Grow(r.measures[i], n-len(r.measures[i]))[:n]
	}
}
