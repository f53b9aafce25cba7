package names_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/columns/name"
	"weir/messages"
	"weir/sources/recording"
	"weir/test/recorded"
)

// haste is how much faster a run is played than it was.
const haste = 4

// timeline moves the times of a run.
type timeline struct{ from, to time.Time }

func (l timeline) at(t time.Time) time.Time { return l.to.Add(t.Sub(l.from) / haste) }

// kernelRecording makes a recording for the source replay of what the kernel told.
func kernelRecording(t *testing.T, r *recorded.Run, l timeline) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := recording.NewWriter(&file, recording.Header{Created: l.to, CountsSince: l.to, Slice: time.Second})
	must(t, err)
	write := func(at time.Time, snapshot uint64, add func(b *messages.Batch)) {
		b := &messages.Batch{Source: "conntrack", Snapshot: snapshot}
		if add(b); len(b.Updates) > 0 {
			must(t, w.Batch(l.at(at), b))
		}
	}
	put := func(b *messages.Batch, f *recorded.Flow, u messages.Update, alias *messages.Key) {
		if u.Start != 0 {
			u.Start = l.at(f.Start).UnixNano()
		}
		if u.Stop != 0 {
			u.Stop = l.at(f.Stop).UnixNano()
		}
		b.Add(&u, alias, nil)
	}
	var steps []step
	for _, n := range r.News {
		switch n.Kind {
		case "NEW":
			steps = append(steps, step{n.At, func() {
				write(n.At, 0, func(b *messages.Batch) { u, a := n.Flow.Started(); put(b, n.Flow, u, a) })
			}})
		case "DESTROY":
			steps = append(steps, step{n.At, func() {
				write(n.At, 0, func(b *messages.Batch) { u, a := n.Flow.Ended(); put(b, n.Flow, u, a) })
			}})
		}
	}
	_, end := r.Span()
	for i, at := uint64(1), l.from; at.Before(end.Add(2 * haste * time.Second)); i, at = i+1, at.Add(haste*time.Second) {
		steps = append(steps, step{at, func() {
			write(at, i, func(b *messages.Batch) {
				for _, f := range r.Flows {
					u, a := f.Dumped()
					if f.Stop.IsZero() && at.After(end) {
						u, a = f.Ended()
					}
					if f.Start.Before(at) && (f.Stop.IsZero() || f.Stop.After(at)) {
						put(b, f, u, a)
					}
				}
			})
		}})
	}
	slices.SortStableFunc(steps, func(a, b step) int { return a.at.Compare(b.at) })
	for _, s := range steps {
		s.do()
	}
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
		if told && e.At.Before(f.Start.Add(2*haste*time.Second)) {
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
	from = from.Add(-haste * time.Second)
	recorded := timeline{from, time.Unix(1_700_000_000, 0)}
	file := filepath.Join(t.TempDir(), "kernel.weir")
	must(t, os.WriteFile(file, kernelRecording(t, r, recorded), 0o600))
	p := run(t, fmt.Sprintf("[sources.replay]\nfile = %q\n", file))
	st := p.await(t, "status", func(*status) error { return nil })
	p.send(t, r, timeline{from, st.CountsSince})
	p.await(t, "end of the recording", func(st *status) error {
		for _, s := range st.Sources {
			if s.Name == "replay" && s.State != "finished" {
				return errNotYet
			}
		}
		if st.metric("suricata", "lines_total") != float64(len(r.Events)) {
			return errors.New("not all lines were read")
		}
		return nil
	})
	p.slices(t, 2)
	p.checkNames(t, r)
}

// checkNames compares the bytes of each name with those of the connections that should have it. Connections for which
// nothing was said may have a name that was asked, or none.
func (p *program) checkNames(t *testing.T, r *recorded.Run) {
	t.Helper()
	names := said(r)
	want, sum := map[string]uint64{}, uint64(0)
	allowed := map[string]bool{}
	for _, f := range r.Flows {
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
	got := map[string]uint64{}
	for _, row := range p.rows(t, "--by", "remote.name,remote.name.source") {
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
		t.Errorf("%d bytes are missing", int64(sum)) //nolint:gosec // Below zero there are too many.
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
