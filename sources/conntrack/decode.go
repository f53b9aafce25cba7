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
	for b = b[nfgenLen:]; len(b) >= attrLen; {
		typ, v, rest := cutAttr(b)
		if !r.attribute(typ, v) {
			return errMalformed
		}
		b = rest
	}
	if r.have&haveTuples != haveTuples || r.orig.proto != r.reply.proto {
		return errIncomplete
	}
	return nil
}

func (r *record) attribute(typ uint16, v []byte) bool {
	switch typ {
	case badAttr:
		return false
	case ctaTupleOrig:
		r.have |= haveOrig
		return r.orig.decode(v)
	case ctaTupleReply:
		r.have |= haveReply
		return r.reply.decode(v)
	case ctaCountersOrig:
		r.have |= haveOrigCounters
		return counter(v, &r.counters[0])
	case ctaCountersReply:
		r.have |= haveReplyCounters
		return counter(v, &r.counters[1])
	case ctaTimestamp:
		return r.timestamp(v)
	case ctaStatus:
		return u32(v, &r.status)
	case ctaMark:
		return u32(v, &r.mark)
	case ctaID:
		r.have |= haveID
		return u32(v, &r.id)
	case ctaZone:
		r.have |= haveZone
		return u16(v, &r.zone)
	}
	return true
}

func (r *record) timestamp(b []byte) bool {
	for len(b) >= attrLen {
		typ, v, rest := cutAttr(b)
		ok := true
		switch typ {
		case badAttr:
			ok = false
		case ctaTimestampStart:
			ok = u64(v, &r.start)
		case ctaTimestampStop:
			ok = u64(v, &r.stop)
		}
		if !ok {
			return false
		}
		b = rest
	}
	return true
}

// counter reads packets and bytes; both must be there.
func counter(b []byte, c *messages.Counter) bool {
	seen := 0
	for len(b) >= attrLen {
		typ, v, rest := cutAttr(b)
		ok := true
		switch typ {
		case badAttr:
			ok = false
		case ctaCountersPackets:
			ok = u64(v, &c.Packets)
			seen |= 1
		case ctaCountersBytes:
			ok = u64(v, &c.Bytes)
			seen |= 2
		}
		if !ok {
			return false
		}
		b = rest
	}
	return seen == 3
}

// Bits of what a tuple must have.
const (
	tupleSrc = 1 << iota
	tupleDst
	tupleProto
	tupleWhole = tupleSrc | tupleDst | tupleProto
)

func (t *tuple) decode(b []byte) bool {
	seen := 0
	for len(b) >= attrLen {
		typ, v, rest := cutAttr(b)
		ok := true
		switch typ {
		case badAttr:
			ok = false
		case ctaTupleIP:
			ok = t.addresses(v, &seen)
		case ctaTupleProto:
			ok = t.protocol(v, &seen)
		case ctaTupleZone:
			ok = u16(v, &t.zone)
		}
		if !ok {
			return false
		}
		b = rest
	}
	return seen == tupleWhole
}

func (t *tuple) addresses(b []byte, seen *int) bool {
	for len(b) >= attrLen {
		typ, v, rest := cutAttr(b)
		ok := true
		switch typ {
		case badAttr:
			ok = false
		case ctaIPv4Src:
			ok = addr4(v, &t.src.Addr)
			*seen |= tupleSrc
		case ctaIPv4Dst:
			ok = addr4(v, &t.dst.Addr)
			*seen |= tupleDst
		case ctaIPv6Src:
			ok = addr6(v, &t.src.Addr)
			*seen |= tupleSrc
		case ctaIPv6Dst:
			ok = addr6(v, &t.dst.Addr)
			*seen |= tupleDst
		}
		if !ok {
			return false
		}
		b = rest
	}
	return true
}

func (t *tuple) protocol(b []byte, seen *int) bool {
	var icmpType, icmpCode uint8
	for len(b) >= attrLen {
		typ, v, rest := cutAttr(b)
		ok := true
		switch typ {
		case badAttr:
			ok = false
		case ctaProtoNum:
			ok = u8(v, &t.proto)
			*seen |= tupleProto
		case ctaProtoSrcPort, ctaProtoICMPID, ctaProtoICMPv6ID:
			ok = u16(v, &t.src.Port)
		case ctaProtoDstPort:
			ok = u16(v, &t.dst.Port)
		case ctaProtoICMPType, ctaProtoICMPv6Type:
			ok = u8(v, &icmpType)
		case ctaProtoICMPCode, ctaProtoICMPv6Code:
			ok = u8(v, &icmpCode)
		}
		if !ok {
			return false
		}
		b = rest
	}
	if isICMP(t.proto) {
		t.dst.Port = uint16(icmpType)<<8 | uint16(icmpCode)
	}
	return true
}

func isICMP(proto uint8) bool { return proto == unix.IPPROTO_ICMP || proto == unix.IPPROTO_ICMPV6 }

// addr4 writes an IPv4 address in its IPv4-mapped form.
func addr4(v []byte, to *[16]byte) bool {
	if len(v) != 4 {
		return false
	}
	binary.BigEndian.PutUint64(to[:], 0)
	binary.BigEndian.PutUint64(to[8:], 0xffff<<32|uint64(binary.BigEndian.Uint32(v)))
	return true
}

func addr6(v []byte, to *[16]byte) bool {
	if len(v) != 16 {
		return false
	}
	*to = [16]byte(v)
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
