package actors

import (
	"slices"
	"testing"

	"weir/messages"
)

// eventOf is news of the flow n.
func eventOf(n uint64, c messages.Change) messages.Event {
	return messages.Event{Flow: n, Start: int64(n), Change: c}
}

// eventsOf are news of the flows from first until before end.
func eventsOf(first, end uint64, c messages.Change) (all []messages.Event) {
	for n := first; n < end; n++ {
		all = append(all, eventOf(n, c))
	}
	return all
}

func TestNewsOfAFlowBecomeOne(t *testing.T) {
	var q newsQueue
	q.add(eventsOf(1, 4, messages.FlowStarted))
	changed := eventOf(2, messages.FlowChanged)
	changed.LocalIsA = true
	q.add([]messages.Event{changed, eventOf(4, messages.FlowStarted)})
	q.add([]messages.Event{eventOf(4, messages.FlowEnded)})
	got, facts := q.take()
	want := []messages.Change{
		messages.FlowStarted, messages.FlowStarted | messages.FlowChanged, messages.FlowStarted,
		messages.FlowStarted | messages.FlowEnded,
	}
	if len(got) != len(want) || len(facts) != 0 || q.waiting() != 0 {
		t.Fatalf("took %v and %v, %d wait", got, facts, q.waiting())
	}
	for i, e := range got {
		if e.Flow != uint64(i+1) || e.Change != want[i] {
			t.Errorf("event %d: %+v", i, e)
		}
	}
	if !got[1].LocalIsA {
		t.Error("the older event is told")
	}
	q.add([]messages.Event{eventOf(2, messages.FlowEnded)})
	if got, _ = q.take(); len(got) != 1 || got[0].Change != messages.FlowEnded {
		t.Errorf("what was taken is told again: %v", got)
	}
}

// What was taken belongs to the computation: later news must not write into it.
func TestTakenNewsNeverChange(t *testing.T) {
	var q newsQueue
	q.add(eventsOf(0, maxNews+10, messages.FlowStarted))
	q.tell(make([]messages.Fact, maxNews+5))
	first, facts := q.take()
	if len(first) != maxNews || len(facts) != maxNews || q.waiting() != 15 {
		t.Fatalf("took %d events and %d facts, %d wait", len(first), len(facts), q.waiting())
	}
	before := slices.Clone(first)
	q.add(eventsOf(0, maxNews+20, messages.FlowEnded))
	for range 3 {
		q.tell([]messages.Fact{{Name: "x"}})
	}
	for i := range first {
		if first[i].Change != before[i].Change || first[i].Flow != before[i].Flow {
			t.Fatalf("event %d was written into", i)
		}
	}
	if slices.ContainsFunc(facts, func(f messages.Fact) bool { return f.Name != "" }) {
		t.Error("a fact was written into")
	}
	second, _ := q.take()
	both := messages.FlowStarted | messages.FlowEnded
	if len(second) != maxNews || second[0].Flow != maxNews || second[0].Change != both {
		t.Errorf("then took %d events, the first %+v", len(second), second[0])
	}
	third, facts := q.take()
	if len(third) != 20 || len(facts) != 0 || q.waiting() != 0 || q.at != nil {
		t.Errorf("at last took %d events, %d wait", len(third), q.waiting())
	}
}

func TestTooManyFactsCostTheOldest(t *testing.T) {
	var q newsQueue
	for i := range maxFacts + 100 {
		q.tell([]messages.Fact{{Time: int64(i)}})
	}
	_, facts := q.take()
	if len(facts) != maxNews || facts[0].Time != 100 || q.factsDropped != 100 {
		t.Errorf("%d facts, the first %+v, %d dropped", len(facts), facts[0], q.factsDropped)
	}
	if cap(q.facts) > 4*maxFacts {
		t.Errorf("holds on to %d facts", cap(q.facts))
	}
}

func TestTooManyEventsMakeAllWorthless(t *testing.T) {
	var q newsQueue
	for n := uint64(0); n < maxEvents; n += 1024 {
		q.add(eventsOf(n, n+1024, messages.FlowStarted))
	}
	if q.missed || len(q.events) != maxEvents {
		t.Fatalf("missed %v with %d events", q.missed, len(q.events))
	}
	q.add(eventsOf(maxEvents-1, maxEvents+1, messages.FlowEnded))
	q.add(eventsOf(0, 10, messages.FlowEnded))
	if !q.missed || q.waiting() != 0 || q.eventsDropped != maxEvents+1+10 {
		t.Errorf("missed %v, %d wait, %d dropped", q.missed, q.waiting(), q.eventsDropped)
	}
}

// A flow that ended and came back while the news of it waited lives.
func TestNewsOfAFlowThatCameBack(t *testing.T) {
	var q newsQueue
	q.add([]messages.Event{eventOf(1, messages.FlowStarted)})
	q.add([]messages.Event{eventOf(1, messages.FlowEnded)})
	q.add([]messages.Event{eventOf(1, messages.FlowStarted)})
	if got, _ := q.take(); len(got) != 1 || got[0].Change != messages.FlowStarted {
		t.Errorf("%+v", got)
	}
}
