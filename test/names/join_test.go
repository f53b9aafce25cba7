package names_test

import (
	"fmt"
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

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
	wrong                 []string
}

// judge asks the oracle for each event that arrived.
func judge(r *recorded.Run, events []recorded.Event, tags map[incarnation][]columns.Tag) outcome {
	o := outcome{byType: map[string]*joined{}}
	want := map[*recorded.Flow]told{}
	for i := range events {
		e := &events[i]
		if e.Type != "tls" && e.Type != "http" && e.Type != "dns" || !e.Routed() {
			continue
		}
		if o.byType[e.Type] == nil {
			o.byType[e.Type] = &joined{}
		}
		o.byType[e.Type].events++
		owner := r.Owner(e)
		one := told{}
		one.of(e)
		if missing := one.missing(tags[identity(owner)]); missing != "" {
			o.wrong = append(o.wrong, fmt.Sprintf("%s event of %s at %s has not arrived: %s", e.Type, owner,
				e.At.Format("05.000000"), missing))
			continue
		}
		o.byType[e.Type].found++
		if want[owner] == nil {
			want[owner] = told{}
		}
		want[owner].of(e)
	}
	for _, f := range r.Flows {
		o.flow(f, want[f], tags[identity(f)])
	}
	return o
}

// flow judges one flow.
func (o *outcome) flow(f *recorded.Flow, want told, tags []columns.Tag) {
	if len(want) > 0 {
		o.named++
	}
	exact := true
	for _, c := range []*columns.Column{tls.SNI.Column, http.Host.Column, dns.Query.Column} {
		has := values(tags, c)
		exact = exact && slices.Equal(has, want[c])
		for _, v := range has {
			if !slices.Contains(want[c], v) {
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
	text := ""
	for _, typ := range []string{"tls", "http", "dns"} {
		if j := o.byType[typ]; j != nil {
			text += fmt.Sprintf("%s %d of %d (%.1f %%), ", typ, j.found, j.events, 100*float64(j.found)/float64(j.events))
		}
	}
	return text + fmt.Sprintf("%d of %d named flows have just their names, %d have another's", o.exact, o.named, o.foreign)
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
				p := play(t, r, n, asWritten(r, late))
				check(t, fmt.Sprintf("%s, %d shards, %s late", r.Name, n, late), judge(r, r.Events, p.tags()))
				p.checkBytes(r)
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
