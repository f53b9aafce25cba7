package conntrack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"weir/columns"
	"weir/messages"
	"weir/sources"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// posted is one update as the core gets it.
type posted struct {
	messages.Update
	alias    *messages.Key
	tags     []columns.Tag
	mode     sources.Mode
	snapshot uint64
}

// fakeOut is a core that takes everything, counts, and keeps what it is told to keep.
type fakeOut struct {
	mu       sync.Mutex
	changed  chan struct{} // closed and made anew at each change
	updates  []posted
	losses   []messages.Loss
	onAdd    func(ctx context.Context, m sources.Mode) error // called without the lock
	flushErr error
}

func newFakeOut() *fakeOut { return &fakeOut{changed: make(chan struct{})} }

type fakeWriter struct {
	out      *fakeOut
	mode     sources.Mode
	snapshot uint64
	gathered []posted
}

func (o *fakeOut) Writer(m sources.Mode) sources.Writer { return &fakeWriter{out: o, mode: m} }

func (o *fakeOut) Lost(l messages.Loss) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.losses = append(o.losses, l)
	o.wake()
}

func (o *fakeOut) wake() {
	close(o.changed)
	o.changed = make(chan struct{})
}

func (o *fakeOut) all() []posted {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.updates)
}

func (o *fakeOut) allLosses() []messages.Loss {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.losses)
}

// wait returns when ok holds, or fails the test.
func (o *fakeOut) wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	for {
		o.mu.Lock()
		changed := o.changed
		o.mu.Unlock()
		if ok() {
			return
		}
		select {
		case <-changed:
		case <-time.After(10 * time.Millisecond): // ok may look at what is not posted, such as metrics.
		case <-deadline.C:
			t.Fatalf("timeout: %s", what)
		}
	}
}

func (w *fakeWriter) Snapshot(seq uint64) { w.snapshot = seq }

func (w *fakeWriter) Add(ctx context.Context, u *messages.Update, alias *messages.Key, tags []columns.Tag) error {
	if f := w.out.onAdd; f != nil {
		if err := f(ctx, w.mode); err != nil {
			return err
		}
	}
	p := posted{Update: *u, tags: tags, mode: w.mode, snapshot: w.snapshot}
	if alias != nil {
		k := *alias
		p.alias = &k
	}
	if w.gathered = append(w.gathered, p); len(w.gathered) < messages.BatchSize {
		return nil
	}
	return w.Flush(ctx)
}

// Flush makes what was gathered visible. Without it, a walker alone would never post: fuzzing has none.
func (*fakeWriter) Tell(context.Context, *messages.Fact) error { return nil }

func (w *fakeWriter) Flush(context.Context) error {
	w.out.mu.Lock()
	defer w.out.mu.Unlock()
	if w.out.flushErr != nil {
		return w.out.flushErr
	}
	w.out.updates = append(w.out.updates, w.gathered...)
	w.gathered = nil
	w.out.wake()
	return nil
}

// running is a source with its fake core.
type running struct {
	*Source
	out    *fakeOut
	cancel context.CancelFunc
	ended  chan struct{}
	err    error // of Run; read it after ended
}

// run starts a source and waits until it is ready. The test ends with a clean end of the source unless it
// ended before.
// run runs a source and returns once its first dump, which nobody asked for, is over.
func run(t *testing.T, cfg *Config, out *fakeOut) *running {
	t.Helper()
	r, err := tryRun(t, cfg, out)
	if err != nil {
		t.Fatalf("run: %v", err)
	}
	for deadline := time.Now().Add(20 * time.Second); r.metrics.dumps.Load()+r.metrics.failedDumps.Load() == 0; {
		if time.Now().After(deadline) {
			t.Fatal("the source does not begin with a dump")
		}
		time.Sleep(time.Millisecond)
	}
	return r
}

func tryRun(t *testing.T, cfg *Config, out *fakeOut) (*running, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{out: out, cancel: cancel, ended: make(chan struct{})}
	failed := make(chan error, 8)
	core := sources.Core{
		Name: "conntrack", Log: zerolog.New(zerolog.NewTestWriter(t)), Out: out,
		Go: func(ctx context.Context, name string, f func(context.Context) error) {
			go func() {
				if err := f(ctx); err != nil {
					failed <- fmt.Errorf("%s: %w", name, err)
					cancel()
				}
			}()
		},
	}
	r.Source = newSource(*cfg, core) // Not New: tests use buffers that are smaller than allowed.
	ready := make(chan struct{})
	go func() {
		defer close(r.ended)
		r.err = r.Run(ctx, func() { close(ready) })
		select {
		case err := <-failed:
			r.err = errors.Join(r.err, err)
		default:
		}
	}()
	t.Cleanup(func() { cancel(); <-r.ended })
	select {
	case <-ready:
		return r, nil
	case <-r.ended:
		return nil, r.err
	}
}

// stop ends the source and returns what Run returned.
func (r *running) stop() error {
	r.cancel()
	<-r.ended
	return r.err
}

// metric reads one metric by its name.
func (r *running) metric(t *testing.T, name string) float64 {
	t.Helper()
	for _, m := range r.Health().Metrics {
		if m.Name == name {
			return m.Value
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}
