package actors

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/disk"
	"weir/internal/disk/disktest"
	"weir/messages"
	"weir/sources"
	"weir/store"
	"weir/store/journal"
)

// lived is what the kernel knows of one flow.
type lived struct {
	key     messages.Key
	start   int64
	id      uint32
	swapped bool
	over    bool
	counts  [2]messages.Counter // of the initiator and of the responder
}

// router is a kernel that goes on while the daemon does not. Nobody hears of the flows that end while no source runs.
type router struct {
	mu     sync.Mutex
	r      *rand.Rand
	starts bool
	now    func() time.Time
	next   uint32
	live   []*lived
	all    map[uint32]*lived
	// idle: nothing happens.
	idle bool
}

// work lets flows begin, move and end. ended is told of those that end.
func (k *router) work(ended func(*lived)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.idle {
		return
	}
	for range k.r.IntN(4) {
		k.next++
		client := netip.AddrFrom4([4]byte{192, 168, 1, byte(k.next % 200)})
		server := netip.AddrFrom4([4]byte{203, 0, 113, byte(k.next % 100)})
		key, swapped := messages.MakeKey(6, 0,
			messages.MakeEnd(client, uint16(1024+k.next)), messages.MakeEnd(server, 443))
		k.all[k.next] = &lived{key: key, start: k.now().UnixNano(), id: k.next, swapped: swapped}
		k.live = append(k.live, k.all[k.next])
	}
	for i := 0; i < len(k.live); i++ {
		l := k.live[i]
		if k.r.IntN(2) == 0 {
			up, down := uint64(k.r.IntN(2000)), uint64(k.r.IntN(20_000))
			l.counts[0].Bytes, l.counts[0].Packets = l.counts[0].Bytes+up, l.counts[0].Packets+1
			l.counts[1].Bytes, l.counts[1].Packets = l.counts[1].Bytes+down, l.counts[1].Packets+1
		}
		if k.r.IntN(12) != 0 {
			continue
		}
		k.live = append(k.live[:i], k.live[i+1:]...)
		i--
		l.over = true
		if ended != nil {
			ended(l)
		}
	}
}

// update tells of a flow. The lock is held.
func (k *router) update(l *lived) *messages.Update {
	u := &messages.Update{
		Key: l.key, ID: l.id, Kind: messages.Absolute, Flags: messages.Oriented, Counters: l.counts,
	}
	if l.swapped {
		u.Flags |= messages.InitiatorB
		u.Counters[0], u.Counters[1] = u.Counters[1], u.Counters[0]
	}
	if u.Start = l.start; !k.starts {
		u.Start, u.Flags = 0, u.Flags|messages.Baseline
	}
	return u
}

// watcher is a source that reads the router.
type watcher struct {
	k    *router
	core sources.Core
	out  sources.Writer
}

func (w *watcher) Run(ctx context.Context, ready func()) error {
	out := w.core.Out.Writer(sources.Wait)
	ready()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		w.k.work(func(l *lived) {
			u := w.k.update(l)
			u.Status, u.Stop = messages.Ended, w.k.now().UnixNano()
			_ = out.Add(ctx, u, nil, nil)
		})
		_ = out.Flush(ctx)
	}
}

func (w *watcher) Snapshot(ctx context.Context, req messages.SnapshotRequest) (messages.SnapshotTaken, error) {
	w.k.mu.Lock()
	defer w.k.mu.Unlock()
	w.out.Snapshot(req.Seq)
	for _, l := range w.k.live {
		if err := w.out.Add(ctx, w.k.update(l), nil, nil); err != nil {
			return messages.SnapshotTaken{}, err
		}
	}
	return messages.SnapshotTaken{Complete: true, Began: w.k.now()}, w.out.Flush(ctx)
}

func (*watcher) Health() sources.Health { return sources.Health{State: sources.Running} }

// journaled is a journal as an archive, which remembers the accounts that it has taken. Once it is dead it takes
// nothing more.
type journaled struct {
	*journal.Journal
	dead  bool
	taken map[uint32]messages.Account
}

func (a *journaled) Append(s *messages.Slice) error {
	if a.dead {
		return errGiven
	}
	if err := a.Journal.Append(s); err != nil {
		return err
	}
	for i := range s.Accounts {
		a.taken[s.Accounts[i].ID] = s.Accounts[i]
	}
	return nil
}

