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

// fixed makes sources whose parts are given.
func fixed(s sources.Source) config {
	return func(sources.Core) (sources.Source, error) { return s, nil }
}

func TestSourceIsMadeAnewWhenItFails(t *testing.T) {
	for name, run := range map[string]func(core sources.Core, ctx context.Context) error{
		"error":  func(sources.Core, context.Context) error { return errGiven },
		"panic":  func(sources.Core, context.Context) error { panic(errGiven) },
		"return": func(sources.Core, context.Context) error { return nil },
		"goroutine panics": func(core sources.Core, ctx context.Context) error {
			core.Go(ctx, "reader", func(context.Context) error { panic(errGiven) })
			<-ctx.Done()
			return nil
		},
		"goroutine fails": func(core sources.Core, ctx context.Context) error {
			core.Go(ctx, "reader", func(context.Context) error { return errGiven })
			<-ctx.Done()
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var made, since atomic.Int64
				src := config(func(core sources.Core) (sources.Source, error) {
					if made.Add(1) == 1 {
						since.Store(core.CountsSince.UnixNano())
					} else if core.CountsSince.UnixNano() != since.Load() {
						t.Error("counting began at another time after a restart")
					}
					return push(func(ctx context.Context, ready func()) error {
						ready()
						if made.Load() > 3 {
							<-ctx.Done()
							return nil
						}
						return run(core, ctx)
					}), nil
				})
				tier := &fakeTier{}
				o := options(tier, SourceSpec{"s", src})
				o.Clock = noonClock()
				s := start(t, o)
				rest(11 * time.Second)
				if a := actorOf(t, s, "source/s"); made.Load() != 4 || a.Failures != 3 || a.State != stateRunning {
					t.Errorf("made %d times, %+v", made.Load(), a)
				}
				last := actorOf(t, s, "source/s").LastError
				if name == "goroutine panics" && last != "reader: given by the test" {
					t.Errorf("last error %q", last)
				}
				sl := tier.all()[0]
				if len(sl.Losses) != 1 || sl.Losses[0].Kind != messages.LossDown || sl.Losses[0].Source != "s" ||
					!strings.Contains(sl.Losses[0].Detail, "700ms") || !sl.Complete {
					t.Errorf("slice %+v", sl)
				}
				drain(t, s)
			})
		})
	}
}

func TestSourceThatCannotBeMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier := &fakeTier{}
		o := options(tier,
			SourceSpec{"broken", config(func(sources.Core) (sources.Source, error) { return nil, errGiven })},
			SourceSpec{"none", fixed(nil)},
			SourceSpec{"good", fixed(push(idle))})
		o.Clock = noonClock()
		s := start(t, o)
		rest(15 * time.Second)
		a := actorOf(t, s, "source/broken")
		if a.State != stateBackingOff || a.LastError != "make source: given by the test" {
			t.Errorf("%+v", a)
		}
		if a := actorOf(t, s, "source/good"); a.Failures != 0 {
			t.Errorf("%+v", a)
		}
		sl := tier.all()[0]
		if down, _, _ := tier.losses(messages.LossDown); len(down) != 2 || sl.Complete {
			t.Errorf("losses %v", sl.Losses)
		}
		if st := s.Status().Sources; st[0].State != sources.Starting || st[0].Ready || !st[2].Ready {
			t.Errorf("%+v", st)
		}
		drain(t, s)
	})
}

// tagging is the config of a source that says that it does not count.
type tagging struct{ config }

func (tagging) CountsBy() string { return "" }

// No byte is missing while a source is down that brings tags alone.
func TestSourceOfTagsThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier := &fakeTier{}
		broken := config(func(sources.Core) (sources.Source, error) { return nil, errGiven })
		o := options(tier, SourceSpec{"names", tagging{broken}}, SourceSpec{"good", fixed(push(idle))})
		o.Clock = noonClock()
		s := start(t, o)
		rest(15 * time.Second)
		sl := tier.all()[0]
		if down, _, _ := tier.losses(messages.LossUntagged); len(down) != 1 || len(sl.Losses) != 1 || !sl.Complete {
			t.Errorf("complete %v, losses %v", sl.Complete, sl.Losses)
		}
		drain(t, s)
	})
}

func TestSnapshotsAreTakenBeforeEachSlice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier, ts := &fakeTier{}, newTables()
		var w sources.Writer
		var asked atomic.Uint64
		src := config(func(core sources.Core) (sources.Source, error) {
			w = core.Out.Writer(sources.Wait)
			return pull{push(idle), func(ctx context.Context, req request) (messages.SnapshotTaken, error) {
				asked.Store(req.Seq)
				w.Snapshot(req.Seq)
				if err := w.Add(ctx, delta(1, req.Seq*10), nil, nil); err != nil {
					return messages.SnapshotTaken{}, err
				}
				return messages.SnapshotTaken{Complete: true, Records: 1}, w.Flush(ctx)
			}}, nil
		})
		o := options(tier, SourceSpec{"s", src})
		o.Clock, o.newTable = noonClock(), ts.make
		s := start(t, o)
		rest(35 * time.Second)
		drain(t, s)
		all := tier.all()
		if len(all) != 4 || asked.Load() != 4 {
			t.Fatalf("%d slices, snapshot %d", len(all), asked.Load())
		}
		for i, sl := range all {
			sum := messages.Totals{}
			for _, p := range sl.Parts {
				sum.Add(p.Totals())
			}
			if sum.Up.Bytes != uint64(i+1)*10 || !sl.Complete || len(sl.Losses) != 0 {
				t.Errorf("slice %d: %d bytes, %+v", i+1, sum.Up.Bytes, sl)
			}
		}
		for _, c := range ts.all[0].closes {
			if len(c.Snapshots) != 1 || c.Snapshots[0].Source != "s" || c.Snapshots[0].Seq != c.Seq {
				t.Errorf("slice %d rests on %+v", c.Seq, c.Snapshots)
			}
		}
	})
}

func TestSnapshotThatHangsIsNotTakenTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, calls atomic.Int64
		block := make(chan struct{})
		src := pull{push(idle), func(ctx context.Context, _ messages.SnapshotRequest) (messages.SnapshotTaken, error) {
			if running.Add(1) > 1 {
				t.Error("two snapshots at once")
			}
			defer running.Add(-1)
			if calls.Add(1) == 1 {
				<-block // A source that does not heed its context.
			}
			return messages.SnapshotTaken{Complete: true}, ctx.Err()
		}}
		tier := &fakeTier{}
		o := options(tier, SourceSpec{"s", fixed(src)})
		o.Clock = noonClock()
		s := start(t, o)
		rest(25 * time.Second)
		close(block)
		rest(10 * time.Second)
		all := tier.all()
		if len(all) != 3 || all[0].Complete || all[1].Complete || !all[2].Complete {
			t.Errorf("%+v", all)
		}
		drain(t, s)
	})
}

func TestSnapshotThatPanicsFailsTheSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := pull{push(idle), func(context.Context, messages.SnapshotRequest) (messages.SnapshotTaken, error) {
			panic("no table")
		}}
		tier := &fakeTier{}
		o := options(tier, SourceSpec{"s", fixed(src)})
		o.Clock = noonClock()
		s := start(t, o)
		rest(12 * time.Second)
		if a := actorOf(t, s, "source/s"); a.Failures != 1 || a.LastError != "snapshot: no table" {
			t.Errorf("%+v", a)
		}
		sl := tier.all()[0]
		if sl.Complete || !strings.Contains(sl.Losses[0].Detail, errNoSnapshot.Error()) {
			t.Errorf("%+v", sl)
		}
		drain(t, s)
	})
}

// A source that does not end is not made a second time, and a drain goes on without it.
func TestSourceThatDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var made atomic.Int64
		block := make(chan struct{})
		src := config(func(sources.Core) (sources.Source, error) {
			made.Add(1)
			return push(func(_ context.Context, ready func()) error {
				ready()
				<-block
				return nil
			}), nil
		})
		s := start(t, options(&fakeTier{}, SourceSpec{"s", src}))
		_ = s.Inject("source/s", "fails")
		rest(time.Minute)
		if a := actorOf(t, s, "source/s"); made.Load() != 1 || a.LastError != errStillRuns.Error() {
			t.Errorf("made %d times, %+v", made.Load(), a)
		}
		drain(t, s)
		close(block)
		synctest.Wait()
	})
}

// Inject reaches a source's goroutines: they end at once, though the actor waits before it goes on.
func TestFaultEndsTheSourceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan time.Time, 10)
		src := push(func(ctx context.Context, ready func()) error {
			ready()
			<-ctx.Done()
			ended <- time.Now()
			return nil
		})
		s := start(t, options(&fakeTier{}, SourceSpec{"s", fixed(src)}))
		now := time.Now()
		_ = s.Inject("source/s", "fails")
		if at := <-ended; at != now {
			t.Errorf("ended after %v", at.Sub(now))
		}
		drain(t, s)
	})
}

func TestCrew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := make(chan *crash, 10)
		w := newCrew(func(_ *crew, c *crash) { failed <- c })
		own, cancel := context.WithCancel(t.Context())
		ended := make(chan string, 10)
		w.start(own, "own context", func(ctx context.Context) error {
			<-ctx.Done()
			ended <- "own"
			return ctx.Err() // Of its own context: no failure.
		})
		w.start(w.ctx, "crew context", func(ctx context.Context) error {
			<-ctx.Done()
			ended <- "crew"
			return errors.New("too late to be a failure")
		})
		cancel()
		if who := <-ended; who != "own" {
			t.Errorf("%s ended", who)
		}
		w.start(w.ctx, "fails", func(context.Context) error { panic("first") })
		if who := <-ended; who != "crew" {
			t.Errorf("%s ended", who)
		}
		for range 2 {
			if !w.join(time.Second) {
				t.Error("not joined")
			}
		}
		w.start(t.Context(), "after the end", func(context.Context) error {
			t.Error("starts after the end")
			return nil
		})
		if c := <-failed; c.Error() != "fails: first" || len(failed) != 0 {
			t.Errorf("crash %v and %d more", c, len(failed))
		}
	})
}

func TestHealthOfASourceMayPanic(t *testing.T) {
	s := start(t, options(&fakeTier{}, SourceSpec{"s", fixed(sick{})}))
	eventually(t, "the panic shows", func() bool {
		st := s.Status().Sources[0]
		return st.State == sources.Degraded && strings.Contains(st.Detail, "unwell")
	})
	drain(t, s)
}

type sick struct{}

func (sick) Run(ctx context.Context, ready func()) error { return idle(ctx, ready) }
func (sick) Health() sources.Health                      { panic("unwell") }
