package conntrack

import (
	"testing"

	"weir/columns/mark"
	"weir/messages"
)

// key makes a key from the initiator's and the responder's end.
func key(proto uint8, zone uint16, initiator, responder messages.End) messages.Key {
	k, _ := messages.MakeKey(proto, zone, initiator, responder)
	return k
}

func port(proto uint8, src string, sport uint16, dst string, dport uint16) tuple {
	return tuple{src: end(src, sport), dst: end(dst, dport), proto: proto}
}

// The cases are those of a real router: 192.168.10.0/24 behind 192.168.10.1 / 203.0.113.1.
func TestKeysAndAliases(t *testing.T) {
	const initiatorB, aliasB = messages.Oriented | messages.InitiatorB, messages.ResponderAliasB
	for _, c := range []struct {
		name        string
		orig, reply tuple
		initiator   messages.End
		responder   messages.End
		alias       messages.Key // zero: none
		flags       messages.Flags
	}{
		{
			"routed",
			port(6, "192.168.10.2", 4008, "203.0.113.2", 5001), port(6, "203.0.113.2", 5001, "192.168.10.2", 4008),
			end("192.168.10.2", 4008), end("203.0.113.2", 5001),
			messages.Key{},
			messages.Oriented,
		},
		{
			"inbound",
			port(6, "203.0.113.2", 5001, "192.168.10.2", 80), port(6, "192.168.10.2", 80, "203.0.113.2", 5001),
			end("203.0.113.2", 5001), end("192.168.10.2", 80),
			messages.Key{},
			initiatorB,
		},
		{
			"masquerade",
			port(6, "192.168.10.2", 4001, "203.0.113.2", 5002), port(6, "203.0.113.2", 5002, "203.0.113.1", 4001),
			end("192.168.10.2", 4001), end("203.0.113.2", 5002),
			key(6, 0, end("203.0.113.1", 4001), end("203.0.113.2", 5002)), messages.Oriented | aliasB,
		},
		{
			"masquerade that changes the port",
			port(17, "192.168.10.3", 4001, "203.0.113.2", 53), port(17, "203.0.113.2", 53, "203.0.113.1", 13470),
			end("192.168.10.3", 4001), end("203.0.113.2", 53),
			key(17, 0, end("203.0.113.1", 13470), end("203.0.113.2", 53)), messages.Oriented | aliasB,
		},
		{
			"port change alone", port(17, "10.0.0.1", 10, "10.0.0.2", 53), port(17, "10.0.0.2", 5353, "10.0.0.1", 10),
			end("10.0.0.1", 10), end("10.0.0.2", 53),
			key(17, 0, end("10.0.0.1", 10), end("10.0.0.2", 5353)), messages.Oriented | aliasB,
		},
		{
			"forwarded port",
			port(6, "203.0.113.2", 4003, "203.0.113.1", 8080), port(6, "192.168.10.2", 5001, "203.0.113.2", 4003),
			end("203.0.113.2", 4003), end("203.0.113.1", 8080),
			key(6, 0, end("203.0.113.2", 4003), end("192.168.10.2", 5001)), initiatorB, // 192… < 203…: A answered.
		},
		{
			"echo",
			tuple{src: end("192.168.10.2", 777), dst: end("203.0.113.2", 0x800), proto: 1},
			tuple{src: end("203.0.113.2", 777), dst: end("192.168.10.2", 0), proto: 1},
			end("192.168.10.2", 777), end("203.0.113.2", 0x800),
			messages.Key{},
			messages.Oriented,
		},
		{
			"echo behind NAT",
			tuple{src: end("192.168.10.2", 777), dst: end("203.0.113.2", 0x800), proto: 1},
			tuple{src: end("203.0.113.2", 778), dst: end("203.0.113.1", 0), proto: 1},
			end("192.168.10.2", 777), end("203.0.113.2", 0x800),
			key(1, 0, end("203.0.113.1", 778), end("203.0.113.2", 0x800)), messages.Oriented | aliasB,
		},
		{
			"ESP", port(50, "192.168.10.2", 0, "203.0.113.2", 0), port(50, "203.0.113.2", 0, "192.168.10.2", 0),
			end("192.168.10.2", 0), end("203.0.113.2", 0),
			messages.Key{},
			messages.Oriented,
		},
		{
			"ESP behind NAT",
			port(50, "192.168.10.2", 0, "203.0.113.2", 0), port(50, "203.0.113.2", 0, "203.0.113.1", 0),
			end("192.168.10.2", 0), end("203.0.113.2", 0),
			key(50, 0, end("203.0.113.1", 0), end("203.0.113.2", 0)), messages.Oriented | aliasB,
		},
		{
			"IPv6", port(6, "fd00:10::2", 1, "2001:db8:113::2", 2), port(6, "2001:db8:113::2", 2, "fd00:10::2", 1),
			end("fd00:10::2", 1), end("2001:db8:113::2", 2),
			messages.Key{},
			initiatorB,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := record{orig: c.orig, reply: c.reply, have: haveTuples | haveCounters, start: 5}
			r.counters = [2]messages.Counter{{Packets: 1, Bytes: 100}, {Packets: 2, Bytes: 200}}
			var b builder
			u, alias, tags := b.build(&r)
			if want := key(c.orig.proto, 0, c.initiator, c.responder); u.Key != want {
				t.Errorf("key = %+v, want %+v", u.Key, want)
			}
			if (alias == nil) != (c.alias == messages.Key{}) || alias != nil && *alias != c.alias {
				t.Errorf("alias = %+v, want %+v", alias, c.alias)
			}
			if u.Flags != c.flags || tags != nil {
				t.Errorf("flags = %b, tags %v; want %b and none", u.Flags, tags, c.flags)
			}
			opener := 0
			if u.Flags&messages.InitiatorB != 0 {
				opener = 1
			}
			if u.Counters[opener].Bytes != 100 || u.Counters[1-opener].Bytes != 200 || u.Kind != messages.Absolute {
				t.Errorf("counters = %+v of kind %d, flags %b", u.Counters, u.Kind, u.Flags)
			}
		})
	}
}

