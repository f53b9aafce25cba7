package conntrack

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"

	"weir/messages"
)

func end(addr string, port uint16) messages.End {
	return messages.MakeEnd(netip.MustParseAddr(addr), port)
}

func TestDecode(t *testing.T) {
	orig := tuple{src: end("10.0.0.2", 4001), dst: end("10.0.0.9", 53), proto: 17}
	reply := tuple{src: end("10.0.0.9", 53), dst: end("10.0.0.2", 4001), proto: 17}
	plain := record{orig: orig, reply: reply, have: haveTuples}
	with := func(change func(*record)) record {
		r := plain
		change(&r)
		return r
	}
	for _, c := range []struct {
		name string
		b    []byte
		want record
	}{
		{"tuples", ct(udp()), plain},
		{
			"status, mark, id", ct(udp(), attr(ctaStatus, be32(0x18e)), attr(ctaMark, be32(7)), attr(ctaID, be32(9))),
			with(func(r *record) { r.status, r.mark, r.id, r.have = 0x18e, 7, 9, haveTuples|haveID }),
		},
		{
			"counters", ct(udp(), countersAttr(ctaCountersOrig, 3, 400), countersAttr(ctaCountersReply, 1<<40, 1<<50)),
			with(func(r *record) {
				r.counters = [2]messages.Counter{{Packets: 3, Bytes: 400}, {Packets: 1 << 40, Bytes: 1 << 50}}
				r.have |= haveCounters
			}),
		},
		{
			"counters of 0 are counters",
			ct(udp(), countersAttr(ctaCountersOrig, 0, 0), countersAttr(ctaCountersReply, 0, 0)),
			with(func(r *record) { r.have |= haveCounters }),
		},
		{
			"counters with padding", ct(udp(),
				attr(ctaCountersOrig|nested,
					attr(5), attr(ctaCountersPackets, be64(3)), attr(5), attr(ctaCountersBytes, be64(4))),
				attr(ctaCountersReply|nested,
					attr(5), attr(ctaCountersPackets, be64(5)), attr(5), attr(ctaCountersBytes, be64(6)))),
			with(func(r *record) {
				r.counters = [2]messages.Counter{{Packets: 3, Bytes: 4}, {Packets: 5, Bytes: 6}}
				r.have |= haveCounters
			}),
		},
		{
			"time stamps with padding", ct(udp(), attr(ctaTimestamp|nested,
				attr(3), attr(ctaTimestampStart, be64(11)), attr(3), attr(ctaTimestampStop, be64(12)))),
			with(func(r *record) { r.start, r.stop = 11, 12 }),
		},
		{
			"zone of both directions", ct(udp(), attr(ctaZone, be16(5))),
			with(func(r *record) { r.zone, r.have = 5, haveTuples|haveZone }),
		},
		{
			"zones of directions", ct(
				tupleAttr(ctaTupleOrig, "10.0.0.2", "10.0.0.9", portsAttr(17, 4001, 53), attr(ctaTupleZone, be16(6))),
				tupleAttr(ctaTupleReply, "10.0.0.9", "10.0.0.2", portsAttr(17, 53, 4001), attr(ctaTupleZone, be16(7)))),
			with(func(r *record) { r.orig.zone, r.reply.zone = 6, 7 }),
		},
		{
			"what is unknown is skipped", ct(attr(99, be32(1)), udp(), attr(27, be64(5)), attr(22, make([]byte, 16)),
				attr(4|nested, attr(1|nested, attr(1, []byte{3}), attr(77, be64(1)))),
				attr(ctaTimestamp|nested, attr(ctaTimestampStart, be64(11)), attr(44, be64(9)))),
			with(func(r *record) { r.start = 11 }),
		},
		{"a helper's flow", ct(udp(), tupleAttr(14, "10.0.0.2", "10.0.0.9", portsAttr(6, 1, 21))), plain},
		{
			"no padding at the end", ct(udp(), attr(ctaZone, be16(5))[:6]),
			with(func(r *record) { r.zone, r.have = 5, haveTuples|haveZone }),
		},
		{"crumbs at the end", append(ct(udp()), 1, 2, 3), plain},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := record{id: 99, have: haveZone} // What the last message left.
			if err := got.decode(c.b); err != nil || got != c.want {
				t.Errorf("decode = %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

func TestDecodeProtocols(t *testing.T) {
	for _, c := range []struct {
		name        string
		b           []byte
		orig, reply tuple
	}{
		{
			"TCP over IPv6", ct(tupleAttr(ctaTupleOrig, "fd00::2", "2001:db8::1", portsAttr(6, 4001, 443)),
				tupleAttr(ctaTupleReply, "2001:db8::1", "fd00::2", portsAttr(6, 443, 4001))),
			tuple{src: end("fd00::2", 4001), dst: end("2001:db8::1", 443), proto: 6},
			tuple{src: end("2001:db8::1", 443), dst: end("fd00::2", 4001), proto: 6},
		},
		{
			"SCTP", ct(tupleAttr(ctaTupleOrig, "10.0.0.2", "10.0.0.9", portsAttr(132, 1, 2)),
				tupleAttr(ctaTupleReply, "10.0.0.9", "10.0.0.2", portsAttr(132, 2, 1))),
			tuple{src: end("10.0.0.2", 1), dst: end("10.0.0.9", 2), proto: 132},
			tuple{src: end("10.0.0.9", 2), dst: end("10.0.0.2", 1), proto: 132},
		},
		{
			"GRE with a call id", ct(tupleAttr(ctaTupleOrig, "10.0.0.2", "10.0.0.9", portsAttr(47, 0, 7)),
				tupleAttr(ctaTupleReply, "10.0.0.9", "10.0.0.2", portsAttr(47, 7, 0))),
			tuple{src: end("10.0.0.2", 0), dst: end("10.0.0.9", 7), proto: 47},
			tuple{src: end("10.0.0.9", 7), dst: end("10.0.0.2", 0), proto: 47},
		},
		{
			"ESP", ct(tupleAttr(ctaTupleOrig, "10.0.0.2", "10.0.0.9", bareAttr(50)),
				tupleAttr(ctaTupleReply, "10.0.0.9", "10.0.0.2", bareAttr(50))),
			tuple{src: end("10.0.0.2", 0), dst: end("10.0.0.9", 0), proto: 50},
			tuple{src: end("10.0.0.9", 0), dst: end("10.0.0.2", 0), proto: 50},
		},
		{
			"ICMP", ct(tupleAttr(ctaTupleOrig, "10.0.0.2", "10.0.0.9", icmpAttr(777, 8, 1)),
				tupleAttr(ctaTupleReply, "10.0.0.9", "10.0.0.2", icmpAttr(777, 0, 1))),
			tuple{src: end("10.0.0.2", 777), dst: end("10.0.0.9", 0x801), proto: 1},
			tuple{src: end("10.0.0.9", 777), dst: end("10.0.0.2", 1), proto: 1},
		},
		{
			"ICMPv6", ct(tupleAttr(ctaTupleOrig, "fd00::2", "fd00::9", icmp6Attr(777, 128, 0)),
				tupleAttr(ctaTupleReply, "fd00::9", "fd00::2", icmp6Attr(777, 129, 0))),
			tuple{src: end("fd00::2", 777), dst: end("fd00::9", 0x8000), proto: 58},
			tuple{src: end("fd00::9", 777), dst: end("fd00::2", 0x8100), proto: 58},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got record
			if err := got.decode(c.b); err != nil || got.orig != c.orig || got.reply != c.reply {
				t.Errorf("decode = %+v, %v; want %+v and %+v", got, err, c.orig, c.reply)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	reply := tupleAttr(ctaTupleReply, "10.0.0.9", "10.0.0.2", portsAttr(17, 53, 4001))
	for _, c := range []struct {
		name string
		b    []byte
		want error
	}{
		{"nothing", nil, errMalformed},
		{"no tuples", ct(attr(ctaID, be32(1))), errIncomplete},
		{"no original", ct(reply), errIncomplete},
		{"two protocols", ct(tupleAttr(ctaTupleOrig, "10.0.0.2", "10.0.0.9", bareAttr(6)), reply), errIncomplete},
		{"a tuple without protocol", ct(tupleAttr(ctaTupleOrig, "10.0.0.2", "10.0.0.9", nil), reply), errMalformed},
		{"a short id", ct(udp(), attr(ctaID, be16(1))), errMalformed},
		{"a long counter", ct(udp(), attr(ctaCountersOrig, attr(1, make([]byte, 12)))), errMalformed},
		{"half a counter", ct(udp(), attr(ctaCountersOrig, attr(1, be64(1)))), errMalformed},
		{"a length of 0", ct(udp(), []byte{0, 0, 0, 0}), errMalformed},
		{"a length beyond the end", append(ct(udp()), attr(99, be64(1))[:8]...), errMalformed},
		{"an inner length beyond the end", ct(udp(), attr(ctaTimestamp, attr(1, be64(1))[:8])), errMalformed},
		{"an address of 3 bytes", ct(attr(ctaTupleOrig, attr(ctaTupleIP, attr(1, []byte{1, 2, 3})))), errMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r record
			if err := r.decode(c.b); !errors.Is(err, c.want) {
				t.Errorf("decode = %v, want %v", err, c.want)
			}
		})
	}
}

func TestWalkMessages(t *testing.T) {
	a, b := []byte("abc"), bytes.Repeat([]byte("x"), 8)
	d := datagram(msgNew, 5, a, b)
	h, payload, rest, ok, err := nextMessage(d)
	if err != nil || !ok || !bytes.Equal(payload, a) || h != (header{typ: msgNew, seq: 5}) {
		t.Fatalf("first message = %+v %q %v %v", h, payload, ok, err)
	}
	_, payload, rest, ok, err = nextMessage(rest)
	if err != nil || !ok || !bytes.Equal(payload, b) {
		t.Fatalf("second message = %q %v %v", payload, ok, err)
	}
	if _, _, _, ok, err = nextMessage(rest); ok || err != nil {
		t.Fatalf("after the last message: %v %v", ok, err)
	}
	d = datagram(msgNew, 5, b)
	if _, _, _, ok, err = nextMessage(d[:len(d)-1]); ok || !errors.Is(err, errMalformed) {
		t.Errorf("a message beyond the end: %v %v", ok, err)
	}
	d[0], d[1], d[2], d[3] = 0, 0, 0, 0
	if _, _, _, ok, err = nextMessage(d); ok || !errors.Is(err, errMalformed) {
		t.Errorf("a message of length 0: %v %v", ok, err)
	}
}

func TestDumpResult(t *testing.T) {
	for _, c := range []struct {
		payload []byte
		ok      bool
	}{
		{nil, true},
		{[]byte{0, 0, 0, 0}, true},
		{[]byte{255, 255, 255, 255}, false},
		{[]byte{0x80, 0, 0, 0x80}, false},
	} {
		if err := result(c.payload); (err == nil) != c.ok {
			t.Errorf("result(%v) = %v", c.payload, err)
		}
	}
}
