package suricata

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
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

// fakeOut is a core that takes everything and keeps it, in words.
type fakeOut struct {
	mu     sync.Mutex
	said   []string
	losses []messages.Loss
	// only is what a text must have to be kept.
	only string
	// onAdd is called without the lock.
	onAdd func(ctx context.Context) error
}

type fakeWriter struct {
	out  *fakeOut
	mode sources.Mode
	kept []string
}

func (o *fakeOut) Writer(m sources.Mode) sources.Writer { return &fakeWriter{out: o, mode: m} }

func (o *fakeOut) Lost(l messages.Loss) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.losses = append(o.losses, l)
}

// all is what was flushed.
func (o *fakeOut) all() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.said)
}

// lost sums the losses whose sentence has a word.
func (o *fakeOut) lost(word string) (sum uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, l := range o.losses {
		if strings.Contains(l.Detail, word) {
			sum += l.Count
		}
	}
	return sum
}

func (*fakeWriter) Snapshot(uint64) {}

func (w *fakeWriter) add(ctx context.Context, text string) error {
	if f := w.out.onAdd; f != nil {
		if err := f(ctx); err != nil {
			return err
		}
	}
	if strings.Contains(text, w.out.only) {
		w.kept = append(w.kept, text)
	}
	return nil
}

func (w *fakeWriter) Add(ctx context.Context, u *messages.Update, _ *messages.Key, tags []columns.Tag) error {
	text := make([]string, 0, len(tags))
	for _, t := range tags {
		text = append(text, fmt.Sprintf("%d:%s=%s", t.End, t.Column.Name, t.Column.Format(t.Value)))
	}
	slices.Sort(text)
	return w.add(ctx, fmt.Sprintf("%+v %v", *u, text))
}

func (w *fakeWriter) Tell(ctx context.Context, f *messages.Fact) error {
	return w.add(ctx, fmt.Sprintf("%+v", *f))
}

func (w *fakeWriter) Flush(context.Context) error {
	w.out.mu.Lock()
	defer w.out.mu.Unlock()
	w.out.said = append(w.out.said, w.kept...)
	w.kept = nil
	return nil
}

// echo is a handler that hands lines over as facts.
type echo struct{ out sources.Writer }

func (e *echo) line(ctx context.Context, _ uint64, raw []byte, _ time.Time) error {
	if string(raw) == "panic" {
		panic("a line that the decoder cannot bear")
	}
	return e.out.Tell(ctx, &messages.Fact{Name: string(raw)})
}

func (e *echo) forget(ctx context.Context, conn uint64) error {
	return e.out.Tell(ctx, &messages.Fact{Name: fmt.Sprintf("end of %d", conn)})
}

func (*echo) counts() ([]sources.Metric, uint64, uint64) { return nil, 0, 0 }

// running is a source with its fake core.
type running struct {
	*Source
	t      *testing.T
	cfg    *Config
	out    *fakeOut
	cancel context.CancelFunc
	ended  chan struct{}
	err    error // of Run, or of a goroutine; read it after ended
}

// configure makes a configuration whose paths lie in a directory of the test.
func configure(t *testing.T) *Config {
	t.Helper()
	c := defaults().(*Config)
	// t.TempDir may be longer than a socket's path can be.
	c.Stream = filepath.Join(t.TempDir(), "s")
	return c
}

// run runs a source of echoes, or one that decodes.
func run(t *testing.T, c *Config, out *fakeOut, decode bool) *running {
	t.Helper()
	r, err := tryRun(t, c, out, decode)
	if err != nil {
		t.Fatalf("run: %v", err)
	}
	return r
}

func tryRun(t *testing.T, c *Config, out *fakeOut, decode bool) (*running, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{t: t, cfg: c, out: out, cancel: cancel, ended: make(chan struct{})}
	failed := make(chan error, 64)
	var goroutines sync.WaitGroup
	protect := func(name string, f func() error) {
		defer func() {
			if p := recover(); p != nil {
				failed <- fmt.Errorf("%s panicked: %v", name, p)
				cancel()
			}
		}()
		if err := f(); err != nil {
			failed <- fmt.Errorf("%s: %w", name, err)
			cancel()
		}
	}
	src, err := c.New(sources.Core{
		Name: "suricata", Log: zerolog.New(zerolog.NewTestWriter(t)), Out: out,
		Go: func(ctx context.Context, name string, f func(context.Context) error) {
			goroutines.Go(func() { protect(name, func() error { return f(ctx) }) })
		},
	})
	if err != nil {
		cancel()
		return nil, err
	}
	r.Source = src.(*Source)
	if !decode {
		r.handle = func(w sources.Writer) handler { return &echo{w} }
	}
	ready := make(chan struct{})
	go func() {
		defer close(r.ended)
		protect("run", func() error { return r.Run(ctx, func() { close(ready) }) })
		goroutines.Wait()
		close(failed)
		for err := range failed {
			r.err = errors.Join(r.err, err)
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

// stop ends the source and returns how that went.
func (r *running) stop() error {
	r.t.Helper()
	r.cancel()
	select {
	case <-r.ended:
	case <-time.After(10 * time.Second):
		r.t.Fatal("the source does not end")
	}
	return r.err
}

// until waits until ok holds, or fails the test.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("timeout: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// metric reads one metric by its name.
func (r *running) metric(name string) float64 {
	r.t.Helper()
	for _, m := range r.Health().Metrics {
		if m.Name == name {
			return m.Value
		}
	}
	r.t.Fatalf("no metric %s", name)
	return 0
}

func (r *running) wantMetric(name string, want float64) {
	r.t.Helper()
	until(r.t, fmt.Sprintf("%s becomes %v", name, want), func() bool { return r.metric(name) == want })
}

// names are the lines that the echo handed over, in order, without ends of connections.
func (o *fakeOut) names() (list []string) {
	for _, s := range o.all() {
		_, name, _ := strings.Cut(s, "Name:")
		name, _, _ = strings.Cut(name, " TTL:")
		if !strings.HasPrefix(name, "end of ") {
			list = append(list, name)
		}
	}
	return list
}

func (r *running) wantNames(want ...string) {
	r.t.Helper()
	until(r.t, fmt.Sprintf("want %d lines", len(want)), func() bool { return len(r.out.names()) >= len(want) })
	if got := r.out.names(); !slices.Equal(got, want) {
		r.t.Errorf("got  %q\nwant %q", got, want)
	}
}

// dial connects as Suricata does.
func dial(t *testing.T, network, path string) net.Conn {
	t.Helper()
	c, err := net.Dial(network, path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}
