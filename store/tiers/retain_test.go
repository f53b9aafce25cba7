package tiers

import (
	"context"
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/columns"
	"weir/internal/disk/disktest"
	"weir/internal/units"
	"weir/messages"
	"weir/store"
	"weir/store/storetest"
)

// Blocks hands on the blocks.
func (h *heldSource) Blocks(_ context.Context, _ []*columns.Column, f func(*store.Block) error) error {
	h.reads++
	for _, b := range h.blocks {
		if err := f(b); err != nil {
			return err
		}
	}
	return nil
}

// TestBudget keeps all inside a budget: the finest tier gives up its oldest buckets first, and the sums stay.
func TestBudget(t *testing.T) {
	fs := disktest.New()
	o := testOptions(fs, short())
	o.Bytes = 600_000
	s := openStore(t, o)
	m, model := storetest.NewMaker(1), &storetest.Model{Resolution: storetest.Resolution}
	for range 400 {
		sl := m.Slice(30)
		for _, tier := range []store.Tier{model, s} {
			if err := tier.Append(sl); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Work(t.Context()); err != nil {
			t.Fatal(err)
		}
		if used := fs.Used(); used > o.Bytes+64_000 {
			t.Fatalf("%d bytes are used", used)
		}
	}
	held := s.Coverages()
	if held[1].Span.Start.Equal(storetest.Begin()) || !held[4].Span.Start.Equal(storetest.Begin()) {
		t.Errorf("%+v", held)
	}
	h := &history{t: t}
	h.compare(s, model)
	if s.State().Lost > 0 || h.skipped == 0 {
		t.Errorf("%+v", s.State())
	}
}

// TestTierBudget bounds one tier.
func TestTierBudget(t *testing.T) {
	levels := short()
	levels[0].Bytes = 100_000
	s, model, _ := filled(t, levels, 200)
	if got := s.Coverages()[1]; got.Bytes > 100_000 || got.Bytes == 0 || got.Budget != 100_000 {
		t.Errorf("%+v", got)
	}
	h := &history{t: t}
	h.compare(s, model)
}

// TestBudgetOfNothing has no coarser tier to rely on: the oldest goes, and that is counted.
func TestBudgetOfNothing(t *testing.T) {
	levels := short()
	levels[1].Bytes, levels[0].Bytes = 1, 50_000 // What is rolled up goes at once.
	s, _, _ := filled(t, levels, 200)
	if got := s.Coverages(); got[1].Bytes > 50_000 || got[2].Bytes > 1 {
		t.Errorf("%+v", got)
	}
	if did, err := s.Step(t.Context()); did || err != nil {
		t.Errorf("there is always something to do: %v", err)
	}
}

// TestLeapOfTheClock makes the clock leap by ten years for an hour: nothing is removed for it.
func TestLeapOfTheClock(t *testing.T) {
	s, model, m := filled(t, thin(), 20)
	before := len(s.catalog.files[0])
	for i := range 60 {
		sl := m.Slice(5)
		if i >= 20 && i < 40 {
			by := 10 * 366 * units.Day
			sl.Span = messages.Span{Start: sl.Span.Start.Add(by), End: sl.Span.End.Add(by)}
		}
		for _, tier := range []store.Tier{model, s} {
			if err := tier.Append(sl); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Work(t.Context()); err != nil {
			t.Fatal(err)
		}
		if i == 39 && len(s.catalog.files[0]) < before {
			t.Fatalf("%d files of %d are left", len(s.catalog.files[0]), before)
		}
	}
	r := storetest.Everything()
	got, _, err := ask(t.Context(), []store.Tier{s}, r)
	if err != nil || counted(storetest.Total(got)) != counted(storetest.Total(answer(t, model, r))) {
		t.Errorf("%+v: %v", storetest.Total(got), err)
	}
}

// TestJournalBudget writes slices without rows once a day has had its bytes.
func TestJournalBudget(t *testing.T) {
	o := testOptions(disktest.New(), short())
	o.JournalBytesADay = 20_000
	s := openStore(t, o)
	m, model := storetest.NewMaker(1), &storetest.Model{Resolution: storetest.Resolution}
	for range 100 {
		sl := m.Slice(30)
		for _, tier := range []store.Tier{model, s} {
			if err := tier.Append(sl); err != nil {
				t.Fatal(err)
			}
		}
	}
	st := s.State()
	if st.Spared == 0 || st.JournalToday < 20_000 || st.JournalToday > 60_000 {
		t.Errorf("%+v", st)
	}
	r := storetest.Everything()
	if got, want := storetest.Total(answer(t, s, r)), storetest.Total(answer(t, model, r)); got != want {
		t.Errorf("want %+v, got %+v", want, got)
	}
}

// TestPermission finds its folder closed, and goes on by itself when it is open.
func TestPermission(t *testing.T) {
	fs := disktest.New()
	s, err := New(testOptions(fs, short()))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	fs.Fail(func(disktest.Op, string) error { return unix.EACCES }, nil)
	if err := s.Open(); err == nil {
		t.Fatal("it opened")
	}
	st := s.State()
	if st.Cause == "" || st.Cure != "Give /data and all in it to the user that Weir runs as." {
		t.Fatalf("%+v", st)
	}
	m := storetest.NewMaker(1)
	for range 3 {
		if err := s.Append(m.Slice(5)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Step(t.Context()); err == nil || s.State().Waiting != 3 {
		t.Fatalf("%v: %+v", err, s.State())
	}
	fs.Fail(nil, nil)
	if err := s.Work(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := s.State(); st.Waiting > 0 || st.Cause != "" || st.Stored != 2 {
		t.Fatalf("%+v", st)
	}
}

// TestReadersKeepFiles asks a view after the files that it is of were removed.
func TestReadersKeepFiles(t *testing.T) {
	s, model, _ := filled(t, short()[:1], 50)
	views, done := s.Views()
	s.mu.Lock()
	old := append([]*file(nil), s.catalog.files[0]...)
	s.mu.Unlock()
	s.remove(0, old, true)
	if err := s.sweep(); err != nil {
		t.Fatal(err)
	}
	r := storetest.Everything()
	p := store.NewPartial(r)
	for _, v := range views {
		if v.Mixed {
			if err := v.Query(t.Context(), r, p); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got, want := storetest.Total(p), storetest.Total(answer(t, model, r)); got != want {
		t.Errorf("want %+v, got %+v", want, got)
	}
	fs, _ := s.options.FS.(*disktest.FS)
	if fs.Content(old[0].info.Path) == nil {
		t.Error("the file went while it was read")
	}
	done()
	if err := s.sweep(); err != nil || fs.Content(old[0].info.Path) != nil {
		t.Errorf("the file is still there: %v", err)
	}
}

// TestCancel stops the work in the middle.
func TestCancel(t *testing.T) {
	s, _, m := filled(t, short(), 30)
	for range 30 {
		if err := s.Append(m.Slice(20)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	s.options.Rate = 1
	stop := time.AfterFunc(50*time.Millisecond, cancel)
	defer stop.Stop()
	if err := s.Work(ctx); !errors.Is(err, context.Canceled) || s.State().Work != "" {
		t.Errorf("%v: %+v", err, s.State())
	}
}
