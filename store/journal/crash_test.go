package journal_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"weir/internal/disk/disktest"
	"weir/messages"
	"weir/store/journal"
	"weir/store/storetest"
)

var errKilled = errors.New("killed")

// life is a journal that dies again and again, and what it must hold.
type life struct {
	t   *testing.T
	r   *rand.Rand
	w   *world
	d   *disktest.FS
	o   journal.Options
	j   *journal.Journal
	cut bool // the power fails; otherwise the process is killed

	said    []*messages.Slice // what is known to be stored
	next    *messages.Slice   // what was refused
	dropped map[uint64]bool   // by number
	dying   []uint64          // slices of a segment that was to be dropped when it died
	synced  int               // how many of said are on the medium
}

// die lets the journal fail from the n-th operation on, until it is opened again.
func (l *life) die(n int) {
	l.d.Fail(func(disktest.Op, string) error {
		if n--; n < 0 {
			return errKilled
		}
		return nil
	}, func(size int) int { return l.r.IntN(size + 1) })
}

// run goes on until it dies.
func (l *life) run() {
	for {
		if l.next == nil {
			l.next = l.w.next()
		}
		if err := l.j.Append(l.next); err != nil {
			if !errors.Is(err, errKilled) {
				l.t.Fatal(err)
			}
			return
		}
		l.said, l.next = append(l.said, l.next), nil
		if l.o.Sync == journal.SyncEvery {
			l.synced = len(l.said)
		}
		if l.r.IntN(8) > 0 {
			continue
		}
		if ss := l.j.Segments(); len(ss) > 1 && ss[0].Closed {
			l.dying = nil
			for seq := ss[0].First; seq <= ss[0].Last; seq++ {
				l.dying = append(l.dying, seq)
			}
			if l.j.Drop(ss[0].ID) != nil {
				return
			}
			for _, seq := range l.dying {
				l.dropped[seq] = true
			}
			l.dying = nil
		}
	}
}

// again opens what is left and compares.
func (l *life) again() {
	if l.cut {
		l.d = l.d.Crash(l.r)
	} else {
		l.d = l.d.Restart()
	}
	var err error
	if l.j, _, err = journal.Open(l.d, "/journal", l.o); err != nil {
		l.t.Fatal(err)
	}
	r := l.j.Restore()
	if l.next != nil && r.Seq == l.next.Seq { // It was stored, but nobody was told.
		l.said, l.next = append(l.said, l.next), nil
	}
	for len(l.said) > l.synced && l.said[len(l.said)-1].Seq > r.Seq {
		l.said = l.said[:len(l.said)-1]
	}
	if n := len(l.said); n > 0 && l.said[n-1].Seq != r.Seq || n == 0 && r.Found {
		l.t.Fatalf("%d slices, the last one is %d", n, r.Seq)
	}
	l.synced = len(l.said)
	for _, seq := range l.dying {
		held := slices.ContainsFunc(l.j.Segments(), func(s journal.Segment) bool {
			return s.First <= seq && seq <= s.Last
		})
		l.dropped[seq] = !held
	}
	l.dying = nil
	var rows []*messages.Slice
	for _, s := range l.said {
		if !l.dropped[s.Seq] {
			rows = append(rows, s)
		}
	}
	checkRows(l.t, l.w, l.j, rows)
	checkBooks(l.t, books(l.said), r.Accounts)
	for _, f := range l.w.flows {
		f.Flow = f.Flow*3 + 2
	}
	if l.next != nil {
		n := *l.next // The flows of a process that is gone.
		n.Amendments = nil
		l.next = &n
	}
	if l.next == nil || l.next.Seq != r.Seq+1 {
		l.t.Logf("goes on with %d after %d", r.Seq, len(l.said))
		l.w.Rewind(r.Seq)
		l.next = nil
	}
}

// TestCrashes kills journals at random moments. Nothing that was acknowledged may be missing, and nothing twice.
func TestCrashes(t *testing.T) {
	for _, policy := range []journal.SyncPolicy{journal.SyncEvery, journal.SyncNever} {
		for seed := range uint64(13) {
			t.Run(fmt.Sprintf("%d/%d", policy, seed), func(t *testing.T) {
				o := options()
				o.Sync = policy
				l := &life{
					t: t, r: rand.New(rand.NewPCG(seed, 8)), w: newWorld(seed), d: disktest.New(), o: o,
					cut: policy == journal.SyncEvery, dropped: map[uint64]bool{},
				}
				l.j, _ = open(t, l.d, "/journal", o)
				for range 12 {
					l.die(l.r.IntN(120))
					l.run()
					if !l.cut {
						l.synced = len(l.said)
					}
					l.again()
					l.forget()
				}
			})
		}
	}
}

// forget keeps the world small: flows that ended say nothing any more.
func (l *life) forget() {
	l.w.flows = slices.DeleteFunc(l.w.flows, func(f *flow) bool { return f.Ended })
}

// TestCrashDuringInterval loses no more than what the interval allows.
func TestCrashDuringInterval(t *testing.T) {
	for seed := range uint64(40) {
		o := options()
		o.Sync, o.Interval = journal.SyncInterval, 4*storetest.Resolution
		d := disktest.New()
		w := newWorld(seed)
		r := rand.New(rand.NewPCG(seed, 1))
		j, _ := open(t, d, "/journal", o)
		all := some(w, 1+r.IntN(30))
		for _, s := range all {
			s.Amendments = nil
			if err := j.Append(s); err != nil {
				t.Fatal(err)
			}
		}
		j, _ = open(t, d.Crash(r), "/journal", o)
		// What was not on the medium may have come there in any order.
		for _, seq := range (answers{}).checkSome(t, j, all) {
			if last := all[len(all)-1].Seq; seq+4 <= last {
				t.Fatalf("seed %d: %d is lost, the last one is %d", seed, seq, last)
			}
		}
	}
}

