package actors

import (
	"slices"

	"weir/messages"
)

// eagerNews is how many events or facts must wait to be handed over before the next flush.
const eagerNews = 512

// events is what a herald needs of a flow table.
type events interface {
	// TakeEvents takes out news of flows, at most so many, each flow once.
	TakeEvents(most int) []messages.Event
	// Pending is how many there are.
	Pending() int
	// Retell makes all live flows news again.
	Retell()
}

// handOver tells a shard that a computation has room again, retell asks it to tell of all flows again.
type (
	handOver struct{}
	retell   struct{}
)

// missedNews tells a computation that news of a shard were dropped, settleAgain that a shard has now handed over
// what it owed.
type (
	missedNews  struct{ shard int }
	settleAgain struct{}
)

// herald hands over to the computations what one shard knows. Only the shard's turn touches it.
type herald struct {
	shard int
	clock Clock
	lanes []*newsLane // one for each computation
}

// newsLane is what a shard has for one computation, and the way there.
type newsLane struct {
	newsQueue
	to *inlet
	// owed is how much of what was there at the last flush has not been handed over; it means something
	// while to.owes is set.
	owed int
}

func newHerald(shard int, c Clock, to []*inlet) *herald {
	h := &herald{shard: shard, clock: c}
	for _, i := range to {
		h.lanes = append(h.lanes, &newsLane{to: i})
	}
	return h
}

// heard takes the facts of a batch that was applied, and hands over if much waits.
func (h *herald) heard(b *messages.Batch, t events) {
	most := 0
	for _, l := range h.lanes {
		if len(b.Facts) > 0 {
			l.tell(b.Facts)
		}
		most = max(most, l.waiting())
	}
	if most+t.Pending() >= eagerNews {
		h.work(t)
	}
}

// flush hands over all it can, and notes what it owes for want of credits.
func (h *herald) flush(t events) {
	h.work(t)
	for _, l := range h.lanes {
		l.owed = l.waiting() + t.Pending()
		l.to.owes.Store(l.owed > 0)
	}
}

// work hands over as long as there are news and credits. Events leave the table only if some computation
// takes them: as long as none does they cost nothing there.
func (h *herald) work(t events) {
	for again := true; again; {
		again = false
		for _, l := range h.lanes {
			if !l.idle(t) && l.to.take() {
				again = h.handOver(l, t) || again
			}
		}
	}
	for _, l := range h.lanes {
		l.told(t)
	}
}

// handOver sends a computation one message, for which a credit was taken, or gives the credit back if there is
// none. So it does if the table panics: the lane would be closed for ever after a few of these.
func (h *herald) handOver(l *newsLane, t events) (sent bool) {
	defer func() {
		if !sent {
			l.to.release()
		}
	}()
	if l.missed {
		sent = true
		l.beginAnew(h.shard, t)
		return true
	}
	h.pull(t, maxNews-len(l.events))
	if l.waiting() == 0 {
		return false
	}
	l.send(h.shard, h.clock)
	return true
}

// idle says that there is nothing to hand over.
func (l *newsLane) idle(t events) bool { return l.waiting() == 0 && !l.missed && t.Pending() == 0 }

// pull takes events out of the table, for all computations.
func (h *herald) pull(t events, most int) {
	for before := t.Pending(); most > 0 && before > 0; before = t.Pending() {
		all := t.TakeEvents(most)
		for i, l := range h.lanes {
			if i > 0 {
				all = slices.Clone(all) // Each queue writes into its own.
			}
			l.add(all)
		}
		if len(all) > 0 || t.Pending() >= before {
			return // Otherwise all news came to nothing.
		}
	}
}

// send posts a message for which a credit was taken.
func (l *newsLane) send(shard int, c Clock) {
	es, fs := l.take()
	l.owed -= len(es) + len(fs)
	l.to.post(&messages.Events{Shard: shard, Time: c.Now().UnixNano(), Flows: es, Facts: fs})
}

// beginAnew tells the computation that it missed something, and of all flows again.
func (l *newsLane) beginAnew(shard int, t events) {
	l.missed = false
	l.to.post(&missedNews{shard: shard})
	t.Retell()
}

// told notes what has been handed over, after it was posted.
func (l *newsLane) told(t events) {
	if l.to.owes.Load() && (l.owed <= 0 || l.idle(t)) {
		l.to.owes.Store(false)
		l.to.post(&settleAgain{})
	}
	l.to.queued.Store(int64(l.waiting()))
	l.to.eventsDropped.Store(l.eventsDropped)
	l.to.factsDropped.Store(l.factsDropped)
}

// lost tells the computations to begin anew because the table is another one.
func (h *herald) lost(t events) {
	for _, l := range h.lanes {
		l.forget()
	}
	h.work(t)
}
