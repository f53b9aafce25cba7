package flows

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"weir/columns"
	"weir/messages"
)

// told is a short form of events, in their order.
func told(events []messages.Event) (texts []string) {
	names := []string{"", "started", "changed", "started+changed", "ended", "started+ended", "changed+ended"}
	for _, e := range events {
		words := []string{names[e.Change]}
		for _, tag := range e.Tags {
			words = append(words, string(tag.Value))
		}
		texts = append(texts, strings.Join(words, " "))
	}
	return texts
}

func withEvents(o *Options) { o.Events = true }

// hear checks what the table tells, and that nothing is left.
func (b *bench) hear(want ...string) []messages.Event {
	b.t.Helper()
	pending := b.tab.Pending()
	events := b.tab.TakeEvents(100)
	if got := told(events); !slices.Equal(got, want) {
		b.t.Errorf("told %q, want %q", got, want)
	}
	if pending < len(want) || b.tab.Pending() != 0 {
		b.t.Errorf("%d pending before, %d after %d events", pending, b.tab.Pending(), len(events))
	}
	return events
}

func TestEventsTellTheLifeOfAFlow(t *testing.T) {
	b := newBench(t, withEvents)
	u := flowOf(client, server, time.Second, 10, 20)
	b.events(announced(u))
	b.tag(client, server, text.Tag("early"))
	b.hear()
	b.snapshot(u)
	e := b.hear("started early")[0]
	if e.Start != u.Start || e.Key != u.Key || e.Flow == 0 || e.LocalIsA == e.InitiatorB || !e.Oriented {
		t.Errorf("told %+v", e)
	}
	if got := e.Ends.Local.Addr.String(); got != "192.168.1.2" {
		t.Errorf("the local end is %s", got)
	}
	b.snapshot(flowOf(client, server, time.Second, 30, 40))
	b.tag(client, server, text.Tag("early"))
	b.hear()
	b.tag(client, server, text.Tag("second"))
	b.tag(client, server, text.Tag("third"))
	b.hear("changed third")
	b.events(ended(flowOf(client, server, time.Second, 30, 40)))
	b.events(ended(flowOf(client, server, time.Second, 30, 40)))
	b.hear("ended third")
	b.tag(client, server, text.Tag("late"))
	b.hear("changed+ended late")
	for range graceSlices + 3 {
		b.close()
	}
	b.hear()
	if s := b.tab.Stats(); s.EventsLost != 0 || s.EventsPending != 0 {
		t.Errorf("%d events lost, %d pending", s.EventsLost, s.EventsPending)
	}
}

func TestEventsAreMergedAndTakenInOrder(t *testing.T) {
	b := newBench(t, withEvents)
	for i := range 5 {
		b.events(nth(i, 100))
	}
	b.events(ended(nth(0, 100)))
	for i := 5; i < 8; i++ {
		b.events(nth(i, 100))
	}
	var keys []messages.Key
	for b.tab.Pending() > 0 {
		for _, e := range b.tab.TakeEvents(3) {
			keys = append(keys, e.Key)
		}
	}
	for i := range 8 {
		if keys[i] != nth(i, 0).Key {
			t.Errorf("flow %d is not the %d. to be told", i, i)
		}
	}
	if len(keys) != 8 {
		t.Errorf("%d events, want 8", len(keys))
	}
}

func TestWithoutEventsNothingIsKept(t *testing.T) {
	b := newBench(t, nil)
	b.snapshot(nth(0, 100))
	p := b.close()
	b.tag(client, server, text.Tag("new"))
	p2 := b.close()
	if b.tab.Pending() != 0 || p.Rows.Flow != nil || p2.Amendments != nil || len(b.tab.TakeEvents(5)) != 0 {
		t.Error("events or amendments of a table that was asked for none")
	}
}

// A flow that vanishes is over; if it is heard of again it begins anew.
func TestEventsOfAFlowThatVanishesAndComesBack(t *testing.T) {
	b := newBench(t, withEvents)
	u := flowOf(client, server, time.Second, 10, 20)
	b.snapshot(u)
	b.hear("started")
	for range vanishAfter + 1 {
		b.close()
	}
	b.hear("ended")
	b.snapshot(u)
	b.hear("started")
}

// Last words: a known flow that leaves the table before its end was told is told all the same.
func TestEventsOfFoldedFlows(t *testing.T) {
	b := newBench(t, withEvents)
	b.snapshot(nth(0, 100))
	b.hear("started")
	b.snapshot(nth(1, 100))
	for b.tab.arena.used > 0 {
		b.tab.fold(b.tab.coldest())
	}
	if e := b.hear("ended"); len(e) == 1 && e[0].Key != nth(0, 0).Key {
		t.Error("told of another flow")
	}
	if s := b.tab.Stats(); s.EventsLost != 1 {
		t.Errorf("%d events lost, want that of the flow nobody knew", s.EventsLost)
	}
	for i := range maxGone + 10 {
		b.snapshot(nth(i+2, 100))
		b.tab.TakeEvents(1)
		b.tab.fold(b.tab.coldest())
		if len(b.tab.queue.gone) > 0 && i < 5 {
			b.tab.TakeEvents(1)
		}
	}
	if n := len(b.tab.queue.gone); n > maxGone {
		t.Errorf("%d last words are kept", n)
	}
}

