package bestname

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/columns/name"
	"weir/computations"
	"weir/messages"
)

// metric gives one of the metrics.
func (x *table) metric(metric string) int {
	x.t.Helper()
	for _, m := range x.c.Metrics() {
		if m.Name == metric {
			return int(m.Value)
		}
	}
	x.t.Fatalf("no metric %s", metric)
	return 0
}

// crowd makes flows of many clients to one address.
func crowd(n int, now time.Time) []messages.Event {
	events := make([]messages.Event, n)
	for i := range events {
		client := netip.AddrPortFrom(numbered(10, i), 40000)
		events[i] = newFlow(uint64(i+1), now, 6, client, worldPort("192.0.2.1:443"), noAddr)
	}
	return events
}

func (x *table) hearAll(events []messages.Event) {
	for i := range events {
		x.flows[events[i].Flow] = &events[i]
	}
	x.in.Flows = append(x.in.Flows, events...)
}

// TestWorkIsBounded: a fact about an address that very many flows have does not hold up the slice. What is
// left is done with the next messages, and nothing is forgotten.
func TestWorkIsBounded(t *testing.T) {
	const flows = perSettle + perHandle + maxWaiting
	c, view, out := newComputation(testConfig(), noCore()), computations.NewView(flows), &sink{}
	x := &table{t: t, c: c}
	view.Learn(crowd(flows, worldStart))
	now := worldStart.UnixNano()
	fact := answer(worldStart, numbered(11, 1), "www.example.com", netip.MustParseAddr("192.0.2.1"))
	c.Handle(&messages.Events{Time: now, Facts: []messages.Fact{fact}}, view, out)
	if out.calls != 0 {
		t.Errorf("%d named before the slice closes", out.calls)
	}
	c.Settle(now, view, out)
	if waiting := x.metric("waiting"); out.calls != perSettle || waiting != flows-perSettle {
		t.Errorf("%d named in a slice, %d wait", out.calls, waiting)
	}
	if n := x.metric("deferred_total"); n != flows-perSettle {
		t.Errorf("%d deferred", n)
	}
	// More wait than may: each message brings some to their end.
	for range 2 {
		c.Handle(&messages.Events{Time: now}, view, out)
	}
	if waiting := x.metric("waiting"); out.calls != perSettle+perHandle || waiting != maxWaiting {
		t.Errorf("%d named, %d wait", out.calls, waiting)
	}
	c.Settle(now, view, out)
	if out.calls != flows || x.metric("waiting") != 0 || x.metric("named_dns_total") != flows {
		t.Errorf("%d named, %d wait", out.calls, x.metric("waiting"))
	}
}

// TestNoRoomInTheView: a flow that will not be found is named at once, with what is known then.
func TestNoRoomInTheView(t *testing.T) {
	x := newTable(t, testConfig())
	x.view = computations.NewView(1)
	server := netip.MustParseAddr("192.0.2.1")
	x.in.Facts = []messages.Fact{answer(worldStart, numbered(10, 1), "www.example.com", server)}
	x.hearAll(crowd(2, worldStart))
	x.flush(worldStart)
	if !slices.Equal(x.said, []uint64{2}) || x.metric("unseen_total") != 1 {
		t.Errorf("said something of %v", x.said)
	}
}

// TestNewsIsBounded: facts about more addresses than can be kept apart are counted.
func TestNewsIsBounded(t *testing.T) {
	x := newTable(t, testConfig())
	for i := range maxTouched + 5 {
		x.in.Facts = append(x.in.Facts, answer(worldStart, numbered(10, 1), "www.example.com", numbered(192, i)))
	}
	x.settle(worldStart)
	if n := x.metric("missed_total"); n != 5 {
		t.Errorf("%d missed", n)
	}
}

// TestGoneFlowsAreCounted: a flow that the view gave up before its turn came.
func TestGoneFlowsAreCounted(t *testing.T) {
	x := newTable(t, testConfig())
	x.hearAll(crowd(1, worldStart))
	x.flush(worldStart)
	x.c.Settle(worldStart.UnixNano(), computations.NewView(1), x)
	if n := x.metric("gone_total"); n != 1 {
		t.Errorf("%d gone", n)
	}
}

