package journal

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"strings"

	"weir/columns"
	"weir/messages"
)

// The flags of a row, and of an idle account.
const (
	rowStarted byte = 1 << iota
	rowEnded
	rowCounts
	rowNoUp
	rowNoDown
	rowSummed
	rowGiven
	rowOver
)

// The flags of a definition.
const (
	defNumber   = 1
	defIdentity = 2
	defFlags    = 2 // bits
)

// encoder writes the slices of one epoch.
type encoder struct {
	salt    salt
	numbers *numbers
	columns []encColumn
	// byIndex tells 1 + the number of a column by its index in the registry.
	byIndex []int
	// key are the columns that a flow's key can be told from, or -1.
	key keyColumns

	defs []encDef
	// tuples holds the cells of all definitions; each is as wide as there were columns.
	tuples []uint32
	// slots is a hash table of definitions: 1 + their numbers, open and at most half full.
	slots []uint32
	// lastOf is 1 + the last definition of a flow by its number.
	lastOf     map[uint64]uint32
	lastNumber uint64
	identities []identity
	siblings   []sides
	// begun says that the epoch has its first slice.
	begun         bool
	slices, bytes int
	scratch       encScratch
}

// encColumn is a column of the epoch.
type encColumn struct {
	column *columns.Column
	number map[columns.Value]uint32
	cells  []columns.Value
	// written is how many cells a reader knows by now.
	written uint32
	// last is 1 + the last definition that has a cell, by the number of the cell.
	last []uint32
}

type encDef struct {
	hash     uint64
	number   uint64
	at       int
	width    int
	identity int // or -1
}

// encScratch is memory that each slice uses again.
type encScratch struct {
	rows     []encRow
	order    []uint64
	maps     [][]uint32
	tuple    []uint32
	defs     []byte
	body     []byte
	defined  int
	rare     []int
	accounts map[uint64]int
	// left is how many rows an account still has to come, or -1 once it is written.
	left []int
}

type encRow struct {
	counts         [2]messages.Counter
	started, ended uint32
	account        int // or -1
}

func newEncoder(s salt, n *numbers) *encoder {
	return &encoder{
		salt: s, numbers: n, slots: make([]uint32, 64), lastOf: map[uint64]uint32{}, key: noKeyColumns,
		scratch: encScratch{accounts: map[uint64]int{}},
	}
}

// column gives the number of a column in the epoch.
func (e *encoder) column(c *columns.Column) int {
	i := c.Index()
	if i >= len(e.byIndex) {
		e.byIndex = append(e.byIndex, make([]int, i+1-len(e.byIndex))...)
	}
	if n := e.byIndex[i]; n > 0 {
		return n - 1
	}
	e.columns = append(e.columns, encColumn{
		column: c, number: map[columns.Value]uint32{"": 0}, cells: []columns.Value{""}, written: 1, last: []uint32{0},
	})
	e.byIndex[i] = len(e.columns)
	e.key.learn(c.Name, len(e.columns)-1)
	return len(e.columns) - 1
}

// cell numbers a cell; the first time it is written it goes with its text.
func (c *encColumn) cell(v columns.Value) uint32 {
	if n, ok := c.number[v]; ok {
		return n
	}
	v = columns.Value(strings.Clone(string(v)))
	n := uint32(len(c.cells)) //nolint:gosec // Not more than rows of an epoch.
	c.number[v] = n
	c.cells = append(c.cells, v)
	c.last = append(c.last, 0)
	return n
}

func (c *encColumn) appendCell(dst []byte, n uint32) []byte {
	if n < c.written {
		return binary.AppendUvarint(dst, uint64(n)+1)
	}
	c.written++
	return appendText(append(dst, 0), c.cells[n])
}

// encode appends the payload of a slice, whose parts were checked. h is completed.
func (e *encoder) encode(dst []byte, s *messages.Slice, h *head) []byte {
	sc := &e.scratch
	known := len(e.columns)
	sc.defs, sc.body, sc.defined = sc.defs[:0], sc.body[:0], 0
	e.gather(s)
	h.rows = len(sc.rows)
	e.appendRows(s.Accounts)
	h.flags = e.flags(s)
	if idle := e.appendIdle(s, h.start); idle {
		h.flags |= sliceIdle
	}
	if e.appendAmendments(s.Amendments) {
		h.flags |= sliceAmendments
	}
	if h.other != (messages.Totals{}) {
		h.flags |= sliceOther
	}
	from := len(dst)
	dst = appendHead(dst, h, e.salt)
	dst = binary.AppendUvarint(dst, uint64(len(e.columns)-known)) //nolint:gosec // A count.
	for i := range e.columns[known:] {
		dst = appendText(dst, e.columns[known+i].column.Name)
	}
	dst = binary.AppendUvarint(dst, uint64(sc.defined)) //nolint:gosec // A count.
	dst = append(append(dst, sc.defs...), sc.body...)
	e.begun = true
	e.slices++
	e.bytes += len(dst) - from
	return dst
}