func TestRetellTellsWhatLives(t *testing.T) {
	b := newBench(t, withEvents)
	for i := range 4 {
		b.events(nth(i, 100))
	}
	b.events(announced(nth(4, 0)))
	b.tab.TakeEvents(10)
	b.events(ended(nth(2, 100)))
	b.tab.Retell()
	b.tab.Retell()
	b.hear("ended", "started", "started", "started")
}

// What is pending survives that the table is rebuilt, in its order.
func TestEventsAndAmendmentsSurviveARescue(t *testing.T) {
	b := newBench(t, withEvents)
	for i := range 6 {
		b.snapshot(nth(i, 100))
	}
	b.close()
	b.tab.TakeEvents(3)
	k := nth(1, 0).Key
	m := messages.NewBatch()
	m.Add(&messages.Update{Key: k, Hash: k.Hash(seed)}, nil, []columns.Tag{text.Tag("new")})
	b.tab.Apply(m)
	b.tab.fold(b.tab.byKey(nth(4, 0).Key))
	for range 2 {
		b.tab = b.tab.Rescue(nil)
	}
	b.hear("started", "started", "changed new")
	p := b.close()
	if len(p.Amendments) != 1 || len(p.Amendments[0].Cells) != 1 || p.Amendments[0].Cells[0].Value != "new" {
		t.Errorf("amendments %+v", p.Amendments)
	}
	if b.tab.Pending() != 0 {
		t.Error("something is pending still")
	}
}

// byKey gives the number of the only entry of a key.
func (t *Table) byKey(k messages.Key) uint32 {
	for n := uint32(1); n <= t.arena.high; n++ {
		if e := t.arena.at(n); e.is(flagUsed) && e.key == k {
			return n
		}
	}
	return 0
}

// The queue does not grow with flows that come and go while nobody takes their events.
func TestTheQueueOfEventsStaysSmall(t *testing.T) {
	b := newBench(t, withEvents)
	for i := range 20_000 {
		b.events(nth(i, 100))
		if i >= 10 {
			b.tab.fold(b.tab.byKey(nth(i-10, 0).Key))
		}
	}
	if n := len(b.tab.queue.numbers); n > 1000 {
		t.Errorf("%d numbers for %d flows", n, b.tab.Pending())
	}
	if got := len(b.tab.TakeEvents(1 << 20)); got != 10 {
		t.Errorf("%d events, want 10", got)
	}
}

func TestDerivedTagsGoToTheirIncarnation(t *testing.T) {
	b := newBench(t, withEvents)
	old, now := flowOf(client, server, time.Second, 10, 20), flowOf(client, server, 5*time.Second, 10, 20)
	derive := func(start int64, name string) {
		m := messages.NewBatch()
		u := messages.Update{Key: old.Key, Hash: old.Key.Hash(seed), Start: start, Flags: messages.Derived}
		m.Add(&u, nil, []columns.Tag{text.Tag(name)})
		b.tab.Apply(m)
	}
	b.events(announced(now))
	derive(0, "nobody's")
	b.tab.TakeEvents(5)
	if s := b.tab.Stats(); s.DerivedMisses != 1 || b.tab.arena.used != 1 {
		t.Errorf("%d misses, %d flows", s.DerivedMisses, b.tab.arena.used)
	}
	b.events(ended(old), now)
	b.hear("started+ended", "started")
	derive(old.Start, "old")
	derive(now.Start, "now")
	derive(now.Start+1, "another")
	b.hear("changed+ended old", "changed now")
	derive(0, "newest")
	b.hear("changed newest")
	derive(0, "newest")
	b.hear()
	if s := b.tab.Stats(); s.DerivedMisses != 2 {
		t.Errorf("%d misses, want 2", s.DerivedMisses)
	}
}

// A derived tag under an alias is nobody's, and waits for nobody.
func TestDerivedTagsDoNotFollowAliases(t *testing.T) {
	b := newBench(t, withEvents)
	u, alias := natted(1000)
	m := messages.NewBatch()
	m.Add(&u, &alias, nil)
	d := messages.Update{Key: alias, Hash: alias.Hash(seed), Flags: messages.Derived}
	m.Add(&d, nil, []columns.Tag{text.Tag("x")})
	b.tab.Apply(m)
	b.hear("started")
	if s := b.tab.Stats(); s.DerivedMisses != 1 || b.tab.arena.used != 1 {
		t.Errorf("%d misses, %d flows", s.DerivedMisses, b.tab.arena.used)
	}
}

// An entry has no room for more; see entryCost.
func TestSizeOfAnEntry(t *testing.T) {
	if got := unsafe.Sizeof(entry{}); got != 104 && unsafe.Sizeof(uintptr(0)) == 8 {
		t.Errorf("an entry takes %d bytes", got)
	}
}
