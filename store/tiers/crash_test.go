package tiers

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/disk/disktest"
	"weir/messages"
	"weir/store"
	"weir/store/storetest"
)

var errDead = errors.New("the process is dead")

// thin is a ladder whose finer tiers keep little, so that there is something to remove all the time.
func thin() []Level {
	levels := short()
	levels[0].Retention = duration(4 * time.Minute)
	levels[1].Retention = duration(8 * time.Minute)
	levels[2].Retention = duration(20 * time.Minute)
	return levels
}

// history is what one run after the other makes of slices.
type history struct {
	t      *testing.T
	r      *rand.Rand
	fs     *disktest.FS
	maker  *storetest.Maker
	slices []*messages.Slice
	at     time.Time
	cuts   int
	// verified and skipped are what verifying has compared, and what it could not.
	verified, skipped uint64
	// power says that the power fails; else the process is killed.
	power bool
}

// run opens the store, appends and works until the file system dies, and gives the number of slices that were
// acknowledged.
func (h *history) run(operations int) (acknowledged int) {
	s, err := New(testOptions(h.fs, thin()))
	if err != nil {
		h.t.Fatal(err)
	}
	defer s.Close()
	h.die(operations)
	if s.Open() != nil {
		return 0
	}
	for range 40 {
		sl := h.maker.Slice(4)
		sl.Seq = uint64(len(h.slices))
		if h.r.IntN(30) == 0 {
			h.at = h.at.Add(time.Duration(h.r.IntN(20)-10) * storetest.Resolution)
		}
		sl.Span = messages.Span{Start: h.at, End: h.at.Add(storetest.Resolution)}
		h.at = sl.Span.End
		h.slices = append(h.slices, sl)
		if err := s.Append(sl); err != nil {
			h.t.Fatal(err)
		}
		if s.State().Waiting == 0 {
			acknowledged = len(h.slices)
		}
		for range h.r.IntN(6) {
			if _, err := s.Step(h.t.Context()); err != nil {
				break
			}
		}
	}
	return acknowledged
}

// die lets all operations fail after some; of the first write that fails a part is there.
func (h *history) die(operations int) {
	left := operations
	h.fs.Fail(func(disktest.Op, string) error {
		if left--; left < 0 {
			return errDead
		}
		return nil
	}, func(n int) int { return h.r.IntN(n + 1) })
}

// reopen gives what is found afterwards.
func (h *history) reopen() {
	if h.power {
		h.fs = h.fs.Crash(h.r)
	} else {
		h.fs = h.fs.Restart()
	}
	h.cuts++
}

// check looks whether all is there once, as far as the journal says that there is anything.
func (h *history) check(acknowledged int) {
	h.t.Helper()
	s := openStore(h.t, testOptions(h.fs, thin()))
	defer s.Close()
	restored, _ := s.Restore()
	found := 0
	if restored.Found {
		found = int(restored.Seq) + 1
	}
	if found < acknowledged || found > len(h.slices) {
		h.t.Fatalf("cut %d: %d slices of %d, of which %d were acknowledged", h.cuts, found, len(h.slices), acknowledged)
	}
	h.slices = h.slices[:found]
	if found == 0 {
		return
	}
	h.at = h.slices[found-1].Span.End
	model := &storetest.Model{Resolution: storetest.Resolution}
	for _, sl := range h.slices {
		if err := model.Append(sl); err != nil {
			h.t.Fatal(err)
		}
	}
	h.compare(s, model)
	if st := s.State(); st.Lost > 0 || st.Cause != "" || st.Work != "" {
		h.t.Fatalf("cut %d: %+v", h.cuts, st)
	}
}

// compare compares the sums of each slice of the coarsest tier with those of the model, before and after all work
// is done.
func (h *history) compare(s *Store, model *storetest.Model) {
	h.t.Helper()
	const step = 2 * time.Minute
	r := &store.Request{Span: model.Coverage().Span, Step: step}
	r.Span = messages.Span{Start: r.Span.Start.Truncate(step), End: r.Span.End.Add(step).Truncate(step)}
	r.Origin = r.Span.Start
	for stage := range 2 {
		want := store.NewPartial(r)
		if err := model.Query(h.t.Context(), r, want); err != nil {
			h.t.Fatal(err)
		}
		got, _, err := ask(h.t.Context(), []store.Tier{s}, r)
		if err != nil {
			h.t.Fatal(err)
		}
		if d := diff(want, got); d != "" {
			h.t.Fatalf("cut %d, stage %d, %d slices: %s", h.cuts, stage, len(h.slices), d)
		}
		if err := s.Work(h.t.Context()); err != nil {
			h.t.Fatal(err)
		}
	}
	v, err := s.Verify(h.t.Context(), nil)
	if err != nil || len(v.Faults) > 0 {
		h.t.Fatalf("cut %d: %v %q", h.cuts, err, v.Faults)
	}
	h.verified += v.Compared
	h.skipped += v.Skipped
}

