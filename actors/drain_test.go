package actors

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/messages"
	"weir/sources"
)

// A shard that hangs costs its own data; the drain tells so and goes on.
func TestDrainGoesOnWithoutAShardThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier, ts := &fakeTier{}, newTables()
		block := make(chan struct{})
		ts.setup = func(f *fakeTable) {
			if f.options.Shard == 0 {
				f.onApply = func(*messages.Batch) { <-block }
			}
		}
		o := options(tier, SourceSpec{"s", sender(10*messages.BatchSize, sources.Wait)})
		o.newTable = ts.make
		s := start(t, o)
		rest(time.Second)
		err := s.Drain(t.Context())
		if err == nil || !strings.Contains(err.Error(), "shard-0") || strings.Contains(err.Error(), "shard-1") {
			t.Errorf("drain: %v", err)
		}
		if err := s.Drain(t.Context()); err == nil {
			t.Error("a second drain tells another story")
		}
		all := tier.all()
		if len(all) == 0 || all[0].Complete || tier.totals().Up.Bytes == 0 {
			t.Errorf("slices %+v", all)
		}
		close(block)
		rest(time.Second)
	})
}

func TestDrainHeedsItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		block := make(chan struct{})
		stuck := push(func(_ context.Context, ready func()) error {
			ready()
			<-block
			return nil
		})
		s := start(t, options(&fakeTier{}, SourceSpec{"s", fixed(stuck)}))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began := time.Now()
		if err := s.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("drain: %v", err)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("took %v", took)
		}
		close(block)
		rest(time.Minute)
	})
}

// A child that ends without having been told to means that nobody knows what else is wrong.
func TestChildThatEndsIsFatal(t *testing.T) {
	s := start(t, options(&fakeTier{}))
	s.lib.Root.Stop(s.shards[0].pid.Load())
	if err := <-s.Fatal(); !strings.Contains(err.Error(), "shard-0 has ended") {
		t.Errorf("fatal: %v", err)
	}
	if err := s.Drain(t.Context()); err == nil {
		t.Error("no error")
	}
}

// A shard that never gets well must not be buried under commands.
func TestCommandsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier := &fakeTier{}
		var broken atomic.Bool
		broken.Store(true)
		o := options(tier)
		o.disturb = func(name string, _ any) {
			if name == "shard-0" && broken.Load() {
				panic("always")
			}
		}
		s := start(t, o)
		rest(2 * time.Hour)
		if n := s.shards[0].gate.commands.Load(); n != maxCommands {
			t.Errorf("%d commands wait", n)
		}
		all := tier.all()
		if len(all) < 700 || all[len(all)-1].Complete {
			t.Errorf("%d slices", len(all))
		}
		broken.Store(false)
		rest(time.Minute)
		if all := tier.all(); !all[len(all)-1].Complete {
			t.Error("slices are not complete after the shard got well")
		}
		drain(t, s)
	})
}

// A slicer that fails on what it is told does not wait for what is lost by that.
func TestSlicerThatFailsCutsTheRoundShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier := &fakeTier{}
		o := options(tier)
		o.Clock = noonClock()
		o.disturb = func(name string, m any) {
			if f, ok := m.(*messages.EventsFlushed); ok && name == slicerName && f.Seq == 2 {
				panic("cannot hear it")
			}
		}
		s := start(t, o)
		rest(21 * time.Second)
		all := tier.all()
		if len(all) != 2 || !all[0].Complete || all[1].Complete {
			t.Fatalf("slices %+v", all)
		}
		rest(10 * time.Second)
		if all = tier.all(); len(all) != 3 || !all[2].Complete {
			t.Errorf("slices %+v", all)
		}
		drain(t, s)
	})
}

func TestTierThatFailsLosesNoSliceInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent, tries atomic.Uint64
		tier := &fakeTier{}
		tier.onAppend = func(sl *messages.Slice) error {
			if sl.Seq == 2 && tries.Add(1) < maxAppends || sl.Seq == 3 {
				return errGiven
			}
			return nil
		}
		o := options(tier, SourceSpec{"push", ticker(&sent)})
		o.Clock = noonClock()
		s := start(t, o)
		rest(55 * time.Second)
		drain(t, s)
		seqs := []uint64{}
		for _, sl := range tier.all() {
			seqs = append(seqs, sl.Seq)
		}
		if len(seqs) != 5 || seqs[1] != 2 || seqs[2] != 4 {
			t.Errorf("slices %v", seqs)
		}
		lost, _, bytes := tier.losses(messages.LossRestart)
		if len(lost) != 1 || tier.totals().Up.Bytes+bytes != sent.Load() {
			t.Errorf("%d in the tier, %+v, %d sent", tier.totals().Up.Bytes, lost, sent.Load())
		}
		if st := s.Status().Slicer; st.Failed != 1 || st.Unpublished != 0 {
			t.Errorf("slicer %+v", st)
		}
	})
}

func TestClockIsFollowedByTheWholeTree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier, ts := &fakeTier{}, newTables()
		tries := 0
		tier.onRelabel = func() error {
			if tries++; tries == 1 {
				return errGiven
			}
			return nil
		}
		clock := newBubbleClock()
		boot := time.Date(1970, time.January, 1, 0, 0, 0, 0, time.UTC)
		clock.set(boot)
		o := options(tier)
		o.Clock, o.newTable = clock, ts.make
		s := start(t, o)
		rest(15 * time.Second)
		clock.set(noon)
		rest(15 * time.Second)
		want := relabelSlices{since: 1, delta: noon.Sub(boot) - 15*time.Second}
		if len(tier.relabels) != 1 || tier.relabels[0] != want {
			t.Errorf("relabels %v", tier.relabels)
		}
		for _, f := range ts.all {
			if len(f.clockSets) != 1 || !f.clockSets[0].Unset {
				t.Errorf("the table was told %v", f.clockSets)
			}
		}
		all := tier.all()
		if len(all) != 3 || all[1].Span.Start.Year() != 1970 || all[2].Span.Start.Year() != 2026 {
			t.Errorf("slices %+v", all)
		}
		drain(t, s)
	})
}
