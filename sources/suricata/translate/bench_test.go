package translate

import (
	"context"
	"testing"
	"time"

	"weir/columns"
	"weir/messages"
	"weir/sources/suricata/eve"
)

// nowhere is a writer that keeps nothing.
type nowhere struct{}

func (nowhere) Snapshot(uint64)                            {}
func (nowhere) Flush(context.Context) error                { return nil }
func (nowhere) Tell(context.Context, *messages.Fact) error { return nil }
func (nowhere) Add(context.Context, *messages.Update, *messages.Key, []columns.Tag) error {
	return nil
}

// BenchmarkTranslate translates the events of one real file again and again, each time as a new connection some
// minutes later, as if the same hosts went on to do the same. Decoding is not measured.
func BenchmarkTranslate(b *testing.B) {
	for _, name := range []string{"live-8.0.8/eve.json.gz", "gen-7.0.10-ndpi.json.gz"} {
		for _, statistics := range []bool{false, true} {
			title := name
			if statistics {
				title += "/statistics"
			}
			b.Run(title, func(b *testing.B) { benchmark(b, name, Options{Statistics: statistics}) })
		}
	}
}

func benchmark(b *testing.B, name string, o Options) {
	b.Helper()
	var events []eve.Event
	lines := eve.NewLines()
	eachLine(b, sharedDir(b)+"/"+name, func(line []byte) {
		lines.Line(line, func(e *eve.Event) {
			if k := kindOf(e.Type); k != kindIgnored {
				events = append(events, clone(e))
			}
		})
	})
	tr, w := New(o), nowhere{}
	received := time.Unix(0, events[len(events)-1].Time)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		n := i % len(events)
		if n == 0 {
			received = received.Add(5 * time.Minute)
		}
		e := &events[n]
		e.Time = received.UnixNano()
		if err := tr.Event(b.Context(), uint64(i/len(events)), e, received, w); err != nil {
			b.Fatal(err)
		}
	}
}

// clone copies an event with its slices.
func clone(e *eve.Event) eve.Event {
	c := *e
	c.VLANs = copied(e.VLANs)
	c.DNS.Queries, c.DNS.Answers, c.DNS.Grouped = copied(e.DNS.Queries), copied(e.DNS.Answers), copied(e.DNS.Grouped)
	c.TLS.SANs, c.TLS.ALPNs = copied(e.TLS.SANs), copied(e.TLS.ALPNs)
	return c
}

func copied[T any](s []T) []T { return append([]T(nil), s...) }
