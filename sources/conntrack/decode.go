package conntrack

import (
	"encoding/binary"
	"errors"

	"golang.org/x/sys/unix"

	"weir/messages"
)

// Attribute numbers of linux/netfilter/nfnetlink_conntrack.h, as far as they are read. All others are
// skipped, among them the paddings that kernels put before 64-bit values on machines that need alignment.
const (
	ctaTupleOrig     = 1
	ctaTupleReply    = 2
	ctaStatus        = 3
	ctaMark          = 8
	ctaCountersOrig  = 9
	ctaCountersReply = 10
	ctaID            = 12
	ctaZone          = 18
	ctaTimestamp     = 20

	ctaTupleIP    = 1
	ctaTupleProto = 2
	ctaTupleZone  = 3

	ctaIPv4Src = 1
	ctaIPv4Dst = 2
	ctaIPv6Src = 3
	ctaIPv6Dst = 4

	ctaProtoNum        = 1
	ctaProtoSrcPort    = 2
	ctaProtoDstPort    = 3
	ctaProtoICMPID     = 4
	ctaProtoICMPType   = 5
	ctaProtoICMPCode   = 6
	ctaProtoICMPv6ID   = 7
	ctaProtoICMPv6Type = 8
	ctaProtoICMPv6Code = 9

	ctaCountersPackets = 1
	ctaCountersBytes   = 2

	ctaTimestampStart = 1
	ctaTimestampStop  = 2
)

// Status bits of a flow whose packets bypass the normal path.
const (
	statusOffload   = 1 << 14
	statusHWOffload = 1 << 15
)

// errIncomplete says that a message lacks what names a flow.
var errIncomplete = errors.New("conntrack message without tuples")

// presence says which attributes a message had: an absent counter is not a counter of 0.
type presence uint16

const (
	haveOrig presence = 1 << iota
	haveReply
	haveOrigCounters
	haveReplyCounters
	haveZone
	haveID

	haveTuples   = haveOrig | haveReply
	haveCounters = haveOrigCounters | haveReplyCounters
)

// tuple is one direction of a flow. IPv4 addresses are IPv4-mapped.
type tuple struct {
	src, dst messages.End // for ICMP, src has the id as its port and dst type<<8|code, in both directions
	zone     uint16
	proto    uint8
}

// record is one conntrack message.
type record struct {
	orig, reply tuple
	// counters of the original and of the reply direction.
	counters    [2]messages.Counter
	start, stop uint64
	id, mark    uint32
	status      uint32
	zone        uint16
	have        presence
}

// decode reads the payload of a message, which begins with struct nfgenmsg. It keeps nothing of b and
// allocates nothing.
func (r *record) decode(b []byte) error {
	*r = record{}
	if len(b) < nfgenLen {
		return errMalformed
	}
	a := attrs{rest: b[nfgenLen:]}
	for a.next() {
		if !r.attribute(a.typ, a.val) {
			return errMalformed
		}
	}
	switch {
	case a.bad:
		return errMalformed
	case r.have&haveTuples != haveTuples || r.orig.proto != r.reply.proto:
		return errIncomplete
	}
	return nil
}

func (r *record) attribute(typ uint16, v []byte) (ok bool) {
	switch typ {
	case ctaTupleOrig:
		ok = r.orig.decode(v)
		r.have |= haveOrig
	case ctaTupleReply:
		ok = r.reply.decode(v)
		r.have |= haveReply
	case ctaCountersOrig:
		ok = counter(v, &r.counters[0])
		r.have |= haveOrigCounters
	case ctaCountersReply:
		ok = counter(v, &r.counters[1])
		r.have |= haveReplyCounters
	case ctaTimestamp:
		ok = r.timestamp(v)
	case ctaStatus:
		ok = u32(v, &r.status)
	case ctaMark:
		ok = u32(v, &r.mark)
	case ctaID:
		ok = u32(v, &r.id)
		r.have |= haveID
	case ctaZone:
		ok = u16(v, &r.zone)
		r.have |= haveZone
	default:
		ok = true
	}
	return ok
}

