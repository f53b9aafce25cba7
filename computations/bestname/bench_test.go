package bestname

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"weir/columns"
	"weir/columns/app"
	"weir/columns/tls"
	"weir/computations"
	"weir/messages"
)

// sink takes what is said and does nothing.
type sink struct{ calls int }

func (s *sink) Tag(*messages.Event, []columns.Tag) { s.calls++ }

const benchNames = 10_000

// busy makes a computation that knows 10k answers, and events of flows to so many of their addresses. told says
// whether the flows carry an SNI of their own.
func busy(b *testing.B, flows, addresses int, told bool) (*computation, *computations.View, []messages.Event) {
	b.Helper()
	c := newComputation(testConfig(), noCore())
	for i := range benchNames {
		f := answer(worldStart, numbered(10, i%200), fmt.Sprintf("host-%d.example.com", i), numbered(192, i))
		c.learn(&f)
	}
	view, events := computations.NewView(flows), make([]messages.Event, flows)
	for i := range events {
		client := netip.AddrPortFrom(numbered(10, i%200), uint16(1024+i/200%60000))
		server := netip.AddrPortFrom(numbered(192, i%addresses), 443)
		events[i] = newFlow(uint64(i+1), worldStart.Add(time.Second), 6, client, server, noAddr)
		if told {
			sni := fmt.Sprintf("www.site-%d.example.com", i%addresses)
			events[i].Tags = []columns.Tag{app.Column.Tag("tls"), tls.SNI.Tag(sni)}
		}
	}
	view.Learn(events)
	c.Settle(worldStart.UnixNano(), view, &sink{})
	return c, view, events
}

// BenchmarkEvent is all that one event costs, in messages of 256: Handle, and its share of Settle, which gives
// the names. With sni the flows tell their names, with dns they are looked up, to so many addresses.
func BenchmarkEvent(b *testing.B) {
	for _, c := range []struct {
		name             string
		flows, addresses int
		told             bool
	}{
		{"10k-flows/dns-1k", 10_000, 1_000, false},
		{"10k-flows/sni-1k", 10_000, 1_000, true},
		{"100k-flows/dns-1k", 100_000, 1_000, false},
		{"100k-flows/sni-1k", 100_000, 1_000, true},
		{"100k-flows/dns-10k", 100_000, 10_000, false},
	} {
		b.Run(c.name, func(b *testing.B) { benchEvents(b, c.flows, c.addresses, c.told) })
	}
}

func benchEvents(b *testing.B, flows, addresses int, told bool) {
	b.Helper()
	c, view, events := busy(b, flows, addresses, told)
	out := &sink{}
	now := worldStart.UnixNano()
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += messages.BatchSize {
		at := n % (len(events) - messages.BatchSize)
		c.Handle(&messages.Events{Time: now, Flows: events[at : at+messages.BatchSize]}, view, out)
		if n/messages.BatchSize%32 == 31 {
			c.Settle(now, view, out)
		}
	}
	c.Settle(now, view, out)
	b.StopTimer()
	if out.calls < b.N {
		b.Fatalf("%d of %d events were answered", out.calls, b.N)
	}
}

// BenchmarkFact is what one DNS answer costs, without the flows to which it matters.
func BenchmarkFact(b *testing.B) {
	c, _, _ := busy(b, messages.BatchSize+1, 1, false)
	view := computations.NewView(1)
	facts := make([]messages.Fact, 20_000)
	for i := range facts {
		at := worldStart.Add(time.Duration(i) * time.Millisecond)
		host := i % benchNames
		facts[i] = answer(at, numbered(10, i%200), fmt.Sprintf("host-%d.example.com", host), numbered(192, host))
	}
	now := worldStart.UnixNano()
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		at := n % len(facts)
		c.Handle(&messages.Events{Time: now, Facts: facts[at : at+1]}, view, &sink{})
		if n%10_000 == 9_999 {
			c.Settle(now, view, &sink{})
		}
	}
}

// BenchmarkRules looks hosts up in the curated list.
func BenchmarkRules(b *testing.B) {
	r := curatedRules()
	b.ReportAllocs()
	for b.Loop() {
		r.find("scontent-prg1-1.xx.fbcdn.net")
		r.find("www.some.host.example.com")
	}
}
