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

// attrTypeMask takes off the flags "nested" and "network byte order".
const attrTypeMask = 0x3fff

// badAttr is given as the type of an attribute that does not fit; no real one has it.
const badAttr = 0xffff

// cutAttr takes the first attribute off a list of at least attrLen bytes; what is shorter is padding. It keeps
// no state, so that a loop over attributes stays in registers: a dump makes some fifty of these steps for
// each flow.
func cutAttr(b []byte) (typ uint16, val, rest []byte) {
	n := int(binary.NativeEndian.Uint16(b))
	if n < attrLen || n > len(b) {
		return badAttr, nil, nil
	}
	return binary.NativeEndian.Uint16(b[2:]) & attrTypeMask, b[attrLen:n], after(b, n)
}

// after is b without its first n bytes and the padding that follows them; the last padding may be missing.
func after(b []byte, n int) []byte {
	n = (n + align - 1) &^ (align - 1)
	if n >= len(b) {
		return nil
	}
	return b[n:]
}
