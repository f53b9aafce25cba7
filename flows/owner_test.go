package flows

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"weir/columns"
	"weir/messages"
)

// reuse is a key that is used again and again, and a watcher that tags each use.
type reuse struct {
	rt   *rapid.T
	b    *bench
	now  time.Duration
	seen time.Duration // when the last tag was
	uses []*use
	late []lateTag
	// sent counts tags that were applied.
	sent uint64
	slow []messages.Update // NEW events on their way
}

type use struct {
	start, stop time.Duration // stop is 0 while it lives
	id          uint32
	told        uint64 // the slice in which the source told of it first; 0: not yet
	over        uint64 // the slice in which its end was applied
	up          uint64
	tags        int
}

type lateTag struct {
	of   *use
	name string
	seen time.Duration
}

func (r *reuse) last() *use {
	if len(r.uses) == 0 {
		return nil
	}
	return r.uses[len(r.uses)-1]
}

func (u *use) update() messages.Update {
	m := flowOf(client, server, u.start, u.up, u.up)
	m.ID = u.id
	return m
}

// begin starts the next use of the key, perhaps at the very moment at which the last ended, but not so soon after
// a packet of that was seen that this one would be taken for the one that opened the next.
func (r *reuse) begin() {
	if r.seen != 0 {
		r.now = max(r.now, r.seen+time.Duration(early)+time.Millisecond)
	}
	r.end()
	if l := r.last(); l != nil && (l.stop == 0 || l.start == r.now) {
		return
	}
	id := uint32(7)
	if rapid.Bool().Draw(r.rt, "other id") {
		id = uint32(len(r.uses)) + 8
	}
	r.uses = append(r.uses, &use{start: r.now, id: id})
	switch rapid.IntRange(0, 2).Draw(r.rt, "announced") {
	case 0:
		r.b.events(announced(r.last().update()))
	case 1:
		r.slow = append(r.slow, announced(r.last().update()))
	}
}

// end stops the use; its end is heard before anything of the next one.
func (r *reuse) end() {
	u := r.last()
	if u == nil || u.stop != 0 || r.now == u.start {
		return
	}
	u.stop = r.now
	m := ended(u.update())
	m.Stop = born.Add(u.stop).UnixNano()
	r.b.events(m)
	u.over = r.b.seq
	u.told = max(u.told, 1)
}

// see makes a tag that is applied now or later.
func (r *reuse) see() {
	u := r.last()
	if u == nil || u.stop != 0 || u.tags == maxValues {
		return
	}
	u.tags++
	r.seen = r.now
	r.late = append(r.late, lateTag{of: u, name: fmt.Sprintf("%d.%d", len(r.uses)-1, u.tags), seen: r.now})
}

// apply brings one of the tags that are on their way. If its flow is known it gets it at once, unless it was
// seen so shortly before the end that only another flow could tell.
func (r *reuse) apply() {
	if len(r.late) == 0 {
		return
	}
	i := rapid.IntRange(0, len(r.late)-1).Draw(r.rt, "tag")
	l := r.late[i]
	r.late = slices.Delete(r.late, i, i+1)
	forgotten := l.of.over != 0 && r.b.seq-l.of.over > graceSlices
	if l.seen == l.of.stop || forgotten {
		return // It may as well be of the next use, which may begin at that moment, or within the slack.
	}
	seen := born.Add(l.seen).UnixNano()
	r.sent++
	r.b.tagSeen(seen, textEnd.Tag(columns.EndA, l.name))
	stop := born.Add(l.of.stop).UnixNano()
	sure := l.of.stop == 0 || seen>>stopShift != stop>>stopShift
	known := l.of.told != 0 && (l.of.over == 0 || r.b.seq-l.of.over <= graceSlices)
	if known && sure && !slices.Contains(r.tagsOf(l.of), l.name) {
		r.rt.Fatalf("tag %s, seen %v, is not at its flow", l.name, l.seen)
	}
}

// dump tells of the use that lives.
func (r *reuse) dump() {
	if u := r.last(); u != nil && u.stop == 0 {
		u.up += 100
		r.b.snapshot(u.update())
		u.told = max(u.told, 1)
	}
}

func (r *reuse) tagsOf(u *use) (names []string) {
	start := born.Add(u.start).UnixNano()
	for n := uint32(1); n <= r.b.tab.arena.high; n++ {
		if e := r.b.tab.arena.at(n); e.is(flagUsed) && e.start == start {
			for _, tag := range r.b.tab.tags.get(e.tags) {
				names = append(names, string(tag.Value))
			}
		}
	}
	return names
}

// tagSeen applies tags to the flow from client to server that were seen at a time.
func (b *bench) tagSeen(seen int64, tags ...columns.Tag) {
	k, _ := messages.MakeKey(6, 0, end(client), end(server))
	u := messages.Update{Key: k, Hash: k.Hash(seed), Stop: seen}
	m := messages.NewBatch()
	m.Source = "watcher"
	m.Add(&u, nil, tags)
	b.tab.Apply(m)
}

