package actors

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"weir/flows"
	"weir/messages"
	"weir/sources"
)

// nothing is a table that does nothing, but counts.
type nothing struct {
	fakeTable
	updates atomic.Int64
}

func (n *nothing) Apply(b *messages.Batch) { n.updates.Add(int64(len(b.Updates))) }

// benchSystem runs shards with the given tables and nothing else. It hands out the way into them.
func benchSystem(b *testing.B, shards int, newTable func(flows.Options) table) (*System, *route) {
	b.Helper()
	var r *route
	got := make(chan struct{})
	o := options(&fakeTier{}, SourceSpec{"bench", config(func(core sources.Core) (sources.Source, error) {
		r = core.Out.(*outlet).route
		close(got)
		return push(idle), nil
	})})
	o.Shards, o.Slice, o.newTable = shards, time.Hour, newTable
	s := New(o)
	if err := s.Start(context.Background()); err != nil {
		b.Fatal(err)
	}
	<-got
	b.Cleanup(func() {
		if err := s.Drain(context.Background()); err != nil {
			b.Error(err)
		}
	})
	return s, r
}

// waitFor waits until the shards have caught up.
func waitFor(n *atomic.Int64, want int64) {
	for n.Load() < want {
		time.Sleep(10 * time.Microsecond)
	}
}

func benchUpdates() []*messages.Update {
	us := make([]*messages.Update, 4096)
	for i := range us {
		us[i] = delta(uint32(i), 1)
	}
	return us
}

// BenchmarkUpdate is what an update costs a source until the shard has it, against filling a batch and calling
// the table in the same goroutine; and the gate, the mailbox and the actor alone, with batches that are full.
// With -cpu 1 the difference is the work that messaging adds; with more processors a shard that does nothing
// sleeps between any two batches, and most of the difference is waking it up.
func BenchmarkUpdate(b *testing.B) {
	us := benchUpdates()
	b.Run("direct", func(b *testing.B) {
		b.ReportAllocs()
		n := &nothing{}
		var to table = n
		batch := messages.NewBatch()
		for i := range b.N {
			u := us[i%len(us)]
			hash := u.Key.Hash(7)
			batch.Add(u, nil, nil)
			batch.Updates[len(batch.Updates)-1].Hash = hash
			if batch.Full() {
				to.Apply(batch)
				batch.Release()
				batch = messages.NewBatch()
			}
		}
	})
	b.Run("actor", func(b *testing.B) {
		n := &nothing{}
		_, r := benchSystem(b, 1, func(flows.Options) table { return n })
		w := newOutlet(r, "bench", &flux{}, nil, zerolog.Nop()).Writer(sources.Wait)
		ctx := context.Background()
		b.ReportAllocs()
		b.ResetTimer()
		for i := range b.N {
			if err := w.Add(ctx, us[i%len(us)], nil, nil); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Flush(ctx); err != nil {
			b.Fatal(err)
		}
		waitFor(&n.updates, int64(b.N))
	})
	b.Run("post", func(b *testing.B) {
		n := &nothing{}
		_, r := benchSystem(b, 1, func(flows.Options) table { return n })
		p := r.ports[0]
		b.ReportAllocs()
		b.ResetTimer()
		for i := 0; i < b.N; i += messages.BatchSize {
			if err := p.gate.acquire(context.Background()); err != nil {
				b.Fatal(err)
			}
			full := messages.NewBatch()
			full.Updates = full.Updates[:messages.BatchSize]
			p.post(full)
		}
		waitFor(&n.updates, int64(b.N))
	})
}

// played is a table that plays batches of its own, so that a sender costs next to nothing.
type played struct {
	table
	batches []*messages.Batch
	next    int
	done    *atomic.Int64
}

func (p *played) Apply(*messages.Batch) {
	p.table.Apply(p.batches[p.next%len(p.batches)])
	p.next++
	p.done.Add(1)
}

// newPlayed fills a real table with so many flows and makes the batches that update them.
func newPlayed(o flows.Options, live int, done *atomic.Int64) *played {
	p := &played{table: newFlowTable(o), done: done}
	rnd := rand.New(rand.NewPCG(1, uint64(o.Shard)))
	all := make([]*messages.Update, 0, live)
	for n := uint32(0); len(all) < live; n++ {
		u := delta(n, 100)
		u.Hash = u.Key.Hash(o.Seed)
		if flows.ShardOf(u.Hash, o.Shards) == o.Shard {
			all = append(all, u)
		}
	}
	rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for i := 0; i+messages.BatchSize <= len(all); i += messages.BatchSize {
		b := &messages.Batch{Source: "bench"}
		for _, u := range all[i : i+messages.BatchSize] {
			b.Add(u, nil, nil)
			b.Updates[len(b.Updates)-1].Hash = u.Hash
		}
		p.table.Apply(b)
		p.batches = append(p.batches, b)
	}
	return p
}

// BenchmarkTold is what a new flow costs that a computation tags: counted, told, tagged, and told again.
func BenchmarkTold(b *testing.B) {
	var w sources.Writer
	got := make(chan struct{})
	o := options(&fakeTier{}, SourceSpec{"bench", config(func(core sources.Core) (sources.Source, error) {
		w = core.Out.Writer(sources.Wait)
		close(got)
		return push(idle), nil
	})})
	o.Slice = time.Hour
	s := New(computing(o, always(&thinker{handle: tagEach(appX)})))
	if err := s.Start(context.Background()); err != nil {
		b.Fatal(err)
	}
	<-got
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if err := w.Add(context.Background(), delta(uint32(i), 1), nil, nil); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	if err := s.Drain(context.Background()); err != nil {
		b.Fatal(err)
	}
	if c := s.Status().Computations[0]; c.Updates != uint64(b.N) || c.UpdatesDropped != 0 {
		b.Errorf("%d flows, %+v", b.N, c)
	}
}

// BenchmarkShards is what an update costs with one shard and with two, with 100,000 live flows in each.
func BenchmarkShards(b *testing.B) {
	const live = 100_000
	for _, shards := range []int{1, 2} {
		b.Run([]string{1: "one", 2: "two"}[shards], func(b *testing.B) {
			var done atomic.Int64
			_, r := benchSystem(b, shards, func(o flows.Options) table { return newPlayed(o, live, &done) })
			batches := int64((b.N + messages.BatchSize - 1) / messages.BatchSize)
			b.ResetTimer()
			for i := range batches {
				p := r.ports[int(i)%shards]
				if err := p.gate.acquire(context.Background()); err != nil {
					b.Fatal(err)
				}
				p.post(messages.NewBatch())
			}
			waitFor(&done, batches)
		})
	}
}