// TestNamesOfAFlowAreBounded: a client that names hosts without end fills the column, and then it is quiet.
func TestNamesOfAFlowAreBounded(t *testing.T) {
	x := newTable(t, testConfig())
	e := newFlow(1, worldStart, 6, worldPort("192.168.1.10:1"), worldPort("192.0.2.1:80"), noAddr)
	for i := range 40 {
		x.put(&e, parseTags(t, []string{"http.host=" + strings.Repeat("a", i+1) + ".example.com"})...)
	}
	x.hear(e)
	x.settle(worldStart)
	first := x.calls
	for range 3 {
		x.tell(1, messages.FlowChanged)
		x.settle(worldStart)
	}
	if first != 1 || x.calls != first {
		t.Errorf("said something %d times, then %d", first, x.calls)
	}
}

// TestClientsCannotNameOthers: whatever one client says in its flows, no other flow hears of it; and what it
// asks by DNS is at most likely for others.
func TestClientsCannotNameOthers(t *testing.T) {
	x := newTable(t, testConfig())
	flow := func(id uint64, client string, tags ...string) {
		e := newFlow(id, worldStart.Add(time.Second), 6, worldPort(client), worldPort("192.0.2.1:443"), noAddr)
		x.put(&e, parseTags(t, tags)...)
		x.hear(e)
	}
	for i, tag := range []string{"tls.sni=bank.example", "http.host=bank.example", "tls.cn=bank.example"} {
		flow(uint64(i+1), "192.168.1.66:1", tag)
	}
	flow(10, "192.168.1.10:1")
	x.settle(worldStart)
	if slices.Contains(x.said, 10) {
		t.Errorf("what another client said became %s", cells(x.flows[10], x.flows[10].Tags))
	}
	x.in.Facts = []messages.Fact{
		answer(worldStart, netip.MustParseAddr("192.168.1.66"), "bank.example", netip.MustParseAddr("192.0.2.1")),
		{
			Kind: messages.FactHost, Time: worldStart.UnixNano(), Addr: netip.MustParseAddr("192.168.1.10"),
			Name: "victim", Source: "mdns",
		},
	}
	x.settle(worldStart)
	for _, tag := range x.flows[10].Tags {
		if tag.Column == name.Sure.Local && tag.Value == name.Sure.Value(name.Certain) {
			t.Errorf("certain: %s", cells(x.flows[10], x.flows[10].Tags))
		}
	}
}

// TestSameInSameOut: the same messages make the same calls in the same order.
func TestSameInSameOut(t *testing.T) {
	var first []uint64
	server := netip.MustParseAddr("192.0.2.1")
	for range 5 {
		x := newTable(t, testConfig())
		for i := range 50 {
			x.in.Facts = append(x.in.Facts, answer(worldStart, numbered(10, i), "www.example.com", server))
		}
		x.hearAll(crowd(200, worldStart.Add(time.Second)))
		x.settle(worldStart)
		if first == nil {
			first = x.said
		}
		if !slices.Equal(first, x.said) || len(first) != 200 {
			t.Fatalf("said something of %v, before of %v", x.said, first)
		}
	}
}

func TestConfig(t *testing.T) {
	good := testConfig()
	if err := good.Validate(); err != nil || !good.Enabled() {
		t.Errorf("defaults: %v, enabled %v", err, good.Enabled())
	}
	for want, spoil := range map[string]func(*Config){
		"cache: 1B is not between":                 func(c *Config) { c.Cache = 1 },
		"cache: 8GiB is not between":               func(c *Config) { c.Cache = 8 << 30 },
		`heuristic: "luck" is not "none" or`:       func(c *Config) { c.Heuristic = "luck" },
		`lists: "names.list" is not an abso`:       func(c *Config) { c.Lists = []string{"names.list"} },
		`lists: "/etc/[" is no pattern: a bracket`: func(c *Config) { c.Lists = []string{"/etc/["} },
	} {
		c := testConfig()
		spoil(&c)
		err := c.Validate()
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		if made, again := c.New(noCore()); again == nil || made != nil {
			t.Errorf("%s: made all the same", want)
		}
	}
	var h Heuristic
	if err := h.UnmarshalText([]byte("shortest")); err != nil || h != HeuristicShortest {
		t.Errorf("%s, %v", h, err)
	}
	if err := h.UnmarshalText([]byte("longest")); err == nil || err.Error() != `"longest" is not "none" or "shortest"` {
		t.Error(err)
	}
}

