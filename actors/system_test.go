package actors

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/flows"
	"weir/messages"
	"weir/sources"
)

// sender is a source that sends so many flows of a byte each and then waits.
func sender(n uint32, mode sources.Mode) config {
	return func(core sources.Core) (sources.Source, error) {
		return push(func(ctx context.Context, ready func()) error {
			w := core.Out.Writer(mode)
			ready()
			for i := range n {
				if err := w.Add(ctx, delta(i, 1), nil, nil); err != nil {
					return err
				}
			}
			if err := w.Flush(ctx); err != nil {
				return err
			}
			<-ctx.Done()
			return nil
		}), nil
	}
}

func TestSlicesHoldWhatSourcesSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier := &fakeTier{}
		o := options(tier, SourceSpec{"push", sender(5000, sources.Wait)})
		o.Clock = noonClock()
		s := start(t, o)
		sub := s.Subscribe(8)
		rest(25 * time.Second) // In the bubble this takes no time.
		if got := tier.totals().Up.Bytes; got != 5000 {
			t.Errorf("after two slices: %d bytes, want 5000", got)
		}
		drain(t, s)
		if n := len(tier.all()); n != 3 {
			t.Errorf("%d slices, want 3", n)
		}
		for i, sl := range tier.all() {
			if want := noon.Add(time.Duration(i) * o.Slice); sl.Seq != uint64(i+1) || !sl.Span.Start.Equal(want) {
				t.Errorf("slice %d: number %d, starts %v, want %v", i, sl.Seq, sl.Span.Start, want)
			}
			if !sl.Complete || len(sl.Losses) > 0 {
				t.Errorf("slice %d: complete %v, losses %v", i, sl.Complete, sl.Losses)
			}
			if got := <-sub.C; got != sl {
				t.Errorf("the subscriber got %v", got)
			}
		}
		if _, more := <-sub.C; more {
			t.Error("the subscription goes on after the end")
		}
		st := s.Status()
		if st.Slicer.Closed != 3 || st.Sources[0].Updates != 5000 || st.DeadLetters != 0 {
			t.Errorf("status %+v", st)
		}
		for _, a := range st.Actors {
			if a.State != stateStopped || a.Failures != 0 {
				t.Errorf("actor %+v", a)
			}
		}
	})
}

func TestStartRefusesWhatItCannotRun(t *testing.T) {
	o := options(&fakeTier{})
	o.Tiers = nil
	if err := New(o).Start(t.Context()); err == nil {
		t.Error("starts without a tier")
	}
	s := start(t, options(&fakeTier{}))
	if err := s.Start(t.Context()); err == nil {
		t.Error("starts twice")
	}
	drain(t, s)
}

func TestStartGivesUpWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := New(options(&fakeTier{})).Start(ctx); err == nil {
		t.Error("starts though its context is done")
	}
}

func TestRootFailureIsFatal(t *testing.T) {
	s := start(t, options(&fakeTier{}, SourceSpec{"push", sender(10, sources.Wait)}))
	if err := s.Inject("root", "no root"); err != nil {
		t.Fatal(err)
	}
	err := <-s.Fatal()
	if err == nil || !strings.Contains(err.Error(), "no root") {
		t.Errorf("fatal: %v", err)
	}
	if err := s.Drain(t.Context()); err == nil {
		t.Error("a drain without a root reports no error")
	}
}

func TestInjectNeedsAnActor(t *testing.T) {
	s := start(t, options(&fakeTier{}))
	if err := s.Inject("nobody", "x"); err == nil {
		t.Error("injects into nobody")
	}
	drain(t, s)
}

// A fault in any actor costs nothing that was sent.
func TestFaultsLoseNothing(t *testing.T) {
	for _, name := range []string{"shard-0", "shard-1", "slicer", "tier/memory", "source/push"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tier := &fakeTier{}
				var sent atomic.Uint64
				o := options(tier, SourceSpec{"push", ticker(&sent)})
				o.Clock = noonClock()
				s := start(t, o)
				for range 30 {
					rest(1700 * time.Millisecond)
					if err := s.Inject(name, "injected"); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				if a := actorOf(t, s, name); a.Failures < 5 || a.LastError != "injected" {
					t.Errorf("actor %+v", a)
				}
				drain(t, s)
				if got := tier.totals().Up.Bytes; got != sent.Load() {
					t.Errorf("%d bytes in the tier, %d sent", got, sent.Load())
				}
			})
		})
	}
}

// ticker is a source that sends a byte each 10 ms, and counts what was taken.
func ticker(sent *atomic.Uint64) config {
	return func(core sources.Core) (sources.Source, error) {
		return push(func(ctx context.Context, ready func()) error {
			w := core.Out.Writer(sources.Wait)
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			ready()
			for n := uint32(0); ; n++ {
				select {
				case <-ctx.Done():
					return nil
				case <-tick.C:
				}
				if err := w.Add(ctx, delta(n%100, 1), nil, nil); err == nil {
					sent.Add(1)
				}
				if n%20 == 0 {
					_ = w.Flush(ctx)
				}
			}
		}), nil
	}
}

func TestHomeReachesShards(t *testing.T) {
	tables := newTables()
	o := options(&fakeTier{})
	o.newTable = tables.make
	s := start(t, o)
	h := flows.NewHome(nil, nil)
	s.SetHome(h)
	eventually(t, "home in both shards", func() bool {
		return tables.count(func(t *fakeTable) bool { return len(t.homes) == 1 && t.homes[0] == h }) == 2
	})
	drain(t, s)
}

func TestTapGetsCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options(&fakeTier{}, SourceSpec{"push", sender(1000, sources.Wait)})
		s := New(o)
		var seen atomic.Uint64
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		dropped := s.Tap(ctx, func(b *messages.Batch) {
			if b.Source != "push" {
				t.Errorf("batch of %q", b.Source)
			}
			seen.Add(uint64(len(b.Updates)))
		})
		s.Tap(ctx, func(*messages.Batch) { panic("a tap that fails") })
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if seen.Load() != 1000 || dropped() != 0 {
			t.Errorf("%d updates seen, %d batches dropped", seen.Load(), dropped())
		}
		cancel()
		synctest.Wait()
		if s.taps.list.Load() != nil {
			t.Error("a tap stays after its end")
		}
		drain(t, s)
	})
}

func TestSlowTapDropsAndCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(options(&fakeTier{}, SourceSpec{"push", sender(100*messages.BatchSize, sources.Wait)}))
		block := make(chan struct{})
		var seen atomic.Uint64
		dropped := s.Tap(t.Context(), func(*messages.Batch) { seen.Add(1); <-block })
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if dropped() == 0 {
			t.Error("nothing dropped")
		}
		close(block)
		synctest.Wait()
		if batches := s.Status().Sources[0].Batches; seen.Load()+dropped() != batches {
			t.Errorf("%d seen, %d dropped, %d posted", seen.Load(), dropped(), batches)
		}
		drain(t, s)
	})
}

func TestSlowSubscriberDropsAndCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, options(&fakeTier{}))
		sub := s.Subscribe(2)
		rest(65 * time.Second)
		if len(sub.C) != 2 || sub.Dropped() < 3 {
			t.Errorf("%d waiting, %d dropped", len(sub.C), sub.Dropped())
		}
		sub.Close()
		sub.Close()
		drain(t, s)
		if _, more := <-s.Subscribe(1).C; more {
			t.Error("a subscription after the end is open")
		}
	})
}
