package conntrack

import (
	"encoding/binary"
	"net/netip"
)

// Messages as the kernel makes them, for tests of the decoder. nested is the flag that the kernel sets on
// attributes that hold others.
const nested = 0x8000

// attr makes an attribute of the concatenation of its parts.
func attr(typ uint16, parts ...[]byte) []byte {
	b := []byte{0, 0, 0, 0}
	for _, p := range parts {
		b = append(b, p...)
	}
	binary.NativeEndian.PutUint16(b, uint16(len(b)))
	binary.NativeEndian.PutUint16(b[2:], typ)
	for len(b)%align != 0 {
		b = append(b, 0)
	}
	return b
}

func be16(v uint16) []byte { return binary.BigEndian.AppendUint16(nil, v) }
func be32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }
func be64(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

// ct makes the payload of a conntrack message.
func ct(attributes ...[]byte) []byte {
	b := []byte{2, 0, 0, 0}
	for _, a := range attributes {
		b = append(b, a...)
	}
	return b
}

func tupleAttr(typ uint16, src, dst string, proto []byte, more ...[]byte) []byte {
	s, d := netip.MustParseAddr(src), netip.MustParseAddr(dst)
	base := uint16(ctaIPv4Src)
	if s.Is6() {
		base = ctaIPv6Src
	}
	ip := attr(ctaTupleIP|nested, attr(base, s.AsSlice()), attr(base+1, d.AsSlice()))
	return attr(typ|nested, append([][]byte{ip, proto}, more...)...)
}

func portsAttr(proto uint8, sport, dport uint16) []byte {
	return attr(ctaTupleProto|nested, attr(ctaProtoNum, []byte{proto}),
		attr(ctaProtoSrcPort, be16(sport)), attr(ctaProtoDstPort, be16(dport)))
}

func icmpAttr(id uint16, typ, code uint8) []byte {
	return attr(ctaTupleProto|nested, attr(ctaProtoNum, []byte{1}), attr(ctaProtoICMPID, be16(id)),
		attr(ctaProtoICMPType, []byte{typ}), attr(ctaProtoICMPCode, []byte{code}))
}

func icmp6Attr(id uint16, typ, code uint8) []byte {
	return attr(ctaTupleProto|nested, attr(ctaProtoNum, []byte{58}), attr(ctaProtoICMPv6ID, be16(id)),
		attr(ctaProtoICMPv6Type, []byte{typ}), attr(ctaProtoICMPv6Code, []byte{code}))
}

// bareAttr is a protocol without ports.
func bareAttr(proto uint8) []byte {
	return attr(ctaTupleProto|nested, attr(ctaProtoNum, []byte{proto}))
}

// udp makes both tuples of a plain flow 10.0.0.2:4001 > 10.0.0.9:53.
func udp() []byte {
	return append(tupleAttr(ctaTupleOrig, "10.0.0.2", "10.0.0.9", portsAttr(17, 4001, 53)),
		tupleAttr(ctaTupleReply, "10.0.0.9", "10.0.0.2", portsAttr(17, 53, 4001))...)
}

func countersAttr(typ uint16, packets, bytes uint64) []byte {
	return attr(typ|nested, attr(ctaCountersPackets, be64(packets)), attr(ctaCountersBytes, be64(bytes)))
}

// datagram makes netlink messages of payloads.
func datagram(typ uint16, seq uint32, payloads ...[]byte) []byte {
	var b []byte
	for _, p := range payloads {
		h := make([]byte, headerLen)
		binary.NativeEndian.PutUint32(h, uint32(headerLen+len(p)))
		binary.NativeEndian.PutUint16(h[4:], typ)
		binary.NativeEndian.PutUint32(h[8:], seq)
		b = append(append(b, h...), p...)
		for len(b)%align != 0 {
			b = append(b, 0)
		}
	}
	return b
}
