package flows

import (
	"time"

	"weir/columns"
	"weir/messages"
)

// Which incarnation of a key tags belong to.
//
// Tags come from who watches packets, which knows no incarnations: only when it saw what it tells. They may
// come before the source that counts tells of the flow, and after it told of its end. They belong to the
// newest incarnation that had begun when they were seen. If that one was over by then they belong to one
// that the table does not know yet: they wait for it in an announced entry of their own, for a few slices.
// An end is always told with its time; it is heard before the tags of the incarnation after it, or they go
// to the one that seems to live.

// early is by how much the packet that opens a flow is captured before the kernel says that the flow began: some
// 50 µs were measured, a busy machine takes longer. slack is by how much clocks may differ at worst; it counts
// only where no flow is known to have lived when the packet was seen.
const (
	early = int64(5 * time.Millisecond)
	slack = int64(time.Second)
)

// stopShift makes the unit in which an entry keeps when its flow stopped: 67 ms, so that the 16 bits tell times
// apart that are up to 36 minutes away from the last one.
const stopShift = 26

// maxWaiting bounds the announced entries of a key.
const maxWaiting = 4

// waited is what an announced entry knows of its tags.
type waited struct {
	// first and last are when they were seen; 0 if that is unknown.
	first, last int64
}

func (e *entry) waited() waited {
	if !e.is(flagAnnounced) {
		return waited{}
	}
	//nolint:gosec // They were put there by keepWaited.
	return waited{first: int64(e.last[0].Bytes), last: int64(e.last[1].Bytes)}
}

// keepWaited adds when more tags of an announced entry were seen.
func (e *entry) keepWaited(w waited) {
	if e.is(flagAnnounced) {
		w = e.waited().with(w)
		e.last[0].Bytes, e.last[1].Bytes = uint64(w.first), uint64(w.last) //nolint:gosec // Read by waited.
	}
}

// waitedOf is when the tags of an update were seen.
func waitedOf(u *messages.Update) waited {
	w := waited{first: u.Stop, last: u.Stop}
	if u.Flags&messages.Waited != 0 {
		w.last = int64(u.Counters[1].Bytes) //nolint:gosec // A time that a shard put there.
	}
	return w
}

// with is the span of both.
func (w waited) with(o waited) waited {
	switch {
	case o.first == 0:
		return w
	case w.first == 0:
		return waited{first: o.first, last: o.last}
	}
	return waited{first: min(w.first, o.first), last: max(w.last, o.last)}
}

// waitsForAnother says whether the tags of an announced entry were seen before the incarnation began that an
// update tells of, or after it ended.
func (e *entry) waitsForAnother(u *messages.Update) bool {
	w := e.waited()
	return w.first != 0 && (w.first < u.Start-slack || u.Status == messages.Ended && u.Stop != 0 && w.last > u.Stop)
}

// applyTags puts tags where they belong.
func (t *Table) applyTags(b *messages.Batch, u *messages.Update, src uint8) {
	if u.Flags&messages.Derived != 0 {
		t.derive(b, u)
		return
	}
	if u.Key.Hash(t.opt.Seed) != u.Hash { // Passed on to here: the hash is that of the flow's own key.
		t.tagAlias(b.Source, u, b.TagsOf(u))
		return
	}
	n := t.claimant(u.Hash, waitedOf(u), func(e *entry) bool { return e.key == u.Key })
	if n == 0 && t.passOn(b.Source, u, b.TagsOf(u)) {
		return
	}
	if n == 0 {
		if n = t.wait(b, u, src); n == 0 {
			t.stats.TagsUnclaimed += uint64(len(b.TagsOf(u)))
			return
		}
	}
	t.touch(n)
	e := t.arena.at(n)
	t.learnEnds(b, u, n, e)
	if tags := b.TagsOf(u); len(tags) > 0 {
		t.tag(n, e, tags)
	}
}

