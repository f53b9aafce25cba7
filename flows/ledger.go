package flows

import "weir/messages"

// The rules by which every byte is counted once. What breaking each one cost was measured; see
// docs/conntrack.md.
//
//  1. Counters are absolute and never reset; the table books what is new since the last record.
//  2. An incarnation that began before counting did enters with its counters as baseline.
//  3. An unknown incarnation that began later is booked in full, however late it is learnt of.
//  4. An end books the rest. The tombstone then swallows records that were read before it and
//     repetitions of it.
//  5. A live incarnation whose counters go back was zeroed by another program, and counts from zero.
//     Where starts are unknown it is taken for a new incarnation that got the same id.
//     A record of a snapshot that is older than what was heard since takes nothing back, and one of a
//     snapshot that is older than any tombstone says nothing of an incarnation that is not known.
//     Where starts are unknown, a record of a snapshot may be that of an incarnation which ended meanwhile, though
//     a new one has its id: it is left to the next snapshot.
//  6. An incarnation that is missing from several snapshots is in limbo: it counts as ended, and goes
//     on from where it was if it is heard of again.

// apply books one update.
func (t *Table) apply(b *messages.Batch, u *messages.Update, src uint8) {
	if u.Kind == messages.NoCounters && tagsOnly(u) {
		t.applyTags(b, u, src)
		return
	}
	n, _ := t.lookup(u)
	if t.doubtful(b, u, n) {
		return
	}
	var w waited
	if n != 0 {
		if e := t.arena.at(n); e.is(flagAnnounced) {
			w = e.waited()
		}
		n = t.same(b, u, n)
	}
	if n == 0 && (t.elsewhere(b, u) || t.bookFolded(b, u, src)) {
		return
	}
	if t.tooOld(b) && (n == 0 || t.arena.at(n).is(flagAnnounced)) {
		t.stats.TooOld++
		return
	}
	stale := false
	if n != 0 {
		e := t.arena.at(n)
		stale = outdated(b, e.seen)
		t.confirm(b, u, n, e, src)
	} else if n = t.admit(b, u, src); n == 0 {
		t.refuse(u, src)
		return
	}
	e := t.arena.at(n)
	t.book(n, e, u, stale)
	if w.first != 0 && !e.is(flagAnnounced) {
		t.check(n, e, u.Hash, w)
	}
	if tags := b.TagsOf(u); len(tags) > 0 {
		t.tag(n, e, tags)
	}
}

// outdated says whether a batch belongs to a snapshot that is older than what was seen of a flow since.
func outdated(b *messages.Batch, seen uint16) bool {
	return b.Snapshot != 0 && since(seen, uint16(b.Snapshot)) > 0 //nolint:gosec // Wraps on purpose.
}

// doubtful says whether a record of a snapshot without a start may be about another incarnation than the one that
// was found, though with the same id: about an earlier one that ended while the snapshot was taken, or, where
// counters went back, about a later one while the end of the found one is still on its way. Nothing is
// lost by passing it over: a later snapshot or the end of the flow brings the same counters or larger ones.
func (t *Table) doubtful(b *messages.Batch, u *messages.Update, found uint32) bool {
	if b.Snapshot == 0 || u.Start != 0 || u.Kind != messages.Absolute || u.Status == messages.Ended {
		return false
	}
	if found != 0 {
		e := t.arena.at(found)
		// It is not confirmed, so that the next snapshot knows that the end had the time to arrive.
		if e.is(flagCounted) && !e.is(flagEnded) && beyond(&e.last, &u.Counters) &&
			since(uint16(t.open), e.seen) <= 1 { //nolint:gosec // Wraps on purpose.
			return true
		}
	}
	q := t.index.probe(u.Hash)
	for n := q.next(); n != 0; n = q.next() {
		e := t.arena.at(n)
		if e.key == u.Key && e.id == u.ID && e.is(flagEnded) && e.start == 0 &&
			int16(e.seen-uint16(b.Snapshot)) >= 0 { //nolint:gosec // Wraps on purpose.
			return true
		}
	}
	return false
}

// tooOld says whether a batch belongs to a snapshot that is older than any tombstone: a writer has held it
// back. What it tells of flows that are not known may be from before their end, and be booked already;
// of those that live a later snapshot tells.
func (t *Table) tooOld(b *messages.Batch) bool {
	return b.Snapshot != 0 && t.open > b.Snapshot && t.open-b.Snapshot > graceSlices
}

// tagsOnly says whether an update says nothing of the life of a flow.
func tagsOnly(u *messages.Update) bool {
	return u.Kind == messages.NoCounters && u.Status == messages.Seen &&
		(u.Start == 0 && u.ID == 0 || u.Flags&messages.Derived != 0)
}

// same gives the entry n if the update is about its incarnation, with the account of the flow if that was
// folded, and 0 if it is about another one.
func (t *Table) same(b *messages.Batch, u *messages.Update, n uint32) uint32 {
	e := t.arena.at(n)
	if e.is(flagAnnounced) {
		t.unfold(u, n, e)
	}
	if reborn(b, u, &account{last: &e.last, flags: &e.flags}, e.seen) {
		return 0
	}
	return n
}

