package actors

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"weir/messages"
	"weir/store"
)

// fakeArchive keeps slices in a list.
type fakeArchive struct {
	mu       sync.Mutex
	kept     []*messages.Slice
	relabels []relabelSlices
	steps    int
	needs    atomic.Bool
	onAppend func(*messages.Slice) error
	onStep   func(context.Context) (bool, error)
}

func (a *fakeArchive) Append(s *messages.Slice) error {
	if a.onAppend != nil {
		if err := a.onAppend(s); err != nil {
			return err
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kept = append(a.kept, s)
	return nil
}

func (a *fakeArchive) Relabel(since uint64, delta time.Duration) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.relabels = append(a.relabels, relabelSlices{since, delta})
	return nil
}

func (a *fakeArchive) Step(ctx context.Context) (bool, error) {
	a.mu.Lock()
	a.steps++
	a.mu.Unlock()
	if a.onStep != nil {
		return a.onStep(ctx)
	}
	return false, nil
}

func (a *fakeArchive) NeedsAccounts() bool { return a.needs.Load() }

func (*fakeArchive) Status() store.ArchiveStatus { return store.ArchiveStatus{WrittenToday: 42} }

func (a *fakeArchive) all() []*messages.Slice {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.kept)
}

// sums adds the bytes that are kept, and those that are told as lost.
func (a *fakeArchive) sums() (kept, lost uint64) {
	for _, s := range a.all() {
		for _, p := range s.Parts {
			kept += p.Totals().Up.Bytes
		}
		for _, l := range s.Losses {
			if l.Source == archiveName && l.Kind == messages.LossDamaged {
				lost += l.Bytes
			}
		}
	}
	return kept, lost
}

func (a *fakeArchive) seqs() (seqs []uint64) {
	for _, s := range a.all() {
		seqs = append(seqs, s.Seq)
	}
	return seqs
}

// archived is a system at noon, with a source that sends a byte now and then.
func archived(t *testing.T, a store.Archive, change func(*Options)) (*System, *fakeTier, *atomic.Uint64) {
	t.Helper()
	tier, sent := &fakeTier{}, &atomic.Uint64{}
	o := options(tier, SourceSpec{"push", ticker(sent)})
	o.Clock, o.Archive = noonClock(), a
	if change != nil {
		change(&o)
	}
	return start(t, o), tier, sent
}

func TestArchiveGetsEachSlice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &fakeArchive{}
		s, tier, sent := archived(t, a, nil)
		rest(35 * time.Second)
		if got := a.seqs(); !slices.Equal(got, []uint64{1, 2, 3}) {
			t.Errorf("kept %v", got)
		}
		st := cross(t, &Status{Archive: s.Status().Archive}).Archive
		if !st.On || st.State != archiveRunning || st.LastSeq != 3 || st.Lag != 0 || st.WrittenToday != 42 ||
			st.LastKept != periodOf(tier.all()[2].Span) || st.Kept != 3 || st.Detail != "" || st.Steps == 0 {
			t.Errorf("status %+v", st)
		}
		drain(t, s)
		if kept, lost := a.sums(); kept != sent.Load() || lost != 0 || len(a.all()) != len(tier.all()) {
			t.Errorf("kept %d, lost %d, sent %d", kept, lost, sent.Load())
		}
	})
}

// A slow archive delays nobody else, and gets all slices in the end.
func TestSlowArchive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &fakeArchive{}
		a.onAppend = func(m *messages.Slice) error {
			if m.Seq == 2 {
				time.Sleep(65 * time.Second)
			}
			return nil
		}
		s, tier, _ := archived(t, a, nil)
		rest(81 * time.Second)
		if st := s.Status(); st.Archive.State != archiveBehind || st.Archive.Lag != 7 || st.Slicer.Late != 0 ||
			!strings.Contains(st.Archive.Detail, "7 slices wait") {
			t.Errorf("status %+v", st.Archive)
		}
		if got := len(tier.all()); got != 8 {
			t.Errorf("%d slices in memory", got)
		}
		rest(5 * time.Second)
		if got := a.seqs(); !slices.IsSorted(got) || len(got) != 8 {
			t.Errorf("kept %v", got)
		}
		drain(t, s)
	})
}