func TestZones(t *testing.T) {
	nat := record{
		orig: port(6, "10.0.0.2", 1, "10.0.0.9", 2), reply: port(6, "10.0.0.9", 2, "10.0.0.5", 1), have: haveTuples,
	}
	both := nat
	both.zone, both.have = 4, haveTuples|haveZone
	directions := nat
	directions.orig.zone, directions.reply.zone = 5, 6
	for _, c := range []struct {
		name       string
		r          record
		key, alias uint16
	}{{"none", nat, 0, 0}, {"both directions", both, 4, 4}, {"each its own", directions, 5, 6}} {
		var b builder
		u, alias, _ := b.build(&c.r)
		if alias == nil || u.Key.Zone != c.key || alias.Zone != c.alias {
			t.Errorf("%s: key in zone %d, alias %+v; want %d and %d", c.name, u.Key.Zone, alias, c.key, c.alias)
		}
	}
	mirrored := record{orig: port(6, "10.0.0.2", 1, "10.0.0.9", 2), reply: port(6, "10.0.0.9", 2, "10.0.0.2", 1)}
	mirrored.reply.zone = 6
	var b builder
	if _, alias, _ := b.build(&mirrored); alias != nil {
		t.Errorf("a zone of one direction gave the alias %+v", alias)
	}
}

func TestWhatIsUnknownIsSaid(t *testing.T) {
	r := record{orig: port(6, "10.0.0.2", 1, "10.0.0.9", 2), reply: port(6, "10.0.0.9", 2, "10.0.0.2", 1)}
	r.have, r.id, r.stop = haveTuples|haveOrigCounters, 8, 12
	r.counters[0].Bytes = 5
	var b builder
	if u, _, _ := b.build(&r); u.Kind != messages.NoCounters || u.Counters != [2]messages.Counter{} ||
		u.Flags != messages.Oriented || u.ID != 8 || u.Stop != 12 {
		t.Errorf("half the counters: %+v", u)
	}
	r.have |= haveCounters
	if u, _, _ := b.build(&r); u.Kind != messages.Absolute || u.Flags != messages.Oriented|messages.Baseline {
		t.Errorf("no start: %+v", u)
	}
	r.start = 11
	if u, _, _ := b.build(&r); u.Start != 11 || u.Flags != messages.Oriented {
		t.Errorf("a start: %+v", u)
	}
}

func TestMarks(t *testing.T) {
	var m markTags
	if m.of(0) != nil {
		t.Error("mark 0 has tags")
	}
	first := m.of(7)
	if len(first) != 1 || first[0] != mark.Column.Tag(7) {
		t.Fatalf("tags of 7 = %v", first)
	}
	if again := m.of(7); &again[0] != &first[0] {
		t.Error("the tags of a mark were made twice")
	}
	for v := range uint32(3 * maxMarks) {
		if tags := m.of(v + 1); tags[0] != mark.Column.Tag(v+1) {
			t.Fatalf("tags of %d = %v", v+1, tags)
		}
		if len(m.byMark) > maxMarks {
			t.Fatalf("%d marks are kept", len(m.byMark))
		}
	}
	if first[0] != mark.Column.Tag(7) {
		t.Error("tags changed after they were handed out")
	}
}

func TestNothingIsAllocatedForARecord(t *testing.T) {
	b := ct(tupleAttr(ctaTupleOrig, "10.0.0.2", "10.0.0.9", portsAttr(17, 4001, 53)),
		tupleAttr(ctaTupleReply, "10.0.0.9", "203.0.113.1", portsAttr(17, 53, 4001)), attr(ctaMark, be32(7)),
		countersAttr(ctaCountersOrig, 3, 400), countersAttr(ctaCountersReply, 3, 400), attr(ctaID, be32(9)),
		attr(ctaTimestamp|nested, attr(ctaTimestampStart, be64(11))))
	var r record
	var build builder
	if n := testing.AllocsPerRun(100, func() {
		if err := r.decode(b); err != nil {
			t.Error(err)
		}
		if _, alias, tags := build.build(&r); alias == nil || tags == nil {
			t.Error("no alias, or no tags")
		}
	}); n != 0 {
		t.Errorf("%v allocations a record", n)
	}
}