// TestCrashes kills the process and cuts the power at random moments, again and again in one history.
func TestCrashes(t *testing.T) {
	for _, power := range []bool{false, true} {
		cuts := 0
		for seed := range uint64(6) {
			h := &history{
				t: t, r: rand.New(rand.NewPCG(seed, 7)), fs: disktest.New(), maker: storetest.NewMaker(seed),
				at: storetest.Begin(), power: power,
			}
			for range 30 {
				acknowledged := max(len(h.slices), 0)
				if n := h.run(h.r.IntN(700)); n > 0 {
					acknowledged = n
				}
				h.reopen()
				h.check(acknowledged)
			}
			cuts += h.cuts
			if h.verified == 0 || h.skipped == 0 {
				t.Errorf("seed %d: %d slices of coarser tiers were compared; of %d the finer ones were removed",
					seed, h.verified, h.skipped)
			}
		}
		t.Logf("power %v: %d cuts", power, cuts)
	}
}

// TestFaults lets operations fail now and then while the process lives on: in the end all is there once.
func TestFaults(t *testing.T) {
	for seed := range uint64(20) {
		h := &history{
			t: t, r: rand.New(rand.NewPCG(seed, 8)), fs: disktest.New(), maker: storetest.NewMaker(seed),
			at: storetest.Begin(),
		}
		s := openStore(t, testOptions(h.fs, thin()))
		model := &storetest.Model{Resolution: storetest.Resolution}
		errs := []error{unix.ENOSPC, unix.EIO, unix.EROFS, unix.EACCES}
		failed := 0
		for round := range 150 {
			bad := round%20 < 8
			h.fs.Fail(func(op disktest.Op, _ string) error {
				if bad && op != disktest.OpRead && op != disktest.OpOpen && h.r.IntN(4) == 0 {
					failed++
					return errs[h.r.IntN(len(errs))]
				}
				return nil
			}, func(n int) int { return h.r.IntN(n + 1) })
			sl := h.maker.Slice(4)
			sl.Seq, sl.Span = uint64(round), messages.Span{Start: h.at, End: h.at.Add(storetest.Resolution)}
			h.at = sl.Span.End
			for _, tier := range []store.Tier{model, s} {
				if err := tier.Append(sl); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := s.Step(t.Context()); err != nil && !isIO(err) {
				t.Fatal(err)
			}
		}
		h.fs.Fail(nil, nil)
		if err := s.Work(t.Context()); err != nil {
			t.Fatal(err)
		}
		if st := s.State(); st.Waiting > 0 || st.Cause != "" || st.Work != "" || st.Stored != 149 || failed == 0 {
			t.Fatalf("seed %d: after %d faults: %+v", seed, failed, st)
		}
		h.compare(s, model)
	}
}

// TestDiskFull fills the disk: memory goes on, the state says what to do, and when there is room all is written.
func TestDiskFull(t *testing.T) {
	fs := disktest.New()
	s := openStore(t, testOptions(fs, short()))
	m, model := storetest.NewMaker(1), &storetest.Model{Resolution: storetest.Resolution}
	fs.SetLimit(20_000)
	full := false
	for range 100 {
		sl := m.Slice(20)
		for _, tier := range []store.Tier{model, s} {
			if err := tier.Append(sl); err != nil {
				t.Fatal(err)
			}
		}
		_, _ = s.Step(t.Context()) // It fails, or not.
		st := s.State()
		full = full || st.Waiting > 0
		if (st.Waiting > 0) != strings.HasPrefix(st.Cause, "The disk is full") || (st.Cure != "") != (st.Cause != "") {
			t.Fatalf("%+v", st)
		}
	}
	if !full {
		t.Fatal("the disk never was full")
	}
	fs.SetLimit(1 << 30)
	if err := s.Work(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := s.State(); st.Cause != "" || st.Work != "" || st.Waiting > 0 {
		t.Fatalf("%+v", st)
	}
	h := &history{t: t}
	h.compare(s, model)
}
