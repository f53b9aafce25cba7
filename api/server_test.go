package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"weir/actors"
	"weir/messages"
	"weir/messages/weirpb"
	"weir/sources/recording"
	"weir/store"
)

func TestQueryJSON(t *testing.T) {
	code, body, header := ask(t, newServer(newCore(t)).Handler(),
		"/v1/query?by=local.ip&filter=local.ip%20=%20192.0.2.2")
	if code != http.StatusOK || !strings.HasPrefix(header.Get("Content-Type"), "application/json") {
		t.Fatalf("%d %s %s", code, header, body)
	}
	var a struct {
		Columns []struct{ Name string }
		Rows    [][]any
		Exact   bool
	}
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		t.Fatal(err)
	}
	if len(a.Rows) != 1 || a.Rows[0][0] != "192.0.2.2" || a.Rows[0][1] != 220.0 || a.Columns[1].Name != "bytes" {
		t.Errorf("%s", body)
	}
}

func TestQueryProtobuf(t *testing.T) {
	_, body, header := ask(t, newServer(newCore(t)).Handler(), "/v1/query?by=none", "Accept", ProtobufType)
	m := &weirpb.QueryAnswer{}
	if err := proto.Unmarshal([]byte(body), m); err != nil {
		t.Fatal(err)
	}
	if header.Get("Content-Type") != ProtobufType || len(m.GetRows()) != 1 ||
		m.GetRows()[0].GetCells()[0].GetNumber() != 330 {
		t.Errorf("%v %v", header, m)
	}
}

func TestStatus(t *testing.T) {
	c := newCore(t)
	h := newServer(c).Handler()
	_, body, header := ask(t, h, "/v1/status", "Accept", ProtobufType)
	m := &weirpb.Status{}
	if err := proto.Unmarshal([]byte(body), m); err != nil {
		t.Fatal(err)
	}
	want := actors.StatusToProto(new(c.Status()))
	if header.Get("Content-Type") != ProtobufType || !proto.Equal(m, want) {
		t.Errorf("%v\n%v\nwant\n%v", header, m, want)
	}
	var asJSON actors.Status
	_, body, header = ask(t, h, "/v1/status")
	if err := json.Unmarshal([]byte(body), &asJSON); err != nil {
		t.Fatal(err)
	}
	if header.Get("Content-Type") != jsonType || !proto.Equal(actors.StatusToProto(&asJSON), want) {
		t.Errorf("%v\n%s\nwant\n%v", header, body, want)
	}
}

func TestErrors(t *testing.T) {
	h := newServer(newCore(t)).Handler()
	for target, want := range map[string]struct {
		code     int
		position int
		text     string
	}{
		"/v1/query?filter=local.ip+~+1":     {400, 9, "filter"},
		"/v1/query?filter=&by=nothing":      {400, -1, "there is no column"},
		"/v1/query?last=long":               {400, -1, "not a duration"},
		"/v1/query?filter=local.ip+=+a<b>c": {400, 12, `found "<"`},
		"/v1/query?lats=10m":                {400, -1, "did you mean last?"},
		"/v2":                               {404, -1, "/v1/query"},
	} {
		code, body, _ := ask(t, h, target)
		var p Problem
		if err := json.Unmarshal([]byte(body), &p); err != nil {
			t.Errorf("%s: %v in %s", target, err, body)
		}
		got := -1
		if p.Position != nil {
			got = *p.Position
		}
		if code != want.code || got != want.position || !strings.Contains(p.Error, want.text) || p.Error == "" {
			t.Errorf("%s: %d, position %d, %s", target, code, got, p.Error)
		}
	}
}

