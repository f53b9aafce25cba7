package suricata

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"
)

// recorded reads a file of real EVE output, or skips the test.
func recorded(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join("../../../shared/eve", name+".gz"))
	if err != nil {
		t.Skipf("the recorded EVE output is not beside the repository: %v", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// stamp is a time as Suricata writes it.
var stamp = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+0000`)

// moved gives events whose times are those of now, since the source does not believe others.
func moved(t testing.TB, data []byte) []byte {
	t.Helper()
	const layout = "2006-01-02T15:04:05.000000-0700"
	read := func(text []byte) time.Time {
		at, err := time.Parse(layout, string(text))
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	var last time.Time
	for _, text := range stamp.FindAll(data, -1) {
		if at := read(text); at.After(last) {
			last = at
		}
	}
	shift := time.Since(last)
	return stamp.ReplaceAllFunc(data, func(text []byte) []byte {
		return []byte(read(text).Add(shift).UTC().Format(layout))
	})
}

// heard waits until the source has dealt with some lines and gives what it handed over.
func (r *running) heard(lines int) []string {
	r.t.Helper()
	until(r.t, "all lines are dealt with", func() bool { return r.metric("events_total") == float64(lines) })
	if err := r.stop(); err != nil {
		r.t.Error(err)
	}
	if n := r.out.lost(""); n != 0 {
		r.t.Errorf("%d events are told as lost", n)
	}
	return r.out.all()
}

// TestTransportsTellTheSame sends real events through a stream, datagrams and a file.
func TestTransportsTellTheSame(t *testing.T) {
	data := moved(t, recorded(t, "live-8.0.8/eve.json"))
	lines := bytes.Count(data, []byte("\n"))

	c := configure(t)
	r := run(t, c, &fakeOut{}, true)
	conn := dial(t, "unix", c.Stream)
	for rest := data; len(rest) > 0; { // Cut anywhere.
		n := min(len(rest), 1999)
		send(t, conn, string(rest[:n]))
		rest = rest[n:]
	}
	stream := r.heard(lines)

	c = configure(t)
	c.Stream, c.Datagram = "", c.Stream
	r = run(t, c, &fakeOut{}, true)
	gram := dial(t, "unixgram", c.Datagram)
	for line := range bytes.Lines(data) {
		send(t, gram, string(line))
	}
	datagrams := r.heard(lines)

	r, f := followed(t, "", true)
	f.open()
	f.write(string(data[:len(data)/3]))
	f.write(string(data[len(data)/3:]))
	file := r.heard(lines)

	if len(stream) < 300 {
		t.Errorf("the events told only %d updates and facts", len(stream))
	}
	if !slices.Equal(stream, datagrams) {
		t.Errorf("stream and datagrams differ: %d and %d updates and facts", len(stream), len(datagrams))
	}
	if !slices.Equal(stream, file) {
		t.Errorf("stream and file differ: %d and %d updates and facts", len(stream), len(file))
	}
}

// TestGluedStream sends what a reader got that was too slow: six lines hold a whole event behind one or two that were
// cut.
func TestGluedStream(t *testing.T) {
	data := recorded(t, "live-8.0.8-glued/stream.bin")
	want := map[string]float64{}
	whole, cut, recovered := 0, 0, 0
	for line := range bytes.Lines(data) {
		if !json.Valid(line) {
			const start = `{"timestamp":"`
			cut += bytes.Count(line, []byte(start)) - 1
			line = line[bytes.LastIndex(line, []byte(start)):]
			recovered++
		}
		var event struct {
			Type string `json:"event_type"`
		}
		if err := json.Unmarshal(line, &event); err != nil {
			t.Fatal(err)
		}
		whole++
		want["events_"+event.Type+"_total"]++
	}
	if whole != 131 || recovered != 6 || cut != 7 {
		t.Fatalf("the recording has %d whole events, %d of them behind %d cut ones", whole, recovered, cut)
	}
	c := configure(t)
	r := run(t, c, &fakeOut{}, true)
	conn, err := net.Dial("unix", c.Stream)
	if err != nil {
		t.Fatal(err)
	}
	send(t, conn, string(data))
	conn.Close()
	r.wantMetric("events_total", float64(whole))
	r.wantMetric("glued_events_total", float64(cut))
	r.wantMetric("recovered_events_total", float64(recovered))
	for _, name := range []string{"bad_events_total", "partial_events_total", "oversize_events_total"} {
		r.wantMetric(name, 0)
	}
	for name, n := range want {
		r.wantMetric(name, n)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if n := r.out.lost("cut events"); n != uint64(cut) {
		t.Errorf("%d cut events are told as lost", n)
	}
}

// TestBadLines are counted and told, and what is sound among them is used.
func TestBadLines(t *testing.T) {
	c := configure(t)
	r := run(t, c, &fakeOut{}, true)
	conn := dial(t, "unix", c.Stream)
	const dns = `"event_type":"dns","src_ip":"10.0.0.2","src_port":5000,"dest_ip":"10.0.0.1","dest_port":53,` +
		`"proto":"UDP","dns":{"type":"query","rrname":"example.org","rrtype":"A"}}`
	send(t, conn, "nonsense\n{\"a\":\n"+`{"timestamp":"2026-11-22T21:09:28.643083+0000","rrname":"cut`+
		`{"timestamp":"2026-11-22T21:09:28.643083+0000",`+dns+"\n"+`{"event_type":"no metric; at \"all\""}`+"\n")
	r.wantMetric("bad_events_total", 2)
	r.wantMetric("glued_events_total", 1)
	r.wantMetric("events_dns_total", 1)
	r.wantMetric("events_other_total", 1)
	until(t, "the event is used", func() bool { return len(r.out.all()) > 0 })
	until(t, "the losses are told", func() bool { return r.out.lost("could not be read") == 2 })
}