// However often a key is used again, within seconds, and however early or late tags come: each ends at the flow
// that it was seen of, or is counted as dropped.
func TestEveryTagAtItsOwner(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := &reuse{rt: rt, b: newBench(t, func(o *Options) { o.Events = true }), now: time.Second}
		owner := map[string]int64{}
		heard := func() {
			for _, e := range r.b.tab.TakeEvents(1 << 20) {
				for _, tag := range e.Tags {
					owner[string(tag.Value)] = e.Start
				}
			}
		}
		for range rapid.IntRange(1, 80).Draw(rt, "steps") {
			r.now += time.Duration(rapid.SampledFrom([]int{0, 1, 20, 70, 500, 3000}).Draw(rt, "ms")) * time.Millisecond
			switch rapid.SampledFrom([]string{
				"begin", "end", "see", "see", "apply", "apply", "dump", "new", "close", "rescue", "hear",
			}).Draw(rt, "step") {
			case "begin":
				r.begin()
			case "end":
				r.end()
			case "see":
				r.see()
			case "apply":
				r.apply()
			case "dump":
				r.dump()
			case "new":
				r.b.events(r.slow...)
				r.slow = r.slow[:0]
			case "close":
				r.dump()
				heard()
				r.b.closeWith()
			case "rescue":
				r.b.tab = r.b.tab.Rescue(nil)
			case "hear":
				heard()
			}
			if fault := r.b.tab.fault(); fault != "" {
				rt.Fatal(fault)
			}
		}
		for range announcedSlices + 2 {
			heard()
			r.b.closeWith()
		}
		heard()
		for name, start := range owner {
			var use, tag int
			if _, err := fmt.Sscanf(name, "%d.%d", &use, &tag); err != nil {
				rt.Fatal(err)
			}
			if want := born.Add(r.uses[use].start).UnixNano(); start != want {
				rt.Fatalf("tag %s is at the flow that began %v after its own", name, time.Duration(start-want))
			}
		}
		s := r.b.tab.Stats()
		if got := uint64(len(owner)) + s.TagsUnclaimed; got != r.sent {
			rt.Fatalf("%d tags at their flows and %d unclaimed of %d", len(owner), s.TagsUnclaimed, r.sent)
		}
	})
}

// Tags that come before the source tells of their flow wait for it, whichever record comes first.
func TestTagsWaitForTheirFlow(t *testing.T) {
	for name, first := range map[string]func(messages.Update) messages.Update{
		"dump": func(u messages.Update) messages.Update { return u },
		"end": func(u messages.Update) messages.Update {
			u = ended(u)
			u.Stop = u.Start + int64(8*time.Second)
			return u
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			old := ended(flowOf(client, server, time.Second, 10, 20))
			old.Stop = old.Start + int64(3*time.Second)
			b.events(old)
			b.tagSeen(born.Add(2*time.Second).UnixNano(), textEnd.Tag(columns.EndA, "old"))
			b.tagSeen(born.Add(6*time.Second).UnixNano(), textEnd.Tag(columns.EndA, "new"))
			b.close()
			b.snapshot(first(flowOf(client, server, 5*time.Second, 10, 20)))
			p := b.close()
			if got := cell(t, p, "local.flows_test.end"); got != "new" {
				t.Errorf("the new flow has %q", got)
			}
			if s := b.tab.Stats(); s.TagsUnclaimed != 0 || s.Announced != 0 {
				t.Errorf("%d tags unclaimed, %d flows announced", s.TagsUnclaimed, s.Announced)
			}
		})
	}
}

// After the clock was set back, flows seem to have begun after what is seen of them.
func TestTagsAfterTheClockWasSetBack(t *testing.T) {
	b := newBench(t, nil)
	b.snapshot(flowOf(client, server, time.Hour, 10, 20))
	b.tab.ClockSet(messages.ClockSet{Delta: -time.Hour})
	b.tagSeen(born.Add(20*time.Second).UnixNano(), textEnd.Tag(columns.EndA, "late"))
	if got := cell(t, b.close(), "local.flows_test.end"); got != "late" {
		t.Errorf("the flow has %q", got)
	}
}

// A key cannot gather announced entries without bound.
func TestWaitingTagsAreBounded(t *testing.T) {
	b := newBench(t, nil)
	for i := range 20 {
		at := time.Duration(10*i) * time.Second
		u := ended(flowOf(client, server, at+5*time.Second, 10, 20))
		u.Stop = u.Start
		b.events(u)
		b.tagSeen(born.Add(at+8*time.Second).UnixNano(), textEnd.Tag(columns.EndA, strings.Repeat("x", i+1)))
	}
	b.close()
	if s := b.tab.Stats(); s.Announced != maxWaiting || s.TagsUnclaimed != 20-maxWaiting {
		t.Errorf("%d announced, %d tags unclaimed", s.Announced, s.TagsUnclaimed)
	}
}