func (e *encoder) flags(s *messages.Slice) byte {
	var f byte
	if s.Complete {
		f |= sliceComplete
	}
	if !e.begun {
		f |= sliceEpoch
	}
	if s.AllAccounts {
		f |= sliceAllAccounts
	}
	if len(s.Losses) > 0 {
		f |= sliceLosses
	}
	if len(s.Accounts) > 0 {
		f |= sliceAccounts
	}
	return f
}

// gather finds or makes the definition of each row.
func (e *encoder) gather(s *messages.Slice) {
	sc := &e.scratch
	sc.rows, sc.order = sc.rows[:0], sc.order[:0]
	clear(sc.accounts)
	sc.left = slices.Grow(sc.left[:0], len(s.Accounts))[:len(s.Accounts)]
	clear(sc.left)
	for i := range s.Accounts {
		if flow := s.Accounts[i].Flow; flow != 0 {
			sc.accounts[flow] = i
		}
	}
	for _, p := range s.Parts {
		if p != nil {
			e.part(p, s)
		}
	}
}

func (e *encoder) part(p *messages.Rows, s *messages.Slice) {
	sc := &e.scratch
	cols := make([]int, len(p.Cells))
	for i := range p.Cells {
		c := &p.Cells[i]
		cols[i] = e.column(c.Column)
		if i == len(sc.maps) {
			sc.maps = append(sc.maps, nil)
		}
		sc.maps[i] = slices.Grow(sc.maps[i][:0], len(c.Dict))[:len(c.Dict)]
		for k := range sc.maps[i] {
			sc.maps[i][k] = unnumbered
		}
	}
	e.rare()
	start := s.Span.Start.UnixNano()
	sc.tuple = slices.Grow(sc.tuple[:0], len(e.columns))[:len(e.columns)]
	clear(sc.tuple)
	for row := range p.Len() {
		for i := range p.Cells {
			c := &p.Cells[i]
			id := c.IDs[row]
			n := sc.maps[i][id]
			if n == unnumbered {
				n = e.columns[cols[i]].cell(c.Dict[id])
				sc.maps[i][id] = n
			}
			sc.tuple[cols[i]] = n
		}
		r := encRow{
			counts: [2]messages.Counter{
				{Bytes: p.UpBytes[row], Packets: p.UpPackets[row]},
				{Bytes: p.DownBytes[row], Packets: p.DownPackets[row]},
			},
			started: p.Started[row], ended: p.Ended[row], account: -1,
		}
		var account *messages.Account
		number := uint64(0)
		if p.Flow != nil && p.Flow[row] != 0 {
			number = e.numbers.of(p.Flow[row])
			if at, ok := sc.accounts[p.Flow[row]]; ok {
				r.account, account = at, &s.Accounts[at]
				sc.left[at]++
			}
		}
		def := e.def(sc.tuple, number, account, start)
		sc.order = append(sc.order, uint64(def)<<32|uint64(len(sc.rows)))
		sc.rows = append(sc.rows, r)
	}
}

// unnumbered marks a cell of a part that has no number in the epoch yet.
const unnumbered = ^uint32(0)

// rare lists the columns by how many cells they have: flows with a rare cell in common have most in common.
func (e *encoder) rare() {
	sc := &e.scratch
	sc.rare = sc.rare[:0]
	for i := range e.columns {
		sc.rare = append(sc.rare, i)
	}
	slices.SortFunc(sc.rare, func(a, b int) int { return len(e.columns[b].cells) - len(e.columns[a].cells) })
}

