package flows

import (
	"fmt"
	"testing"
	"time"

	"weir/columns"
	"weir/messages"
)

// strangers sends tags of flows that nobody ever tells of.
func (b *bench) strangers(n int) {
	tags := []columns.Tag{textEnd.Tag(columns.EndA, "x")}
	for i := range n {
		k, _ := messages.MakeKey(17, 0, end(fmt.Sprintf("10.%d.%d.%d:1000", i>>16, i>>8&255, i&255)), end(server))
		u := messages.Update{Key: k, Hash: k.Hash(seed), Stop: born.Add(30 * time.Second).UnixNano()}
		m := messages.NewBatch()
		m.Source = "watcher"
		m.Add(&u, nil, tags)
		b.tab.Apply(m)
	}
}

// Whoever sends names of flows that do not exist takes no room from those that count.
func TestTagsThatWaitDisplaceNoFlow(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Budget = 1 << 20 })
	const flows = 2000
	for i := range flows {
		b.snapshot(nth(i, 100))
	}
	b.close()
	b.strangers(20_000)
	s := b.tab.Stats()
	if s.FoldedTotal != 0 || s.TagsUnclaimed == 0 || b.tab.waits == 0 || int64(b.tab.waits) > b.tab.opt.Budget/1000 {
		t.Errorf("%d folded, %d tags unclaimed, %d wait", s.FoldedTotal, s.TagsUnclaimed, b.tab.waits)
	}
	for i := range flows {
		b.snapshot(nth(i, 200))
	}
	if p := b.close(); p.Rows.Len() != flows {
		t.Errorf("%d rows", p.Rows.Len())
	}
	wantSound(t, b)
}

// What waits goes first when flows come for which there is no room.
func TestTagsThatWaitMakeRoom(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Budget = 1 << 20 })
	b.strangers(20_000)
	var flows int
	for ; b.tab.waits > 0; flows++ {
		b.events(announced(nth(flows, 0)))
	}
	wantSound(t, b)
	for i := range flows {
		b.snapshot(nth(i, 100))
	}
	if p := b.close(); p.Rows.Len() < flows*9/10 {
		t.Errorf("%d rows of %d flows, %v in (other)", p.Rows.Len(), flows, p.Rows.Other)
	}
}

func TestWhatWaitsIsCounted(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Budget = 1 << 20 })
	tagged := func(start time.Duration) {
		b.tagSeen(born.Add(start).UnixNano(), textEnd.Tag(columns.EndA, "x"))
		wantSound(t, b)
	}
	tagged(time.Second)
	b.events(announced(flowOf(client, server, time.Second, 0, 0)))
	wantSound(t, b)
	b.snapshot(flowOf(client, server, time.Second, 10, 10))
	wantSound(t, b)
	b.tab.fold(b.tab.coldest())
	tagged(2 * time.Second)
	b.snapshot(flowOf(client, server, time.Second, 20, 20))
	wantSound(t, b)
	b.strangers(3)
	b.tab = b.tab.Rescue(nil)
	wantSound(t, b)
	for range announcedSlices + 2 {
		b.close()
	}
	if wantSound(t, b); b.tab.waits != 0 {
		t.Errorf("%d wait", b.tab.waits)
	}
}

func wantSound(t *testing.T, b *bench) {
	t.Helper()
	if fault := b.tab.fault(); fault != "" {
		t.Fatal(fault)
	}
}

// Where the kernel tells no times, tags belong to the flow that began last, though nothing but its beginning is
// known yet.
func TestWithoutTimesTagsGoToTheLast(t *testing.T) {
	b := newBench(t, nil)
	seen := func(at time.Duration, name string) {
		b.tagSeen(born.Add(at).UnixNano(), textEnd.Tag(columns.EndA, name))
	}
	first := without(flowOf(client, server, time.Second, 10, 20), 7)
	second := without(flowOf(client, server, 2*time.Second, 30, 40), 8)
	third := without(flowOf(client, server, 3*time.Second, 50, 60), 9)
	b.events(announced(first))
	seen(time.Second, "first")
	b.events(ended(first), announced(second))
	seen(2*time.Second, "second")
	seen(0, "second, at a time that is unknown")
	b.events(ended(second))
	b.close()
	seen(2*time.Second, "second, late")
	b.events(announced(third))
	seen(3*time.Second, "third")
	b.snapshot(third)
	for id, want := range map[uint32]int{7: 1, 8: 3, 9: 1} {
		for n := uint32(1); n <= b.tab.arena.high; n++ {
			if e := b.tab.arena.at(n); e.id == id && len(b.tab.tags.get(e.tags)) != want {
				t.Errorf("flow %d has %v", id, b.tab.tags.get(e.tags))
			}
		}
	}
}
