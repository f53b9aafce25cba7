package actors

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/columns"
	"weir/computations"
	"weir/flows"
	"weir/messages"
	"weir/sources"
)

// load is a source that sends all it can and counts the bytes that were taken: one for each update. Now
// and then it fails in one of the ways in which a source can.
type load struct {
	mode  sources.Mode
	sent  *atomic.Uint64
	chaos bool
}

func (l load) config() config {
	return func(core sources.Core) (sources.Source, error) {
		if l.chaos && rand.IntN(10) == 0 {
			return nil, errGiven
		}
		return &loader{load: l, core: core, pulled: core.Out.Writer(sources.Wait)}, nil
	}
}

type loader struct {
	load
	core   sources.Core
	pulled sources.Writer // of the goroutine that takes the snapshot
}

func (l *loader) Run(ctx context.Context, ready func()) error {
	ready()
	if l.chaos {
		l.core.Go(ctx, "bomb", func(ctx context.Context) error {
			select {
			case <-ctx.Done():
			case <-time.After(time.Duration(rand.IntN(400)) * time.Millisecond):
				if rand.IntN(2) == 0 {
					return errGiven
				}
				panic("bomb")
			}
			return nil
		})
	}
	return l.pour(ctx)
}

// pour sends bursts. Add may refuse an update; then it does not count.
func (l *loader) pour(ctx context.Context) error {
	w := l.core.Out.Writer(l.mode)
	for n := uint32(0); ctx.Err() == nil; n++ {
		for i := range uint32(2000) {
			if err := w.Add(ctx, delta((n*7+i)%5000, 1), nil, nil); err == nil {
				l.sent.Add(1)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Millisecond):
		}
	}
	return nil // Without a flush: what it holds must be delivered nevertheless.
}

func (l *loader) Snapshot(ctx context.Context, req messages.SnapshotRequest) (messages.SnapshotTaken, error) {
	l.pulled.Snapshot(req.Seq)
	for i := range uint32(1000) {
		if err := l.pulled.Add(ctx, delta(i, 1), nil, nil); err == nil {
			l.sent.Add(1)
		}
		if l.chaos && rand.IntN(20_000) == 0 {
			panic("snapshot")
		}
	}
	return messages.SnapshotTaken{Complete: true}, l.pulled.Flush(ctx)
}

func (*loader) Health() sources.Health { return sources.Health{State: sources.Running} }

// confused makes computations that tag all they see, and fail in all the ways in which one can.
func confused(tag columns.Tag) computed {
	tags := []columns.Tag{tag}
	maybe := func(n int) {
		if rand.IntN(n) == 0 {
			panic("confused")
		}
	}
	return func(computations.Core) (computations.Computation, error) {
		if rand.IntN(10) == 0 {
			return nil, errGiven
		}
		m := &memo{keep: "something", onLoad: func(string) error { maybe(10); return nil }}
		m.handle = func(in *messages.Events, _ *computations.View, out computations.Out) {
			for i := range in.Flows {
				maybe(40_000)
				out.Tag(&in.Flows[i], tags)
			}
		}
		m.settle = func(_ int64, v *computations.View, out computations.Out) {
			maybe(10)
			for e := range v.All() {
				out.Tag(e, tags)
			}
		}
		return m, nil
	}
}

// confuse panics or fails now and then, and the first time.
func confuse(n uint64) error {
	switch {
	case n%11 == 1:
		panic("confused")
	case n%7 == 3:
		return errGiven
	}
	return nil
}

// disturber makes each actor panic at every so many of its messages.
type disturber struct {
	mu    sync.Mutex
	every map[string]int // by kind
	seen  map[string]int // by actor
	on    atomic.Bool
}

func (d *disturber) disturb(name string, _ any) {
	kind, _, _ := strings.Cut(strings.TrimRight(name, "0123456789"), "/")
	d.mu.Lock()
	d.seen[name]++
	n := d.seen[name]
	d.mu.Unlock()
	if k := d.every[kind]; k > 0 && n%k == 0 && d.on.Load() {
		panic("disturbed")
	}
}

func (d *disturber) kinds() map[string]bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := map[string]bool{}
	for name := range d.seen {
		all[name] = true
	}
	return all
}