// touch records that somebody has seen a flow. One that has vanished is not back for that: tags may be late.
func (t *Table) touch(n uint32) {
	if e := t.arena.at(n); !e.over() {
		e.seen = uint16(t.open) //nolint:gosec // Wraps on purpose.
	}
}

// derive puts tags of a computation on the incarnation that it means. Nobody else gets them.
func (t *Table) derive(b *messages.Batch, u *messages.Update) {
	var found uint32
	q := t.index.probe(u.Hash)
	for n := q.next(); n != 0; n = q.next() {
		e := t.arena.at(n)
		if e.key != u.Key || e.is(flagAnnounced) || u.Start != 0 && e.start != u.Start {
			continue
		}
		if found == 0 || !t.newer(found, e) {
			found = n
		}
	}
	tags := b.TagsOf(u)
	switch {
	case found == 0:
		t.stats.DerivedMisses++
	case len(tags) > 0:
		t.tag(found, t.arena.at(found), tags)
	}
}

// claimant finds the incarnation, among those under a hash that are asked for, to which tags belong that were
// seen then. 0 means that there is none, or not one for all of them.
func (t *Table) claimant(hash uint64, w waited, mine func(*entry) bool) uint32 {
	n := t.claimantAt(hash, w.first, mine)
	if n != 0 && w.last != w.first && t.claimantAt(hash, w.last, mine) != n {
		return 0
	}
	return n
}

func (t *Table) claimantAt(hash uint64, seen int64, mine func(*entry) bool) uint32 {
	var before, after, newest uint32 // The last that began before, the first that began after, the last of all.
	begun := false                   // A source told of one that began, but not when.
	q := t.index.probe(hash)
	for n := q.next(); n != 0; n = q.next() {
		e := t.arena.at(n)
		if !mine(e) {
			continue
		}
		if e.is(flagAnnounced) {
			begun = begun || !e.onlyTags()
			continue
		}
		if newest == 0 || !t.newer(newest, e) {
			newest = n
		}
		switch {
		case e.start <= seen+early && (before == 0 || t.arena.at(before).beganBefore(e)):
			before = n
		case e.start > seen+early && (after == 0 || e.start < t.arena.at(after).start):
			after = n
		}
	}
	// Where nobody tells when flows stop, one that has begun is a later one than any that has ended.
	ended := func(n uint32) bool {
		e := t.arena.at(n)
		return begun && e.is(flagEnded) && e.told&stopKnown == 0
	}
	if seen == 0 {
		if newest != 0 && ended(newest) {
			return 0
		}
		return newest
	}
	if after != 0 && t.arena.at(after).start > seen+slack {
		after = 0
	}
	if before != 0 && ended(before) {
		return after
	}
	if before != 0 {
		if surely, perhaps := t.stopped(t.arena.at(before), seen); !surely && (!perhaps || after != 0) {
			return before
		}
		return after
	}
	if after == 0 && newest != 0 && t.arena.at(newest).start <= seen+t.setBack {
		return newest
	}
	return after
}

// beganBefore says whether an incarnation is an earlier one than another; where starts are unknown, one that is
// over is, and one that was over before the other.
func (e *entry) beganBefore(o *entry) bool {
	switch {
	case e.start != o.start:
		return e.start < o.start
	case e.is(flagEnded) != o.is(flagEnded):
		return e.is(flagEnded)
	default:
		return int16(o.seen-e.seen) >= 0 //nolint:gosec // Wraps on purpose.
	}
}

// keepStop records when an incarnation ended.
func (t *Table) keepStop(e *entry, stop int64) {
	if stop != 0 {
		t.lastStop = stop
		e.active, e.told = uint16(stop>>stopShift), e.told|stopKnown //nolint:gosec // Wraps on purpose.
	}
}

// stopped says whether an incarnation was surely over at a time, or perhaps because the unit is too coarse to
// tell. It never is if nobody told when it stopped.
func (t *Table) stopped(e *entry, at int64) (surely, perhaps bool) {
	if e.told&stopKnown == 0 {
		return false, false
	}
	ref := t.lastStop >> stopShift
	stop := ref + int64(int16(e.active-uint16(ref))) //nolint:gosec // Wraps on purpose.
	return at>>stopShift > stop, at>>stopShift == stop
}

