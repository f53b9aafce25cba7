package bestname

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"pgregory.net/rapid"

	"weir/computations"
	"weir/internal/units"
	"weir/messages"
)

func answer(at time.Time, client netip.Addr, name string, addr netip.Addr) messages.Fact {
	return messages.Fact{
		Kind: messages.FactAnswer, Time: at.UnixNano(), Client: client, Name: name, Addr: addr, TTL: time.Minute,
		Source: "dns",
	}
}

// numbered gives one of many addresses.
func numbered(network byte, n int) netip.Addr {
	return netip.AddrFrom4([4]byte{network, byte(n >> 16), byte(n >> 8), byte(n)})
}

// sound compares what a cache says of itself with what is in it.
func (c *cache) sound() error {
	var bytes int64
	lists := 0
	for e := c.all.oldest; e != nil; e = e.links[byUse].newer {
		if c.entries[e.key] != e {
			return fmt.Errorf("%v is in the list alone", e.key)
		}
		if len(e.items) > maxNames {
			return fmt.Errorf("%v has %d names", e.key, len(e.items))
		}
		bytes += e.cost
		lists++
	}
	if lists != len(c.entries) || lists != c.all.entries || bytes != c.bytes || bytes > c.budget {
		return fmt.Errorf("%d entries, %d in the list of %d; %d bytes, %d told",
			len(c.entries), lists, c.all.entries, bytes, c.bytes)
	}
	byClients := 0
	for client, l := range c.clients {
		var cost int64
		for e := l.oldest; e != nil; e = e.links[byClient].newer {
			cost += e.cost
			byClients++
			if e.key.client != client {
				return fmt.Errorf("%v is with the client %v", e.key, client)
			}
		}
		if l.entries == 0 || cost != l.cost {
			return fmt.Errorf("client %v: %d entries of %d bytes, %d told", client, l.entries, cost, l.cost)
		}
	}
	if byClients != lists {
		return fmt.Errorf("%d entries with clients, %d in all", byClients, lists)
	}
	for k, l := range c.groups {
		if l.entries == 0 || l.entries > maxGroup {
			return fmt.Errorf("%v: %d entries", k, l.entries)
		}
		for e := l.oldest; e != nil; e = e.links[byGroup].newer {
			if g, ok := e.group(); !ok || g != k || c.entries[e.key] != e {
				return fmt.Errorf("%v is in the group %v", e.key, k)
			}
		}
	}
	return nil
}

// TestCacheIsSound: whatever facts come, lists and sums agree and the budget holds.
func TestCacheIsSound(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		config := testConfig()
		x := newTable(t, config)
		x.c.cache.budget = 4096
		for range rapid.IntRange(1, 60).Draw(rt, "facts") {
			x.c.learn(drawFact(rt, worldStart))
			if err := x.c.cache.sound(); err != nil {
				rt.Fatal(err)
			}
		}
		x.c.cache.dropExpired(drawTime(rt, worldStart).UnixNano())
		if err := x.c.cache.sound(); err != nil {
			rt.Fatal(err)
		}
	})
}

// TestWhoAsksMuchPays: a client that asks for a million names does not displace what others asked for.
func TestWhoAsksMuchPays(t *testing.T) {
	config := testConfig()
	config.Cache = 256 * units.KiB
	x := newTable(t, config)
	for i := range 100 {
		f := answer(worldStart, numbered(10, i), "quiet.example.com", numbered(192, i))
		x.c.learn(&f)
	}
	for i := range 20_000 {
		f := answer(worldStart, numbered(11, 1), fmt.Sprintf("n%d.flood.example", i), numbered(193, i))
		x.c.learn(&f)
	}
	for i := range 100 {
		if x.c.cache.entries[askedKey(numbered(10, i), numbered(192, i))] == nil {
			t.Fatalf("what client %d asked was displaced", i)
		}
	}
	if err := x.c.cache.sound(); err != nil {
		t.Error(err)
	}
	if n := x.c.cache.evicted; n < 19_000 {
		t.Errorf("%d evicted", n)
	}
	if newest := x.c.cache.entries[askedKey(numbered(11, 1), numbered(193, 19_999))]; newest == nil {
		t.Error("the newest question of the client was displaced")
	}
}

