package conntrack

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	timo "github.com/ti-mo/conntrack"

	"weir/columns"
	"weir/columns/mark"
	"weir/messages"
	"weir/sources"
)

// kinds are entries of all protocols, families and shapes that can be put into the table by hand.
func kinds() []timo.Flow {
	ip := netip.MustParseAddr
	var fs []timo.Flow
	add := func(proto uint8, src, dst string, sport, dport uint16, change func(*timo.Flow)) {
		f := timo.NewFlow(proto, 0, ip(src), ip(dst), sport, dport, 600, 0)
		if change != nil {
			change(&f)
		}
		fs = append(fs, f)
	}
	tcp := func(f *timo.Flow) { f.ProtoInfo.TCP = &timo.ProtoInfoTCP{State: 3} }
	sctp := func(f *timo.Flow) { f.ProtoInfo.SCTP = &timo.ProtoInfoSCTP{State: 3, VTagOriginal: 1, VTagReply: 2} }
	echo := func(typ, answer uint8) func(f *timo.Flow) {
		return func(f *timo.Flow) {
			f.TupleOrig.Proto = timo.ProtoTuple{Protocol: f.TupleOrig.Proto.Protocol, ICMPID: 777, ICMPType: typ}
			f.TupleReply.Proto = timo.ProtoTuple{Protocol: f.TupleOrig.Proto.Protocol, ICMPID: 777, ICMPType: answer}
		}
	}
	add(6, "10.1.0.2", "203.0.113.2", 4001, 443, tcp)
	add(6, "203.0.113.2", "10.1.0.2", 4001, 443, tcp)
	add(6, "fd00::2", "2001:db8::1", 4001, 443, tcp)
	add(17, "10.1.0.2", "203.0.113.2", 4001, 53, nil)
	add(17, "2001:db8::1", "fd00::2", 65535, 1, nil)
	add(136, "10.1.0.2", "203.0.113.2", 7, 8, nil)
	add(132, "10.1.0.2", "203.0.113.2", 9, 10, sctp)
	add(47, "10.1.0.2", "203.0.113.2", 0, 7, nil)
	add(1, "10.1.0.2", "203.0.113.2", 0, 0, echo(8, 0))
	add(58, "fd00::2", "2001:db8::1", 0, 0, echo(128, 129))
	add(17, "10.1.0.2", "203.0.113.2", 5000, 53, func(f *timo.Flow) { f.Zone = 12 })
	add(17, "10.1.0.2", "203.0.113.2", 5000, 53, func(f *timo.Flow) { f.Zone = 13; f.Mark = 0xdeadbeef })
	add(17, "10.1.0.2", "203.0.113.2", 5001, 53, func(f *timo.Flow) { f.TupleOrig.Zone = 14 })
	add(17, "10.1.0.2", "203.0.113.2", 5002, 53, func(f *timo.Flow) { f.Mark = 5 })
	// Addresses and ports that differ between the directions are what the table looks like behind NAT.
	add(6, "10.1.0.2", "203.0.113.2", 6000, 443, func(f *timo.Flow) {
		tcp(f)
		f.TupleReply.IP.DestinationAddress, f.TupleReply.Proto.DestinationPort = ip("203.0.113.1"), 61000
	})
	add(6, "203.0.113.2", "203.0.113.1", 6000, 8080, func(f *timo.Flow) {
		tcp(f)
		f.TupleReply.IP.SourceAddress, f.TupleReply.Proto.SourcePort = ip("10.1.0.2"), 80
	})
	add(17, "fd00::2", "2001:db8::1", 6000, 53, func(f *timo.Flow) {
		f.TupleReply.IP.DestinationAddress = ip("2001:db8::99")
	})
	return fs
}

// keep is a writer that keeps nothing but what its function takes.
type keep func(u *messages.Update, alias *messages.Key)

func (keep) Snapshot(uint64)                            {}
func (keep) Tell(context.Context, *messages.Fact) error { return nil }

func (keep) Flush(context.Context) error { return nil }
func (k keep) Add(_ context.Context, u *messages.Update, alias *messages.Key, _ []columns.Tag) error {
	k(u, alias)
	return nil
}

