package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"weir/actors"
	"weir/api"
	"weir/columns"
	_ "weir/columns/ip"
	"weir/computations"
	"weir/messages"
	"weir/sources"
	"weir/store"
	"weir/store/memory"
)

// now is the time of all tests but those of weir run.
var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.Local)

// machine is what the source of the tests looks at.
var machine struct {
	sync.Mutex
	findings func() []sources.Finding
}

// look sets what the source of the tests finds.
func look(t *testing.T, f func() []sources.Finding) {
	t.Helper()
	machine.Lock()
	defer machine.Unlock()
	machine.findings = f
	t.Cleanup(func() {
		machine.Lock()
		defer machine.Unlock()
		machine.findings = nil
	})
}

// stub is a source that does nothing.
type stub struct {
	On bool `toml:"enabled" comment:"Whether."`
	// Stubborn makes it never end.
	Stubborn bool `toml:"stubborn" comment:"Whether it does not end when it should."`
}

func (s *stub) Enabled() bool                              { return s.On }
func (*stub) Validate() error                              { return nil }
func (s *stub) New(c sources.Core) (sources.Source, error) { return running{s, c}, nil }

func (*stub) Check(context.Context) []sources.Finding {
	machine.Lock()
	defer machine.Unlock()
	if machine.findings == nil {
		return []sources.Finding{{Level: sources.Good, Subject: "stub", Text: "all is well"}}
	}
	return machine.findings()
}

// running is the source when it runs.
type running struct {
	*stub
	core sources.Core
}

// released lets stubborn sources end.
var released = make(chan struct{})

func (r running) Run(ctx context.Context, ready func()) error {
	ready()
	<-ctx.Done()
	if r.Stubborn {
		<-released
	}
	return nil
}

func (running) Health() sources.Health {
	events := sources.Metric{Name: "events_total", Help: "events", Value: 5}
	return sources.Health{State: sources.Running, Metrics: []sources.Metric{events}}
}

// guess is a computation that keeps a word and does nothing else.
type guess struct {
	On bool `toml:"enabled" comment:"Whether."`
}

func (g *guess) Enabled() bool { return g.On }
func (*guess) Validate() error { return nil }

func (g *guess) New(computations.Core) (computations.Computation, error) { return g, nil }

func (*guess) Handle(*messages.Events, *computations.View, computations.Out) {}
func (*guess) Settle(int64, *computations.View, computations.Out)            {}

func (*guess) Metrics() []messages.Metric {
	return []messages.Metric{{Name: "guesses_total", Help: "guesses", Value: 3}}
}

func (*guess) Save(w io.Writer) error {
	_, err := io.WriteString(w, "word")
	return err
}

func (*guess) Load(io.Reader) error { return nil }

func TestMain(m *testing.M) {
	sources.Register(sources.Definition{
		Name: "stub", Doc: "A source for tests.", Defaults: func() sources.Config { return &stub{On: true} },
	})
	computations.Register(computations.Definition{
		Name: "guess", Doc: "A computation for tests.", Rank: 7,
		Defaults: func() computations.Config { return &guess{} },
	})
	// Weir neither reads the machine's configuration nor its variables in tests.
	goleak.VerifyTestMain(m)
}

// core is a daemon that is not there.
type core struct {
	tiers   []store.Tier
	status  actors.Status
	batches chan *messages.Batch
}

func (c *core) Tiers() []store.Tier   { return c.tiers }
func (c *core) Status() actors.Status { return c.status }

