package translate

import (
	"strings"
	"time"

	"weir/messages"
)

// flowID tells the flows of Suricata apart. Its own identifier alone does not: it is a hash, and begins anew
// with every start of Suricata.
type flowID struct {
	conn, id uint64
	key      messages.Key
}

// flow is what is remembered of a flow of Suricata.
type flow struct {
	// first is when it was seen first, or when it began if that is known; last is when it was seen last. 0: unknown.
	first, last int64
	// began is flow.start as events say it; 0 if none did.
	began int64
	// sent are tags that were sent since sentAt.
	sent   [maxSent]sentTag
	used   uint8
	next   uint8
	sentAt int64
	life   life
}

const (
	// maxSent bounds the tags of a flow that are not sent again for a while, and resend is that while. It is
	// shorter than the kernel remembers any UDP flow, because one flow of Suricata may be several of the
	// kernel, each of which needs its tags.
	maxSent = 16
	resend  = int64(10 * time.Second)
)

// sentTag stands for a tag. Two may look the same once in four thousand million; then one waits for resend.
type sentTag struct {
	hash   uint32
	column uint16
	end    uint8
}

// news says whether the flow has not been sent all of the tags within a while, and notes that it is now.
func (f *flow) news(tags []madeTag, now int64) (fresh bool) {
	if f.used == 0 || now-f.sentAt > resend || now < f.sentAt {
		f.used, f.next, f.sentAt = 0, 0, now
	}
	for i := range tags {
		m := &tags[i]
		s := sentTag{hash: uint32(m.hash), end: uint8(m.End)} //nolint:gosec // Half of a hash is one, too.
		s.column = uint16(m.Column.Index())                   //nolint:gosec // There are not many columns.
		if !f.note(s, m.Column.Set) {
			fresh = true
		}
	}
	return fresh
}

// note remembers a tag and says whether it already was. In a column that holds one value the last one counts.
func (f *flow) note(s sentTag, set bool) (known bool) {
	for i := range f.sent[:f.used] {
		o := &f.sent[i]
		if *o == s {
			return true
		}
		if !set && o.column == s.column && o.end == s.end {
			*o = s
			return false
		}
	}
	f.sent[f.next] = s
	f.next = (f.next + 1) % maxSent
	f.used = max(f.used, f.next)
	if f.next == 0 {
		f.used = maxSent
	}
	return false
}

// pseudo says whether no packet of the flow made the event, but that the flow has timed out: its time is then
// not one at which the flow lived.
func (x *work) pseudo() bool { return strings.HasPrefix(x.PktSrc, "stream (flow timeout)") }

// seen gives a time at which the flow that the event is about lived, or 0. A key may be used again before
// Suricata logs the last events of the flow that had it. So all events of a TCP flow have the time of the
// first. Of protocols without connections the time of the packet counts: see connected.
func (x *work) seen(k kind, f *flow) int64 {
	began := x.clock.then(x.Flow.Start, x.received)
	if f == nil {
		f = &flow{}
	}
	if began != 0 && (f.first == 0 || began < f.first) {
		f.first = began
	}
	lived := k != kindRecord && !x.pseudo()
	if lived {
		f.last = x.now
		if f.first == 0 {
			f.first = x.now
		}
	}
	switch {
	case connected(x.Proto):
		return f.first
	case k == kindRecord:
		if end := x.clock.then(x.Flow.End, x.received); end != 0 {
			return end
		}
	}
	if f.last == 0 {
		return f.first
	}
	return f.last
}

// remember gives what is known of the event's flow, or nil. It makes a new one unless the event is the last
// one of its flow.
func (t *Translator) remember(k kind, x *work) *flow {
	if x.FlowID == 0 {
		return nil
	}
	id := flowID{conn: x.conn, id: x.FlowID, key: x.key}
	f := t.flows.get(id)
	if f != nil && f.began != 0 && x.Flow.Start != 0 && f.began != x.Flow.Start && !t.opt.Statistics {
		*f = flow{} // The identifier and the key are used again.
	}
	if f == nil && (k != kindRecord || t.opt.Statistics) {
		f = t.flows.put(id, flow{})
	}
	if f != nil && x.Flow.Start != 0 {
		f.began = x.Flow.Start
	}
	return f
}
