// Package flows is the table of live flows of one shard, and the ledger by which every byte is counted
// once.
//
// Sources send what a flow's counters are; the table knows up to which counters it has booked and books
// the difference into the open slice. An incarnation that ended stays for a few slices as a tombstone,
// so that a record which was read before the end and arrives after it books nothing; one that vanished
// without an end stays in limbo, so that a late end books only the rest. See ledger.go for the rules.
//
// A Table belongs to one goroutine. It takes no locks, reads no clock and starts nothing. Its bulk is
// memory without pointers, so that a million flows cost the garbage collector nothing.
package flows

import (
	"time"

	"weir/columns"
	"weir/messages"
)

// Options say how a table works.
type Options struct {
	// Shard is the number of this table among Shards.
	Shard, Shards int
	// Seed is for messages.Key.Hash; all tables and whoever routes to them share it.
	Seed uint64
	// Home decides which end is local.
	Home *Home
	// Budget is the memory that the table may take, in bytes; 0 means no bound.
	Budget int64
	// CountsSince is when counting began: what moved before it is not counted.
	CountsSince time.Time
	// FirstSeq is the number of the slice that is open now; 0: 1.
	FirstSeq uint64
	// Accounts: each part brings the accounts of flows that did something, or of all if that is asked for. Without it
	// they cost nothing.
	Accounts bool
	// Restore are the accounts that an earlier process left of all flows, of which the table takes its own. Not nil,
	// also if there are none, it says that counting goes on: a flow that the table does not know and
	// whose start nobody tells has begun since then.
	Restore []messages.Account
	// Events: the table gathers news of its flows for computations, and amends what earlier slices say of
	// them. Without it neither costs anything.
	Events bool
	// Send posts a *messages.LearnAliases or a *messages.Batch of forwarded updates to another shard;
	// false means that it was refused. Nil refuses everything.
	Send func(shard int, m any) bool
}

// Table holds the live flows of one shard.
type Table struct {
	opt   Options
	home  *Home
	since int64 // opt.CountsSince in nanoseconds, moved back when the clock is set back

	index   index
	arena   arena
	tags    tagSets
	aliases aliases
	folded  folded

	open    uint64 // number of the open slice
	rows    rowSlab
	other   messages.Totals // what folded flows did in the open slice
	sources []sourceState
	hand    uint32 // where the search for cold flows goes on

	at      int    // the update of the batch at work, for Rescue; before the first it is one less
	closing uint32 // the row at work while a slice closes; 0 otherwise
	careful bool   // a row has made it panic since the last slice: the others are tried before they are used
	// closed is the part whose rows were taken and that was not handed over yet, or nil.
	closed *messages.SlicePart

	waits    int       // entries that nothing but tags has announced
	queue    newsQueue // of what computations are to be told
	amends   []amendment
	books    books
	lastStop int64 // when the flow stopped whose end was told last; 0: unknown
	before   uint8 // the number of the source restored, or nobody
	resumed  bool  // counting goes on from where an earlier process ended
	setBack  int64 // by how much the clock was set back, less what has passed since, in nanoseconds

	news  news // losses to tell with the next part
	stats Stats
}

// sourceState is what the table knows of a source.
type sourceState struct {
	name string
	// snapshots are the slices of the last complete snapshots, newest first; 0: none yet.
	snapshots [vanishAfter]uint64
}

// baselined says that every flow that is older than counting is known.
func (s *sourceState) baselined() bool { return s.snapshots[0] != 0 }

const (
	// vanishAfter is how many complete snapshots in a row a flow must be missing from to be in limbo.
	vanishAfter = 3
	// graceSlices is how long a tombstone stays. A snapshot is given up before the next one begins, but
	// its last records may wait for long in a writer; see tooOld.
	graceSlices = 3
	// limboSlices is how long a vanished flow is remembered.
	limboSlices = 60
	// announcedSlices is how long a flow that is known by an event or a tag only is kept.
	announcedSlices = 3
)

// NewTable makes a table, with what is restored in it.
func NewTable(o Options) *Table {
	if o.Home == nil {
		o.Home = NewHome(nil, nil)
	}
	if o.Send == nil {
		o.Send = func(int, any) bool { return false }
	}
	t := &Table{
		opt: o, home: o.Home, since: o.CountsSince.UnixNano(), open: max(o.FirstSeq, 1), before: nobody,
		aliases: newAliases(), tags: newTagSets(o.Budget / tagShare),
	}
	t.opt.Restore = nil
	t.restore(o.Restore)
	return t
}