func (c *core) Tap(ctx context.Context, f func(*messages.Batch)) func() uint64 {
	go func() {
		for {
			select {
			case b := <-c.batches:
				f(b)
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() uint64 { return 0 }
}

// newCore makes a healthy daemon without data.
func newCore() *core {
	span := actors.Period{Start: now.Add(-time.Second), End: now.Add(9 * time.Second)}
	closed := actors.Period{Start: now.Add(-11 * time.Second), End: now.Add(-time.Second)}
	return &core{
		tiers:   []store.Tier{memory.New(memory.Options{})},
		batches: make(chan *messages.Batch),
		status: actors.Status{
			Started: now.Add(-time.Hour),
			Actors: []actors.ActorStatus{
				{Name: "root", State: "running", Since: now.Add(-time.Hour)},
				{Name: "source/stub", State: "running", Since: now.Add(-time.Hour)},
			},
			Sources: []actors.SourceStatus{{Name: "stub", Ready: true, State: sources.Running, Updates: 1234567}},
			Shards:  []actors.ShardStatus{{Fresh: true, Window: 64}},
			Slicer:  actors.SlicerStatus{Open: span, LastClosed: closed, Closed: 3},
			Tiers:   []store.Coverage{{Name: "memory", Slices: 3, Rows: 2, Bytes: 2048, Budget: 64 << 20}},
		},
	}
}

// fill gives the daemon one slice with two rows, the first of which has this value in local.ip.
func (c *core) fill(t *testing.T) {
	t.Helper()
	ip, _ := columns.Lookup("local.ip")
	var values []columns.Value
	for _, s := range []string{"192.0.2.1", "192.0.2.2"} {
		v, err := ip.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, v)
	}
	rows := &messages.Rows{
		Cells:   []messages.Cells{{Column: ip, Dict: append([]columns.Value{""}, values...), IDs: []uint32{1, 2}}},
		UpBytes: []uint64{10, 20}, UpPackets: []uint64{1, 2}, DownBytes: []uint64{100, 20000},
		DownPackets: []uint64{3, 4}, Started: []uint32{1, 1}, Ended: []uint32{0, 1},
	}
	span := messages.Span{Start: now.Add(-time.Minute), End: now.Add(-50 * time.Second)}
	err := c.tiers[0].Append(&messages.Slice{Seq: 1, Span: span, Parts: []*messages.Rows{rows}, Complete: true})
	if err != nil {
		t.Fatal(err)
	}
}

// serve answers for a core on a socket until the test ends.
func serve(t *testing.T, c *core) (socket string) {
	t.Helper()
	s := api.New(api.Options{Core: c, Log: zerolog.Nop(), Now: func() time.Time { return now }})
	socket = filepath.Join(t.TempDir(), "s")
	l, err := api.Socket{Path: socket, Mode: 0o600}.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return socket
}

// result is what a command did.
type result struct {
	code     int
	out, err string
}

// terminal is where a test runs: without configuration file, with a data directory of its own.
type terminal struct {
	t       *testing.T
	environ []string
	clock   func() time.Time
}

func newTerminal(t *testing.T, environ ...string) *terminal {
	t.Helper()
	file := filepath.Join(t.TempDir(), "weir.toml")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	own := []string{"WEIR_CONFIG=" + file, "WEIR_DATA_DIR=" + t.TempDir()}
	if !slices.ContainsFunc(environ, func(v string) bool { return strings.HasPrefix(v, "WEIR_SOCKET=") }) {
		own = append(own, "WEIR_SOCKET="+filepath.Join(t.TempDir(), "none"))
	}
	return &terminal{t: t, environ: append(own, environ...), clock: func() time.Time { return now }}
}

// run runs a command.
func (term *terminal) run(args ...string) result { return term.runContext(term.t.Context(), args...) }

func (term *terminal) runContext(ctx context.Context, args ...string) result {
	var out, errs buffer
	a := App{
		In: strings.NewReader(""), Out: &out, Err: &errs, Environ: term.environ, Now: term.clock,
		Features: []string{"sources_stub", "sources_suricata"},
	}
	code := a.Run(ctx, args)
	return result{code, out.String(), errs.String()}
}

// buffer is a buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// want checks the exit code and that the texts are in the output or among the errors.
func (r result) want(t *testing.T, code int, texts ...string) {
	t.Helper()
	all := r.out + r.err
	if r.code != code {
		t.Errorf("exit code %d, want %d\n%s", r.code, code, all)
	}
	for _, text := range texts {
		if !strings.Contains(all, text) {
			t.Errorf("%q is missing in\n%s", text, all)
		}
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

func ExampleApp() {
	var out bytes.Buffer
	a := App{Out: &out, Err: &out, Now: time.Now}
	code := a.Run(context.Background(), []string{"quary"})
	fmt.Println(code, strings.Split(out.String(), "\n")[0])
	// Output: 2 weir: unknown command "quary"; did you mean "query"?
}