func TestOnlyGet(t *testing.T) {
	d := serve(t, newCore(t))
	for _, path := range []string{"/v1/query", "/v1/status", "/"} {
		resp, err := d.client.Post("http://weir"+path, "text/plain", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
}

func TestHugeRequestIsRefused(t *testing.T) {
	d := serve(t, newCore(t))
	resp, err := d.client.Get("http://weir/v1/query?filter=" + strings.Repeat("x", 2*maxHeader))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%s", resp.Status)
	}
}

// slowTier waits in a query until it is cancelled.
type slowTier struct {
	store.Tier
	entered chan struct{}
}

func (s slowTier) Query(ctx context.Context, _ *store.Request, _ *store.Partial) error {
	s.entered <- struct{}{}
	<-ctx.Done()
	return ctx.Err()
}

func TestQueriesAreBoundedAndCancelled(t *testing.T) {
	c := newCore(t)
	tier := slowTier{c.tiers[0], make(chan struct{}, maxQueries)}
	c.tiers = []store.Tier{tier}
	d := serve(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, maxQueries)
	for range maxQueries {
		go func() {
			req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://weir/v1/query", http.NoBody)
			resp, err := d.client.Do(req)
			if err == nil {
				resp.Body.Close()
			}
			ended <- err
		}()
	}
	for range maxQueries {
		<-tier.entered
	}
	code, body, header := ask(t, d.Handler(), "/v1/query")
	if code != http.StatusServiceUnavailable || header.Get("Retry-After") != "1" || d.counts.refused.Load() != 1 {
		t.Errorf("%d %v %s", code, header, body)
	}
	cancel()
	for range maxQueries {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	eventually(t, "all places are free again", func() bool { return len(d.queries) == 0 })
}

func TestPanicIsCountedAndOthersGoOn(t *testing.T) {
	c := newCore(t)
	c.status = func() actors.Status { panic("boom") }
	d := serve(t, c)
	resp, err := d.client.Get("http://weir/v1/status")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusInternalServerError || strings.Contains(string(body), "boom") ||
		d.counts.panics.Load() != 1 {
		t.Errorf("%s %s", resp.Status, body)
	}
	if code, _, _ := ask(t, d.Handler(), "/v1/query"); code != http.StatusOK {
		t.Errorf("the next request: %d", code)
	}
}

func TestMetrics(t *testing.T) {
	s := newServer(newCore(t))
	_, body, _ := ask(t, s.Handler(), "/metrics")
	for _, want := range []string{
		"# TYPE weir_api_requests_total counter\nweir_api_requests_total 1\n",
		`weir_info{version="v1"} 1` + "\n",
		`weir_actor_failures_total{actor="odd\"name"} 3` + "\n",
		"# HELP weir_source_events_total what\\nhappened\n# TYPE weir_source_events_total counter\n" +
			`weir_source_events_total{source="stub"} 5` + "\n",
		`weir_source_updates_total{source="stub"} 7` + "\n",
		`weir_source_healthy{source="stub"} 1` + "\n",
		`weir_computation_updates_total{computation="guess"} 9` + "\n",
		`weir_computation_running{computation="guess"} 1` + "\n",
		`weir_computation_facts_dropped_total{computation="guess"} 2` + "\n",
		`weir_computation_state_saved_timestamp_seconds{computation="guess"} 1.8e+09` + "\n",
		"# HELP weir_computation_guess_updates_total of its own\n" +
			"# TYPE weir_computation_guess_updates_total counter\n" + "weir_computation_guess_updates_total 5\n",
		"# TYPE weir_shard_window gauge\n" + `weir_shard_window{shard="1"} 64` + "\n",
		`weir_flows_refused_total{shard="1"} 0` + "\n",
		`weir_tier_rows{tier="memory"} 2` + "\n",
		"weir_slicer_closed_total 0\n",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing in\n%s", want, body)
		}
	}
	seen := map[string]bool{}
	for line := range strings.Lines(body) {
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			if seen[name] {
				t.Errorf("declared twice: %s", line)
			}
			seen[name] = true
		}
	}
}

func TestHostOnLoopback(t *testing.T) {
	s := newServer(newCore(t))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for host, want := range map[string]int{
		"": 200, "localhost:8017": 200, "[::1]:8017": 200, "127.0.0.1": 200, "evil.example:8017": 403, "192.0.2.1": 403,
	} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr().String()+"/v1/status",
			http.NoBody)
		req.Host = host
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%q: %s", host, resp.Status)
		}
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// batch makes a batch with one update.
func batch(n uint32) *messages.Batch {
	return &messages.Batch{Source: "stub", Updates: []messages.Update{{ID: n, Kind: messages.Delta}}}
}

func TestRecord(t *testing.T) {
	c := newCore(t)
	d := serve(t, c)
	resp, err := d.client.Get("http://weir/v1/record")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	r, err := recording.NewReader(bufio.NewReader(resp.Body))
	if err != nil {
		t.Fatal(err)
	}
	if h := r.Header(); !h.Created.Equal(now) || h.Slice != 10*time.Second || h.Version != "v1" {
		t.Errorf("%+v", h)
	}
	for i := range uint32(3) {
		c.dropped.Store(uint64(i))
		c.batches <- batch(i)
		var got messages.Batch
		info, err := r.Next(&got)
		if err != nil {
			t.Fatal(err)
		}
		if got.Updates[0].ID != i || info.Lost != min(uint64(i), 1) {
			t.Errorf("batch %d: %+v, %+v", i, got, info)
		}
	}
	d.stop.Do(func() { close(d.stopping) })
	if _, err := r.Next(&messages.Batch{}); !errors.Is(err, io.EOF) {
		t.Errorf("the end: %v", err)
	}
	eventually(t, "the tap has ended", func() bool { return c.taps.Load() == 0 && len(d.recordings) == 0 })
}

func TestRecordEndsWithItsClient(t *testing.T) {
	c := newCore(t)
	d := serve(t, c)
	for range maxRecordings + 1 { // More than can run at once.
		resp, err := d.client.Get("http://weir/v1/record")
		if err != nil {
			t.Fatal(err)
		}
		c.batches <- batch(1)
		resp.Body.Close()
		eventually(t, "the tap has ended", func() bool { return c.taps.Load() == 0 && len(d.recordings) == 0 })
	}
}

func TestRecordingsAreBounded(t *testing.T) {
	d := serve(t, newCore(t))
	for range maxRecordings {
		resp, err := d.client.Get("http://weir/v1/record")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
	}
	if code, _, _ := ask(t, d.Handler(), "/v1/record"); code != http.StatusServiceUnavailable {
		t.Errorf("got %d", code)
	}
}