// Every kind of actor panics again and again, and sources in all their goroutines. What was taken from the
// sources is in the tier or told as loss, to the byte.
func TestChaos(t *testing.T) {
	var sent atomic.Uint64
	tier := &fakeTier{}
	var appends atomic.Uint64
	tier.onAppend = func(*messages.Slice) error {
		if n := appends.Add(1); n%7 == 3 {
			return errGiven
		} else if n%11 == 5 {
			panic("append")
		}
		return nil
	}
	d := &disturber{
		every: map[string]int{"shard-": 61, "slicer": 13, "tier": 5, "source": 3, "computation": 31},
		seen:  map[string]int{},
	}
	d.on.Store(true)
	o := options(tier,
		SourceSpec{"waits", load{sources.Wait, &sent, true}.config()},
		SourceSpec{"sheds", load{sources.Shed, &sent, true}.config()})
	o.Slice, o.MaxBackoff, o.disturb = 200*time.Millisecond, 20*time.Millisecond, d.disturb
	o.StateDir = t.TempDir()
	a := &fakeArchive{}
	var offers atomic.Uint64
	a.onAppend = func(*messages.Slice) error { return confuse(offers.Add(1)) }
	a.onStep = func(context.Context) (bool, error) { return true, confuse(rand.Uint64N(40)) }
	o.Archive = a
	s := start(t, computing(o, confused(appX), confused(origY)))
	run := 4 * time.Second
	if testing.Short() {
		run = time.Second
	}
	over := time.After(run)
	for waiting := true; waiting; {
		select {
		case err := <-s.Fatal():
			t.Fatalf("fatal: %v", err)
		case <-over:
			waiting = false
		case <-time.After(20 * time.Millisecond):
			_ = s.Status() // Must work in the middle of it all.
		}
	}
	drain(t, s)
	checkTotals(t, tier, sent.Load())
	if kept, lost := a.sums(); kept+lost != tier.totals().Up.Bytes || kept == 0 {
		t.Errorf("%d in the archive, %d lost, of %d", kept, lost, tier.totals().Up.Bytes)
	}
	for _, a := range s.Status().Actors {
		if a.Name != rootName && a.Failures == 0 {
			t.Errorf("%s never failed", a.Name)
		}
	}
	for _, name := range []string{
		"shard-0", "slicer", "tier/memory", "source/waits", "source/sheds", "computation/a", "computation/b",
	} {
		if !d.kinds()[name] {
			t.Errorf("%s was never disturbed", name)
		}
	}
	for _, c := range s.Status().Computations {
		if c.Updates == 0 || c.Events == 0 {
			t.Errorf("computation %+v", c)
		}
	}
	t.Logf("%d updates in %d slices; failures: %v", sent.Load(), len(tier.all()), failures(s))
}

func failures(s *System) map[string]uint64 {
	all := map[string]uint64{}
	for _, a := range s.Status().Actors {
		all[a.Name] = a.Failures
	}
	return all
}

// checkTotals compares what was sent, a byte with each update, to what the slices hold and tell.
func checkTotals(t *testing.T, tier *fakeTier, sent uint64) {
	t.Helper()
	got := tier.totals().Up.Bytes
	_, shed, _ := tier.losses(messages.LossShed)
	_, restart, bytes := tier.losses(messages.LossRestart)
	if bytes != 0 { // A slice that was given up: its count is of rows.
		found, _, _ := tier.losses(messages.LossRestart)
		restart = bytes
		for _, l := range found {
			if l.Bytes == 0 {
				restart += l.Count
			}
		}
	}
	if got+shed+restart != sent || sent == 0 {
		t.Errorf("%d sent, but %d in the tier, %d shed and %d lost: %d differ",
			sent, got, shed, restart, int64(sent-got-shed-restart))
	}
}

// A drain in the middle of full load loses nothing: everything that a source was told is taken is in
// the tier, whatever the writers, the gates and the mailboxes held.
func TestDrainUnderLoadLosesNothing(t *testing.T) {
	for range 3 {
		var sent atomic.Uint64
		tier := &fakeTier{}
		o := options(tier,
			SourceSpec{"a", load{mode: sources.Wait, sent: &sent}.config()},
			SourceSpec{"b", load{mode: sources.Wait, sent: &sent}.config()},
			SourceSpec{"c", load{mode: sources.Wait, sent: &sent}.config()})
		o.Slice = 500 * time.Millisecond
		o.newTable = func(f flows.Options) table { return slowTable{newFlowTable(f)} }
		o.StateDir = t.TempDir()
		keeps := &memo{keep: "something", thinker: thinker{handle: tagEach(appX)}}
		s := start(t, computing(o, always(keeps)))
		eventually(t, "a shard has all it can take", func() bool {
			st := s.Status()
			return st.Slicer.Closed > 1 && st.Shards[0].Waited+st.Shards[1].Waited > 0
		})
		drain(t, s)
		if got := tier.totals().Up.Bytes; got != sent.Load() || got == 0 {
			t.Errorf("%d bytes in the tier, %d sent", got, sent.Load())
		}
		if st := s.Status(); st.DeadLetters != 0 {
			t.Errorf("%d dead letters", st.DeadLetters)
		}
		if state, err := s.computations[0].state.read(); err != nil || string(state) != "something" {
			t.Errorf("kept %q: %v", state, err)
		}
		for _, kind := range []messages.LossKind{messages.LossShed, messages.LossRestart, messages.LossDown} {
			if found, _, _ := tier.losses(kind); len(found) > 0 {
				t.Errorf("losses %+v", found)
			}
		}
	}
}

// slowTable takes longer for a batch than a source needs to make one.
type slowTable struct{ table }

func (t slowTable) Apply(b *messages.Batch) {
	t.table.Apply(b)
	time.Sleep(300 * time.Microsecond)
}