// ShardOf gives the shard that owns a hash. It uses bits that the index of a table does not rest on.
func ShardOf(hash uint64, shards int) int {
	return int((hash >> 8 & 0xffffff) * uint64(shards) >> 24) //nolint:gosec // Smaller than shards.
}

// SetHome changes what is at home, for flows that begin from now on.
func (t *Table) SetHome(h *Home) { t.home = h }

// ClockSet tells that the kernel's clock was set. A flow that began after counting did keeps doing so.
func (t *Table) ClockSet(m messages.ClockSet) {
	t.since = min(t.since, t.since+int64(m.Delta))
	t.setBack = max(0, t.setBack-int64(m.Delta))
	t.forgetStops()
}

// Apply books a batch. It does not release it.
func (t *Table) Apply(b *messages.Batch) { t.applyFrom(b, 0) }

func (t *Table) applyFrom(b *messages.Batch, first int) {
	t.at = first - 1
	t.warm(b.Updates[first:])
	src := t.source(b.Source)
	for t.at = first; t.at < len(b.Updates); t.at++ {
		t.apply(b, &b.Updates[t.at], src)
	}
	t.aliases.flush(t)
}

// warm brings what the batch needs into the processor's cache, a kind of memory at a time: so that many
// loads are on their way before the first is waited for.
func (t *Table) warm(us []messages.Update) {
	var at [messages.BatchSize]uint32
	us = us[:min(len(us), len(at))]
	for i := range us {
		q := t.index.probe(us[i].Hash)
		at[i] = q.next()
	}
	var sum entryFlags // Used, so that the compiler keeps the loads.
	for _, n := range at[:len(us)] {
		if n != 0 {
			e := t.arena.at(n)
			sum ^= e.flags ^ entryFlags(e.key.A.Addr[0])
		}
	}
	for _, n := range at[:len(us)] {
		if n != 0 && t.arena.at(n).row != 0 {
			sum ^= entryFlags(t.rows.at(t.arena.at(n).row).started)
		}
	}
	t.stats.warmed = sum
}

// source gives the number of a source. There are few, since they come from the configuration; beyond
// the bound they share the last number, which only delays the discovery of vanished flows.
func (t *Table) source(name string) uint8 {
	for i := range t.sources {
		if t.sources[i].name == name {
			return uint8(i) //nolint:gosec // Bounded below.
		}
	}
	if len(t.sources) < 255 {
		t.sources = append(t.sources, sourceState{name: name})
	}
	return uint8(len(t.sources) - 1) //nolint:gosec // Bounded above.
}

// lookup finds the incarnation that an update is about: exactly, or one that was announced and that the
// update confirms. newest is the incarnation of the key to which tags belong.
func (t *Table) lookup(u *messages.Update) (found, newest uint32) {
	q := t.index.probe(u.Hash)
	for n := q.next(); n != 0; n = q.next() {
		e := t.arena.at(n)
		if e.key != u.Key {
			continue
		}
		if u.Start != 0 && e.start == u.Start {
			return n, n // Nothing fits better.
		}
		if e.sameIncarnation(u) && (found == 0 || t.arena.at(found).is(flagEnded)) {
			found = n
		}
		if newest == 0 || !t.newer(newest, e) {
			newest = n
		}
	}
	return found, newest
}

// newer says whether the entry n is a later incarnation than e.
func (t *Table) newer(n uint32, e *entry) bool {
	o := t.arena.at(n)
	if o.is(flagEnded) != e.is(flagEnded) {
		return e.is(flagEnded)
	}
	return o.start > e.start
}

// sameIncarnation: the start tells, or where it is unknown to one side, the kernel's id.
func (e *entry) sameIncarnation(u *messages.Update) bool {
	switch {
	case u.Start != 0 && e.start != 0:
		return u.Start == e.start
	case u.Start != 0:
		return e.is(flagAnnounced) && (e.id == u.ID || e.id == 0) && !e.waitsForAnother(u)
	case u.Kind == messages.NoCounters && u.ID == 0:
		return !e.is(flagEnded)
	default:
		return e.id == u.ID || e.is(flagAnnounced) && e.id == 0
	}
}

// admit makes an entry for an incarnation that the table does not know.
// It gives 0 if there is no room.
func (t *Table) admit(b *messages.Batch, u *messages.Update, src uint8) uint32 {
	if !t.makeRoom() {
		return 0
	}
	n := t.arena.take()
	e := t.arena.at(n)
	e.key, e.start, e.id, e.source = u.Key, u.Start, u.ID, src
	e.seen, e.active = uint16(t.open), uint16(t.open) //nolint:gosec // Wraps on purpose.
	if u.Kind == messages.NoCounters && u.Start == 0 && u.Status != messages.Ended {
		e.flags |= flagAnnounced
	}
	if u.Status == messages.Started {
		e.flags |= flagBorn
	}
	t.index.insert(u.Hash, n)
	t.orient(e, u, b.AliasOf(u))
	t.note(n, e, 0)
	return n
}

