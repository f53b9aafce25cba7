// Package translate turns events of Suricata into what the rest of Weir speaks: updates, which carry tags
// for the flow that the event is about, and facts, which belong to no flow.
//
// An update of a translated event says nothing of the life of its flow: it has no counters, no start and no
// orientation, for the kernel knows these better. It finds its flow by the key and by the time when the flow
// was seen. Only where EVE is the only source ([Options.Statistics]) the translator opens, counts and ends flows.
//
// What an event gives, and why, is in docs/suricata-events.md.
package translate

import (
	"context"
	"time"

	"weir/messages"
	"weir/sources"
	"weir/sources/suricata/eve"
)

// Options say how a translator works.
type Options struct {
	// Statistics makes the translator open flows, count them by flow records, and end them, because there is no
	// other source that counts.
	Statistics bool
	// OwnMACs are the hardware addresses of this router: no end of a flow gets one of them.
	OwnMACs [][6]byte
	// Flows is how many flows are remembered, each with some 400 bytes; 0 means 16384, or 65536 with Statistics.
	Flows int
}

const (
	defaultFlows           = 16384
	defaultFlowsStatistics = 65536
	// maxConns bounds the connections whose clocks are remembered. There are a handful.
	maxConns = 256
)

// Translator turns events into updates and facts. But for Counts it belongs to one goroutine.
type Translator struct {
	opt    Options
	conns  *recent[uint64, clock]
	flows  *recent[flowID, flow]
	open   *recent[openID, open]
	tags   tagger
	names  *recent[dnsID, chain]
	leases *recent[leaseID, request]
	told   *recent[factID, toldFact]
	// chain is used again for each answer that comes with its question.
	chain chain
	// questions are those of the answer at work, cleaned.
	questions []string
	// event is the one at work.
	event  work
	update messages.Update
	counts counters
}

// work is an event with what was found out about it.
type work struct {
	*eve.Event
	conn uint64
	// now is when the event happened, received when it arrived; both in nanoseconds of our clock.
	now, received int64
	clock         *clock
	key           messages.Key
	// src is the end of the key that is the event's source.
	srcIsA bool
	facts  int
}

// New makes a translator.
func New(o Options) *Translator {
	if o.Flows <= 0 {
		o.Flows = defaultFlows
		if o.Statistics {
			o.Flows = defaultFlowsStatistics
		}
	}
	return &Translator{
		opt:    o,
		conns:  newRecent[uint64, clock](maxConns),
		flows:  newRecent[flowID, flow](o.Flows),
		open:   newRecent[openID, open](o.Flows),
		tags:   newTagger(),
		names:  newRecent[dnsID, chain](maxChains),
		leases: newRecent[leaseID, request](maxRequests),
		told:   newRecent[factID, toldFact](maxTold),
	}
}

// Event translates one event, which is not kept, of a connection (a number that is not used again), and hands
// the result to w. The error is that of w; all that is wrong with an event is counted.
func (t *Translator) Event(
	ctx context.Context, conn uint64, e *eve.Event, received time.Time, w sources.Writer,
) error {
	x := &t.event
	*x = work{Event: e, conn: conn, received: received.UnixNano()}
	x.clock = t.conns.get(conn)
	if x.clock == nil {
		x.clock = t.conns.put(conn, clock{})
	}
	x.now = x.clock.at(e.Time, x.received)
	if err := t.expire(ctx, x.received, w); err != nil {
		return err
	}
	r, err := t.translate(ctx, x, w)
	if err == nil {
		t.counts.add(r)
	}
	x.Event = nil
	t.counts.flowsKept.Store(uint64(t.flows.len())) //nolint:gosec // Never negative.
	return err
}

// translate uses an event in all ways that its type allows.
func (t *Translator) translate(ctx context.Context, x *work, w sources.Writer) (Reason, error) {
	k := kindOf(x.Type)
	switch k {
	case kindIgnored:
		return Ignored, nil
	case kindUnknown:
		return UnknownType, nil
	case kindARP:
		return t.neighbour(ctx, x, w)
	default:
	}
	if r := t.address(k, x); r != used {
		return r, nil
	}
	fact, err := t.facts(ctx, k, x, w)
	if err != nil {
		return 0, err
	}
	if k.device() && !t.opt.Statistics {
		return fact, nil
	}
	tags, err := t.tagFlow(ctx, k, x, w)
	if err != nil {
		return 0, err
	}
	if fact == used {
		return used, nil
	}
	return tags, nil
}

// Forget ends what is remembered of a connection that was closed. Where EVE is the only source it ends the
// flows of the connection, which nobody counts any more.
func (t *Translator) Forget(ctx context.Context, conn uint64, w sources.Writer) error {
	for _, id := range t.flows.keys(func(id flowID) bool { return id.conn == conn }) {
		if err := t.abandon(ctx, id, w); err != nil {
			return err
		}
	}
	for _, id := range t.open.keys(func(id openID) bool { return id.conn == conn }) {
		if err := t.close(ctx, id, w); err != nil {
			return err
		}
	}
	t.conns.remove(conn)
	t.counts.flowsKept.Store(uint64(t.flows.len())) //nolint:gosec // Never negative.
	return nil
}
