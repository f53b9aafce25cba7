package actors

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/computations"
	"weir/messages"
	"weir/sources"
)

// computing adds computations to the options, by rank.
func computing(o Options, cs ...computations.Config) Options {
	for i, c := range cs {
		name := string("abc"[i])
		o.Computations = append(o.Computations, ComputationSpec{Name: name, Rank: 10 * i, Config: c})
	}
	return o
}

func TestTagsAreInTheSliceThatIsSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier := &fakeTier{}
		o := options(tier, SourceSpec{"push", sender(5000, sources.Wait)})
		o.Clock = noonClock()
		var settled []int64
		c := &thinker{settle: func(now int64, v *computations.View, out computations.Out) {
			settled = append(settled, now)
			for e := range v.All() {
				out.Tag(e, nil) // Says nothing.
				if !slices.Contains(e.Tags, appX) {
					out.Tag(e, tagList(appX))
				}
			}
		}}
		s := New(computing(o, always(c)))
		var heard atomic.Uint64
		s.Tap(t.Context(), func(b *messages.Batch) { heard.Add(uint64(len(b.Updates))) })
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		rest(25 * time.Second)
		st := s.Status()
		drain(t, s)
		all := tier.all()
		if len(all) != 3 || rowsOf(all[0]) != 5000 || tagged(all[0], appX) != 5000 || tier.totals().Up.Bytes != 5000 {
			t.Errorf("%d slices, %d rows, %d tagged, %d bytes", len(all), rowsOf(all[0]), tagged(all[0], appX),
				tier.totals().Up.Bytes)
		}
		for _, sl := range all {
			if !sl.Complete || len(sl.Losses) != 0 {
				t.Errorf("slice %+v", sl)
			}
		}
		if heard.Load() != 5000 {
			t.Errorf("a tap heard %d updates; what computations say is no recording's business", heard.Load())
		}
		c0 := st.Computations[0]
		if c0.Name != "a" || !c0.Running || !c0.Fresh || c0.Updates != 5000 || c0.Settled != 2 || c0.Flows != 5000 ||
			c0.Events != 10000 || c0.Late != 0 || c0.Metrics[0].Value != 42 || c0.Waiting != 0 || c0.Queued != 0 {
			t.Errorf("status %+v", c0)
		}
		if len(settled) != 3 || time.Duration(settled[1]-settled[0]) != o.Slice {
			t.Errorf("settled at %v", settled)
		}
		if st.DeadLetters != 0 {
			t.Errorf("%d dead letters", st.DeadLetters)
		}
	})
}

func TestFactsReachComputations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 3000
		var facts atomic.Uint64
		c := &thinker{handle: func(in *messages.Events, _ *computations.View, _ computations.Out) {
			if in.Time == 0 {
				t.Error("events without a time")
			}
			facts.Add(uint64(len(in.Facts)))
		}}
		o := options(&fakeTier{}, SourceSpec{"push", teller(n)})
		s := start(t, computing(o, always(c), always(c)))
		rest(11 * time.Second)
		if facts.Load() != 2*n {
			t.Errorf("%d facts", facts.Load())
		}
		drain(t, s)
	})
}

// One of a higher rank sees what those of lower ranks have said of the same slice, even at its end.
func TestRanksSeeEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier := &fakeTier{}
		low := &thinker{settle: func(_ int64, v *computations.View, out computations.Out) {
			for e := range v.All() {
				if !slices.Contains(e.Tags, appX) {
					out.Tag(e, tagList(appX))
				}
			}
		}}
		high := &thinker{handle: func(in *messages.Events, _ *computations.View, out computations.Out) {
			for i := range in.Flows {
				if e := &in.Flows[i]; slices.Contains(e.Tags, appX) && !slices.Contains(e.Tags, origY) {
					out.Tag(e, tagList(origY))
				}
			}
		}}
		o := options(tier, SourceSpec{"push", sender(2000, sources.Wait)})
		o.Clock = noonClock()
		s := start(t, computing(o, always(low), always(high)))
		rest(11 * time.Second)
		drain(t, s)
		if sl := tier.all()[0]; tagged(sl, appX) != 2000 || tagged(sl, origY) != 2000 || !sl.Complete {
			t.Errorf("%d tagged by the lower rank, %d by the higher", tagged(sl, appX), tagged(sl, origY))
		}
	})
}

