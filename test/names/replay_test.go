package names_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/columns/name"
	"weir/messages"
	"weir/sources/recording"
	"weir/test/netlab"
	"weir/test/recorded"
)

// haste is how much faster a run is played than it was.
var haste = func() int {
	if os.Getenv("WEIR_TEST_LONG") != "" {
		return 1
	}
	return 4
}()

// slow is how long a stretch of the played time was.
func slow(d time.Duration) time.Duration { return d * time.Duration(haste) }

// timeline moves the times of a run.
type timeline struct{ from, to time.Time }

func (l timeline) at(t time.Time) time.Time { return l.to.Add(t.Sub(l.from) / time.Duration(haste)) }

// kernelRecording makes a recording for the source replay of what the kernel told, with a snapshot for each slice of
// a second.
func kernelRecording(t *testing.T, r *recorded.Run, l timeline) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := recording.NewWriter(&file, recording.Header{Created: l.to, CountsSince: l.to, Slice: time.Second})
	must(t, err)
	write := func(at time.Time, seq uint64, all []news) {
		b := &messages.Batch{Source: "conntrack", Snapshot: seq}
		for _, n := range all {
			if n.update.Start != 0 {
				n.update.Start = l.at(n.flow.Start).UnixNano()
			}
			if n.update.Stop != 0 {
				n.update.Stop = l.at(n.flow.Stop).UnixNano()
			}
			b.Add(&n.update, n.alias, nil)
		}
		must(t, w.Batch(l.at(at), b))
	}
	steps := kernelSteps(r, 0, func(at time.Time, all []news) { write(at, 0, all) })
	_, end := r.Span()
	for at := l.from; at.Before(end.Add(slow(2 * time.Second))); at = at.Add(slow(time.Second)) {
		steps = append(steps, step{at, func() {
			write(at, 1+uint64(at.Sub(l.from)/time.Second), snapshot(r, at))
		}})
	}
	inOrder(steps)
	must(t, w.Close())
	return file.Bytes()
}