func (*journaled) Step(context.Context) (bool, error) { return false, nil }
func (*journaled) Status() store.ArchiveStatus        { return store.ArchiveStatus{} }

// openJournal opens the journal as main does after a start.
func openJournal(t *testing.T, fs disk.FS, now time.Time) *journal.Journal {
	t.Helper()
	j, _, err := journal.Open(fs, "journal", journal.Options{
		Slice: 10 * time.Second, Segment: 10 * time.Minute, Boot: "boot", Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// stored sums what a journal holds.
func stored(t *testing.T, j *journal.Journal) (bytes uint64) {
	t.Helper()
	r := store.Request{Span: messages.Span{Start: noon.Add(-time.Hour), End: noon.Add(24 * time.Hour)}}
	into := store.NewPartial(&r)
	if err := j.Query(t.Context(), &r, into); err != nil {
		t.Fatal(err)
	}
	for _, sum := range into.Groups() {
		bytes += sum.Up.Bytes + sum.Down.Bytes
	}
	return bytes
}

// serve runs the daemon for a while: from what the journal kept, until it is told to end or is killed.
func (k *router) serve(t *testing.T, fs *disktest.FS, clock Clock, run time.Duration, taken map[uint32]messages.Account,
	kill bool,
) *disktest.FS {
	t.Helper()
	j := openJournal(t, fs, clock.Now())
	a := &journaled{Journal: j, taken: taken}
	o := options(&fakeTier{}, SourceSpec{"router", config(func(core sources.Core) (sources.Source, error) {
		return &watcher{k: k, core: core, out: core.Out.Writer(sources.Wait)}, nil
	})})
	o.Clock, o.Archive = clock, a
	if r := j.Restore(); r.Found {
		o.FirstSeq, o.LastSpan, o.CountsSince = r.Seq+1, r.Span, r.Began
		o.Restore = append([]messages.Account{}, r.Accounts...)
	}
	s := start(t, o)
	rest(run)
	if kill {
		a.dead, fs = true, fs.Crash(k.r)
		_ = s.Drain(t.Context()) // What it still does reaches nobody.
	} else {
		drain(t, s)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	rest(time.Second)
	return fs
}

// A daemon that is stopped or killed again and again, beside a kernel that goes on, with the real tables and the real
// journal: each byte is in it once, but for the last ones of flows whose end nobody heard of.
func TestEveryByteOnceOverRestarts(t *testing.T) {
	for name, starts := range map[string]bool{"with starts": true, "without starts": false} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(2) {
				synctest.Test(t, func(t *testing.T) { restartOften(t, seed, starts) })
			}
		})
	}
}

func restartOften(t *testing.T, seed uint64, starts bool) {
	t.Helper()
	clock := noonClock()
	k := &router{
		r: rand.New(rand.NewPCG(seed, 4)), starts: starts, now: clock.Now, all: map[uint32]*lived{},
	}
	fs, taken := disktest.New(), map[uint32]messages.Account{}
	k.idle = true // Until the first snapshot: what is older than that has a baseline.
	fs = k.serve(t, fs, clock, 11*time.Second, taken, false)
	k.idle = false
	for range 6 {
		fs = k.serve(t, fs, clock, time.Duration(5+k.r.IntN(60))*time.Second, taken, k.r.IntN(2) == 0)
		for range k.r.IntN(30) {
			rest(time.Second)
			k.work(nil)
		}
	}
	k.idle = true
	fs = k.serve(t, fs, clock, 45*time.Second, taken, false)
	want, lost := uint64(0), 0
	for id, l := range k.all {
		moved, a := l.counts[0].Bytes+l.counts[1].Bytes, taken[id]
		kept := a.Last[0].Bytes + a.Last[1].Bytes
		if kept > moved || kept < moved && (!l.over || a.Ended) {
			t.Errorf("flow %d moved %d, its account is %+v", id, moved, a)
		}
		if kept < moved {
			lost++
		}
		want += kept
	}
	j := openJournal(t, fs, clock.Now())
	defer func() { _ = j.Close() }()
	if got := stored(t, j); got != want || want == 0 || lost == 0 {
		t.Errorf("seed %d: %d bytes are stored, %d moved of %d flows, of which %d ended unheard", seed, got, want,
			len(k.all), lost)
	}
}
