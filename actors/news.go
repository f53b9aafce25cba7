package actors

import "weir/messages"

const (
	// maxEvents and maxFacts are how many events and facts may wait in one shard for one computation. As long
	// as there is one computation, events wait in the table of flows instead, where they cost nothing.
	maxEvents, maxFacts = 16384, 8192
	// maxNews is how many events, and how many facts, travel in one message.
	maxNews = 4096
)

// newsQueue is what a shard has for one computation that has not taken it yet. It is plain data. While they
// wait, events of one flow become one.
type newsQueue struct {
	events []messages.Event
	// at says where the event of a flow is: its place in events, plus first, which counts the events that
	// were taken out. It is made when it is needed.
	at    map[uint64]int
	first int
	facts []messages.Fact

	// missed says that events were dropped, so that the computation must be told of all flows again.
	missed                      bool
	eventsDropped, factsDropped uint64
}

// add puts news of flows, each there once, behind the others. They belong to the queue from now on. If there are too
// many, all that wait are worthless.
func (q *newsQueue) add(events []messages.Event) {
	switch {
	case q.missed:
		q.eventsDropped += uint64(len(events))
	case len(q.events) == 0:
		q.events, q.at, q.first = events[:len(events):len(events)], nil, 0
	default:
		q.index()
		for i := range events {
			q.addEvent(&events[i])
		}
	}
	if len(q.events) > maxEvents {
		q.forget()
	}
}

// index makes the map of flows.
func (q *newsQueue) index() {
	if q.at != nil {
		return
	}
	q.at = make(map[uint64]int, 2*len(q.events))
	for i := range q.events {
		q.at[q.events[i].Flow] = i + q.first
	}
}

func (q *newsQueue) addEvent(e *messages.Event) {
	if n, waits := q.at[e.Flow]; waits {
		old := &q.events[n-q.first]
		change := old.Change&^messages.FlowEnded | e.Change // Whether it is over is what it says last.
		*old = *e
		old.Change = change
		return
	}
	q.at[e.Flow] = q.first + len(q.events)
	q.events = append(q.events, *e)
}

// forget drops all events. Without each end of a flow a computation would keep flows for ever, so it must begin
// anew.
func (q *newsQueue) forget() {
	q.eventsDropped += uint64(len(q.events))
	q.events, q.at, q.first, q.missed = nil, nil, 0, true
}

// tell adds facts. If there are too many the oldest go.
func (q *newsQueue) tell(facts []messages.Fact) {
	q.facts = append(q.facts, facts...)
	if extra := len(q.facts) - maxFacts; extra > 0 {
		q.factsDropped += uint64(extra)
		q.facts = q.facts[extra:]
	}
}

// waiting is how many events and facts wait.
func (q *newsQueue) waiting() int { return len(q.events) + len(q.facts) }

// take takes the oldest out, at most maxNews of each.
func (q *newsQueue) take() (events []messages.Event, facts []messages.Fact) {
	n := min(len(q.events), maxNews)
	events, q.events = q.events[:n:n], q.events[n:]
	if len(q.events) == 0 {
		q.events, q.at, q.first = nil, nil, 0
	} else if q.at != nil {
		for i := range events {
			delete(q.at, events[i].Flow)
		}
		q.first += n
	}
	n = min(len(q.facts), maxNews)
	facts, q.facts = q.facts[:n:n], q.facts[n:]
	if len(q.facts) == 0 {
		q.facts = nil
	}
	return events, facts
}