// A full disk is told with what to do, slices are offered again less and less often, and none is missing once there
// is room.
func TestFullArchive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var full atomic.Bool
		var tries atomic.Int64
		full.Store(true)
		a := &fakeArchive{}
		a.onAppend = func(*messages.Slice) error {
			if full.Load() {
				tries.Add(1)
				return fmt.Errorf("write: %w", syscall.ENOSPC)
			}
			return nil
		}
		s, tier, _ := archived(t, a, nil)
		rest(5 * time.Minute)
		st := s.Status().Archive
		if st.State != archiveFailing || !strings.Contains(st.Detail, "disk is full") ||
			!strings.Contains(st.Detail, "Make room") || st.Lag != 30 || st.Failures != uint64(tries.Load()) {
			t.Errorf("status %+v", st)
		}
		if n := tries.Load(); n < 5 || n > 12 {
			t.Errorf("%d tries in 5 minutes", n)
		}
		full.Store(false)
		rest(time.Minute)
		if got := a.seqs(); len(got) != len(tier.all()) || !slices.IsSorted(got) {
			t.Errorf("kept %v", got)
		}
		if st := s.Status().Archive; st.State != archiveRunning || st.Detail != "" {
			t.Errorf("status %+v", st)
		}
		drain(t, s)
	})
}

// An archive that hangs for long costs the oldest slices, told to the byte, and no account.
func TestArchiveThatLagsTooMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, block := &fakeArchive{}, make(chan struct{})
		a.onAppend = func(*messages.Slice) error { <-block; return nil }
		ts := newTables()
		ts.setup = func(f *fakeTable) {
			f.account = func(c *messages.CloseSlice) []messages.Account {
				return []messages.Account{
					{Flow: 1 + uint64(f.options.Shard), Last: [2]messages.Counter{{Bytes: c.Seq}}},
					{Flow: 100*c.Seq + uint64(f.options.Shard)},
				}
			}
		}
		s, tier, _ := archived(t, a, func(o *Options) { o.newTable = ts.make })
		rest((maxRacked + 10) * 10 * time.Second)
		if st := s.Status().Archive; st.Lag != maxRacked || st.Dropped != 10 {
			t.Errorf("status %+v", st)
		}
		close(block)
		rest(25 * time.Second)
		kept, lost := a.sums()
		if kept+lost != tier.totals().Up.Bytes || lost == 0 {
			t.Errorf("kept %d, lost %d of %d", kept, lost, tier.totals().Up.Bytes)
		}
		seen := map[uint64]uint64{}
		for _, m := range a.all() {
			for _, acc := range m.Accounts {
				seen[acc.Flow] = acc.Last[0].Bytes
			}
		}
		if last := a.seqs()[len(a.seqs())-1]; len(seen) != 2+2*int(last) || seen[1] != last {
			t.Errorf("%d accounts after slice %d, the first is %d", len(seen), last, seen[1])
		}
		drain(t, s)
	})
}

