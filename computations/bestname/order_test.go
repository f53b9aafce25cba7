package bestname

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"weir/columns/app"
	"weir/columns/http"
	"weir/columns/tls"
	"weir/messages"
)

// step is one thing that a table hears: a fact, or what becomes of a flow.
type step struct {
	fact *messages.Fact
	flow uint64
	do   func(x *table)
	key  int // where it stands in a shuffled slice
}

// The little world of the property tests.
var (
	worldClients = []netip.Addr{
		netip.MustParseAddr("192.168.1.10"), netip.MustParseAddr("192.168.1.20"), netip.MustParseAddr("2001:db8:1::10"),
	}
	worldServers = []netip.Addr{
		netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.168.1.30"),
	}
	worldNames = []string{
		"a.example.com", "bb.example.com", "c.example.net", "x.fbcdn.net", "cloudflare-ech.com", "nas",
	}
	worldMACs  = [][6]byte{{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}}
	worldStart = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
)

// drawSlices makes up what happens in a few slices.
func drawSlices(t *rapid.T) [][]step {
	world := make([][]step, rapid.IntRange(1, 3).Draw(t, "slices"))
	var flows uint64
	for i := range world {
		begin := worldStart.Add(time.Duration(i) * 10 * time.Second)
		for range rapid.IntRange(0, 5).Draw(t, "facts") {
			world[i] = append(world[i], step{fact: drawFact(t, begin)})
		}
		for range rapid.IntRange(0, 3).Draw(t, "flows") {
			flows++
			world[i] = append(world[i], drawFlow(t, flows, begin)...)
		}
		for id := uint64(1); id <= flows; id++ {
			if rapid.IntRange(0, 3).Draw(t, "more") == 0 {
				world[i] = append(world[i], drawChange(t, id))
			}
		}
	}
	return world
}

func drawTime(t *rapid.T, begin time.Time) time.Time {
	return begin.Add(time.Duration(rapid.IntRange(-80, 20).Draw(t, "second")) * time.Second / 2)
}

func drawFact(t *rapid.T, begin time.Time) *messages.Fact {
	f := &messages.Fact{
		Kind: messages.FactKind(rapid.IntRange(1, 5).Draw(t, "kind")), Time: drawTime(t, begin).UnixNano(),
		Name: rapid.SampledFrom(worldNames).Draw(t, "name"), TTL: time.Minute,
		Source: rapid.SampledFrom([]string{"mdns", "smb"}).Draw(t, "protocol"),
	}
	switch f.Kind {
	case messages.FactAnswer:
		f.Client = rapid.SampledFrom(worldClients).Draw(t, "client")
		f.Addr = rapid.SampledFrom(worldServers).Draw(t, "server")
	case messages.FactReverse:
		f.Addr = rapid.SampledFrom(slices.Concat(worldServers, worldClients)).Draw(t, "address")
	default:
		f.Addr = rapid.SampledFrom(append(worldClients, worldServers[2])).Draw(t, "device")
		f.MAC = rapid.SampledFrom(append(worldMACs, [6]byte{})).Draw(t, "mac")
	}
	return f
}

func drawFlow(t *rapid.T, id uint64, begin time.Time) []step {
	client := rapid.SampledFrom(worldClients).Draw(t, "client")
	server := rapid.SampledFrom(worldServers).Draw(t, "server")
	var behind netip.Addr
	if rapid.IntRange(0, 4).Draw(t, "nat") == 0 {
		behind = rapid.SampledFrom(worldServers).Draw(t, "behind")
	}
	port := 40000 + uint16(id)
	e := newFlow(id, drawTime(t, begin), 6, netip.AddrPortFrom(client, port), netip.AddrPortFrom(server, 443), behind)
	if rapid.IntRange(0, 9).Draw(t, "unknown") == 0 {
		e.Start = 0
	}
	steps := []step{{flow: id, do: func(x *table) { x.hear(e) }}}
	for range rapid.IntRange(0, 2).Draw(t, "changes") {
		steps = append(steps, drawChange(t, id))
	}
	return steps
}

// drawChange makes up tags that a flow gets, or its end.
func drawChange(t *rapid.T, id uint64) step {
	n := rapid.SampledFrom(worldNames).Draw(t, "name")
	what := rapid.IntRange(0, 4).Draw(t, "change")
	return step{flow: id, do: func(x *table) {
		e := *x.flows[id]
		e.Change = messages.FlowChanged
		switch what {
		case 0:
			x.put(&e, tls.SNI.Tag(n))
		case 1:
			x.put(&e, http.Host.Tag(n))
		case 2:
			x.put(&e, tls.CN.Tag(n))
		case 3:
			x.put(&e, app.Column.Tag("quic"))
		default:
			e.Change = messages.FlowEnded
		}
		x.hear(e)
	}}
}

// shuffle puts the steps of a slice into another order, in which only those of one flow stay as they were.
func shuffle(t *rapid.T, steps []step) []step {
	steps = slices.Clone(steps)
	for i := range steps {
		steps[i].key = rapid.IntRange(0, 1000).Draw(t, "key")
	}
	for i := range steps {
		for j := range i {
			if steps[i].flow != 0 && steps[j].flow == steps[i].flow && steps[j].key > steps[i].key {
				steps[i].key = steps[j].key
			}
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return a.key - b.key })
	return steps
}

// run tells a computation all slices, each in some order and in messages of some sizes, and gives what flows
// carry in the end.
func run(tb testing.TB, t *rapid.T, config Config, world [][]step, disturb bool) (final []string) {
	tb.Helper()
	x := newTable(tb, config)
	now := worldStart
	for _, steps := range world {
		now = now.Add(10 * time.Second)
		if disturb {
			steps = shuffle(t, steps)
		}
		for _, s := range steps {
			if s.fact != nil {
				x.in.Facts = append(x.in.Facts, *s.fact)
			} else {
				s.do(x)
			}
			if disturb && rapid.Bool().Draw(t, "cut") {
				x.flush(now)
			}
		}
		x.settle(now)
	}
	x.settle(now)
	if calls := x.calls; calls > 0 {
		x.settle(now)
		if x.settle(now); x.calls != calls {
			t.Fatal("it does not come to rest")
		}
	}
	for id := uint64(1); x.flows[id] != nil; id++ {
		final = append(final, fmt.Sprint(id, " ", cells(x.flows[id], x.flows[id].Tags)))
	}
	return final
}

// TestOrderMeansNothing: however the messages of a slice are cut and ordered, the flows get the same names.
func TestOrderMeansNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		config := testConfig()
		config.Heuristic = rapid.SampledFrom([]Heuristic{HeuristicNone, HeuristicShortest}).Draw(rt, "heuristic")
		world := drawSlices(rt)
		want := run(t, rt, config, world, false)
		if got := run(t, rt, config, world, true); !slices.Equal(got, want) {
			rt.Fatalf("in order:\n%q\nin another:\n%q", want, got)
		}
	})
}
