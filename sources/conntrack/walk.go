package conntrack

import (
	"encoding/binary"
	"errors"
)

// Netlink headers are in the byte order of the machine; the values inside conntrack attributes are in
// network order.

// errMalformed says that lengths do not fit into each other.
var errMalformed = errors.New("malformed netlink message")

// Sizes of netlink.
const (
	headerLen = 16 // struct nlmsghdr
	nfgenLen  = 4  // struct nfgenmsg
	attrLen   = 4  // struct nlattr
	align     = 4
)

// header is struct nlmsghdr without its length.
type header struct {
	typ, flags uint16
	seq, pid   uint32
}

// nextMessage takes the first message off a datagram. ok is false at the end; what is shorter than a header
// is padding.
func nextMessage(b []byte) (h header, payload, rest []byte, ok bool, err error) {
	if len(b) < headerLen {
		return h, nil, nil, false, nil
	}
	n := binary.NativeEndian.Uint32(b)
	if n < headerLen || uint64(n) > uint64(len(b)) {
		return h, nil, nil, false, errMalformed
	}
	h.typ = binary.NativeEndian.Uint16(b[4:])
	h.flags = binary.NativeEndian.Uint16(b[6:])
	h.seq = binary.NativeEndian.Uint32(b[8:])
	h.pid = binary.NativeEndian.Uint32(b[12:])
	return h, b[headerLen:n], after(b, int(n)), true, nil
}

// attrs walks attributes:
//
//	for a := (attrs{rest: b}); a.next(); { … a.typ, a.val … }
type attrs struct {
	rest []byte
	val  []byte
	typ  uint16
	bad  bool
}

// attrTypeMask takes off the flags "nested" and "network byte order".
const attrTypeMask = 0x3fff

// next goes to the next attribute. It is false at the end, and at an attribute that does not fit, when bad
// is set too.
func (a *attrs) next() bool {
	b := a.rest
	if len(b) < attrLen {
		return false
	}
	n := int(binary.NativeEndian.Uint16(b))
	if n < attrLen || n > len(b) {
		a.bad = true
		return false
	}
	a.typ = binary.NativeEndian.Uint16(b[2:]) & attrTypeMask
	a.val = b[attrLen:n]
	a.rest = after(b, n)
	return true
}

// after is b without its first n bytes and the padding that follows them; the last padding may be missing.
func after(b []byte, n int) []byte {
	return b[min(len(b), (n+align-1)&^(align-1)):]
}
