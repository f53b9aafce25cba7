package journal

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"

	"weir/columns"
	"weir/messages"
)

// What the first byte of an identity tells.
const (
	idLocalIsA byte = 1 << iota
	idAddresses
	idPorts
	idProto
	idStart
	idID
	idTags
	idZone
)

// identity is of which incarnation an account is, and how far its counters are.
type identity struct {
	key      messages.Key
	start    int64
	id       uint32
	localIsA bool
	// asCells: the tags are what the cells of the definition say; else they are these.
	asCells bool
	tags    []columns.Tag
	// tagsOf is the definition for which the tags were compared last.
	tagsOf uint32
	sums   [2]messages.Counter
}

func makeIdentity(a *messages.Account, def uint32) identity {
	return identity{key: a.Key, start: a.Start, id: a.ID, localIsA: a.LocalIsA, tags: a.Tags, tagsOf: def}
}

// add books what a row counts, up and down.
func (id *identity) add(counts *[2]messages.Counter) {
	a, b := 1, 0
	if id.localIsA {
		a, b = 0, 1
	}
	id.sums[0].Bytes += counts[a].Bytes
	id.sums[0].Packets += counts[a].Packets
	id.sums[1].Bytes += counts[b].Bytes
	id.sums[1].Packets += counts[b].Packets
}

// accountFlags says how an account is written.
func accountFlags(id *identity, a *messages.Account) (f byte) {
	f = rowSummed
	if id.sums != a.Last {
		f = rowGiven
	}
	if a.Ended {
		f |= rowOver
	}
	return f
}

// keyColumns are the columns that tell the key, or -1.
type keyColumns struct {
	ip, port [2]int // of the local and of the remote end
	proto    int
}

//nolint:gochecknoglobals // A constant.
var noKeyColumns = keyColumns{ip: [2]int{-1, -1}, port: [2]int{-1, -1}, proto: -1}

func (k *keyColumns) learn(name string, at int) {
	switch name {
	case "local.ip":
		k.ip[0] = at
	case "remote.ip":
		k.ip[1] = at
	case "local.port":
		k.port[0] = at
	case "remote.port":
		k.port[1] = at
	case "proto":
		k.proto = at
	}
}

// cellsOf gives a cell of a tuple by the number of the column; -1 is a column that is not there.
type cellsOf func(column int) []byte

// addresses are those of A and B as the cells tell.
func (k *keyColumns) addresses(cell cellsOf, localIsA bool) (a, b [16]byte, ok bool) {
	var ends [2][16]byte
	for i := range ends {
		addr, ok := netip.AddrFromSlice(cell(k.ip[i]))
		if !ok {
			return a, b, false
		}
		ends[i] = addr.As16()
	}
	if !localIsA {
		ends[0], ends[1] = ends[1], ends[0]
	}
	return ends[0], ends[1], true
}

func (k *keyColumns) ports(cell cellsOf, localIsA bool) (a, b uint16, ok bool) {
	var ends [2]uint16
	for i, column := range k.port {
		switch c := cell(column); len(c) {
		case 0:
		case 2:
			ends[i] = binary.BigEndian.Uint16(c) //nolint:gosec // Both are of two.
		default:
			return 0, 0, false
		}
	}
	if !localIsA {
		ends[0], ends[1] = ends[1], ends[0]
	}
	return ends[0], ends[1], true
}

func (k *keyColumns) protocol(cell cellsOf) (p uint8, ok bool) {
	if c := cell(k.proto); len(c) == 1 {
		return c[0], true
	}
	return 0, false
}

// fits says whether the identity of a definition is that of an account.
func (e *encoder) fits(def uint32, a *messages.Account) bool {
	d := &e.defs[def]
	if d.identity < 0 {
		return false
	}
	id := &e.identities[d.identity]
	if id.key != a.Key || id.start != a.Start || id.id != a.ID || id.localIsA != a.LocalIsA {
		return false
	}
	if id.tagsOf == def && sameSlice(id.tags, a.Tags) {
		return true
	}
	if id.asCells {
		if !e.tagsAreCells(e.tuple(def), a) {
			return false
		}
		id.tags, id.tagsOf = a.Tags, def
		return true
	}
	return slices.Equal(id.tags, a.Tags)
}

func sameSlice(a, b []columns.Tag) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// sides are the columns of a family by the end that they are of.
type sides struct{ local, remote *columns.Column }

func (e *encoder) sides(c *columns.Column) sides {
	i := c.Index()
	if i >= len(e.siblings) {
		e.siblings = append(e.siblings, make([]sides, i+1-len(e.siblings))...)
	}
	if e.siblings[i].local == nil {
		e.siblings[i] = sides{local: c.Sibling(columns.OfLocal), remote: c.Sibling(columns.OfRemote)}
	}
	return e.siblings[i]
}

// sideColumn is the column of the rows in which a tag turns up, or nil if that cannot be told.
func (e *encoder) sideColumn(t *columns.Tag, localIsA bool) *columns.Column {
	switch {
	case t.Column.Side == columns.OfFlow:
		if t.End != columns.NoEnd {
			return nil
		}
		return t.Column
	case t.Column.Side != columns.OfLocal || t.End == columns.NoEnd:
		return nil
	case (t.End == columns.EndA) == localIsA:
		return e.sides(t.Column).local
	default:
		return e.sides(t.Column).remote
	}
}

func tagOrder(a, b columns.Tag) int {
	return cmp.Or(cmp.Compare(a.Column.Index(), b.Column.Index()), cmp.Compare(a.End, b.End))
}

