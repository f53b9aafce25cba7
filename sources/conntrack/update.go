package conntrack

import (
	"weir/columns"
	"weir/columns/mark"
	"weir/messages"
)

// builder turns records into updates. It belongs to one goroutine and uses its memory again: what build
// returns is valid until the next call, but for the tags, which never change.
type builder struct {
	update messages.Update
	alias  messages.Key
	marks  markTags
}

// build fills in all that dumps and events have in common. alias is nil unless the flow is behind NAT.
func (b *builder) build(r *record) (u *messages.Update, alias *messages.Key, tags []columns.Tag) {
	u = &b.update
	*u = messages.Update{ID: r.id, Flags: messages.Oriented}
	// Times beyond the year 2262 can only come from a broken clock; they stay different from each other.
	u.Start, u.Stop = int64(r.start), int64(r.stop) //nolint:gosec // See above.

	var swapped bool
	u.Key, swapped = messages.MakeKey(r.orig.proto, r.keyZone(), r.orig.src, r.orig.dst)
	initiator, responder := 0, 1
	if swapped {
		initiator, responder = 1, 0
		u.Flags |= messages.InitiatorB
	}
	if r.have&haveCounters == haveCounters {
		u.Kind = messages.Absolute
		u.Counters[initiator], u.Counters[responder] = r.counters[0], r.counters[1]
		if u.Start == 0 {
			u.Flags |= messages.Baseline
		}
	}
	if b.setAlias(r) {
		alias = &b.alias
	}
	return u, alias, b.marks.of(r.mark)
}

// keyZone is the zone in which the original tuple is unique.
func (r *record) keyZone() uint16 {
	if r.have&haveZone != 0 {
		return r.zone
	}
	return r.orig.zone
}

// setAlias makes the key of the reply tuple if it is not the original one mirrored. Zones of directions
// alone are no NAT.
func (b *builder) setAlias(r *record) bool {
	// The initiator and the responder as the far side of a NAT sees them.
	initiator, responder := r.reply.dst, r.reply.src
	if isICMP(r.orig.proto) {
		// The reply has its own type (8 is answered by 0), but it belongs to the same exchange.
		initiator.Port, responder.Port = r.reply.src.Port, r.orig.dst.Port
	}
	if initiator == r.orig.src && responder == r.orig.dst {
		return false
	}
	zone := r.reply.zone
	if r.have&haveZone != 0 {
		zone = r.zone
	}
	var responderB bool
	b.alias, responderB = messages.MakeKey(r.orig.proto, zone, responder, initiator)
	if b.alias == b.update.Key {
		return false
	}
	if responderB {
		b.update.Flags |= messages.ResponderAliasB
	}
	return true
}

// maxMarks bounds how many marks keep their tags. Rulesets have a few; one that gives each flow its own
// makes this cache start anew, which costs allocations and nothing else.
const maxMarks = 4096

// markTags makes the tags of a mark once.
type markTags struct {
	byMark map[uint32][]columns.Tag
}

// of gives the tags of a mark; 0 is no mark.
func (m *markTags) of(v uint32) []columns.Tag {
	if v == 0 {
		return nil
	}
	if tags, ok := m.byMark[v]; ok {
		return tags
	}
	if m.byMark == nil {
		m.byMark = make(map[uint32][]columns.Tag)
	}
	if len(m.byMark) >= maxMarks {
		clear(m.byMark)
	}
	tags := []columns.Tag{mark.Column.Tag(v)}
	m.byMark[v] = tags
	return tags
}