func (r *record) timestamp(v []byte) bool {
	a, ok := attrs{rest: v}, true
	for ok && a.next() {
		switch a.typ {
		case ctaTimestampStart:
			ok = u64(a.val, &r.start)
		case ctaTimestampStop:
			ok = u64(a.val, &r.stop)
		}
	}
	return ok && !a.bad
}

// counter reads packets and bytes; both must be there.
func counter(v []byte, c *messages.Counter) bool {
	a, ok, seen := attrs{rest: v}, true, 0
	for ok && a.next() {
		switch a.typ {
		case ctaCountersPackets:
			ok = u64(a.val, &c.Packets)
			seen |= 1
		case ctaCountersBytes:
			ok = u64(a.val, &c.Bytes)
			seen |= 2
		}
	}
	return ok && !a.bad && seen == 3
}

// Bits of what a tuple must have.
const (
	tupleSrc = 1 << iota
	tupleDst
	tupleProto
	tupleWhole = tupleSrc | tupleDst | tupleProto
)

func (t *tuple) decode(v []byte) bool {
	a, ok, seen := attrs{rest: v}, true, 0
	for ok && a.next() {
		switch a.typ {
		case ctaTupleIP:
			ok = t.addresses(a.val, &seen)
		case ctaTupleProto:
			ok = t.protocol(a.val, &seen)
		case ctaTupleZone:
			ok = u16(a.val, &t.zone)
		}
	}
	return ok && !a.bad && seen == tupleWhole
}

func (t *tuple) addresses(v []byte, seen *int) bool {
	a, ok := attrs{rest: v}, true
	for ok && a.next() {
		switch a.typ {
		case ctaIPv4Src:
			ok = addr4(a.val, &t.src.Addr)
			*seen |= tupleSrc
		case ctaIPv4Dst:
			ok = addr4(a.val, &t.dst.Addr)
			*seen |= tupleDst
		case ctaIPv6Src:
			ok = len(a.val) == 16 && copy(t.src.Addr[:], a.val) == 16
			*seen |= tupleSrc
		case ctaIPv6Dst:
			ok = len(a.val) == 16 && copy(t.dst.Addr[:], a.val) == 16
			*seen |= tupleDst
		}
	}
	return ok && !a.bad
}

func (t *tuple) protocol(v []byte, seen *int) bool {
	a, ok := attrs{rest: v}, true
	for ok && a.next() {
		switch a.typ {
		case ctaProtoNum:
			ok = u8(a.val, &t.proto)
			*seen |= tupleProto
		case ctaProtoSrcPort, ctaProtoICMPID, ctaProtoICMPv6ID:
			ok = u16(a.val, &t.src.Port)
		case ctaProtoDstPort:
			ok = u16(a.val, &t.dst.Port)
		case ctaProtoICMPType, ctaProtoICMPv6Type:
			var typ uint8
			ok = u8(a.val, &typ)
			t.dst.Port = t.dst.Port&0xff | uint16(typ)<<8
		case ctaProtoICMPCode, ctaProtoICMPv6Code:
			var code uint8
			ok = u8(a.val, &code)
			t.dst.Port = t.dst.Port&0xff00 | uint16(code)
		}
	}
	return ok && !a.bad
}

func isICMP(proto uint8) bool { return proto == unix.IPPROTO_ICMP || proto == unix.IPPROTO_ICMPV6 }

// addr4 writes an IPv4 address in its IPv4-mapped form.
func addr4(v []byte, to *[16]byte) bool {
	if len(v) != 4 {
		return false
	}
	*to = [16]byte{10: 0xff, 11: 0xff, 12: v[0], 13: v[1], 14: v[2], 15: v[3]}
	return true
}

func u8(v []byte, to *uint8) bool {
	if len(v) != 1 {
		return false
	}
	*to = v[0]
	return true
}

func u16(v []byte, to *uint16) bool {
	if len(v) != 2 {
		return false
	}
	*to = binary.BigEndian.Uint16(v)
	return true
}

func u32(v []byte, to *uint32) bool {
	if len(v) != 4 {
		return false
	}
	*to = binary.BigEndian.Uint32(v)
	return true
}

func u64(v []byte, to *uint64) bool {
	if len(v) != 8 {
		return false
	}
	*to = binary.BigEndian.Uint64(v)
	return true
}