// confirm takes over what an update tells of an entry that is there.
func (t *Table) confirm(b *messages.Batch, u *messages.Update, n uint32, e *entry, src uint8) {
	waited := e.onlyTags()
	if !e.is(flagEnded) {
		e.seen = uint16(t.open) //nolint:gosec // Wraps on purpose.
		if e.is(flagLimbo) {
			e.flags &^= flagLimbo
			e.told &^= toldStart | toldEnd
			t.note(n, e, 0)
			t.owe(n, e)
		}
		if e.source == t.before {
			e.source = src
		}
	}
	if e.is(flagAnnounced) {
		if e.id == 0 {
			e.id = u.ID
		}
		if u.Status == messages.Started {
			e.flags |= flagBorn
		}
		if u.Start != 0 || u.Kind != messages.NoCounters || u.Status == messages.Ended {
			e.start, e.source = u.Start, src // Who announced it may never tell that it is gone.
			e.last = [2]messages.Counter{}
			e.flags &^= flagAnnounced
			t.note(n, e, 0)
		}
	}
	if waited && !e.onlyTags() {
		t.waits--
	}
	if u.Alias != 0 && e.alias == 0 || u.Flags&messages.Oriented != 0 && !e.is(flagOriented) {
		t.learnEnds(b, u, n, e)
	}
}

// learnEnds takes over who opened the flow and its key behind NAT if that was not known.
func (t *Table) learnEnds(b *messages.Batch, u *messages.Update, n uint32, e *entry) {
	alias := b.AliasOf(u)
	if alias != nil && e.alias == 0 || u.Flags&messages.Oriented != 0 && !e.is(flagOriented) {
		t.orient(e, u, alias)
		t.note(n, e, toldNot)
	}
}

// orient takes over who opened the flow and its key behind NAT, and decides which end is local.
func (t *Table) orient(e *entry, u *messages.Update, alias *messages.Key) {
	if u.Flags&messages.Oriented != 0 {
		e.flags |= flagOriented
		e.flags &^= flagInitiatorB
		if u.Flags&messages.InitiatorB != 0 {
			e.flags |= flagInitiatorB
		}
	}
	if alias != nil && e.alias == 0 {
		t.learnAlias(e, alias, u)
	}
	initiator, responder := t.ends(e)
	localResponds, d := t.home.orient(initiator.IP(), responder.IP(), e.is(flagOriented))
	e.flags &^= flagLocalResponds
	if localResponds {
		e.flags |= flagLocalResponds
	}
	e.setDirection(d)
}

// ends are the two real ends: who opened the flow, and who answers behind any NAT.
func (t *Table) ends(e *entry) (initiator, responder messages.End) {
	initiator, responder = e.key.A, e.key.B
	if e.is(flagInitiatorB) {
		initiator, responder = responder, initiator
	}
	if e.alias != 0 {
		a := t.aliases.key(e.alias)
		if responder = a.A; e.is(flagResponderAliasB) {
			responder = a.B
		}
	}
	return initiator, responder
}

// remove forgets an entry for good. Its row, if any, must be gone.
func (t *Table) remove(n uint32) {
	e := t.arena.at(n)
	t.leave(e)
	if e.onlyTags() {
		t.waits--
	}
	hash := e.key.Hash(t.opt.Seed)
	t.index.remove(hash, n)
	t.tags.release(e.tags)
	if e.alias != 0 {
		t.forgetAlias(e, hash)
	}
	t.arena.give(n)
}

// rowOf gives the entry's row of the open slice.
func (t *Table) rowOf(n uint32, e *entry) *row {
	if e.row == 0 {
		e.row = t.rows.take(n)
	}
	return t.rows.at(e.row)
}

// describe fills in what columns derive their values from.
func (t *Table) describe(e *entry, f *columns.Flow) {
	initiator, responder := t.ends(e)
	local, remote := initiator, responder
	if e.is(flagLocalResponds) {
		local, remote = responder, initiator
	}
	*f = columns.Flow{
		Local:  columns.End{Addr: local.IP(), Port: local.Port},
		Remote: columns.End{Addr: remote.IP(), Port: remote.Port},
		Proto:  e.key.Proto, Zone: e.key.Zone, Direction: e.direction(),
	}
}
