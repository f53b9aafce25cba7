package conntrack

import (
	"errors"
	"testing"

	"weir/messages"
)

// FuzzDecode feeds the decoder. What it accepts must make a well-formed update.
func FuzzDecode(f *testing.F) {
	for _, seed := range seeds() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r record
		if err := r.decode(b); err != nil {
			return
		}
		var build builder
		u, alias, _ := build.build(&r)
		if u.Key.B.Compare(u.Key.A) < 0 {
			t.Errorf("key is not in order: %+v", u.Key)
		}
		if alias != nil && (alias.B.Compare(alias.A) < 0 || *alias == u.Key || alias.Proto != u.Key.Proto) {
			t.Errorf("alias %+v of key %+v", alias, u.Key)
		}
		if u.Kind == messages.NoCounters && u.Counters != [2]messages.Counter{} {
			t.Errorf("counters without a kind: %+v", u)
		}
	})
}

// FuzzDatagram feeds the walkers of dumps and events with whole datagrams.
func FuzzDatagram(f *testing.F) {
	for _, seed := range seeds() {
		f.Add(datagram(msgNew, 1, seed))
		f.Add(datagram(msgDelete, 0, seed, seed))
	}
	f.Add(append(datagram(msgNew, 1, seeds()[0]), datagram(3, 1, []byte{0, 0, 0, 0})...))
	f.Add(datagram(2, 1, []byte{255, 255, 255, 255}))
	f.Fuzz(func(t *testing.T, b []byte) {
		out := newFakeOut()
		d := &dumper{seq: 1, writer: out.Writer(0)}
		var c census
		_, _ = d.datagram(t.Context(), b, &view{}, &c)
		if err := d.writer.Flush(t.Context()); err != nil || c.records != uint64(len(out.all())) {
			t.Errorf("%d records, %d posted, %v", c.records, len(out.all()), err)
		}
		if n := len(b) / headerLen; c.records+c.malformed > uint64(n) {
			t.Errorf("%d records and %d refused in %d bytes", c.records, c.malformed, len(b))
		}
		out = newFakeOut()
		m := &metrics{}
		l := &listener{want: msgDelete, writer: out.Writer(0), heard: &m.destroys, malformed: &m.malformed}
		if err := errors.Join(l.datagram(t.Context(), b), l.writer.Flush(t.Context())); err != nil {
			t.Error(err)
		}
		if m.destroys.Load() != uint64(len(out.all())) {
			t.Errorf("%d heard, %d posted", m.destroys.Load(), len(out.all()))
		}
	})
}

func seeds() [][]byte {
	stamps := attr(ctaTimestamp|nested, attr(3), attr(ctaTimestampStart, be64(11)), attr(ctaTimestampStop, be64(12)))
	return [][]byte{
		ct(udp()),
		ct(udp(), countersAttr(ctaCountersOrig, 3, 400), countersAttr(ctaCountersReply, 1, 80), stamps,
			attr(ctaID, be32(9)), attr(ctaMark, be32(1)), attr(ctaStatus, be32(0x18e)), attr(ctaZone, be16(4))),
		ct(tupleAttr(ctaTupleOrig, "10.0.0.2", "10.0.0.9", icmpAttr(777, 8, 0)),
			tupleAttr(ctaTupleReply, "10.0.0.9", "203.0.113.1", icmpAttr(777, 0, 0))),
		ct(tupleAttr(ctaTupleOrig, "fd00::2", "fd00::9", icmp6Attr(7, 128, 0), attr(ctaTupleZone, be16(3))),
			tupleAttr(ctaTupleReply, "fd00::9", "fd00::2", icmp6Attr(7, 129, 0))),
		ct(tupleAttr(ctaTupleOrig, "10.0.0.2", "10.0.0.9", bareAttr(50)),
			tupleAttr(ctaTupleReply, "10.0.0.9", "203.0.113.1", bareAttr(50))),
	}
}
