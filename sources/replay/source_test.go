package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"weir/columns"
	"weir/messages"
	"weir/sources"
	"weir/sources/recording"
	"weir/sources/recording/recordingtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// added is an update that the source handed over, and when. Start and Stop are as after the replay's shift.
type added struct {
	at     time.Time
	update messages.Update
	alias  *messages.Key
	tags   []columns.Tag
}

// outlet notes what it is given.
type outlet struct {
	mu      sync.Mutex // guards what is below
	added   []added
	facts   []messages.Fact // Time is as after the replay's shift.
	flushed int
	losses  []messages.Loss
	// ends are the updates that only end a flow: none is in the recordings, the source makes them itself.
	ends []messages.Update
	// before is set before the source plays. It is called before an update or a fact is taken, with the number
	// of those that were.
	before func(n int) error
}

func (o *outlet) Writer(sources.Mode) sources.Writer { return o }
func (o *outlet) Lost(l messages.Loss)               { o.losses = append(o.losses, l) }
func (o *outlet) Snapshot(uint64)                    { panic("a replay answers no snapshot") }

func (o *outlet) Add(ctx context.Context, u *messages.Update, alias *messages.Key, tags []columns.Tag) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.before != nil {
		if err := o.before(len(o.added) + len(o.facts)); err != nil {
			return err
		}
	}
	if u.Kind == messages.NoCounters && u.Status == messages.Ended {
		o.ends = append(o.ends, *u)
	} else {
		o.added = append(o.added, added{time.Now(), *u, alias, tags})
	}
	return ctx.Err()
}

func (o *outlet) Tell(ctx context.Context, f *messages.Fact) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.before != nil {
		if err := o.before(len(o.added) + len(o.facts)); err != nil {
			return err
		}
	}
	o.facts = append(o.facts, *f)
	return ctx.Err()
}

func (o *outlet) Flush(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flushed = len(o.added)
	return ctx.Err()
}

// got lists what was taken so far.
func (o *outlet) got() []added {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.added)
}

// settled is how many updates were taken before the last flush.
func (o *outlet) settled() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.flushed
}

// bed is a source and what it plays into.
type bed struct {
	config Config
	since  time.Time
	out    *outlet
	source sources.Source
	ready  int
	cancel context.CancelFunc
	ended  chan error
}

// fileOf writes a recording into a file.
func fileOf(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.rec")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// make builds the source that plays next.
func (b *bed) make(t *testing.T) {
	t.Helper()
	core := sources.Core{Name: "replay", Log: zerolog.New(io.Discard), Out: b.out, CountsSince: b.since}
	var err error
	if b.source, err = b.config.New(core); err != nil {
		t.Fatal(err)
	}
}

// start plays until stop is called. A panic of the source is an error, as it is in the core.
func (b *bed) start(t *testing.T) {
	t.Helper()
	b.make(t)
	ctx, cancel := context.WithCancel(t.Context())
	b.cancel, b.ended = cancel, make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				b.ended <- fmt.Errorf("panic: %v", r)
			}
		}()
		b.ended <- b.source.Run(ctx, func() { b.ready++ })
	}()
	synctest.Wait()
}

func (b *bed) stop() error {
	b.cancel()
	return <-b.ended
}

// metric reads one metric of the source.
func (b *bed) metric(t *testing.T, name string) float64 {
	t.Helper()
	for _, m := range b.source.Health().Metrics {
		if m.Name == name {
			return m.Value
		}
	}
	t.Errorf("no metric %s", name)
	return -1
}

// newBed is for use in a synctest bubble, whose time begins when it does.
func newBed(t *testing.T, file []byte, config Config) *bed {
	t.Helper()
	config.File = fileOf(t, file)
	return &bed{config: config, since: time.Now().Add(-time.Minute), out: &outlet{}}
}

