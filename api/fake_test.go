package api

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"weir/actors"
	"weir/columns"
	_ "weir/columns/ip"
	"weir/messages"
	"weir/sources"
	"weir/store"
	"weir/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// now is the time of all tests.
var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// core is a daemon that is not there.
type core struct {
	tiers  []store.Tier
	status func() actors.Status
	// batches are what a tap gets.
	batches chan *messages.Batch
	dropped atomic.Uint64
	taps    atomic.Int64
}

func (c *core) Tiers() []store.Tier { return c.tiers }

func (c *core) Status() actors.Status {
	if c.status != nil {
		return c.status()
	}
	return actors.Status{
		Started: now,
		Actors:  []actors.ActorStatus{{Name: `odd"name`, State: "running", Failures: 3}},
		Sources: []actors.SourceStatus{{
			Name: "stub", Ready: true, State: sources.Running, Updates: 7,
			Metrics: []actors.MetricStatus{{Name: "events_total", Help: "what\nhappened", Value: 5}},
		}},
		Computations: []actors.ComputationStatus{{
			Name: "guess", Rank: 3, Running: true, Updates: 9, FactsDropped: 2, StateSaved: time.Unix(1800000000, 0),
			Metrics: []actors.MetricStatus{{Name: "updates_total", Help: "of its own", Value: 5}},
		}},
		Shards: []actors.ShardStatus{{Shard: 1, Window: 64}},
		Tiers:  []store.Coverage{{Name: "memory", Rows: 2}},
	}
}

func (c *core) Tap(ctx context.Context, f func(*messages.Batch)) func() uint64 {
	c.taps.Add(1)
	go func() {
		defer c.taps.Add(-1)
		for {
			select {
			case b := <-c.batches:
				f(b)
			case <-ctx.Done():
				return
			}
		}
	}()
	return c.dropped.Load
}

// newCore makes a daemon whose memory holds one slice with two rows.
func newCore(t *testing.T) *core {
	t.Helper()
	tier := memory.New(memory.Options{})
	ip, _ := columns.Lookup("local.ip")
	value := func(s string) columns.Value {
		v, err := ip.Parse(netip.MustParseAddr(s).String())
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	rows := &messages.Rows{
		Cells: []messages.Cells{{
			Column: ip, Dict: []columns.Value{"", value("192.0.2.1"), value("192.0.2.2")}, IDs: []uint32{1, 2},
		}},
		UpBytes: []uint64{10, 20}, UpPackets: []uint64{1, 2}, DownBytes: []uint64{100, 200},
		DownPackets: []uint64{3, 4}, Started: []uint32{1, 1}, Ended: []uint32{0, 1},
	}
	span := messages.Span{Start: now.Add(-time.Minute), End: now.Add(-50 * time.Second)}
	err := tier.Append(&messages.Slice{Seq: 1, Span: span, Parts: []*messages.Rows{rows}, Complete: true})
	if err != nil {
		t.Fatal(err)
	}
	return &core{tiers: []store.Tier{tier}, batches: make(chan *messages.Batch)}
}

// newServer makes a server of a core, at the time of the tests.
func newServer(c Core) *Server {
	return New(Options{
		Core: c, Log: zerolog.Nop(), Version: "v1", Slice: 10 * time.Second, Now: func() time.Time { return now },
	})
}

// daemon serves a core on a socket until the test ends.
type daemon struct {
	*Server
	socket string
	client *http.Client
	served chan error
}

func serve(t *testing.T, c Core) *daemon {
	t.Helper()
	d := &daemon{Server: newServer(c), socket: filepath.Join(t.TempDir(), "s"), served: make(chan error, 1)}
	l, err := Socket{Path: d.socket, Mode: 0o600}.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	go func() { d.served <- d.Serve(l) }()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "unix", d.socket)
	}
	d.client = &http.Client{Transport: &http.Transport{DialContext: dial}}
	t.Cleanup(func() {
		d.client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := d.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-d.served; err != nil {
			t.Error(err)
		}
	})
	return d
}

// ask sends a request to a handler without any network.
func ask(t *testing.T, h http.Handler, target string, header ...string) (int, string, http.Header) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, target, http.NoBody)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(body), w.Header()
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 5 s: %s", what)
		}
	}
}