// TestFaults lets operations fail now and then: what was refused is offered again, and all is there in the end.
func TestFaults(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 3))
		d := disktest.New()
		w := newWorld(seed)
		o := options()
		o.Sync = journal.SyncPolicy(seed % 2)
		j, _ := open(t, d, "/journal", o)
		rate, refused := 4, 0
		d.Fail(func(op disktest.Op, _ string) error {
			if op == disktest.OpRead || r.IntN(rate) > 0 {
				return nil
			}
			return []error{unix.ENOSPC, unix.EIO, unix.EROFS}[r.IntN(3)]
		}, func(n int) int { return r.IntN(n + 1) })
		all := some(w, 40)
		for _, s := range all {
			for tries := 0; ; tries++ {
				err := j.Append(s)
				if err == nil {
					break
				}
				if refused++; j.State().Err == nil || tries > 10_000 {
					t.Fatal(err)
				}
			}
		}
		d.Fail(nil, nil)
		if refused < 10 || j.State().Refused != uint64(refused) || j.State().Err != nil {
			t.Fatalf("%d refused: %+v", refused, j.State())
		}
		checkRows(t, w, j, all)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		j, report := open(t, d, "/journal", o)
		if report.Twice+len(report.Damaged) > 0 {
			t.Fatalf("seed %d: %+v", seed, report)
		}
		checkRows(t, w, j, all)
		checkBooks(t, books(all), j.Restore().Accounts)
	}
}

// TestSyncFailure does not believe a file whose sync failed: it is written anew.
func TestSyncFailure(t *testing.T) {
	d := disktest.New()
	w := newWorld(1)
	j, _ := open(t, d, "/journal", options())
	all := some(w, 8)
	for i, s := range all {
		if i == 4 {
			d.Fail(func(op disktest.Op, _ string) error {
				if op == disktest.OpSync {
					return unix.EIO
				}
				return nil
			}, nil)
			if err := j.Append(s); !errors.Is(err, unix.EIO) {
				t.Fatal(err)
			}
			checkRows(t, w, j, all[:4])
			d.Fail(nil, nil)
		}
		if err := j.Append(s); err != nil {
			t.Fatal(err)
		}
	}
	if st := j.State(); st.Mended != 1 || st.Refused != 1 {
		t.Errorf("%+v", st)
	}
	checkRows(t, w, j, all)
	j, _ = open(t, d.Crash(rand.New(rand.NewPCG(1, 1))), "/journal", options())
	checkRows(t, w, j, all)
}

// TestDiskFull refuses slices while the disk is full, and goes on by itself.
func TestDiskFull(t *testing.T) {
	d := disktest.New()
	w := newWorld(2)
	j, _ := open(t, d, "/journal", options())
	all := some(w, 20)
	for i, s := range all {
		if i%5 == 4 {
			d.SetLimit(d.Used() + 30)
			for range 3 {
				if err := j.Append(s); !errors.Is(err, unix.ENOSPC) {
					t.Fatal(err)
				}
			}
			d.SetLimit(1 << 30)
		}
		if err := j.Append(s); err != nil {
			t.Fatal(err)
		}
	}
	checkRows(t, w, j, all)
}

// TestBudget refuses slices beyond the budget until a segment is dropped and nothing of it is needed any more.
func TestBudget(t *testing.T) {
	d := disktest.New()
	w := newWorld(2)
	o := options()
	o.Budget = 80_000
	j, _ := open(t, d, "/journal", o)
	var kept []*messages.Slice
	refused := 0
	for range 200 {
		s := w.next()
		s.AllAccounts = s.AllAccounts || j.NeedsAccounts()
		if s.AllAccounts {
			s.Accounts = nil
			for _, f := range w.flows {
				if !f.Ended || f.ended == s.Seq {
					s.Accounts = append(s.Accounts, f.Account)
				}
			}
		}
		for {
			err := j.Append(s)
			if err == nil {
				kept = append(kept, s)
				break
			}
			ss := j.Segments()
			if !errors.Is(err, journal.ErrBudget) || len(ss) < 2 {
				t.Fatal(err, len(ss))
			}
			refused++
			if err := j.Drop(ss[0].ID); err != nil {
				t.Fatal(err)
			}
			kept = slices.DeleteFunc(kept, func(s *messages.Slice) bool { return s.Seq <= ss[0].Last })
			if err := j.Drop(ss[0].ID); !errors.Is(err, journal.ErrUnknown) {
				t.Fatal(err)
			}
		}
		if used := j.Coverage(); used.Bytes > used.Budget+64 || used.Bytes != d.Used() {
			t.Fatalf("%d bytes of %d, %d on disk", used.Bytes, used.Budget, d.Used())
		}
	}
	if refused == 0 {
		t.Error("the budget was never used up")
	}
	checkRows(t, w, j, kept)
	whole := j.Whole()
	if !whole.Start.Equal(kept[0].Span.Start) || !whole.End.Equal(kept[len(kept)-1].Span.End) {
		t.Errorf("whole: %v", whole)
	}
}