func TestPlaysInTime(t *testing.T) {
	for speed, want := range map[float64][2]time.Duration{
		1: {10 * time.Second, 12500 * time.Millisecond},
		2: {5 * time.Second, 6250 * time.Millisecond},
		0: {},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBed(t, recordingtest.File(t), Config{Speed: speed})
			b.make(t)
			if s := b.source.Health().State; s != sources.Starting {
				t.Errorf("before: %s", s)
			}
			began := time.Now()
			b.start(t)
			if speed != 0 && (b.source.Health().State != sources.Running || len(b.out.got()) != 0) {
				t.Errorf("speed %v: %+v, %d updates at once", speed, b.source.Health(), len(b.out.got()))
			}
			time.Sleep(want[1] - time.Millisecond)
			synctest.Wait()
			if speed != 0 && b.out.settled() != 2 {
				t.Errorf("speed %v: %d updates flushed while waiting", speed, b.out.settled())
			}
			time.Sleep(time.Millisecond)
			synctest.Wait()
			for i, a := range b.out.got() {
				if got := a.at.Sub(began); got != want[min(i/2, 1)] {
					t.Errorf("speed %v: update %d after %v", speed, i, got)
				}
			}
			h := b.source.Health()
			if h.State != sources.Finished || h.Detail == "" || b.out.settled() != 5 || b.ready != 1 {
				t.Errorf("speed %v: %+v, %d updates, %d times ready", speed, h, b.out.settled(), b.ready)
			}
			if b.metric(t, "updates_total") != 5 || b.metric(t, "batches_total") != 2 ||
				b.metric(t, "passes_total") != 1 || b.metric(t, "position_seconds") != 12.5 {
				t.Errorf("speed %v: %+v", speed, h.Metrics)
			}
			if err := b.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPlaysWhatWasRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, recordingtest.File(t), Config{})
		b.start(t)
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
		i := 0
		delta := b.since.UnixNano() - recordingtest.Header().CountsSince.UnixNano()
		for _, s := range recordingtest.Script() {
			for k := range s.Batch.Updates {
				u := &s.Batch.Updates[k]
				want := added{update: *u, alias: s.Batch.AliasOf(u), tags: s.Batch.TagsOf(u)}
				want.update.Alias, want.update.Tags = b.out.got()[i].update.Alias, b.out.got()[i].update.Tags
				if u.Start != 0 {
					want.update.Start += delta
				}
				if u.Stop != 0 {
					want.update.Stop += delta
				}
				got := b.out.got()[i]
				if got.update != want.update || !slices.Equal(got.tags, want.tags) {
					t.Errorf("update %d: got %+v, want %+v", i, got, want)
				}
				if (got.alias == nil) != (want.alias == nil) || got.alias != nil && *got.alias != *want.alias {
					t.Errorf("update %d: got the alias %v, want %v", i, got.alias, want.alias)
				}
				i++
			}
		}
		if i != len(b.out.got()) {
			t.Errorf("%d updates, want %d", len(b.out.got()), i)
		}
	})
}

