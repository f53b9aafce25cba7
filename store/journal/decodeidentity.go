package journal

import (
	"weir/columns"
	"weir/messages"
	"weir/store"
)

// identity reads of which incarnation a definition is.
func (d *decoder) identity(w *wire, start int64) int32 {
	what := w.byte()
	def := d.defs
	cell := func(i int) []byte {
		if i < 0 {
			return nil
		}
		return d.columns[i].value(d.columns[i].cellOf(def))
	}
	id := identity{localIsA: what&idLocalIsA != 0, asCells: what&idTags != 0}
	k := &id.key
	switch {
	case what&idProto == 0:
		k.Proto = w.byte()
	case d.accounts != nil:
		k.Proto, _ = d.key.protocol(cell)
	}
	switch {
	case what&idAddresses == 0:
		k.A.Addr, k.B.Addr = cutAddr(w), cutAddr(w)
	case d.accounts != nil:
		k.A.Addr, k.B.Addr, _ = d.key.addresses(cell, id.localIsA)
	}
	switch {
	case what&idPorts == 0:
		k.A.Port, k.B.Port = w.u16(), w.u16()
	case d.accounts != nil:
		k.A.Port, k.B.Port, _ = d.key.ports(cell, id.localIsA)
	}
	if what&idZone != 0 {
		k.Zone = w.u16()
	}
	if what&idStart != 0 {
		id.start = start - w.s()
	}
	if what&idID != 0 {
		id.id = w.u32()
	}
	if what&idTags == 0 {
		id.tags = d.tags(w)
	}
	d.identities = append(d.identities, id)
	return int32(len(d.identities) - 1) //nolint:gosec // Fewer than bytes of an epoch.
}

func cutAddr(w *wire) (a [16]byte) {
	switch w.byte() {
	case 4:
		copy(a[10:], []byte{0xff, 0xff})
		copy(a[12:], w.bytes(4))
	case 16:
		copy(a[:], w.bytes(16))
	default:
		w.fail()
	}
	return a
}

func (d *decoder) tags(w *wire) []columns.Tag {
	n := w.count(3)
	var tags []columns.Tag
	for range n {
		at := w.u()
		end := columns.KeyEnd(w.byte())
		if at >= uint64(len(d.columns)) || end > columns.EndB {
			w.fail()
			return nil
		}
		c := &d.columns[at]
		v := d.cell(w, c)
		if d.accounts != nil && c.column != nil {
			tags = append(tags, columns.Tag{Column: c.column, End: end, Value: columns.Value(c.value(v))})
		}
	}
	return tags
}

// account reads what a row says of the flow's account.
func (d *decoder) account(w *wire, def int, flags byte, m *[store.Measures]uint64) {
	var given [2]messages.Counter
	if flags&rowGiven != 0 {
		given = cutCounters(w)
	}
	at := d.identityOf[def]
	if d.accounts == nil || at < 0 {
		if at < 0 && flags&(rowGiven|rowSummed) != 0 {
			w.fail()
		}
		return
	}
	id := &d.identities[at]
	id.add(&[2]messages.Counter{
		{Bytes: m[store.UpBytes], Packets: m[store.UpPackets]},
		{Bytes: m[store.DownBytes], Packets: m[store.DownPackets]},
	})
	d.settle(id, def, flags, &given)
}

func (d *decoder) settle(id *identity, def int, flags byte, given *[2]messages.Counter) {
	if flags&rowGiven != 0 {
		id.sums = *given
	}
	if flags&(rowGiven|rowSummed) != 0 {
		d.accounts.put(d, id, def, flags&rowOver != 0)
	}
}

func cutCounters(w *wire) (c [2]messages.Counter) {
	for i := range c {
		c[i].Bytes = w.u()
		c[i].Packets = w.u()
	}
	return c
}

// readIdle reads the accounts of flows without a row.
func (d *decoder) readIdle(w *wire) {
	def := int64(0)
	for range w.count(2) {
		def += w.s()
		flags := w.byte()
		if def < 0 || def >= int64(d.defs) || w.bad {
			w.fail()
			return
		}
		var given [2]messages.Counter
		if flags&rowGiven != 0 {
			given = cutCounters(w)
		}
		at := d.identityOf[def]
		if at < 0 {
			w.fail()
			return
		}
		if d.accounts != nil {
			d.settle(&d.identities[at], int(def), flags, &given)
		}
	}
}

// readAmendments reads what is said of earlier rows, and hands it on if anybody asks.
func (d *decoder) readAmendments(w *wire) {
	number := uint64(0)
	for range w.count(2) {
		number += uint64(w.s()) //nolint:gosec // A difference.
		for range w.count(2) {
			at := w.u()
			if at >= uint64(len(d.columns)) {
				w.fail()
				return
			}
			c := &d.columns[at]
			v := d.cell(w, c)
			if d.accounts != nil && c.column != nil && !w.bad {
				d.accounts.amend(number, c.column, columns.Value(c.value(v)))
			}
		}
	}
}