// One that is slow misses the slice; everybody else goes on, and does not wait for it again until it is done.
func TestSlowComputationBrakesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent atomic.Uint64
		tier, wake := &fakeTier{}, make(chan struct{})
		slow := &thinker{handle: func(in *messages.Events, v *computations.View, out computations.Out) {
			<-wake
			tagEach(appX)(in, v, out)
		}}
		o := options(tier, SourceSpec{"push", ticker(&sent)})
		o.Clock = noonClock()
		s := start(t, computing(o, always(slow), always(&thinker{handle: tagEach(origY)})))
		rest(70 * time.Second)
		st := s.Status()
		if st.Slicer.Closed < 6 || st.Slicer.Incomplete != 0 || st.Sources[0].ShedUpdates != 0 {
			t.Errorf("slicer %+v", st.Slicer)
		}
		if c := st.Computations[0]; c.Late < 5 || c.Fresh || c.Waiting > 2*inletWindow {
			t.Errorf("the slow one: %+v", c)
		}
		if c := st.Computations[1]; c.Late != 0 || c.Settled < 6 || c.Updates != 100 {
			t.Errorf("the other: %+v", c)
		}
		close(wake)
		rest(30 * time.Second)
		drain(t, s)
		all := tier.all()
		if got := tier.totals().Up.Bytes; got != sent.Load() {
			t.Errorf("%d bytes in the tier, %d sent", got, sent.Load())
		}
		l := all[0].Losses
		if len(l) != 1 || l[0].Kind != messages.LossUntagged || l[0].Source != "a" || !all[0].Complete {
			t.Errorf("the first slice tells %+v", l)
		}
		last := all[len(all)-2]
		if tagged(last, appX) != 100 || len(last.Losses) != 0 || tagged(all[0], origY) != 100 {
			t.Errorf("%d of %d rows tagged at last, losses %+v", tagged(last, appX), rowsOf(last), last.Losses)
		}
	})
}

func TestComputationThatPanicsOnEachEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent atomic.Uint64
		tier := &fakeTier{}
		bad := &thinker{handle: func(*messages.Events, *computations.View, computations.Out) { panic("cannot think") }}
		o := options(tier, SourceSpec{"push", ticker(&sent)})
		o.Clock = noonClock()
		s := start(t, computing(o, always(bad), always(&thinker{handle: tagEach(origY)})))
		rest(5 * time.Minute)
		st := s.Status()
		a := actorOf(t, s, "computation/a")
		if a.Failures < 10 || a.LastError != "cannot think" || st.Computations[0].GivenUp < 100 {
			t.Errorf("actor %+v, %+v", a, st.Computations[0])
		}
		drain(t, s)
		if got := tier.totals().Up.Bytes; got != sent.Load() {
			t.Errorf("%d bytes in the tier, %d sent", got, sent.Load())
		}
		for i, sl := range tier.all()[:30] {
			if !sl.Complete || tagged(sl, origY) != 100 {
				t.Errorf("slice %d: complete %v, %d tagged", i, sl.Complete, tagged(sl, origY))
			}
			if i > 0 && !sl.Span.Start.Equal(noon.Add(time.Duration(i)*o.Slice)) {
				t.Errorf("slice %d begins at %v", i, sl.Span.Start)
			}
		}
		if found, _, _ := tier.losses(messages.LossUntagged); len(found) < 20 {
			t.Errorf("told %+v", found)
		}
	})
}

// A slice does not wait for one that has failed while it settled, and not for one that waits to be restarted.
func TestPanicInSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier := &fakeTier{}
		o := options(tier, SourceSpec{"push", sender(1000, sources.Wait)})
		o.Clock = noonClock()
		var calls atomic.Int64
		bad := &thinker{settle: func(int64, *computations.View, computations.Out) {
			if calls.Add(1) <= 6 {
				panic("unsettled")
			}
		}}
		s := start(t, computing(o, always(bad)))
		var took []float64
		for range 12 {
			rest(10 * time.Second)
			took = append(took, s.Status().Slicer.LastRound)
		}
		if slices.Max(took) > 0.01 {
			t.Errorf("rounds took %v", took)
		}
		st := s.Status()
		if c := st.Computations[0]; c.Settled < 5 || c.Late < 3 || !c.Running {
			t.Errorf("status %+v", c)
		}
		drain(t, s)
		if st.Slicer.Incomplete != 0 || st.Slicer.LateAnswers != 0 {
			t.Errorf("slicer %+v", st.Slicer)
		}
		found, _, _ := tier.losses(messages.LossUntagged)
		if len(found) < 3 || !strings.Contains(found[0].Detail, "failed") {
			t.Errorf("told %+v", found)
		}
	})
}

// After a failure a computation is told of all flows again, and what made it fail is tried once more.
func TestComputationIsMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var made, events atomic.Int64
		c := computed(func(core computations.Core) (computations.Computation, error) {
			if core.Name != "a" {
				t.Errorf("made as %q", core.Name)
			}
			switch made.Add(1) {
			case 2:
				return nil, errGiven
			case 3:
				panic("New")
			case 4:
				return nil, nil //nolint:nilnil // That is the mistake.
			}
			return &thinker{handle: func(in *messages.Events, _ *computations.View, _ computations.Out) {
				events.Add(int64(len(in.Flows)))
			}}, nil
		})
		o := options(&fakeTier{}, SourceSpec{"push", sender(3000, sources.Wait)})
		o.Clock = noonClock()
		s := start(t, computing(o, c))
		rest(11 * time.Second)
		if events.Load() != 3000 {
			t.Fatalf("%d events", events.Load())
		}
		if err := s.Inject("computation/a", "fault"); err != nil {
			t.Fatal(err)
		}
		rest(20 * time.Second)
		if n := s.Status().Computations[0]; made.Load() != 5 || events.Load() != 6000 || n.Flows != 3000 {
			t.Errorf("made %d times, %d events, %+v", made.Load(), events.Load(), n)
		}
		if a := actorOf(t, s, "computation/a"); a.Failures != 4 {
			t.Errorf("actor %+v", a)
		}
		drain(t, s)
	})
}

