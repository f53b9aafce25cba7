package names_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir/columns"
	"weir/columns/dns"
	"weir/columns/http"
	"weir/columns/name"
	"weir/columns/tls"
	"weir/messages"
	"weir/test/recorded"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if dir, _ := built(); dir != "" {
			_ = os.RemoveAll(dir)
		}
		os.Exit(code)
	}))
}

// told is what events say of a flow: values by column.
type told map[*columns.Column][]columns.Value

func (s told) add(h columns.Handle[string], raw string) {
	if v := h.Value(name.Clean(raw)); v != "" && !slices.Contains(s[h.Column], v) {
		s[h.Column] = append(s[h.Column], v)
		slices.Sort(s[h.Column])
	}
}

// of says what one event tells.
func (s told) of(e *recorded.Event) {
	s.add(tls.SNI, e.SNI)
	// An address in brackets is one without them.
	s.add(http.Host, strings.Trim(e.Host, "[]"))
	for _, q := range e.Queries {
		s.add(dns.Query, q)
	}
}

// joined says of one type of events how many there were and how many found their flow.
type joined struct{ events, found int }

// outcome compares what the flows of a run carry with what the oracle says.
type outcome struct {
	byType map[string]*joined
	// named are the flows that some event names, exact those that carry just that, foreign those that carry
	// what belongs to another one.
	named, exact, foreign int
	// leftOut are events that were not judged.
	leftOut int
	wrong   []string
}

// judge asks the oracle for each event that arrived. Flows that are left out are not judged.
func judge(
	r *recorded.Run, events []recorded.Event, tags map[incarnation][]columns.Tag, leftOut func(*recorded.Flow) bool,
) outcome {
	o := outcome{byType: map[string]*joined{}}
	want, may := map[*recorded.Flow]told{}, map[*recorded.Flow]told{}
	for i := range events {
		e := &events[i]
		if !e.Routed() {
			continue
		}
		owner := r.Owner(e)
		if owner != nil && may[owner] == nil {
			want[owner], may[owner] = told{}, told{}
		}
		if e.Type != "tls" && e.Type != "http" && e.Type != "dns" {
			if owner != nil {
				may[owner].of(e) // Alerts and files repeat what other events say, which may be lost.
			}
			continue
		}
		if leftOut(owner) {
			o.leftOut++
			continue
		}
		if o.byType[e.Type] == nil {
			o.byType[e.Type] = &joined{}
		}
		o.byType[e.Type].events++
		one := told{}
		one.of(e)
		if missing := one.missing(tags[identity(owner)]); missing != "" {
			o.wrong = append(o.wrong, fmt.Sprintf("%s event of %s at %s has not arrived: %s", e.Type, owner,
				e.At.Format("05.000000"), missing))
			continue
		}
		o.byType[e.Type].found++
		want[owner].of(e)
	}
	for _, f := range r.Flows {
		if !leftOut(f) {
			o.flow(f, want[f], may[f], tags[identity(f)])
		}
	}
	return o
}

// flow judges one flow.
func (o *outcome) flow(f *recorded.Flow, want, may told, tags []columns.Tag) {
	if len(want) > 0 {
		o.named++
	}
	exact := true
	for _, c := range []*columns.Column{tls.SNI.Column, http.Host.Column, dns.Query.Column} {
		has := values(tags, c)
		for _, v := range want[c] {
			exact = exact && slices.Contains(has, v)
		}
		for _, v := range has {
			if !slices.Contains(want[c], v) && !slices.Contains(may[c], v) {
				exact = false
				o.foreign++
				o.wrong = append(o.wrong, fmt.Sprintf("%s carries another's %s %q", f, c.Name, c.Format(v)))
			}
		}
	}
	if exact && len(want) > 0 {
		o.exact++
	}
}

// missing names a value that is not among the tags.
func (s told) missing(tags []columns.Tag) string {
	for c, vs := range s {
		for _, v := range vs {
			if !slices.Contains(values(tags, c), v) {
				return fmt.Sprintf("%s %q", c.Name, c.Format(v))
			}
		}
	}
	return ""
}

func identity(f *recorded.Flow) incarnation {
	u, _ := f.Update()
	return incarnation{u.Key, u.Start}
}