// TestLoop: in each pass the flows are other incarnations, and those that are older than the recording stay
// older than the core's counting.
func TestLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, recordingtest.File(t), Config{Speed: 1, Loop: true})
		began := time.Now()
		b.start(t)
		const length = 22500 * time.Millisecond // To the last batch, and a slice.
		time.Sleep(2*length + 10*time.Second)
		synctest.Wait()
		if n := len(b.out.got()); n != 12 || b.metric(t, "passes_total") != 2 {
			t.Fatalf("%d updates", n)
		}
		incarnations := map[string]bool{}
		for pass := range 2 {
			older, unknown, newer := b.out.got()[5*pass], b.out.got()[5*pass+1], b.out.got()[5*pass+3]
			if want := time.Duration(pass)*length + 10*time.Second; older.at.Sub(began) != want {
				t.Errorf("pass %d: begins after %v", pass, older.at.Sub(began))
			}
			if d := b.since.Add(-50*time.Second).UnixNano() - older.update.Start; d != int64(pass) {
				t.Errorf("pass %d: an older flow is %d ns older still", pass, d)
			}
			want := b.since.Add(21*time.Second + time.Duration(pass)*length).UnixNano()
			if newer.update.Start != want {
				t.Errorf("pass %d: a new flow starts at %d, want %d", pass, newer.update.Start, want)
			}
			incarnations[fmt.Sprint(older.update.Start, unknown.update.ID, newer.update.Start)] = true
		}
		ended := map[uint32]bool{}
		for _, u := range b.out.ends {
			ended[u.ID] = true
		}
		if len(b.out.ends) != 4 || len(ended) != 4 {
			t.Errorf("each pass ends the two flows that the recording leaves open, not %+v", b.out.ends)
		}
		if len(incarnations) != 2 || b.out.got()[1].update.ID != 77 || b.out.got()[6].update.ID == 77 {
			t.Errorf("incarnations: %v", incarnations)
		}
		if err := b.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestLoopOfNothingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, recordingtest.Record(t, recordingtest.Header(), nil), Config{Loop: true})
		b.start(t)
		if h := b.source.Health(); h.State != sources.Finished || !strings.Contains(h.Detail, "no updates") {
			t.Errorf("%+v", h)
		}
		if err := b.stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestGoesOnAfterAFailure lets the writer panic or fail before each update in turn: the next source goes on
// behind it, and no update comes twice.
func TestGoesOnAfterAFailure(t *testing.T) {
	file := recordingtest.File(t)
	for n := range 5 {
		for what, failure := range map[string]func() error{
			"panic": func() error { panic("injected") },
			"error": func() error { return errors.New("injected") },
		} {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, file, Config{})
				failed := false
				b.out.before = func(taken int) error {
					if taken == n && !failed {
						failed = true
						return failure()
					}
					return nil
				}
				b.start(t)
				if err := <-b.ended; err == nil || !strings.Contains(err.Error(), "injected") {
					t.Errorf("%s before %d: %v", what, n, err)
				}
				b.start(t)
				if err := b.stop(); err != nil {
					t.Error(err)
				}
				want := []uint64{5, 1, 9, 0, 3}
				if what == "panic" { // Nobody knows whether it was taken.
					want = slices.Delete(want, n, n+1)
				}
				got := make([]uint64, 0, 5)
				for _, a := range b.out.got() {
					got = append(got, a.update.Counters[0].Packets)
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s before %d: got %v, want %v", what, n, got, want)
				}
			})
		}
	}
}

// TestGoesOnInTime: the time of a recording goes on while no source plays it.
func TestGoesOnInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, recordingtest.File(t), Config{Speed: 1})
		began := time.Now()
		b.start(t)
		time.Sleep(11 * time.Second)
		if err := b.stop(); err != nil || len(b.out.got()) != 2 {
			t.Fatalf("%d updates, %v", len(b.out.got()), err)
		}
		time.Sleep(time.Second)
		b.start(t)
		time.Sleep(time.Second)
		synctest.Wait()
		if n := len(b.out.got()); n != 5 || b.out.got()[2].at.Sub(began) != 12500*time.Millisecond {
			t.Errorf("%d updates, the third after %v", n, b.out.got()[2].at.Sub(began))
		}
		if err := b.stop(); err != nil {
			t.Error(err)
		}
		b.since = b.since.Add(time.Second) // Another core plays from the start.
		b.config.Speed = 0
		b.start(t)
		if err := b.stop(); err != nil || len(b.out.got()) != 10 {
			t.Errorf("%d updates, %v", len(b.out.got()), err)
		}
	})
}