// forgetStops after the clock was set: times cannot be compared with those from before.
func (t *Table) forgetStops() {
	for n := uint32(1); n <= t.arena.high; n++ {
		if e := t.arena.at(n); e.told&stopKnown != 0 {
			e.active, e.told = e.seen, e.told&^stopKnown
		}
	}
}

// wait gives an announced entry for tags that belong to nobody yet. 0 means that there is no room for them.
func (t *Table) wait(b *messages.Batch, u *messages.Update, src uint8) uint32 {
	w, entries, at := waitedOf(u), 0, uint32(0)
	q := t.index.probe(u.Hash)
	for n := q.next(); n != 0 && at == 0; n = q.next() {
		if e := t.arena.at(n); e.is(flagAnnounced) && e.key == u.Key {
			entries++
			if !t.between(u, e.waited().with(w)) {
				at = n
			}
		}
	}
	if at == 0 {
		if entries >= maxWaiting || !t.roomToWait() {
			return 0
		}
		if at = t.admit(b, u, src); at == 0 {
			return 0
		}
		t.waits++
	}
	if len(b.TagsOf(u)) > 0 {
		t.arena.at(at).keepWaited(w)
	}
	return at
}

// between says whether an incarnation is known that began within a span.
func (t *Table) between(u *messages.Update, w waited) bool {
	q := t.index.probe(u.Hash)
	for n := q.next(); n != 0; n = q.next() {
		e := t.arena.at(n)
		if e.key == u.Key && !e.is(flagAnnounced) && e.start > w.first+early && e.start <= w.last {
			return true
		}
	}
	return false
}

// check looks whether the tags of an entry that was announced belong to the incarnation that it turned out to be.
func (t *Table) check(n uint32, e *entry, hash uint64, w waited) {
	if e.tags == 0 || w.first == 0 {
		return
	}
	if owner := t.claimant(hash, w, func(o *entry) bool { return o.key == e.key }); owner != n {
		t.takeAway(e, owner)
	}
}

// takeAway moves all tags of an entry to another one; without one they are dropped.
func (t *Table) takeAway(e *entry, owner uint32) {
	tags := t.tags.get(e.tags)
	if owner != 0 {
		t.tag(owner, t.arena.at(owner), tags)
	} else {
		t.stats.TagsUnclaimed += uint64(len(tags))
	}
	t.tags.release(e.tags)
	e.tags = 0
}

// unclaimed counts the tags of an announced entry that is given up.
func (t *Table) unclaimed(e *entry) {
	if e.is(flagAnnounced) {
		t.stats.TagsUnclaimed += uint64(len(t.tags.get(e.tags)))
	}
}

// tagAlias puts tags on the flow under the update's hash that has its key as alias.
func (t *Table) tagAlias(source string, u *messages.Update, tags []columns.Tag) {
	w := waitedOf(u)
	mine := func(e *entry) bool { return e.alias != 0 && *t.aliases.key(e.alias) == u.Key }
	n := t.claimant(u.Hash, w, mine)
	if n == 0 {
		n = t.announced(u.Hash, mine)
	}
	if n == 0 {
		t.giveBack(source, u, tags)
		return
	}
	t.touch(n)
	if e := t.arena.at(n); len(tags) > 0 {
		e.keepWaited(w)
		t.tag(n, e, turn(tags, e.aliasSwapped()))
	}
}

// announced finds an announced entry under a hash, among those that are asked for.
func (t *Table) announced(hash uint64, mine func(*entry) bool) uint32 {
	q := t.index.probe(hash)
	for n := q.next(); n != 0; n = q.next() {
		if e := t.arena.at(n); e.is(flagAnnounced) && mine(e) {
			return n
		}
	}
	return 0
}