func (o *outcome) String() string {
	var text strings.Builder
	for _, typ := range []string{"tls", "http", "dns"} {
		if j := o.byType[typ]; j != nil {
			share := 100 * float64(j.found) / float64(j.events)
			fmt.Fprintf(&text, "%s %d of %d (%.1f %%), ", typ, j.found, j.events, share)
		}
	}
	fmt.Fprintf(&text, "%d of %d named flows have just their names, %d another's", o.exact, o.named, o.foreign)
	if o.leftOut > 0 {
		fmt.Fprintf(&text, "; %d events not judged", o.leftOut)
	}
	return text.String()
}

// whole says whether nothing is missing and nothing is wrong.
func (o *outcome) whole() bool {
	for _, j := range o.byType {
		if j.found != j.events {
			return false
		}
	}
	return o.foreign == 0 && o.exact == o.named && o.named > 0
}

// check fails the test if anything is wrong, and prints the shares.
func check(t *testing.T, what string, o outcome) {
	t.Helper()
	t.Logf("%s: %s", what, o.String())
	if !o.whole() {
		for _, w := range o.wrong[:min(4, len(o.wrong))] {
			t.Errorf("%s: %s", what, w)
		}
		t.Errorf("%s: %d mistakes in all", what, len(o.wrong))
	}
}

// TestJoin: each event finds its flow, however many shards there are, and when Suricata is late.
func TestJoin(t *testing.T) {
	for _, r := range recorded.All(t) {
		for _, n := range []int{1, 2, 5} {
			for _, late := range []time.Duration{0, 2 * time.Second} {
				p := play(t, r, n, r.Events, lags{eve: late})
				check(t, fmt.Sprintf("%s, %d shards, %s late", r.Name, n, late), judge(r, r.Events, p.tags(), none))
				p.checkBytes(r)
			}
		}
	}
}

// none leaves no flow out.
func none(*recorded.Flow) bool { return false }

// TestEarly: what Suricata writes a second before the kernel tells of the flow waits for it. Of tuples that are used
// again within a second nobody could know then that there will be another flow, so these are not judged.
func TestEarly(t *testing.T) {
	const early = time.Second
	for _, r := range recorded.All(t) {
		contested := func(f *recorded.Flow) bool { return usedAgain(r, f, 2*early) }
		for _, n := range []int{1, 3} {
			p := play(t, r, n, r.Events, lags{kernel: early})
			what := fmt.Sprintf("%s, %d shards, a second early", r.Name, n)
			check(t, what, judge(r, r.Events, p.tags(), contested))
			p.checkBytes(r)
		}
	}
}

// usedAgain says whether the tuple of a flow was that of another one a short time before or after.
func usedAgain(r *recorded.Run, f *recorded.Flow, within time.Duration) bool {
	return slices.ContainsFunc(r.Flows, func(o *recorded.Flow) bool {
		return o != f && o.SameTuple(f) && o.Start.Sub(f.Start).Abs() < within
	})
}

// TestTransports: whatever the transport, what arrived is where it belongs, and nothing else is.
func TestTransports(t *testing.T) {
	for _, r := range recorded.All(t) {
		for _, file := range []string{"stream.bin", "dgram.bin"} {
			events, lost := r.Other(t, file)
			if events == nil {
				continue
			}
			p := play(t, r, 2, events, lags{})
			check(t, fmt.Sprintf("%s, %s, %d of %d events", r.Name, file, len(events), len(r.Events)),
				judge(r, events, p.tags(), none))
			p.checkBytes(r)
			if got := p.lines.Counts(); got.Events != uint64(len(events)) || got.Recovered+got.Joined > got.Events {
				t.Errorf("%s, %s: %+v of %d events, %d lines of no use", r.Name, file, got, len(events), lost)
			}
		}
	}
}

// checkBytes: tags count nothing.
func (p *played) checkBytes(r *recorded.Run) {
	p.t.Helper()
	var want, got messages.Counter
	for _, f := range r.Flows {
		for _, c := range f.Counters {
			want.Bytes += c.Bytes
			want.Packets += c.Packets
		}
	}
	got.Bytes = p.total.Up.Bytes + p.total.Down.Bytes
	got.Packets = p.total.Up.Packets + p.total.Down.Packets
	if got != want {
		p.t.Errorf("%s: counted %+v, conntrack says %+v", r.Name, got, want)
	}
}