// tagsAreCells says whether a reader can tell the tags of an account from the cells.
func (e *encoder) tagsAreCells(tuple []uint32, a *messages.Account) bool {
	tagged := 0
	for i, n := range tuple {
		if n != 0 && !e.columns[i].column.Derived {
			tagged++
		}
	}
	for tags := a.Tags; len(tags) > 0; tagged-- {
		n := 1
		for n < len(tags) && tagOrder(tags[0], tags[n]) == 0 {
			n++
		}
		if n < len(tags) && tagOrder(tags[0], tags[n]) > 0 || !e.cellIs(tuple, tags[:n], a.LocalIsA) {
			return false
		}
		tags = tags[n:]
	}
	return tagged == 0
}

// cellIs says whether tags of one column and end are what the cell says.
func (e *encoder) cellIs(tuple []uint32, tags []columns.Tag, localIsA bool) bool {
	c := e.sideColumn(&tags[0], localIsA)
	if c == nil || c.Derived || c.Index() >= len(e.byIndex) {
		return false
	}
	at := e.byIndex[c.Index()] - 1
	if at < 0 || cellAt(tuple, at) == 0 {
		return false
	}
	cell := e.columns[at].cells[tuple[at]]
	if !c.Set {
		return len(tags) == 1 && tags[0].Value == cell
	}
	values := make([]columns.Value, len(tags))
	for i := range tags {
		values[i] = tags[i].Value
	}
	return columns.JoinSet(values) == cell
}

// appendIdentity writes what cannot be told from the cells.
func (e *encoder) appendIdentity(dst []byte, id *identity, tuple []uint32, start int64) []byte {
	cell := func(i int) []byte {
		if i < 0 || i >= len(tuple) {
			return nil
		}
		return []byte(e.columns[i].cells[tuple[i]])
	}
	k := &id.key
	var what byte
	set := func(flag byte, on bool) bool {
		if on {
			what |= flag
		}
		return on
	}
	set(idLocalIsA, id.localIsA)
	if a, b, ok := e.key.addresses(cell, id.localIsA); ok {
		set(idAddresses, a == k.A.Addr && b == k.B.Addr)
	}
	if a, b, ok := e.key.ports(cell, id.localIsA); ok {
		set(idPorts, a == k.A.Port && b == k.B.Port)
	}
	if p, ok := e.key.protocol(cell); ok {
		set(idProto, p == k.Proto)
	}
	set(idStart, id.start != 0)
	set(idID, id.id != 0)
	set(idZone, k.Zone != 0)
	account := messages.Account{LocalIsA: id.localIsA, Tags: id.tags}
	id.asCells = set(idTags, e.tagsAreCells(tuple, &account))
	dst = append(dst, what)
	if what&idProto == 0 {
		dst = append(dst, k.Proto)
	}
	if what&idAddresses == 0 {
		dst = appendAddr(appendAddr(dst, &k.A), &k.B)
	}
	if what&idPorts == 0 {
		dst = binary.LittleEndian.AppendUint16(dst, k.A.Port)
		dst = binary.LittleEndian.AppendUint16(dst, k.B.Port)
	}
	if what&idZone != 0 {
		dst = binary.LittleEndian.AppendUint16(dst, k.Zone)
	}
	if what&idStart != 0 {
		dst = appendS(dst, start-id.start)
	}
	if what&idID != 0 {
		dst = binary.LittleEndian.AppendUint32(dst, id.id)
	}
	if what&idTags == 0 {
		dst = e.appendTags(dst, id.tags)
	}
	return dst
}

func appendAddr(dst []byte, e *messages.End) []byte {
	ip := e.IP().AsSlice()
	return append(append(dst, byte(len(ip))), ip...)
}

func (e *encoder) appendTags(dst []byte, tags []columns.Tag) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(tags)))
	for _, t := range tags {
		i := e.column(t.Column)
		dst = binary.AppendUvarint(dst, uint64(i)) //nolint:gosec // A place.
		dst = append(dst, byte(t.End))
		dst = e.columns[i].appendCell(dst, e.columns[i].cell(t.Value))
	}
	return dst
}

// appendIdle writes the accounts of flows that have no row in the slice.
func (e *encoder) appendIdle(s *messages.Slice, start int64) bool {
	sc := &e.scratch
	n := 0
	for i := range s.Accounts {
		if sc.left[i] == 0 {
			n++
		}
	}
	if n == 0 {
		return false
	}
	sc.body = binary.AppendUvarint(sc.body, uint64(n)) //nolint:gosec // A count.
	before := uint32(0)
	for i := range s.Accounts {
		if sc.left[i] != 0 {
			continue
		}
		a := &s.Accounts[i]
		def := e.idleDef(a, start)
		id := &e.identities[e.defs[def].identity]
		flags := accountFlags(id, a)
		sc.body = appendS(sc.body, int64(def)-int64(before))
		before = def
		sc.body = append(sc.body, flags)
		if flags&rowGiven != 0 {
			sc.body = appendCounter(appendCounter(sc.body, a.Last[0]), a.Last[1])
			id.sums = a.Last
		}
	}
	return true
}

// idleDef finds or makes a definition with the identity of an account.
func (e *encoder) idleDef(a *messages.Account, start int64) uint32 {
	number := uint64(0)
	var tuple []uint32
	if a.Flow != 0 {
		number = e.numbers.of(a.Flow)
		if n := e.lastOf[number]; n != 0 {
			if e.fits(n-1, a) {
				return n - 1
			}
			tuple = e.tuple(n - 1)
		}
	}
	return e.define(tuple, number, a, start, 0)
}