// A slice over which the archive panics is offered again, and given up after the second time; the others are kept.
func TestArchiveThatPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var once, always, steps atomic.Int64
		a := &fakeArchive{}
		a.onAppend = func(m *messages.Slice) error {
			if m.Seq == 2 && once.Add(1) == 1 || m.Seq == 4 && always.Add(1) > 0 {
				panic("append")
			}
			return nil
		}
		a.onStep = func(context.Context) (bool, error) {
			if steps.Add(1)%5 == 3 {
				panic("step")
			}
			return false, errGiven
		}
		s, tier, _ := archived(t, a, nil)
		rest(65 * time.Second)
		if got := a.seqs(); !slices.Equal(got, []uint64{1, 2, 3, 5, 6}) || always.Load() != maxCrashes {
			t.Errorf("kept %v, %d tries", got, always.Load())
		}
		if st := s.Status(); st.Archive.Dropped != 1 || st.Archive.StepFailures == 0 || st.Slicer.Late != 0 {
			t.Errorf("status %+v", st.Archive)
		}
		if actorOf(t, s, archiveName).Failures < 3 {
			t.Error("the actor has not failed")
		}
		drain(t, s)
		if kept, lost := a.sums(); kept+lost != tier.totals().Up.Bytes || lost == 0 {
			t.Errorf("kept %d, lost %d of %d", kept, lost, tier.totals().Up.Bytes)
		}
	})
}

// Work in the background that panics each time keeps no slice from being stored.
func TestArchiveWhoseWorkPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &fakeArchive{onStep: func(context.Context) (bool, error) { panic("step") }}
		s, tier, _ := archived(t, a, nil)
		rest(10*time.Minute + 5*time.Second)
		st := s.Status().Archive
		got, few, many := a.seqs(), st.StepFailures < 5, st.StepFailures > 30
		if len(got) != len(tier.all()) || st.Dropped != 0 || few || many {
			t.Errorf("kept %d of %d: %+v", len(got), len(tier.all()), st)
		}
		drain(t, s)
	})
}

// Work in the background is bounded in time, rests as long as it worked, and delays no slice.
func TestArchiveWorksBeside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &fakeArchive{}
		var busy atomic.Int64
		a.onStep = func(ctx context.Context) (bool, error) {
			began := time.Now()
			<-ctx.Done()
			busy.Add(int64(time.Since(began)))
			return true, ctx.Err()
		}
		s, tier, _ := archived(t, a, nil)
		rest(2 * time.Minute)
		if got := a.seqs(); len(got) != len(tier.all()) || len(got) < 11 {
			t.Errorf("kept %v", got)
		}
		st := s.Status().Archive
		if time.Duration(busy.Load()) > 70*time.Second || st.Steps < 4 || st.StepFailures != 0 || !st.Busy {
			t.Errorf("worked for %v: %+v", time.Duration(busy.Load()), st)
		}
		drain(t, s)
	})
}

// All accounts are asked for with the first slice, and whenever the archive needs them, once each time.
func TestArchiveAsksForAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, ts := &fakeArchive{}, newTables()
		a.onAppend = func(m *messages.Slice) error {
			if m.Seq == 4 {
				a.needs.Store(false)
			}
			return nil
		}
		s, _, _ := archived(t, a, func(o *Options) { o.newTable = ts.make })
		rest(21 * time.Second)
		a.needs.Store(true)
		rest(30 * time.Second)
		for _, f := range ts.all {
			var asked []uint64
			f.mu.Lock()
			for _, c := range f.closes {
				if c.Accounts {
					asked = append(asked, c.Seq)
				}
			}
			f.mu.Unlock()
			if !slices.Equal(asked, []uint64{1, 4}) || !f.options.Accounts {
				t.Errorf("asked for accounts with slices %v", asked)
			}
		}
		if all := a.all(); !all[0].AllAccounts || all[1].AllAccounts || !all[3].AllAccounts {
			t.Error("the slices do not say which bring all accounts")
		}
		drain(t, s)
	})
}

// A drain waits for an archive that is slow, and not for ever for one that hangs.
func TestDrainWithAnArchive(t *testing.T) {
	for name, hangs := range map[string]bool{"slow": false, "hangs": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, block := &fakeArchive{}, make(chan struct{})
				a.onAppend = func(*messages.Slice) error {
					if hangs {
						<-block
					}
					time.Sleep(time.Second)
					return nil
				}
				s, tier, _ := archived(t, a, nil)
				rest(15 * time.Second)
				began := time.Now()
				err := s.Drain(t.Context())
				if took := time.Since(began); took > 15*time.Second {
					t.Errorf("took %v", took)
				}
				if hangs != (err != nil) {
					t.Errorf("drain: %v", err)
				}
				if kept, _ := a.sums(); !hangs && (kept != tier.totals().Up.Bytes || len(tier.all()) < 2) {
					t.Errorf("kept %d of %d", kept, tier.totals().Up.Bytes)
				}
				close(block)
				rest(time.Minute)
			})
		})
	}
}