var reStamp = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+0000`)

// moved gives a line with its times moved.
func (l timeline) moved(raw []byte) []byte {
	const layout = "2006-01-02T15:04:05.000000-0700"
	return reStamp.ReplaceAllFunc(raw, func(b []byte) []byte {
		at, err := time.Parse(layout, string(b))
		if err != nil {
			return b
		}
		return []byte(l.at(at).UTC().Format(layout))
	})
}

// send writes the lines of a run to Suricata's socket when their time comes.
func (p *program) send(t *testing.T, r *recorded.Run, l timeline) {
	t.Helper()
	c := p.connect(t)
	for i := range r.Events {
		due := time.NewTimer(time.Until(l.at(r.Events[i].Written)))
		select {
		case <-due.C:
		case <-t.Context().Done():
			t.Fatal(context.Cause(t.Context()))
		}
		if _, err := c.Write(append(l.moved(r.Events[i].Raw), '\n')); err != nil {
			t.Fatal(err)
		}
	}
}

// said gives what the client called the server when it spoke to it, and how; nothing if it did not say a name.
func said(r *recorded.Run) map[*recorded.Flow][2]string {
	names := map[*recorded.Flow][2]string{}
	claim := func(f *recorded.Flow, raw, source string) {
		n := name.Clean(raw)
		_, err := netip.ParseAddr(n)
		// A name without a dot is none that is known outside of a home.
		if f != nil && err != nil && strings.Contains(n, ".") && names[f][1] != "sni" {
			names[f] = [2]string{n, source}
		}
	}
	for i := range r.Events {
		if e := &r.Events[i]; e.Routed() && (e.Type == "tls" || e.Type == "http") {
			claim(r.Owner(e), e.SNI, "sni")
			if e.SNI == "" {
				claim(r.Owner(e), strings.Trim(e.Host, "[]"), "http")
			}
		}
	}
	return names
}

// asked gives the names that the client of a flow had been told the server's address for when it connected, give or
// take the two seconds by which the clocks may differ.
func asked(r *recorded.Run, f *recorded.Flow) (names []string) {
	for i := range r.Events {
		e := &r.Events[i]
		if client := f.Orig.Src.Addr(); e.Tuple.Src.Addr() != client && e.Tuple.Dst.Addr() != client {
			continue
		}
		told := slices.Contains(e.Answers, f.Orig.Dst.Addr()) || slices.Contains(e.Answers, f.Reply.Src.Addr())
		if told && e.At.Before(f.Start.Add(slow(2*time.Second))) {
			names = append(names, name.Clean(e.Queries[0]))
		}
	}
	return names
}

// TestNamesOfARun plays what the kernel told and what Suricata wrote of one run together, and asks for the bytes of
// each name.
func TestNamesOfARun(t *testing.T) {
	r := recorded.Own(t)
	from, _ := r.Span()
	from = from.Add(-slow(5 * time.Second)) // Until all who listen are there.
	then := timeline{from, time.Unix(1_700_000_000, 0)}
	file := filepath.Join(t.TempDir(), "kernel.weir")
	must(t, os.WriteFile(file, kernelRecording(t, r, then), 0o600))
	p := run(t, fmt.Sprintf("[sources.replay]\nfile = %q\n", file))
	st := p.await(t, "status", func(*status) error { return nil })
	again := filepath.Join(t.TempDir(), "all.weir")
	stop := p.record(t, again)
	p.send(t, r, timeline{from, st.CountsSince})
	p.finished(t)
	p.await(t, "lines", func(st *status) error {
		if st.metric("suricata", "lines_total") != float64(len(r.Events)) {
			return errNotYet
		}
		return nil
	})
	p.slices(t, 2)
	stop()
	p.checkNames(t, r)
	// What it was told, DNS answers included, names the same once more.
	p = run(t, fmt.Sprintf("[sources.replay]\nfile = %q\nspeed = 0.0\n", again))
	p.finished(t)
	st = p.await(t, "status", func(*status) error { return nil })
	if st.metric("replay", "facts_total") <= 0 {
		t.Error("there are no facts in the recording")
	}
	p.slices(t, 2)
	p.checkNames(t, r)
}

// finished waits until the recording was played to its end.
func (p *program) finished(t *testing.T) {
	t.Helper()
	p.await(t, "end of the recording", func(st *status) error {
		for _, s := range st.Sources {
			if s.Name == "replay" && s.State != "finished" {
				return errNotYet
			}
		}
		return nil
	})
}

// record writes what the sources send into a file, until it is told to stop.
func (p *program) record(t *testing.T, file string) (stop func()) {
	t.Helper()
	dir, err := built()
	must(t, err)
	weir, socket := filepath.Join(dir, "weir"), filepath.Join(p.dir, "s")
	c := exec.CommandContext(t.Context(), weir, "--socket", socket, "record", file)
	var log journal
	c.Stdout, c.Stderr, c.Env = &log, &log, environment()
	must(t, c.Start())
	must(t, netlab.Poll(t.Context(), patience, func() error {
		info, err := os.Stat(file)
		if err == nil && info.Size() == 0 {
			err = errNotYet
		}
		return err
	}))
	return func() {
		must(t, c.Process.Signal(syscall.SIGINT))
		if err := c.Wait(); err != nil {
			t.Fatalf("weir record: %v: %s", err, log.String())
		}
	}
}

// checkNames compares the bytes of each name with those of the connections that should have it. Connections for which
// nothing was said may have a name that was asked, or none. Played in haste, tuples that are used again at once are
// used again within less than the two players may be apart on a busy machine; these are not compared then.
func (p *program) checkNames(t *testing.T, r *recorded.Run) {
	t.Helper()
	names := said(r)
	want, sum := map[string]uint64{}, uint64(0)
	allowed := map[string]bool{}
	var leftOut []string
	question := []string{"--by", "remote.name,remote.name.source"}
	for _, f := range r.Flows {
		if haste > 1 && usedAgain(r, f, time.Second) {
			leftOut = append(leftOut, fmt.Sprint(f.Orig.Src.Port()))
			continue
		}
		n := f.Counters[0].Bytes + f.Counters[1].Bytes
		sum += n
		if say, ok := names[f]; ok {
			want[say[0]+" by "+say[1]] += n
			continue
		}
		told := asked(r, f)
		for _, a := range told {
			allowed[a+" by dns"] = true
		}
		if len(told) > 0 {
			want["asked"] += n
		} else {
			want["unknown"] += n
		}
	}
	if len(leftOut) > 0 {
		question = append(question, "not local.port in ("+strings.Join(leftOut, ", ")+")")
	}
	got := map[string]uint64{}
	for _, row := range p.rows(t, question...) {
		n, err := strconv.ParseUint(row[2], 10, 64)
		must(t, err)
		sum -= n
		switch what := row[0] + " by " + row[1]; {
		case what == " by ":
			got["unknown"] += n
		case row[1] == "dns" && allowed[what]:
			got["asked"] += n
		default:
			got[what] += n
		}
	}
	if sum != 0 {
		t.Errorf("%d bytes are missing", int64(sum))
	}
	for _, n := range slices.Sorted(maps.Keys(merged(got, want))) {
		if got[n] != want[n] {
			t.Errorf("%.60q: %d bytes, want %d", n, got[n], want[n])
		}
	}
}

func merged(a, b map[string]uint64) map[string]uint64 {
	m := maps.Clone(a)
	maps.Copy(m, b)
	return m
}