// An event may be taken for the start of another flow than its own; what its record tells then counts.
func TestTagsOfSeveralFlowsWait(t *testing.T) {
	b := newBench(t, nil)
	tag := func(at time.Duration, name string) {
		b.tagSeen(born.Add(at).UnixNano(), textEnd.Tag(columns.EndA, name))
	}
	short := ended(flowOf(client, server, 10*time.Second, 10, 0))
	short.Stop = short.Start + int64(time.Second)
	tag(6*time.Second, "of a flow that is never told")
	b.events(short)
	tag(12*time.Second, "of the last")
	last := flowOf(client, server, 11500*time.Millisecond, 10, 0)
	last.ID = 9
	b.events(announced(last))
	b.close()
	b.snapshot(last)
	if got := cell(t, b.close(), "local.flows_test.end"); got != "of the last" {
		t.Errorf("the last flow has %q", got)
	}
	for range announcedSlices {
		b.close()
	}
	if s := b.tab.Stats(); s.TagsUnclaimed != 1 || s.Announced != 0 {
		t.Errorf("%d tags unclaimed, %d flows announced", s.TagsUnclaimed, s.Announced)
	}
}

// When tags were seen is kept where counters are; a record that confirms the flow counts in full nevertheless,
// also one of a snapshot that is older than the tags.
func TestTagsThatWaitAreNotCounted(t *testing.T) {
	b := newBench(t, nil)
	b.close()
	held := batch(b.seq, flowOf(client, server, 11*time.Second, 1000, 2000))
	b.closeWith()
	b.tagSeen(born.Add(12*time.Second).UnixNano(), textEnd.Tag(columns.EndA, "x"))
	b.tab.Apply(held)
	b.snapshot(flowOf(client, server, 11*time.Second, 1500, 2500))
	want(t, b.close(), 1500, 2500, 1, 0)
}

// A folded flow that tags announce again is told again, once its source tells of it.
func TestEventsOfAFoldedFlowThatComesBack(t *testing.T) {
	b := newBench(t, withEvents)
	b.snapshot(flowOf(client, server, time.Second, 10, 20))
	b.hear("started")
	b.tab.fold(b.tab.coldest())
	b.hear("ended")
	b.tagSeen(born.Add(2*time.Second).UnixNano(), textEnd.Tag(columns.EndA, "x"))
	b.snapshot(flowOf(client, server, time.Second, 15, 25))
	b.hear("started x")
	b.tab.fold(b.tab.coldest())
	b.hear("ended x")
	b.events(announced(flowOf(client, server, time.Second, 0, 0)))
	b.snapshot(flowOf(client, server, time.Second, 20, 30))
	b.hear("started")
	want(t, b.close(), 20, 30, 1, 0)
}

// When a flow stopped lies where otherwise is told when it moved last; flows that are still are folded first all
// the same.
func TestFlowsThatStoppedAreNoColder(t *testing.T) {
	for i := range 64 {
		b := newBench(t, nil)
		still := nth(1, 100)
		b.snapshot(still)
		for range 3 {
			b.closeWith()
		}
		u := ended(nth(0, 100))
		u.Stop = u.Start + int64(i)<<(stopShift+10)
		b.events(u)
		if n := b.tab.coldest(); b.tab.arena.at(n).key != still.Key {
			t.Fatalf("the flow that has just ended, after %v, is the coldest", time.Duration(u.Stop-u.Start))
		}
	}
}

// After the clock was set nobody knows which came first; the newest flow gets the tags.
func TestStopsAreForgottenWhenTheClockIsSet(t *testing.T) {
	b := newBench(t, nil)
	u := ended(flowOf(client, server, time.Second, 10, 20))
	u.Stop = u.Start + int64(time.Second)
	b.events(u)
	b.tab.ClockSet(messages.ClockSet{Delta: time.Hour})
	b.tagSeen(u.Start+int64(time.Hour), textEnd.Tag(columns.EndA, "x"))
	if got := cell(t, b.close(), "local.flows_test.end"); got != "x" {
		t.Errorf("the flow has %q", got)
	}
}

// The packet that opens a flow is captured before the kernel makes an entry of it: just then the flow before it,
// with the same key, was not over yet.
func TestTagsOfTheFirstPacket(t *testing.T) {
	for name, seen := range map[string]time.Duration{
		"captured before the entry": -50 * time.Microsecond, "after it": 50 * time.Microsecond,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			start := 10 * time.Second
			b.snapshot(flowOf(client, server, time.Second, 10, 10))
			over := ended(flowOf(client, server, time.Second, 10, 20))
			over.Stop = born.Add(start).UnixNano() - 1000
			b.events(over)
			b.snapshot(flowOf(client, server, start, 10, 10))
			b.tagSeen(born.Add(start+seen).UnixNano(), textEnd.Tag(columns.EndA, "new"))
			r := &reuse{b: b}
			if got := r.tagsOf(&use{start: start}); len(got) != 1 {
				t.Errorf("the new flow has %q, the old one %q", got, r.tagsOf(&use{start: time.Second}))
			}
		})
	}
}