// An archive that fails while the program ends is tried again, and then told.
func TestDrainWithAnArchiveThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &fakeArchive{}
		var tries atomic.Int64
		a.onAppend = func(*messages.Slice) error {
			if tries.Add(1) == 2 {
				panic("append")
			}
			return errGiven
		}
		s, _, _ := archived(t, a, nil)
		rest(5 * time.Second)
		if err := s.Drain(t.Context()); err == nil || !strings.Contains(err.Error(), "were not stored") {
			t.Errorf("drain: %v", err)
		}
		if tries.Load() < 5 {
			t.Errorf("%d tries", tries.Load())
		}
		rest(time.Second)
	})
}

func TestStartGoesOnFromAnEarlierProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, ts := &fakeArchive{}, newTables()
		since := noon.Add(-time.Hour)
		last := messages.Span{Start: noon.Add(-50 * time.Second), End: noon.Add(-40 * time.Second)}
		s, tier, _ := archived(t, a, func(o *Options) {
			o.newTable, o.FirstSeq, o.CountsSince, o.LastSpan = ts.make, 70_000, since, last
			o.Restore = []messages.Account{{Flow: 7}}
		})
		rest(11 * time.Second)
		for _, f := range ts.all {
			if o := f.options; o.FirstSeq != 70_000 || !o.CountsSince.Equal(since) || len(o.Restore) != 1 {
				t.Errorf("options %+v", o)
			}
		}
		all := tier.all()
		if len(all) != 1 || all[0].Seq != 70_000 {
			t.Fatalf("slices %+v", all)
		}
		found, _, _ := tier.losses(messages.LossDown)
		if len(found) != 1 || found[0].Span != (messages.Span{Start: last.End, End: noon}) ||
			!strings.Contains(found[0].Detail, "40s") || !strings.Contains(found[0].Detail, "counts in this slice") {
			t.Errorf("losses %+v", found)
		}
		if st := s.Status(); !st.CountsSince.Equal(since) || st.Slicer.Unpublished != 0 || st.Slicer.Seq != 70_001 {
			t.Errorf("status %+v", st.Slicer)
		}
		drain(t, s)
		if got := a.seqs(); got[0] != 70_000 || !slices.IsSorted(got) {
			t.Errorf("kept %v", got)
		}
	})
}

// A clock that was ahead when counting began must not make everything look older than that.
func TestCountingThatBeganInTheFuture(t *testing.T) {
	last := messages.Span{Start: noon.Add(-time.Minute), End: noon.Add(-50 * time.Second)}
	s := New(Options{CountsSince: noon.Add(time.Hour), LastSpan: last})
	if s.started = noon; !s.countsSince().Equal(last.Start) {
		t.Errorf("counts since %v", s.countsSince())
	}
}

func TestRelabelReachesTheArchiveInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &fakeArchive{}
		clock := newBubbleClock()
		clock.set(time.Date(1970, time.January, 1, 0, 0, 0, 0, time.UTC))
		var after []uint64
		s, tier, _ := archived(t, a, func(o *Options) { o.Clock = clock })
		rest(15 * time.Second)
		clock.set(noon)
		rest(15 * time.Second)
		for _, m := range a.all() {
			after = append(after, m.Seq)
		}
		if len(a.relabels) != 1 || a.relabels[0] != tier.relabels[0] || len(after) != 3 {
			t.Errorf("relabels %v, kept %v", a.relabels, after)
		}
		drain(t, s)
	})
}
