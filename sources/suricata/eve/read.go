package eve

import (
	"net/netip"
	"unicode/utf8"
)

const maxUint64 = 1<<64 - 1

// The readers below take the next value of the line. If it is of another type they leave it out and return
// what an absent one is.

// object begins the next value if it is an object.
func (d *Decoder) object() bool {
	if d.peek() != '{' {
		d.odd()
		return false
	}
	d.open()
	return true
}

// array begins the next value if it is a list.
func (d *Decoder) array() bool {
	if d.peek() != '[' {
		d.odd()
		return false
	}
	d.open()
	return true
}

// fits says whether a list that has n elements may get one more; if not it skips that one.
func (d *Decoder) fits(n, limit int) bool {
	if n < limit {
		return true
	}
	d.Clipped++
	d.skip()
	return false
}

// odd leaves the next value out because of its type.
func (d *Decoder) odd() {
	if d.peek() != 'n' {
		d.Odd++
	}
	d.skip()
}

// bytes reads a text, which is valid until the next one.
func (d *Decoder) bytes() ([]byte, bool) {
	if d.peek() != '"' {
		d.odd()
		return nil, false
	}
	return d.quoted(), true
}

// cut reads a text and cuts it to limit bytes, between two characters.
func (d *Decoder) cut(limit int) []byte {
	b, _ := d.bytes()
	if len(b) <= limit {
		return b
	}
	d.Clipped++
	for i := limit; i > limit-utf8.UTFMax; i-- {
		if utf8.RuneStart(b[i]) {
			return b[:i]
		}
	}
	return b[:limit]
}

// text reads a text that comes again and again.
func (d *Decoder) text(limit int) string {
	return d.words.get(d.cut(limit))
}

// fresh reads a text that hardly ever comes twice.
func (d *Decoder) fresh(limit int) string {
	return string(d.cut(limit))
}

// texts appends a list of texts to list.
func (d *Decoder) texts(list []string, limit int) []string {
	ok := d.array()
	for ok && d.element() {
		if !d.fits(len(list), limit) {
			continue
		}
		if d.peek() != '"' {
			d.odd()
			continue
		}
		list = append(list, d.text(maxName))
	}
	return list
}

// bool reads a truth value.
func (d *Decoder) bool() bool {
	if b := d.peek(); b != 't' && b != 'f' {
		d.odd()
		return false
	}
	return string(d.raw()) == "true"
}

// uint reads a whole number of at most limit; it says whether there is one.
func (d *Decoder) uint(limit uint64) (uint64, bool) {
	if b := d.peek(); b != '-' && (b < '0' || b > '9') {
		d.odd()
		return 0, false
	}
	v, ok := d.number()
	if !ok || v > limit {
		d.Odd++
		return 0, false
	}
	return v, true
}

func (d *Decoder) uint8() (uint8, bool) {
	v, ok := d.uint(1<<8 - 1)
	return uint8(v), ok //nolint:gosec // It is at most 255.
}

func (d *Decoder) uint16() (uint16, bool) {
	v, ok := d.uint(1<<16 - 1)
	return uint16(v), ok //nolint:gosec // It is at most 65,535.
}

func (d *Decoder) uint32() uint32 {
	v, _ := d.uint(1<<32 - 1)
	return uint32(v) //nolint:gosec // It fits.
}

// small reads a number that is small if it is sane: a status, a version, a severity.
func (d *Decoder) small() int {
	v, _ := d.uint(1<<16 - 1)
	return int(v) //nolint:gosec // It is at most 65,535.
}

// time reads a timestamp.
func (d *Decoder) time() int64 {
	b, ok := d.bytes()
	if !ok {
		return 0
	}
	t, ok := parseTime(b)
	if !ok {
		d.Odd++
	}
	return t
}

// addr reads an address.
func (d *Decoder) addr() netip.Addr {
	b, ok := d.bytes()
	if !ok {
		return netip.Addr{}
	}
	a, ok := parseAddr(b)
	if !ok {
		d.Odd++
	}
	return a
}

// mac reads a MAC address.
func (d *Decoder) mac() [6]byte {
	b, ok := d.bytes()
	if !ok {
		return [6]byte{}
	}
	a, ok := parseMAC(b)
	if !ok {
		d.Odd++
	}
	return a
}

// firstMAC reads the first of a list of MAC addresses.
func (d *Decoder) firstMAC() [6]byte {
	var first [6]byte
	ok := d.array()
	for n := 0; ok && d.element(); n++ {
		if n == 0 {
			first = d.mac()
		} else {
			d.skip()
		}
	}
	return first
}

// vlans reads a list of VLAN numbers, or of one that stands alone, as in version 4.
func (d *Decoder) vlans(list []uint16) []uint16 {
	if b := d.peek(); '0' <= b && b <= '9' {
		return d.vlan(list)
	}
	ok := d.array()
	for ok && d.element() {
		if d.fits(len(list), maxVLANs) {
			list = d.vlan(list)
		}
	}
	return list
}

// vlan appends a VLAN number.
func (d *Decoder) vlan(list []uint16) []uint16 {
	v, ok := d.uint(1<<12 - 1)
	if !ok {
		return list
	}
	return append(list, uint16(v)) //nolint:gosec // It is at most 4,095.
}

// proto reads the protocol, which is a name or a number in quotes.
func (d *Decoder) proto(e *Event) {
	b, ok := d.bytes()
	if ok {
		e.Proto, ok = d.protocol(b)
		if !ok {
			d.Odd++
		}
	} else {
		e.Proto = 0
	}
	e.set(HasProto, ok)
}
