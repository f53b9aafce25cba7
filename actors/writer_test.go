package actors

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"weir/columns"
	"weir/flows"
	"weir/messages"
	"weir/sources"
)

// mouth is a shard that only collects what is posted to it. Its credits come back when it is told.
type mouth struct {
	gate *gate
	mu   sync.Mutex
	got  []*messages.Batch
}

func (m *mouth) post(x any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.got = append(m.got, x.(*messages.Batch))
}

// updates lists what came, in order.
func (m *mouth) updates() (all []messages.Update) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range m.got {
		all = append(all, b.Updates...)
	}
	return all
}

// fill takes all credits.
func (m *mouth) fill() {
	for m.gate.take() {
	}
}

func testOutlet(t *testing.T, shards int) (*outlet, []*mouth) {
	t.Helper()
	r := &route{seed: 7, taps: newTaps(), losses: &lossBook{}, clock: newBubbleClock()}
	ms := make([]*mouth, shards)
	for i := range ms {
		ms[i] = &mouth{gate: newGate()}
		r.ports = append(r.ports, port{gate: ms[i].gate, post: ms[i].post})
	}
	w := newCrew(func(_ *crew, c *crash) { t.Errorf("crash: %v", c) })
	o := newOutlet(r, "test", &flux{}, w, zerolog.Nop())
	t.Cleanup(func() { w.join(time.Second) })
	return o, ms
}

func addAll(t *testing.T, w sources.Writer, from, to uint32) {
	t.Helper()
	for i := from; i < to; i++ {
		if err := w.Add(t.Context(), delta(i, 1), nil, nil); err != nil {
			t.Fatalf("add %d: %v", i, err)
		}
	}
}

func TestWriterRoutesByHash(t *testing.T) {
	o, ms := testOutlet(t, 3)
	w := o.Writer(sources.Wait)
	w.Snapshot(42)
	alias := delta(1, 0).Key
	tags := []columns.Tag{{Value: "v"}}
	for i := range uint32(2000) {
		if err := w.Add(t.Context(), delta(i, 1), &alias, tags); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := 0
	for i, m := range ms {
		for _, b := range m.got {
			if b.Source != "test" || b.Snapshot != 42 || len(b.Updates) > messages.BatchSize {
				t.Fatalf("batch %q %d with %d updates", b.Source, b.Snapshot, len(b.Updates))
			}
			for j := range b.Updates {
				u := &b.Updates[j]
				n++
				if u.Hash != u.Key.Hash(7) || flows.ShardOf(u.Hash, 3) != i {
					t.Fatalf("update with hash %x in shard %d", u.Hash, i)
				}
				if *b.AliasOf(u) != alias || len(b.TagsOf(u)) != 1 {
					t.Fatal("alias or tags are gone")
				}
			}
		}
	}
	if n != 2000 || o.flux.updates.Load() != 2000 || len(o.holding) != 0 {
		t.Errorf("%d updates came, %d counted, %d writers hold something", n, o.flux.updates.Load(), len(o.holding))
	}
}

func TestSnapshotsDoNotMixInABatch(t *testing.T) {
	o, ms := testOutlet(t, 1)
	w := o.Writer(sources.Wait)
	for seq := range uint64(3) {
		w.Snapshot(seq)
		addAll(t, w, 0, 10)
	}
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, b := range ms[0].got {
		if b.Snapshot != uint64(i) || len(b.Updates) != 10 {
			t.Errorf("batch %d: snapshot %d, %d updates", i, b.Snapshot, len(b.Updates))
		}
	}
}

func TestWaitingWriterIsHeldAndCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, ms := testOutlet(t, 1)
		ms[0].fill()
		w := o.Writer(sources.Wait)
		addAll(t, w, 0, messages.BatchSize) // Fit without credit: nothing was posted yet.
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan error)
		go func() { got <- w.Add(ctx, delta(1000, 1), nil, nil) }()
		synctest.Wait()
		cancel()
		if err := <-got; !errors.Is(err, context.Canceled) {
			t.Fatalf("add: %v", err)
		}
		ms[0].gate.release()
		if err := w.Flush(ctx); err != nil { // A credit is at hand: the context does not matter.
			t.Errorf("flush: %v", err)
		}
		if n := len(ms[0].updates()); n != messages.BatchSize {
			t.Errorf("%d updates, want what was taken: %d", n, messages.BatchSize)
		}
		ms[0].gate.close()
		addAll(t, w, 0, 1)
		if err := w.Flush(t.Context()); !errors.Is(err, errGone) {
			t.Errorf("flush to a shard that is gone: %v", err)
		}
	})
}

func TestSheddingWriterNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, ms := testOutlet(t, 1)
		ms[0].fill()
		w := o.Writer(sources.Shed)
		const batches = maxBacklog + 10
		addAll(t, w, 0, batches*messages.BatchSize)
		if n := o.flux.backlogged.Load(); n != maxBacklog {
			t.Errorf("backlog of %d batches", n)
		}
		lost := o.losses.take()
		if len(lost) != 1 || lost[0].Kind != messages.LossShed || lost[0].Count != 10*messages.BatchSize ||
			lost[0].Source != "test" {
			t.Errorf("losses: %+v", lost)
		}
		if n := o.flux.shed.Load(); n != 10*messages.BatchSize || o.flux.shedBatches.Load() != 10 {
			t.Errorf("%d updates counted", n)
		}
		for range gateWindow { // The shard works again.
			ms[0].gate.release()
		}
		synctest.Wait()
		if n := len(ms[0].got); n != maxBacklog || o.flux.backlogged.Load() != 0 || len(o.backlogs) != 0 {
			t.Errorf("%d batches came, %d wait", n, o.flux.backlogged.Load())
		}
	})
}