func TestTornFile(t *testing.T) {
	file := recordingtest.File(t)
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, file[:recordingtest.Ends(file)[2]+3], Config{})
		b.start(t)
		h, where := b.source.Health(), fmt.Sprintf("3 bytes of a frame at byte %d", recordingtest.Ends(file)[2])
		if h.State != sources.Finished || !strings.Contains(h.Detail, where) {
			t.Errorf("%+v", h)
		}
		if b.out.settled() != 2 || b.metric(t, "cut_off_total") != 1 {
			t.Errorf("%d updates, %+v", b.out.settled(), h.Metrics)
		}
		if err := b.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestDamagedFile(t *testing.T) {
	file := recordingtest.File(t)
	at := recordingtest.Ends(file)[2]
	file[at+recordingtest.HeadBytes+5] ^= 1
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, file, Config{})
		for range 2 { // The second time it goes on behind the first batch.
			b.start(t)
			err := <-b.ended
			var corrupt *recording.CorruptError
			if !errors.As(err, &corrupt) || corrupt.Offset != int64(at) {
				t.Errorf("got %v, want damage at %d", err, at)
			}
			if !strings.Contains(err.Error(), b.config.File) {
				t.Errorf("%v does not name the file", err)
			}
			if len(b.out.got()) != 2 || b.out.settled() != 2 {
				t.Errorf("%d updates, %d flushed", len(b.out.got()), b.out.settled())
			}
		}
	})
}

func TestNoFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, []byte("GIF89a"), Config{})
		b.start(t)
		if err := <-b.ended; !errors.Is(err, recording.ErrNoRecording) || b.ready != 0 {
			t.Errorf("another file: %v, %d times ready", err, b.ready)
		}
		b.config.File += ".gone"
		b.start(t)
		if err := <-b.ended; !errors.Is(err, os.ErrNotExist) || b.ready != 0 {
			t.Errorf("no file: %v, %d times ready", err, b.ready)
		}
	})
}

func TestLostByTheRecorder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var file strings.Builder
		w, err := recording.NewWriter(&file, recordingtest.Header())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range recordingtest.Script() {
			w.Lost(3)
			if err := w.Batch(recordingtest.Header().Created.Add(s.At), s.Batch); err != nil {
				t.Fatal(err)
			}
		}
		w.Lost(1)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		b := newBed(t, []byte(file.String()), Config{})
		b.out.before = func(taken int) error {
			if taken == 3 {
				b.out.before = nil
				return errors.New("injected")
			}
			return nil
		}
		b.start(t)
		<-b.ended
		b.start(t)
		if err := b.stop(); err != nil {
			t.Error(err)
		}
		told := make([]string, 0, 3)
		for _, l := range b.out.losses {
			told = append(told, string(l.Kind)+" "+l.Detail[:2])
		}
		if want := []string{"shed 3 ", "shed 3 ", "shed 1 "}; !slices.Equal(told, want) {
			t.Errorf("got %q", told)
		}
	})
}

// TestBaselineEndsWithTheSnapshots: where starts are unknown, a flow that turns up after a whole snapshot
// is new.
func TestBaselineEndsWithTheSnapshots(t *testing.T) {
	batches := make([]recordingtest.Sent, 0, 8)
	for i, snapshot := range []uint64{5, 0, 5, 6, 5, 0, 7, 0} {
		b := &messages.Batch{Source: "conntrack", Snapshot: snapshot}
		key := recordingtest.TCP("192.168.1.2:1", "198.51.100.7:2")
		u := messages.Update{Key: key, ID: uint32(i), Flags: messages.Baseline}
		b.Add(&u, nil, nil)
		batches = append(batches, recordingtest.Sent{Batch: b})
	}
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, recordingtest.Record(t, recordingtest.Header(), batches), Config{})
		b.start(t)
		if err := b.stop(); err != nil {
			t.Error(err)
		}
		for i, a := range b.out.got() {
			if got, want := a.update.Flags == messages.Baseline, i < 6; got != want {
				t.Errorf("update %d: baseline is %v", i, got)
			}
		}
	})
}
