package suricata

import (
	"bytes"
	"context"
	"testing"

	"weir/columns"
	"weir/messages"
	"weir/sources"
)

// nobody takes everything and keeps nothing.
type nobody struct{}

func (nobody) Writer(sources.Mode) sources.Writer { return nobody{} }
func (nobody) Lost(messages.Loss)                 {}
func (nobody) Snapshot(uint64)                    {}
func (nobody) Add(context.Context, *messages.Update, *messages.Key, []columns.Tag) error {
	return nil
}
func (nobody) Tell(context.Context, *messages.Fact) error { return nil }
func (nobody) Flush(context.Context) error                { return nil }

// BenchmarkLines takes real lines through all of the source but the socket: cut, queue, decode, translate.
func BenchmarkLines(b *testing.B) {
	data := moved(b, recorded(b, "live-8.0.8/eve.json"))
	lines := bytes.Count(data, []byte("\n"))
	s := newSource(*defaults().(*Config), sources.Core{Out: nobody{}})
	s.worker.begin(s.handle, nobody{})
	split := s.splitter(1, newAllowance(4*s.maxLine))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		for rest := data; len(rest) > 0; {
			n := copy(split.room(), rest)
			rest = rest[n:]
			if err := split.took(n); err != nil {
				b.Fatal(err)
			}
			for slab, _ := s.queue.take(); slab != nil; slab, _ = s.queue.take() {
				if err := s.worker.work(b.Context(), slab); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	b.ReportMetric(float64(lines*b.N)/b.Elapsed().Seconds(), "lines/s")
}

// BenchmarkReading takes the same lines to the worker's door, to see what reading alone costs.
func BenchmarkReading(b *testing.B) {
	data := recorded(b, "live-8.0.8/eve.json")
	lines := bytes.Count(data, []byte("\n"))
	s := newSource(*defaults().(*Config), sources.Core{Out: nobody{}})
	split := s.splitter(1, newAllowance(4*s.maxLine))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		for rest := data; len(rest) > 0; {
			n := copy(split.room(), rest)
			rest = rest[n:]
			if err := split.took(n); err != nil {
				b.Fatal(err)
			}
			for slab, _ := s.queue.take(); slab != nil; slab, _ = s.queue.take() {
				s.queue.release(slab)
			}
		}
	}
	b.ReportMetric(float64(lines*b.N)/b.Elapsed().Seconds(), "lines/s")
}