// What waits in a backlog must not be overtaken: the shard needs the updates of a flow in order.
func TestBacklogKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, ms := testOutlet(t, 2)
		w := o.Writer(sources.Shed)
		const n = 120_000
		for i := uint64(1); i <= n; i++ {
			u := delta(uint32(i%50), i)
			if err := w.Add(t.Context(), u, nil, nil); err != nil {
				t.Fatal(err)
			}
			if i%2000 == 0 { // The shards work now and then.
				for _, m := range ms {
					m.gate.release()
				}
				synctest.Wait()
			}
		}
		_ = w.Flush(t.Context())
		o.crew.join(time.Second)
		for _, m := range ms {
			for range gateWindow {
				m.gate.release()
			}
		}
		o.deliver(time.Second)
		last, came := map[messages.Key]uint64{}, uint64(0)
		for _, m := range ms {
			for _, u := range m.updates() {
				came++
				if u.Counters[0].Bytes <= last[u.Key] {
					t.Fatalf("update %d after %d", u.Counters[0].Bytes, last[u.Key])
				}
				last[u.Key] = u.Counters[0].Bytes
			}
		}
		if shed := o.flux.shed.Load(); shed == 0 || came+shed != n {
			t.Errorf("%d came and %d were shed of %d", came, shed, n)
		}
	})
}

// Also when nobody drains the backlog any more, and credits are at hand.
func TestWriterQueuesBehindItsBacklog(t *testing.T) {
	o, ms := testOutlet(t, 1)
	ms[0].fill()
	w := o.Writer(sources.Shed)
	addAll(t, w, 0, messages.BatchSize)
	o.crew.join(time.Second)
	for range gateWindow {
		ms[0].gate.release()
	}
	addAll(t, w, 1000, 1000+messages.BatchSize)
	o.deliver(time.Second)
	us := ms[0].updates()
	first, second := delta(0, 0).Key, delta(1000, 0).Key
	if len(us) != 2*messages.BatchSize || us[0].Key != first || us[messages.BatchSize].Key != second {
		t.Errorf("%d updates came, or in the wrong order", len(us))
	}
}

func TestOutletDeliversWhatWritersHold(t *testing.T) {
	o, ms := testOutlet(t, 2)
	addAll(t, o.Writer(sources.Wait), 0, 100)
	addAll(t, o.Writer(sources.Shed), 0, 100)
	o.crew.join(time.Second)
	o.deliver(time.Second)
	if n := len(ms[0].updates()) + len(ms[1].updates()); n != 200 || len(o.losses.take()) != 0 {
		t.Errorf("%d updates delivered", n)
	}
	o.deliver(time.Second) // Again means nothing.
	if n := len(ms[0].updates()) + len(ms[1].updates()); n != 200 {
		t.Errorf("%d updates delivered twice", n-200)
	}
}

func TestOutletTellsWhatItCannotDeliver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, ms := testOutlet(t, 1)
		ms[0].fill()
		addAll(t, o.Writer(sources.Wait), 0, 100)
		o.deliver(time.Second)
		if l := o.losses.take(); len(l) != 1 || l[0].Count != 100 || l[0].Kind != messages.LossShed {
			t.Errorf("losses %v", l)
		}
	})
}

// A source may make a writer for each snapshot: those that hold nothing must not pile up.
func TestWritersDoNotPileUp(t *testing.T) {
	o, _ := testOutlet(t, 1)
	for range 50 {
		for _, m := range []sources.Mode{sources.Wait, sources.Shed} {
			w := o.Writer(m)
			o.ports[0].gate.release()
			addAll(t, w, 0, 3)
			if err := w.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(o.holding) != 0 || len(o.backlogs) != 0 {
		t.Errorf("%d writers, %d backlogs kept", len(o.holding), len(o.backlogs))
	}
}

func TestAddDoesNotAllocate(t *testing.T) {
	o, ms := testOutlet(t, 2)
	w := o.Writer(sources.Wait)
	for i := range o.ports {
		o.ports[i].post = func(x any) {
			ms[i].gate.release()
			x.(*messages.Batch).Release()
		}
	}
	us := make([]*messages.Update, 1024)
	for i := range us {
		us[i] = delta(uint32(i), 1)
	}
	i := 0
	if raceEnabled {
		t.Skip("the race detector drops what pools hold")
	}
	if n := testing.AllocsPerRun(200_000, func() {
		i++
		_ = w.Add(context.Background(), us[i%len(us)], nil, nil)
	}); n != 0 {
		t.Errorf("%v allocations for each update", n)
	}
}

func TestLossesOfASourceGetItsName(t *testing.T) {
	o, _ := testOutlet(t, 1)
	o.Lost(messages.Loss{Kind: messages.LossOverrun, Count: 3})
	l := o.losses.take()
	if len(l) != 1 || l[0].Source != "test" || l[0].Span.Start.IsZero() || l[0].Count != 3 {
		t.Errorf("%+v", l)
	}
}