// TestDecoderAgainstTheLibrary dumps one table with both decoders and compares field by field.
func TestDecoderAgainstTheLibrary(t *testing.T) {
	for _, stamps := range []string{"0", "1"} {
		t.Run("timestamps "+stamps, func(t *testing.T) {
			s := newSpace(t)
			s.sysctl(t, sysctlAcct, "1")
			s.sysctl(t, sysctlTimestamp, stamps)
			s.traffic(t)
			skipped := 0
			for _, f := range kinds() {
				if err := s.conn.Create(f); err != nil {
					t.Logf("this kernel has no %d: %v", f.TupleOrig.Proto.Protocol, err)
					skipped++
				}
			}
			s.echo(t, 3, 100) // The one with counters that are not 0.
			want, err := s.conn.Dump(nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(want) != len(kinds())-skipped+1 || skipped > 4 {
				t.Fatalf("%d entries of %d, %d refused", len(want), len(kinds()), skipped)
			}
			got := s.records(t)
			if len(got) != len(want) {
				t.Fatalf("%d records, the library has %d", len(got), len(want))
			}
			moved := false
			for _, f := range want {
				r, ok := got[f.ID]
				if !ok {
					t.Errorf("no record of %+v", f)
					continue
				}
				compare(t, &r, &f)
				moved = moved || r.counters[0] == messages.Counter{Packets: 3, Bytes: 384}
				if (r.start != 0) != (stamps == "1") {
					t.Errorf("start of %+v = %d with timestamps %s", f, r.start, stamps)
				}
			}
			if !moved {
				t.Error("no record has the counters of the traffic")
			}
		})
	}
}

// records dumps the table with the decoder, by id.
func (s *space) records(t *testing.T) map[uint32]record {
	t.Helper()
	src := newSource(*s.config(), sources.Core{Out: newFakeOut()})
	var d *dumper
	s.in(t, func() (err error) { d, err = src.newDumper(); return err })
	defer d.sock.close()
	got := map[uint32]record{}
	d.writer = keep(func(*messages.Update, *messages.Key) { got[d.rec.id] = d.rec })
	c, err := d.dump(t.Context(), time.Unix(0, 1), time.Time{})
	if err != nil || !c.whole() {
		t.Fatalf("dump: %+v, %v", c, err)
	}
	if d.rec.have&haveID == 0 || c.records != uint64(len(got)) {
		t.Fatalf("%d records, %d ids", c.records, len(got))
	}
	return got
}

// compare says where a record and the library differ.
func compare(t *testing.T, r *record, f *timo.Flow) {
	t.Helper()
	check := func(field string, got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%s of %+v = %v, the library says %v", field, f.TupleOrig, got, want)
		}
	}
	for _, d := range []struct {
		name string
		got  *tuple
		want *timo.Tuple
	}{{"orig", &r.orig, &f.TupleOrig}, {"reply", &r.reply, &f.TupleReply}} {
		p := d.want.Proto
		sport, dport := p.SourcePort, p.DestinationPort
		if p.ICMPv4 || p.ICMPv6 {
			sport, dport = p.ICMPID, uint16(p.ICMPType)<<8|uint16(p.ICMPCode)
		}
		check(d.name+".src", d.got.src, messages.MakeEnd(d.want.IP.SourceAddress, sport))
		check(d.name+".dst", d.got.dst, messages.MakeEnd(d.want.IP.DestinationAddress, dport))
		check(d.name+".proto", d.got.proto, p.Protocol)
		check(d.name+".zone", d.got.zone, d.want.Zone)
	}
	check("zone", r.zone, f.Zone)
	check("mark", r.mark, f.Mark)
	check("status", r.status, uint32(f.Status))
	for i, c := range []timo.Counter{f.CountersOrig, f.CountersReply} {
		check("counters", r.counters[i], messages.Counter{Packets: c.Packets, Bytes: c.Bytes})
	}
	check("start", stamp(r.start), fmt.Sprint(f.Timestamp.Start.UnixNano()))
	check("have counters", r.have&haveCounters, haveCounters)
}

// stamp prints a start as the library would: without one it has the zero time.
func stamp(ns uint64) string {
	if ns == 0 {
		return fmt.Sprint(time.Time{}.UnixNano())
	}
	return fmt.Sprint(ns)
}

// TestSnapshotOfEveryKind follows the entries to what the core gets.
func TestSnapshotOfEveryKind(t *testing.T) {
	s := newSpace(t)
	s.sysctl(t, sysctlAcct, "1")
	r := run(t, s.config(), newFakeOut())
	var made []timo.Flow
	for _, f := range kinds() {
		if s.conn.Create(f) == nil {
			made = append(made, f)
		}
	}
	taken, err := r.Snapshot(t.Context(), messages.SnapshotRequest{Seq: 7})
	if err != nil || !taken.Complete || taken.Records != uint64(len(made)) || taken.Seq != 7 ||
		taken.Source != "conntrack" {
		t.Fatalf("snapshot = %+v, %v; want %d records", taken, err, len(made))
	}
	byKey := map[messages.Key]posted{}
	for _, p := range r.out.all() {
		if p.mode == sources.Wait {
			byKey[p.Key] = p
			if p.snapshot != 7 || p.Status != messages.Seen || p.Kind != messages.Absolute || p.Start == 0 {
				t.Errorf("update %+v", p)
			}
		}
	}
	if len(byKey) != len(made) {
		t.Errorf("%d keys of %d entries", len(byKey), len(made))
	}
	aliases, marked := 0, 0
	for _, p := range byKey {
		if p.alias != nil {
			aliases++
		}
		if len(p.tags) == 1 && p.tags[0].Column == mark.Column.Column {
			marked++
		}
	}
	if aliases != 3 || marked != 2 {
		t.Errorf("%d aliases and %d marks, want 3 and 2", aliases, marked)
	}
}