// TestMetricsAreDescribed: names are of one form and each has a help.
func TestMetricsAreDescribed(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range newTable(t, testConfig()).c.Metrics() {
		if seen[m.Name] || m.Help == "" || m.Gauge == strings.HasSuffix(m.Name, "_total") {
			t.Errorf("%+v", m)
		}
		seen[m.Name] = true
	}
}

// TestManyNamesOfAnAddressCostLittle: who makes up addresses to ask from, and asks thousands of names for an
// address that all use, does not hold up the slice.
func TestManyNamesOfAnAddressCostLittle(t *testing.T) {
	server := netip.MustParseAddr("192.0.2.1")
	for _, asked := range []time.Duration{-time.Minute, time.Minute} { // Before the flow begins, and after.
		c, view, out := newComputation(testConfig(), noCore()), computations.NewView(10), &sink{}
		x := &table{t: t, c: c}
		for i := range maxGroup {
			for n := range maxNames {
				host := fmt.Sprintf("n%d.host%d.example", n, i)
				f := answer(worldStart.Add(asked).Add(time.Duration(n)), numbered(11, i), host, server)
				c.learn(&f)
			}
		}
		flows := crowd(1, worldStart)
		view.Learn(flows)
		now := worldStart.Add(2 * time.Minute).UnixNano()
		c.Handle(&messages.Events{Time: now, Flows: flows}, view, out)
		c.Settle(now, view, out)
		c.subject.read(&flows[0], now)
		c.ranking.about(&c.subject, &c.subject.responder).gather()
		others, late := len(c.ranking.others), len(c.ranking.late)
		if others > maxCandidates+maxNames || late > maxCandidates || others+late < maxCandidates || out.calls != 0 {
			t.Errorf("%d and %d names are weighed, %d flows named", others, late, out.calls)
		}
		if x.metric("ambiguous_total") != 1 {
			t.Error("it is not told that several names fit")
		}
	}
}

// TestLeasesThatHold: ARP tells whose an address is only when no lease does.
func TestLeasesThatHold(t *testing.T) {
	addr, mine, other := netip.MustParseAddr("192.168.1.80"), [6]byte{2}, [6]byte{4}
	fact := func(kind messages.FactKind, after time.Duration, mac [6]byte, host string) *messages.Fact {
		return &messages.Fact{
			Kind: kind, Time: worldStart.Add(after).UnixNano(), Addr: addr, MAC: mac, Name: host, TTL: 2 * time.Hour,
		}
	}
	for what, c := range map[string]struct {
		facts []*messages.Fact
		want  string
	}{
		"ARP while it holds":  {[]*messages.Fact{fact(messages.FactNeighbour, time.Hour, other, "")}, "phone"},
		"ARP after it":        {[]*messages.Fact{fact(messages.FactNeighbour, 3*time.Hour, other, "")}, ""},
		"a lease for another": {[]*messages.Fact{fact(messages.FactLease, time.Hour, other, "")}, ""},
		"and back": {[]*messages.Fact{
			fact(messages.FactLease, time.Hour, other, "tablet"),
			fact(messages.FactLease, 90*time.Minute, mine, "phone"),
			fact(messages.FactNeighbour, 2*time.Hour, other, ""),
		}, "phone"},
	} {
		facts := slices.Concat(c.facts, []*messages.Fact{fact(messages.FactLease, 0, mine, "phone")})
		for range 2 { // The order in which they come means nothing.
			x := newTable(t, testConfig())
			slices.Reverse(facts)
			for _, f := range facts {
				x.c.learn(f)
			}
			if got := x.c.cache.entries[deviceKey(addr)].called().name; got != c.want {
				t.Errorf("%s: %q, want %q", what, got, c.want)
			}
		}
	}
}