// def gives the number of the definition with these cells for this flow.
func (e *encoder) def(tuple []uint32, number uint64, account *messages.Account, start int64) uint32 {
	hash := hashTuple(tuple, number)
	mask := uint64(len(e.slots) - 1) //nolint:gosec // At least 64.
	at := hash & mask
	for ; e.slots[at] != 0; at = (at + 1) & mask {
		n := e.slots[at] - 1
		if d := &e.defs[n]; d.hash == hash && d.number == number && sameTuple(e.tuple(n), tuple) {
			if account == nil || e.fits(n, account) {
				return n
			}
			n = e.define(tuple, number, account, start, hash)
			e.slots[at] = n + 1
			return n
		}
	}
	n := e.define(tuple, number, account, start, hash)
	e.slots[at] = n + 1
	if 2*len(e.defs) > len(e.slots) {
		e.rehash()
	}
	return n
}

func (e *encoder) rehash() {
	old := e.slots
	e.slots = make([]uint32, 4*len(old))
	mask := uint64(len(e.slots) - 1) //nolint:gosec // At least 64.
	for _, n := range old {
		if n == 0 {
			continue
		}
		at := e.defs[n-1].hash & mask
		for e.slots[at] != 0 {
			at = (at + 1) & mask
		}
		e.slots[at] = n
	}
}

func (e *encoder) tuple(def uint32) []uint32 {
	d := &e.defs[def]
	return e.tuples[d.at : d.at+d.width]
}

// sameTuple compares cells; columns that came later are empty.
func sameTuple(old, now []uint32) bool {
	if !slices.Equal(old, now[:len(old)]) {
		return false
	}
	for _, n := range now[len(old):] {
		if n != 0 {
			return false
		}
	}
	return true
}

func hashTuple(tuple []uint32, number uint64) uint64 {
	const golden = 0x9E3779B97F4A7C15
	h := number ^ golden
	for i, n := range tuple {
		if n != 0 {
			hi, lo := bits.Mul64(h^(uint64(i)<<32|uint64(n)), golden) //nolint:gosec // A place.
			h = hi ^ lo
		}
	}
	return h ^ h>>29
}

// define writes a definition as what differs from the most similar one that is easy to find.
func (e *encoder) define(tuple []uint32, number uint64, account *messages.Account, start int64, hash uint64) uint32 {
	sc := &e.scratch
	n := uint32(len(e.defs)) //nolint:gosec // Fewer than bytes of an epoch.
	ref := e.reference(tuple, number)
	d := encDef{hash: hash, number: number, at: len(e.tuples), width: len(tuple), identity: -1}
	flags, distance := uint64(0), uint64(0)
	refNumber := uint64(0)
	if ref > 0 {
		distance = uint64(n - (ref - 1))
		refNumber = e.defs[ref-1].number
	}
	if refNumber != number {
		flags |= defNumber
	} else if ref > 0 {
		d.identity = e.defs[ref-1].identity
	}
	e.tuples = append(e.tuples, tuple...)
	e.defs = append(e.defs, d)
	if account != nil && !e.fits(n, account) {
		flags |= defIdentity
	}
	sc.defs = binary.AppendUvarint(sc.defs, distance<<defFlags|flags)
	if flags&defNumber != 0 {
		sc.defs = appendS(sc.defs, int64(number-e.lastNumber)) //nolint:gosec // A difference.
		if number != 0 {
			e.lastNumber = number
		}
	}
	e.appendTuple(tuple, ref)
	if flags&defIdentity != 0 {
		e.defs[n].identity = len(e.identities)
		e.identities = append(e.identities, makeIdentity(account, n))
		sc.defs = e.appendIdentity(sc.defs, &e.identities[len(e.identities)-1], tuple, start)
	}
	for i, cell := range tuple {
		if cell != 0 {
			e.columns[i].last[cell] = n + 1
		}
	}
	if number != 0 {
		e.lastOf[number] = n + 1
	}
	sc.defined++
	return n
}

// appendTuple writes the mask and the cells that differ.
func (e *encoder) appendTuple(tuple []uint32, ref uint32) {
	sc := &e.scratch
	var old []uint32
	if ref > 0 {
		old = e.tuple(ref - 1)
	}
	differs := func(i int) bool { return tuple[i] != cellAt(old, i) }
	last := len(tuple) - 1
	for last >= 0 && !differs(last) {
		last--
	}
	for i := 0; ; i += 7 {
		var b byte
		for k := i; k < i+7 && k <= last; k++ {
			if differs(k) {
				b |= 1 << (k - i)
			}
		}
		if i+7 > last {
			sc.defs = append(sc.defs, b)
			break
		}
		sc.defs = append(sc.defs, b|0x80)
	}
	for i := 0; i <= last; i++ {
		if differs(i) {
			sc.defs = e.columns[i].appendCell(sc.defs, tuple[i])
		}
	}
}

