package translate

import (
	"context"
	"time"

	"weir/messages"
	"weir/sources"
	"weir/sources/suricata/eve"
)

// Where EVE is the only source, flows live and die here. A flow is opened by its first event, counted by its
// record, and ended by it unless traffic may go on: then the flow stays open for a while, and what comes next
// between the same ends goes on with it.

// life is what a flow has of its own where EVE is the only source.
type life struct {
	// start is when it began, in all its updates; 0: it is not open.
	start int64
	flags messages.Flags
	// before are the counters of the records of the same traffic that came before this flow.
	before [2]messages.Counter
	// ended is when the record that ended it was received; 0: it lives.
	ended int64
}

// openID is a flow whose record did not end it.
type openID struct {
	conn uint64
	key  messages.Key
}

// open is what is known of such a flow: all that it moved, and when its record came.
type open struct {
	life
	stop, at int64
}

const (
	// openFor is how long a flow stays open after a record that did not end it.
	openFor = int64(10 * time.Minute)
	// lateFor is how long after its end events of a flow are still taken; the table forgets it later.
	lateFor = int64(10 * time.Second)
)

// live sends what an event says of a flow that only EVE knows.
func (t *Translator) live(ctx context.Context, k kind, x *work, w sources.Writer) (Reason, error) {
	f, err := t.own(ctx, k, x, w)
	if err != nil {
		return 0, err
	}
	if f == nil {
		return Ghost, nil
	}
	l := &f.life
	seen, fresh := x.seen(k, f), f.news(t.tags.tags, x.received)
	t.update = messages.Update{Key: x.key, Stop: seen}
	switch {
	case l.start == 0:
		if err := t.closeReopened(ctx, k, x, w); err != nil {
			return 0, err
		}
		if t.update.Status = t.birth(k, x, f); t.update.Status == messages.Started {
			t.update.Stop, fresh = 0, true
		}
	case l.ended == 0:
	case k == kindRecord || x.received-l.ended > lateFor || x.received < l.ended:
		return Late, nil
	}
	t.update.Start, t.update.Flags = l.start, l.flags
	if k == kindRecord {
		if err := t.record(ctx, x, f, w); err != nil {
			return 0, err
		}
	} else if !fresh {
		return Repeated, nil
	}
	return used, t.send(ctx, w, t.tags.set())
}

// own gives the flow of an event, a new one if need be, or nil if the event is the record of a ghost.
func (t *Translator) own(ctx context.Context, k kind, x *work, w sources.Writer) (*flow, error) {
	id := flowID{conn: x.conn, id: x.FlowID, key: x.key}
	f := t.flows.peek(id)
	if f != nil && f.began != 0 && x.Flow.Start != 0 && f.began != x.Flow.Start {
		// The identifier and the key are used again.
		if err := t.abandon(ctx, id, w); err != nil {
			return nil, err
		}
		f = nil
	}
	if f == nil {
		if k == kindRecord && x.ghost() && t.open.peek(openID{conn: x.conn, key: x.key}) == nil {
			return nil, nil //nolint:nilnil // See above.
		}
		if t.flows.full() {
			t.counts.flowsForgotten.Add(1)
			if err := t.abandon(ctx, *t.flows.oldest(), w); err != nil {
				return nil, err
			}
		}
	}
	return t.remember(k, x), nil
}

// ghost says whether a flow record is of one late packet of a TCP connection that Suricata had forgotten
// already, and which it takes for a flow in the other direction.
func (x *work) ghost() bool {
	return x.Proto == protoTCP && x.has(eve.HasTCP) && !x.TCP.SYN && x.Flow.State == "new"
}

// closeReopened ends the flow that was left open between the event's ends, if the event is the record of a flow
// that began with a SYN: then it does not go on.
func (t *Translator) closeReopened(ctx context.Context, k kind, x *work, w sources.Writer) error {
	id := openID{conn: x.conn, key: x.key}
	if k != kindRecord || !x.has(eve.HasTCP) || !x.TCP.SYN || t.open.peek(id) == nil {
		return nil
	}
	return t.close(ctx, id, w)
}

// birth opens a flow and says so, or goes on with one that was left open.
func (t *Translator) birth(k kind, x *work, f *flow) messages.Status {
	id := openID{conn: x.conn, key: x.key}
	if o := t.open.peek(id); o != nil {
		f.life = o.life
		t.open.remove(id)
		return messages.Seen
	}
	f.life = life{start: x.clock.birth(x.Flow.Start, x.now, x.received), flags: messages.Oriented}
	if x.srcIsA != x.sourceIsClient(k) {
		f.life.flags |= messages.InitiatorB
	}
	return messages.Started
}