// TestNamesAreCapped: neither one client nor many can fill an address with names.
func TestNamesAreCapped(t *testing.T) {
	x := newTable(t, testConfig())
	server := numbered(192, 1)
	for i := range 1000 {
		at := worldStart.Add(time.Duration(i) * time.Second)
		f := answer(at, numbered(10, 1), fmt.Sprintf("n%d.example", i), server)
		x.c.learn(&f)
	}
	e := x.c.cache.entries[askedKey(numbered(10, 1), server)]
	if len(e.items) != maxNames || e.latest() != "n999.example" {
		t.Errorf("%d names, the last is %s", len(e.items), e.latest())
	}
	if n := x.c.cache.capped; n != 1000-maxNames {
		t.Errorf("%d capped", n)
	}
	for i := range 1000 {
		f := answer(worldStart, numbered(11, i), "www.example.com", server)
		x.c.learn(&f)
	}
	if n := x.c.cache.groups[groupKey{kind: asked, addr: server.As16()}].entries; n != maxGroup {
		t.Errorf("%d clients", n)
	}
	if err := x.c.cache.sound(); err != nil {
		t.Error(err)
	}
}

// TestPollingDoesNotForget: a client that asks the same again and again does not lose what it asked between.
func TestPollingDoesNotForget(t *testing.T) {
	e := &entry{}
	e.add(item{name: "first", at: 0, until: 1000})
	for i := range int64(100) {
		e.add(item{name: "polled", at: 10 + i, until: 1000 + i})
	}
	e.add(item{name: "last", at: 200, until: 1000})
	var names []string
	for _, i := range e.items {
		names = append(names, i.name)
	}
	if len(names) != maxNames || names[0] != "first" || names[7] != "last" ||
		e.items[1].at != 10 || e.items[6].at != 109 {
		t.Errorf("%v", e.items)
	}
}

// TestCostIsHonest: what an entry is charged is what it takes, within a third.
func TestCostIsHonest(t *testing.T) {
	config := testConfig()
	config.Cache = units.GiB
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	x := newTable(t, config)
	for i := range 20_000 {
		f := answer(worldStart, numbered(10, i%50), fmt.Sprintf("host-%d.example.com", i), numbered(192, i))
		x.c.learn(&f)
	}
	x.c.touched, x.c.touchedAt = nil, nil
	runtime.GC()
	runtime.ReadMemStats(&after)
	took, charged := float64(after.HeapAlloc-before.HeapAlloc), float64(x.c.cache.bytes)
	t.Logf("%.0f bytes for each entry, charged %.0f", took/20_000, charged/20_000)
	if charged < took*2/3 || charged > took*3/2 {
		t.Errorf("took %.0f bytes, charged %.0f", took, charged)
	}
	runtime.KeepAlive(x)
}

// TestUnusableFacts: what tells nothing is counted and changes nothing.
func TestUnusableFacts(t *testing.T) {
	x := newTable(t, testConfig())
	a := numbered(192, 1)
	x.in.Facts = []messages.Fact{
		{},
		{Kind: 99, Addr: a, Name: "x.example"},
		answer(worldStart, netip.Addr{}, "x.example", a),
		answer(worldStart, a, "", a),
		answer(worldStart, a, "192.0.2.7", a),
		answer(worldStart, a, "x.example", netip.Addr{}),
		answer(time.Unix(-1, 0), a, "x.example", a),
		{Kind: messages.FactAnswer, Time: 1 << 62, Client: a, Addr: a, Name: "x.example"},
		{Kind: messages.FactReverse, Addr: a},
		{Kind: messages.FactReverse, Addr: a, Name: "..."},
	}
	x.settle(worldStart)
	if n := x.c.counts.unusable; n != 10 || len(x.c.cache.entries) != 0 {
		t.Errorf("%d unusable, %d entries", n, len(x.c.cache.entries))
	}
}

var (
	_ computations.Keeper = (*computation)(nil)
	_ computations.Reader = (*computation)(nil)
)