// A computation may say something of every flow at once.
func TestUpdatesForAllFlowsAtEachSettle(t *testing.T) {
	n := uint32(100_000)
	if testing.Short() || raceEnabled {
		n = 20_000
	}
	synctest.Test(t, func(t *testing.T) {
		tier := &fakeTier{}
		o := options(tier, SourceSpec{"push", sender(n, sources.Wait)})
		o.Clock = noonClock()
		turns := 0
		c := &thinker{settle: func(_ int64, v *computations.View, out computations.Out) {
			turns++
			for e := range v.All() {
				out.Tag(e, tagList(appX))
			}
		}}
		s := start(t, computing(o, always(c)))
		rest(35 * time.Second)
		st := s.Status()
		drain(t, s)
		if sl := tier.all()[0]; tagged(sl, appX) != int(n) || !sl.Complete || len(sl.Losses) != 0 {
			t.Errorf("%d tagged in the first slice, losses %+v", tagged(sl, appX), sl.Losses)
		}
		if c := st.Computations[0]; c.Updates != 3*uint64(n) || c.UpdatesDropped != 0 || turns != 4 {
			t.Errorf("%d turns, status %+v", turns, c)
		}
		if got := tier.totals().Up.Bytes; got != uint64(n) {
			t.Errorf("%d bytes", got)
		}
	})
}

// A shard that hangs costs the updates for it, and neither the computation nor the drain hangs with it.
func TestUpdatesForAShardThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier, block := &fakeTier{}, make(chan struct{})
		var hangs atomic.Bool
		o := options(tier, SourceSpec{"push", sender(40_000, sources.Wait)})
		o.Clock = noonClock()
		o.disturb = func(name string, m any) {
			if _, flush := m.(*messages.FlushEvents); flush && name == "shard-0" && hangs.Load() {
				<-block
			}
		}
		c := &thinker{settle: func(_ int64, v *computations.View, out computations.Out) {
			for e := range v.All() {
				out.Tag(e, tagList(appX))
			}
		}}
		s := start(t, computing(o, always(c)))
		rest(15 * time.Second)
		hangs.Store(true)
		rest(40 * time.Second)
		if c := s.Status().Computations[0]; c.UpdatesDropped == 0 || c.Settled < 4 {
			t.Errorf("status %+v", c)
		}
		began := time.Now()
		if err := s.Drain(t.Context()); err == nil || strings.Contains(err.Error(), "computation") {
			t.Errorf("drain: %v", err)
		}
		if took := time.Since(began); took > 40*time.Second {
			t.Errorf("took %v", took)
		}
		if _, n, _ := tier.losses(messages.LossUntagged); n == 0 {
			t.Error("dropped updates are not told")
		}
		close(block)
		rest(time.Second)
	})
}

// The drain does not wait for a computation that hangs, and says so.
func TestDrainGoesOnWithoutAComputationThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent atomic.Uint64
		tier, block := &fakeTier{}, make(chan struct{})
		c := &thinker{handle: func(*messages.Events, *computations.View, computations.Out) { <-block }}
		s := start(t, computing(options(tier, SourceSpec{"push", ticker(&sent)}), always(c)))
		rest(15 * time.Second)
		err := s.Drain(t.Context())
		if err == nil || !strings.Contains(err.Error(), "computation/a") {
			t.Errorf("drain: %v", err)
		}
		if got := tier.totals().Up.Bytes; got != sent.Load() {
			t.Errorf("%d bytes in the tier, %d sent", got, sent.Load())
		}
		close(block)
		rest(time.Second)
	})
}

// Without computations a shard keeps no news.
func TestNoComputationsCostNothing(t *testing.T) {
	o := options(&fakeTier{}, SourceSpec{"push", sender(1000, sources.Wait)})
	s := start(t, o)
	eventually(t, "all is applied", func() bool { return s.Status().Sources[0].Updates == 1000 })
	for _, sh := range s.Status().Shards {
		if sh.Flows.EventsPending != 0 {
			t.Errorf("%d events wait for nobody", sh.Flows.EventsPending)
		}
	}
	if s.shards[0].herald != nil {
		t.Error("there is a herald")
	}
	drain(t, s)
}