// record counts a flow by its record, and ends it unless traffic may go on.
func (t *Translator) record(ctx context.Context, x *work, f *flow, w sources.Writer) error {
	u, l := &t.update, &f.life
	up := x.counter(x.Flow.PktsToServer, x.Flow.BytesToServer)
	down := x.counter(x.Flow.PktsToClient, x.Flow.BytesToClient)
	if !x.srcIsA {
		up, down = down, up
	}
	for i, c := range [...]messages.Counter{up, down} {
		u.Counters[i].Packets = l.before[i].Packets + c.Packets
		u.Counters[i].Bytes = l.before[i].Bytes + c.Bytes
	}
	u.Kind = messages.Absolute
	u.Stop = max(l.start, x.clock.then(x.Flow.End, x.received))
	if x.over() {
		u.Status, l.ended = messages.Ended, x.received
		return nil
	}
	o := open{life: *l, stop: u.Stop, at: x.received}
	o.before = u.Counters
	t.flows.remove(flowID{conn: x.conn, id: x.FlowID, key: x.key})
	id := openID{conn: x.conn, key: x.key}
	if t.open.peek(id) != nil { // A capture of two interfaces has two flows with one key.
		if err := t.close(ctx, id, w); err != nil {
			return err
		}
	}
	if t.open.full() {
		t.counts.flowsForgotten.Add(1)
		if err := t.close(ctx, *t.open.oldest(), w); err != nil {
			return err
		}
	}
	t.open.put(id, o)
	return nil
}

// over says whether no traffic can follow a flow record: not of a flow that Suricata has ceased to look at, nor
// of one whose record was written because Suricata stopped or needed the memory.
func (x *work) over() bool {
	switch x.Flow.Reason {
	case "timeout", "tcp_reuse":
		return x.Flow.State != "bypassed"
	}
	return false
}

const (
	// ethernet and vlanTag are the bytes that EVE counts with each packet and that the kernel does not.
	ethernet, vlanTag = 14, 4
	// header4 and header6 are what a packet has at least.
	header4, header6 = 20, 40
	// maxCounter keeps sums of what a record claims from running over.
	maxCounter = 1 << 56
)

// counter makes the counter of one direction, in bytes of layer 3 as in all of Weir. Packets that were not taken from
// a network, but from a queue of the firewall or out of a tunnel, had no frame; that shows where too little would
// be left of them.
func (x *work) counter(packets, bytes uint64) messages.Counter {
	packets, bytes = min(packets, maxCounter), min(bytes, maxCounter)
	header := uint64(header4)
	if x.Src.Is6() {
		header = header6
	}
	frame := uint64(ethernet + vlanTag*min(len(x.VLANs), maxVLANs)) //nolint:gosec // Small.
	if bytes/(frame+header) >= packets {
		bytes -= frame * packets
	}
	return messages.Counter{Packets: packets, Bytes: bytes}
}

// abandon forgets a flow, which ends if it lives.
func (t *Translator) abandon(ctx context.Context, id flowID, w sources.Writer) error {
	f := *t.flows.peek(id)
	t.flows.remove(id)
	if f.life.start == 0 || f.life.ended != 0 {
		return nil
	}
	return t.end(ctx, id.key, &f.life, f.last, w)
}

// close ends a flow that was left open.
func (t *Translator) close(ctx context.Context, id openID, w sources.Writer) error {
	o := *t.open.peek(id)
	t.open.remove(id)
	return t.end(ctx, id.key, &o.life, o.stop, w)
}

func (t *Translator) end(ctx context.Context, k messages.Key, l *life, stop int64, w sources.Writer) error {
	t.counts.updates.Add(1)
	return w.Add(ctx, &messages.Update{
		Key: k, Start: l.start, Stop: max(stop, l.start), Status: messages.Ended, Flags: l.flags,
	}, nil, nil)
}

// expire ends flows that were left open and on which nothing has followed.
func (t *Translator) expire(ctx context.Context, now int64, w sources.Writer) error {
	for id := t.open.oldest(); id != nil && now-t.open.peek(*id).at > openFor; id = t.open.oldest() {
		if err := t.close(ctx, *id, w); err != nil {
			return err
		}
	}
	return nil
}
