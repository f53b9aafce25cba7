package flows

import (
	"weir/messages"
)

// newsQueue holds the flows that computations are to be told of, in the order in which they got something
// new. A flow is in it once, as its toldQueued says; numbers of entries that have left the table stay until
// they are passed over.
type newsQueue struct {
	numbers []uint32
	waiting int // numbers whose entries are still there
	// gone are last words of flows that left the table before their end was told; at most maxGone.
	gone []messages.Event
}

// maxGone bounds the last words that wait, at about 200 bytes each.
const maxGone = 4096

// note records that there is news of a flow. Of one that was only announced nothing is told.
func (t *Table) note(n uint32, e *entry, what toldFlags) {
	if !t.opt.Events {
		return
	}
	e.told |= what
	if e.is(flagAnnounced) || e.told&toldQueued != 0 {
		return
	}
	e.told |= toldQueued
	q := &t.queue
	q.waiting++
	if len(q.numbers) == cap(q.numbers) && len(q.numbers) > 2*q.waiting {
		q.tidy(&t.arena)
	}
	q.numbers = append(q.numbers, n)
}

// tidy drops numbers of entries that have left the table. The number of one may be that of another entry by
// now, and be there twice.
func (q *newsQueue) tidy(a *arena) {
	kept := q.numbers[:0]
	for _, n := range q.numbers {
		if e := a.at(n); e.told&toldQueued != 0 {
			e.told &^= toldQueued
			kept = append(kept, n)
		}
	}
	for _, n := range kept {
		a.at(n).told |= toldQueued
	}
	q.numbers = kept
}

// Pending is how many flows have news.
func (t *Table) Pending() int { return t.queue.waiting + len(t.queue.gone) }

// TakeEvents gives up to most pieces of news, oldest first. Each flow is told once, with all that is new
// since it was taken last. A flow that is over says so in each piece of news that comes after its end.
func (t *Table) TakeEvents(most int) []messages.Event {
	q := &t.queue
	if most <= 0 || t.Pending() == 0 {
		return nil
	}
	events := make([]messages.Event, 0, min(most, t.Pending()))
	last := min(most, len(q.gone))
	events = append(events, q.gone[:last]...)
	if q.gone = q.gone[last:]; len(q.gone) == 0 {
		q.gone = nil
	}
	taken := 0
	for taken < len(q.numbers) && len(events) < most {
		e := t.arena.at(q.numbers[taken])
		taken++
		if e.told&toldQueued == 0 {
			continue
		}
		q.waiting--
		e.told &^= toldQueued
		if ev := t.takeEvent(e); ev.Change != 0 {
			events = append(events, ev)
		}
	}
	if q.numbers = q.numbers[taken:]; q.waiting == 0 {
		q.numbers = nil
	}
	return events
}

// takeEvent tells what is new of an entry.
func (t *Table) takeEvent(e *entry) messages.Event {
	var change messages.Change
	switch {
	case e.told&toldStart == 0:
		change = messages.FlowStarted
	case e.told&toldNot != 0:
		change = messages.FlowChanged
	}
	e.told = e.told&^toldNot | toldStart
	if e.over() && (change != 0 || e.told&toldEnd == 0) {
		change |= messages.FlowEnded
		e.told |= toldEnd
	}
	return t.event(e, change)
}

func (t *Table) event(e *entry, change messages.Change) messages.Event {
	ev := messages.Event{
		Key: e.key, Start: e.start, Flow: t.identity(e), Tags: t.tags.get(e.tags), LocalIsA: e.localIsA(),
		InitiatorB: e.is(flagInitiatorB), Oriented: e.is(flagOriented), Change: change,
	}
	t.describe(e, &ev.Ends)
	return ev
}

// Retell makes news of every flow that lives, as if it had just begun: for a computation that has forgotten
// them.
func (t *Table) Retell() {
	for n := uint32(1); n <= t.arena.high; n++ {
		if e := t.arena.at(n); e.is(flagUsed) && !e.over() {
			e.told &^= toldStart
			t.note(n, e, 0)
		}
	}
}

// leave takes an entry that leaves the table out of the queue. If computations know of it and do not know that
// it is over, they are told nevertheless.
func (t *Table) leave(e *entry) {
	if e.told&amending != 0 {
		t.stats.AmendmentsLost++
	}
	queued := e.told&toldQueued != 0
	if queued {
		t.queue.waiting--
	}
	e.told &^= toldQueued | amending
	known := e.told&(toldStart|toldEnd) == toldStart
	switch {
	case known && len(t.queue.gone) < maxGone:
		t.queue.gone = append(t.queue.gone, t.event(e, messages.FlowEnded))
	case known, queued:
		t.stats.EventsLost++
	}
}

func (q *newsQueue) bytes() int64 { return int64(cap(q.numbers))*4 + int64(cap(q.gone))*200 }