// reborn says whether an update that fits an incarnation is about another one. Only where starts are unknown can
// that be in doubt: then of an ended one counters beyond the final ones, an end with other counters, or a snapshot
// that began after the end prove it; of one that lives, an end with smaller counters does.
func reborn(b *messages.Batch, u *messages.Update, a *account, seen uint16) bool {
	if u.Start != 0 || u.Kind != messages.Absolute || !a.is(flagCounted) {
		return false
	}
	switch {
	case !a.is(flagEnded):
		// A record of the incarnation after it came first, and was taken for a record of this one.
		return u.Status == messages.Ended && beyond(a.last, &u.Counters)
	case u.Status == messages.Ended:
		return u.Counters != *a.last
	}
	fromLaterSnapshot := b.Snapshot != 0 && since(uint16(b.Snapshot), seen) > 0 //nolint:gosec // Wraps on purpose.
	return fromLaterSnapshot || beyond(&u.Counters, a.last)
}

// beyond says whether any of the counters is past the other.
func beyond(c, o *[2]messages.Counter) bool {
	return c[0].Bytes > o[0].Bytes || c[1].Bytes > o[1].Bytes ||
		c[0].Packets > o[0].Packets || c[1].Packets > o[1].Packets
}

// book puts what an update brings into the open slice. Between the change of the row and that of the
// entry nothing can panic, so that no byte is booked twice when a table is rescued.
func (t *Table) book(n uint32, e *entry, u *messages.Update, stale bool) {
	if e.is(flagAnnounced) {
		return
	}
	account := account{last: &e.last, flags: &e.flags, source: e.source, stale: stale}
	moved := t.owed(&account, u)
	started := t.starts(&account, u)
	ended := u.Status == messages.Ended && !e.is(flagEndTold)
	if moved != ([2]messages.Counter{}) || started || ended {
		r := t.rowOf(n, e)
		r.add(&moved)
		r.started += one(started)
		r.ended += one(ended)
		if e.told&stopKnown == 0 {
			e.active = uint16(t.open) //nolint:gosec // Wraps on purpose.
		}
	} else if t.opt.Accounts && account.silent(u) {
		t.owe(n, e)
	}
	account.settle(u)
	if u.Status == messages.Ended {
		e.seen = uint16(t.open) //nolint:gosec // Wraps on purpose.
		t.keepStop(e, u.Stop)
		if e.told&toldEnd == 0 {
			t.note(n, e, 0)
		}
	}
}

func one(b bool) uint16 {
	if b {
		return 1
	}
	return 0
}

// account is the state of the ledger for one incarnation, wherever it is kept.
type account struct {
	last   *[2]messages.Counter
	flags  *entryFlags
	source uint8
	// stale says that the update is older than last: it can bring nothing new, and takes nothing back.
	stale bool
}

func (a *account) is(f entryFlags) bool { return *a.flags&f != 0 }

// owed is what an update says was moved and is not booked yet.
func (t *Table) owed(a *account, u *messages.Update) (d [2]messages.Counter) {
	switch {
	case u.Kind == messages.Delta:
		return u.Counters
	case u.Kind == messages.NoCounters:
		return d
	case !a.is(flagCounted):
		return t.first(a, u)
	case !a.is(flagEnded) && !a.stale && beyond(a.last, &u.Counters):
		t.wentBack(u)
		return u.Counters
	}
	for i, last := range a.last {
		d[i].Bytes = past(u.Counters[i].Bytes, last.Bytes)
		d[i].Packets = past(u.Counters[i].Packets, last.Packets)
	}
	return d
}

// past is how far now is past last, or 0.
func past(now, last uint64) uint64 {
	if now < last {
		return 0
	}
	return now - last
}

// first is what the first counters of an incarnation are worth.
func (t *Table) first(a *account, u *messages.Update) (d [2]messages.Counter) {
	if !t.fromBefore(a, u) {
		return u.Counters
	}
	t.stats.Baselined++
	if u.Status == messages.Ended {
		t.news.unseen++
	}
	return d
}

// fromBefore says whether an incarnation may have moved bytes before counting began.
func (t *Table) fromBefore(a *account, u *messages.Update) bool {
	switch {
	case u.Start != 0:
		return u.Start < t.since
	case a.is(flagBorn):
		return false
	default:
		return u.Flags&messages.Baseline != 0 && !t.resumed && !t.sources[a.source].baselined()
	}
}

func (t *Table) wentBack(u *messages.Update) {
	if u.Start == 0 {
		t.stats.Reborn++
		return
	}
	t.stats.Zeroed++
	t.news.zeroed++
}

// starts says whether the start of an incarnation is to be booked now.
func (t *Table) starts(a *account, u *messages.Update) bool {
	return !a.is(flagStartTold) && !t.fromBefore(a, u)
}

// settle records that everything up to the update is booked.
func (a *account) settle(u *messages.Update) {
	*a.flags |= flagStartTold
	if u.Kind == messages.Absolute {
		if a.is(flagEnded) || a.stale {
			a.last[0] = furthest(a.last[0], u.Counters[0])
			a.last[1] = furthest(a.last[1], u.Counters[1])
		} else {
			*a.last = u.Counters
		}
		*a.flags |= flagCounted
	}
	if u.Status == messages.Ended {
		*a.flags |= flagEnded | flagEndTold
		*a.flags &^= flagLimbo
	}
}

func furthest(a, b messages.Counter) messages.Counter {
	return messages.Counter{Packets: max(a.Packets, b.Packets), Bytes: max(a.Bytes, b.Bytes)}
}
