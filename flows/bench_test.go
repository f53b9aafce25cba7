package flows

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"weir/columns"
	"weir/messages"
)

// population makes n flows of a home network as full batches in random order, in which each update has
// moved on by one packet against the one before.
func population(n int, tagged bool) []*messages.Batch {
	r := rand.New(rand.NewPCG(1, 2))
	tags := make([][]columns.Tag, 16)
	for i := range tags {
		tags[i] = []columns.Tag{text.Tag(fmt.Sprint("tag", i)), textEnd.Tag(columns.EndA, fmt.Sprint("end", i%4))}
	}
	order := r.Perm(n)
	var bs []*messages.Batch
	for at := 0; at < n; at += messages.BatchSize {
		b := messages.NewBatch()
		b.Source = "bench"
		for _, i := range order[at:min(n, at+messages.BatchSize)] {
			u := numbered(i)
			var t []columns.Tag
			if tagged {
				t = tags[i%16]
			}
			b.Add(&u, nil, t)
		}
		bs = append(bs, b)
	}
	return bs
}

func numbered(i int) messages.Update {
	var remote [16]byte
	binary.BigEndian.PutUint32(remote[8:], uint32(i)*2654435761)
	remote[0] = 0x20
	local := end("192.168.1.2:0")
	local.Port, local.Addr[15] = uint16(i), byte(i>>16)
	k, swapped := messages.MakeKey(6, 0, local, messages.End{Addr: remote, Port: 443})
	u := messages.Update{
		Key: k, Start: born.Add(time.Second).UnixNano(), ID: uint32(i),
		Kind: messages.Absolute, Flags: messages.Oriented,
	}
	if swapped {
		u.Flags |= messages.InitiatorB
	}
	u.Hash = u.Key.Hash(seed)
	return u
}

func moveOn(b *messages.Batch) {
	for i := range b.Updates {
		c := &b.Updates[i].Counters
		c[0].Packets, c[0].Bytes = c[0].Packets+1, c[0].Bytes+100
		c[1].Packets, c[1].Bytes = c[1].Packets+1, c[1].Bytes+1400
	}
}

// BenchmarkUpdate is one update of a live flow, in batches of 256, every flow active in the slice.
func BenchmarkUpdate(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		for _, tagged := range []bool{false, true} {
			b.Run(fmt.Sprintf("flows=%d/tags=%v", n, tagged), func(b *testing.B) {
				benchmarkUpdate(b, n, tagged, false)
			})
		}
	}
}

// BenchmarkUpdateWithEvents is the same where computations listen, which have heard of all flows.
func BenchmarkUpdateWithEvents(b *testing.B) {
	for _, tagged := range []bool{false, true} {
		b.Run(fmt.Sprintf("flows=100000/tags=%v", tagged), func(b *testing.B) {
			benchmarkUpdate(b, 100_000, tagged, true)
		})
	}
}

func benchmarkUpdate(b *testing.B, n int, tagged, events bool) {
	b.Helper()
	bs := population(n, tagged)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	t := NewTable(Options{Shards: 1, Seed: seed, Home: home, CountsSince: born, Events: events})
	for _, m := range bs {
		t.Apply(m)
	}
	for t.Pending() > 0 {
		t.TakeEvents(messages.BatchSize)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	done, worst := 0, time.Duration(0)
	var busy time.Duration
	for done < b.N {
		for _, m := range bs {
			if done >= b.N {
				break
			}
			moveOn(m)
			start := time.Now()
			t.Apply(m)
			took := time.Since(start)
			busy, worst = busy+took, max(worst, took)
			done += len(m.Updates)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(busy.Nanoseconds())/float64(done), "ns/update")
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "heap-B/flow")
	b.ReportMetric(float64(t.bytes())/float64(n), "table-B/flow")
	b.ReportMetric(float64(worst.Microseconds()), "worst-batch-us")
}

// BenchmarkClose is one closing of a slice in which a tenth of the flows moved.
func BenchmarkClose(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("flows=%d", n), func(b *testing.B) {
			bs := population(n, true)
			t := NewTable(Options{Shards: 1, Seed: seed, Home: home, CountsSince: born})
			for _, m := range bs {
				t.Apply(m)
			}
			t.Close(&messages.CloseSlice{Seq: 1})
			seq, rows := uint64(2), 0
			for b.Loop() {
				b.StopTimer()
				for _, m := range bs[:len(bs)/10+1] {
					moveOn(m)
					t.Apply(m)
				}
				b.StartTimer()
				rows += t.Close(&messages.CloseSlice{Seq: seq}).Rows.Len()
				seq++
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rows), "ns/row")
		})
	}
}

// BenchmarkTakeEvents is the telling of one flow that is new, with tags.
func BenchmarkTakeEvents(b *testing.B) {
	t := NewTable(Options{Shards: 1, Seed: seed, Home: home, CountsSince: born, Events: true})
	for _, m := range population(100_000, true) {
		t.Apply(m)
	}
	taken := 0
	for b.Loop() {
		if t.Pending() == 0 {
			b.StopTimer()
			t.Retell()
			b.StartTimer()
		}
		taken += len(t.TakeEvents(messages.BatchSize))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(taken), "ns/event")
}

// BenchmarkTag is one change of a tag whose flow has rows in closed slices.
func BenchmarkTag(b *testing.B) {
	for _, events := range []bool{false, true} {
		b.Run(fmt.Sprintf("events=%v", events), func(b *testing.B) {
			const flows = 10_000
			t := NewTable(Options{Shards: 1, Seed: seed, Home: home, CountsSince: born, Events: events})
			for _, m := range population(flows, false) {
				t.Apply(m)
			}
			t.Close(&messages.CloseSlice{Seq: 1})
			tags := [2][]columns.Tag{{text.Tag("one")}, {text.Tag("two")}}
			m := messages.NewBatch()
			m.Source = "bench"
			n := 0
			for b.Loop() {
				m.Updates, m.Tags = m.Updates[:0], m.Tags[:0]
				for range messages.BatchSize {
					u := messages.Update{Key: numbered(n % flows).Key}
					u.Hash = u.Key.Hash(seed)
					m.Add(&u, nil, tags[n/flows%2])
					n++
				}
				t.Apply(m)
				if n%flows < messages.BatchSize {
					for t.Pending() > 0 {
						t.TakeEvents(messages.BatchSize)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/update")
		})
	}
}