func cellAt(tuple []uint32, i int) uint32 {
	if i < len(tuple) {
		return tuple[i]
	}
	return 0
}

// candidates is how many definitions are compared.
const candidates = 4

// reference gives 1 + the definition from which a new one differs least, or 0. That of the same flow spares the
// account.
func (e *encoder) reference(tuple []uint32, number uint64) uint32 {
	if number != 0 {
		if n := e.lastOf[number]; n != 0 {
			return n
		}
	}
	best, least, tried := uint32(0), len(tuple)+1, 0
	for _, i := range e.scratch.rare {
		if i >= len(tuple) || tuple[i] == 0 {
			continue
		}
		n := e.columns[i].last[tuple[i]]
		if n == 0 || n == best {
			continue
		}
		old, differ := e.tuple(n-1), 0
		for k, cell := range tuple {
			if cell != cellAt(old, k) {
				differ++
			}
		}
		if differ < least {
			best, least = n, differ
		}
		if tried++; tried == candidates {
			break
		}
	}
	return best
}

// appendRows writes the rows in the order of their definitions.
func (e *encoder) appendRows(accounts []messages.Account) {
	sc := &e.scratch
	slices.Sort(sc.order)
	before := uint64(0)
	for _, o := range sc.order {
		def := o >> 32
		sc.body = binary.AppendUvarint(sc.body, def-before)
		before = def
		r := &sc.rows[uint32(o)] //nolint:gosec // The lower half.
		flags := r.flags()
		var id *identity
		if at := e.defs[def].identity; at >= 0 {
			id = &e.identities[at]
			id.add(&r.counts)
		}
		var account *messages.Account
		if r.account >= 0 {
			if sc.left[r.account]--; sc.left[r.account] == 0 {
				sc.left[r.account] = -1
				account = &accounts[r.account]
				flags |= accountFlags(id, account)
			}
		}
		sc.body = append(sc.body, flags)
		if flags&rowCounts != 0 {
			sc.body = binary.AppendUvarint(sc.body, uint64(r.started))
			sc.body = binary.AppendUvarint(sc.body, uint64(r.ended))
		}
		if flags&rowNoUp == 0 {
			sc.body = appendCounter(sc.body, r.counts[0])
		}
		if flags&rowNoDown == 0 {
			sc.body = appendCounter(sc.body, r.counts[1])
		}
		if flags&rowGiven != 0 {
			sc.body = appendCounter(appendCounter(sc.body, account.Last[0]), account.Last[1])
			id.sums = account.Last
		}
	}
}

func (r *encRow) flags() (f byte) {
	switch {
	case r.started > 1 || r.ended > 1:
		f = rowCounts
	default:
		f = byte(r.started)*rowStarted | byte(r.ended)*rowEnded
	}
	if r.counts[0] == (messages.Counter{}) {
		f |= rowNoUp
	}
	if r.counts[1] == (messages.Counter{}) {
		f |= rowNoDown
	}
	return f
}

func appendCounter(dst []byte, c messages.Counter) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(dst, c.Bytes), c.Packets)
}

// appendAmendments writes what is said of flows that have rows.
func (e *encoder) appendAmendments(list []messages.Amendment) bool {
	sc := &e.scratch
	type known struct {
		number uint64
		cells  []messages.AmendedCell
	}
	out := make([]known, 0, len(list))
	for _, a := range list {
		if number := e.numbers.find(a.Flow); number != 0 {
			out = append(out, known{number: number, cells: a.Cells})
		}
	}
	if len(out) == 0 {
		return false
	}
	sc.body = binary.AppendUvarint(sc.body, uint64(len(out)))
	before := uint64(0)
	for _, a := range out {
		sc.body = appendS(sc.body, int64(a.number-before)) //nolint:gosec // A difference.
		before = a.number
		cells := slices.DeleteFunc(slices.Clone(a.cells), func(c messages.AmendedCell) bool { return c.Column == nil })
		sc.body = binary.AppendUvarint(sc.body, uint64(len(cells)))
		for _, c := range cells {
			i := e.column(c.Column)
			sc.body = binary.AppendUvarint(sc.body, uint64(i)) //nolint:gosec // A place.
			sc.body = e.columns[i].appendCell(sc.body, e.columns[i].cell(c.Value))
		}
	}
	return true
}
