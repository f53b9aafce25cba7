package suricata

import (
	"sync"
	"time"

	"weir/messages"
	"weir/sources"
)

// reason says why an event was not used though it was sent.
type reason int

// The reasons.
const (
	queueFull reason = iota
	oversize
	truncated
	glued
	bad
	partial
	unread
	reasonCount
)

// reasons gives to each its metric, with its help, which part of the source lost it, and what an answer says of it.
// Losses of one part become one in an answer, so that each cause has a part of its own.
func reasons() [reasonCount]struct {
	metric, help, part, detail string
	kind                       messages.LossKind
} {
	return [reasonCount]struct {
		metric, help, part, detail string
		kind                       messages.LossKind
	}{
		queueFull: {
			"dropped_events_total", "events dropped because the queue was full",
			"queue", "events of Suricata came faster than they could be used, and the queue was full",
			messages.LossShed,
		},
		oversize: {
			"oversize_events_total", "events longer than max_line, skipped",
			"max_line", "events of Suricata were longer than max_line", messages.LossShed,
		},
		truncated: {
			"truncated_events_total", "datagrams that did not fit into the buffer, skipped",
			"datagram", "events of Suricata did not fit into the buffer for datagrams", messages.LossShed,
		},
		glued: {
			"glued_events_total", "events that Suricata cut because its socket was full; the next one was glued on",
			"cut", "Suricata's socket was full and it cut events", messages.LossOverrun,
		},
		bad: {
			"bad_events_total", "lines that could not be read as an event",
			"decoder", "lines from Suricata could not be read as events", messages.LossShed,
		},
		partial: {
			"partial_events_total", "events whose end never came",
			"partial", "connections or files of Suricata ended within an event", messages.LossShed,
		},
		unread: {
			"unread_events_total", "events that were queued when the source ended",
			"end", "events of Suricata were still queued when the source ended", messages.LossShed,
		},
	}
}

// losses gathers what was lost, from any goroutine, so that one sentence tells many.
type losses struct {
	mu    sync.Mutex
	total [reasonCount]uint64
	// fresh is what was not told yet; from and to are the span in which it happened.
	fresh    [reasonCount]uint64
	from, to [reasonCount]time.Time
	shed     time.Time // when the queue was full last
	// counting says that the events count traffic. Otherwise only tags are missing, and no byte of any sum.
	counting bool
}

// add counts n losses now.
func (l *losses) add(r reason, n uint64) {
	if n == 0 {
		return
	}
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fresh[r] == 0 {
		l.from[r] = now
	}
	l.to[r] = now
	l.total[r] += n
	l.fresh[r] += n
	if r == queueFull {
		l.shed = now
	}
}

// tell tells what is new.
func (l *losses) tell(out sources.Outlet, source string) {
	l.mu.Lock()
	var list []messages.Loss
	for r, about := range reasons() {
		if l.fresh[r] > 0 {
			kind := about.kind
			if !l.counting {
				kind = messages.LossUntagged
			}
			list = append(list, messages.Loss{
				Source: source + "/" + about.part, Kind: kind, Count: l.fresh[r], Detail: about.detail,
				Span: messages.Span{Start: l.from[r], End: l.to[r]},
			})
		}
	}
	l.fresh = [reasonCount]uint64{}
	l.mu.Unlock()
	for _, loss := range list { // Without the lock: the outlet is foreign.
		out.Lost(loss)
	}
}

// shedSince says whether the queue was full after some time.
func (l *losses) shedSince(t time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shed.After(t)
}

func (l *losses) metrics() []sources.Metric {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]sources.Metric, 0, reasonCount)
	for r, about := range reasons() {
		list = append(list, sources.Metric{Name: about.metric, Help: about.help, Value: float64(l.total[r])})
	}
	return list
}
