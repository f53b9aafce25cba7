package flows

import "weir/messages"

// folded remembers of flows that had to leave the table no more than what it takes to book each byte
// once. What they move counts in (other).
type folded struct {
	index index
	flows []foldedFlow // by number − 1
	free  []uint32
}

// foldedFlow is one incarnation.
type foldedFlow struct {
	hash   uint64 // of the key and what tells the incarnation apart; 0: free
	last   [2]messages.Counter
	flags  entryFlags
	seen   uint16
	source uint8
}

// foldedCost is what a folded flow takes, with its share of the index.
const foldedCost = 48 + 13

func (f *folded) used() int { return len(f.flows) - len(f.free) }

func (f *folded) bytes() int64 { return f.index.bytes() + int64(cap(f.flows))*48 }

// incarnationHash tells folded incarnations apart.
func incarnationHash(keyHash uint64, start int64, id uint32) uint64 {
	x := uint64(start) //nolint:gosec // Any bits will do.
	if start == 0 {
		x = uint64(id)
	}
	x = keyHash ^ x*0x9e3779b97f4a7c15
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	x ^= x >> 32
	return max(x, 1)
}

// identity tells an incarnation apart from all others. Where starts are unknown, one that gets the id of an
// earlier one has its identity too.
func (t *Table) identity(e *entry) uint64 {
	return incarnationHash(e.key.Hash(t.opt.Seed), e.start, e.id)
}

func (f *folded) find(hash uint64) uint32 {
	q := f.index.probe(hash)
	for n := q.next(); n != 0; n = q.next() {
		if f.flows[n-1].hash == hash {
			return n
		}
	}
	return 0
}

func (f *folded) put(flow foldedFlow) {
	var n uint32
	if k := len(f.free); k > 0 {
		n, f.free = f.free[k-1], f.free[:k-1]
	} else {
		f.flows = append(f.flows, foldedFlow{})
		n = uint32(len(f.flows)) //nolint:gosec // Bounded by the budget.
	}
	f.flows[n-1] = flow
	f.index.insert(flow.hash, n)
}

func (f *folded) remove(n uint32) {
	f.index.remove(f.flows[n-1].hash, n)
	f.flows[n-1] = foldedFlow{}
	f.free = append(f.free, n)
}

// bookFolded books an update of a flow that was folded; false if it was not.
func (t *Table) bookFolded(b *messages.Batch, u *messages.Update, src uint8) bool {
	if t.folded.used() == 0 || tagsOnly(u) {
		return false
	}
	n := t.folded.find(incarnationHash(u.Hash, u.Start, u.ID))
	if n == 0 {
		return false
	}
	f := &t.folded.flows[n-1]
	if reborn(b, u, &account{last: &f.last, flags: &f.flags}, f.seen) {
		if f.flags&flagEnded != 0 {
			t.folded.remove(n)
		}
		return false
	}
	a := account{last: &f.last, flags: &f.flags, source: src, stale: outdated(b, f.seen)}
	moved, started := t.owed(&a, u), t.starts(&a, u)
	ended := u.Status == messages.Ended && !a.is(flagEndTold)
	up := 0
	if (f.flags&flagInitiatorB != 0) != (f.flags&flagLocalResponds != 0) {
		up = 1
	}
	addTo(&t.other, &moved, up, started, ended)
	changed := moved != ([2]messages.Counter{}) || started || ended || f.flags&flagLimbo != 0 || a.silent(u)
	a.settle(u)
	f.flags &^= flagLimbo
	if f.source == t.before {
		f.source = src
	}
	if t.opt.Accounts && (changed || t.books.all) {
		t.foldedAccount(u, f)
	}
	f.seen = uint16(t.open) //nolint:gosec // Wraps on purpose.
	return true
}

// unfold gives an entry that was announced the account of its flow, if that was folded: what is booked there
// must not be booked again.
func (t *Table) unfold(u *messages.Update, at uint32, e *entry) {
	if t.folded.used() == 0 || tagsOnly(u) {
		return
	}
	n := t.folded.find(incarnationHash(u.Hash, u.Start, u.ID))
	if n == 0 {
		return
	}
	const ledger = flagCounted | flagEnded | flagLimbo | flagBorn | flagStartTold | flagEndTold
	f := t.folded.flows[n-1]
	if e.onlyTags() {
		t.waits--
	}
	e.start, e.id, e.last, e.seen, e.source = u.Start, u.ID, f.last, f.seen, f.source
	e.flags = e.flags&^flagAnnounced | f.flags&ledger
	t.folded.remove(n)
	t.note(at, e, 0)
}

// addTo sums one flow's movements; up is the place of what the local end sent.
func addTo(o *messages.Totals, moved *[2]messages.Counter, up int, started, ended bool) {
	o.Add(messages.Totals{
		Up: moved[up], Down: moved[1-up], Started: uint64(one(started)), Ended: uint64(one(ended)),
	})
}

// refuse handles an update of a flow for which there was no room at all. Nothing of it is kept; if it
// began after counting did, its end brings all that it moved. What nothing brings again is told.
func (t *Table) refuse(u *messages.Update, src uint8) {
	t.stats.Refused++
	last, flags := [2]messages.Counter{}, entryFlags(0)
	a := account{last: &last, flags: &flags, source: src}
	switch {
	case u.Kind == messages.NoCounters:
	case u.Kind == messages.Absolute && t.fromBefore(&a, u):
		t.news.refused++ // Nobody knows how much of it is new.
	case u.Kind == messages.Absolute && u.Status != messages.Ended:
	case u.Kind == messages.Absolute && t.bury(u, src):
		t.addRefused(u)
	default:
		t.news.refused++
		t.news.refusedBytes += u.Counters[0].Bytes + u.Counters[1].Bytes
	}
}

// bury keeps the tombstone of an incarnation that was never in the table, so that its end is not booked
// again. False means that there is no room for it, and then it must not be booked at all.
func (t *Table) bury(u *messages.Update, src uint8) bool {
	if t.cost()+foldedCost > t.opt.Budget {
		return false
	}
	t.folded.put(foldedFlow{
		hash: incarnationHash(u.Hash, u.Start, u.ID), last: u.Counters,
		flags: flagCounted | flagEnded | flagStartTold | flagEndTold,
		seen:  uint16(t.open), source: src, //nolint:gosec // Wraps on purpose.
	})
	return true
}

// addRefused books all that an incarnation moved that was never in the table.
func (t *Table) addRefused(u *messages.Update) {
	initiator, responder := u.Key.A, u.Key.B
	if u.Flags&messages.InitiatorB != 0 {
		initiator, responder = responder, initiator
	}
	localResponds, _ := t.home.orient(initiator.IP(), responder.IP(), true)
	up := 0
	if localResponds != (u.Flags&messages.InitiatorB != 0) {
		up = 1
	}
	addTo(&t.other, &u.Counters, up, true, true)
}

// entryCost is what a flow takes in the arena and index, rowCost what a row does.
const entryCost, rowCost = 104 + 13, 40

// cost is what the table's contents take, without what its slabs hold in reserve.
func (t *Table) cost() int64 {
	return int64(t.arena.used)*entryCost + int64(t.rows.used)*rowCost + t.tags.memory +
		int64(len(t.aliases.keys)-len(t.aliases.free)+len(t.aliases.owner))*(aliasCost/2) +
		int64(t.folded.used())*foldedCost + int64(len(t.queue.numbers))*4 + int64(len(t.amends))*16 +
		int64(len(t.books.owing))*4 + int64(len(t.books.left))*accountCost
}

// Of the budget, foldedShare may go to folded flows before new ones are refused; buriedShare is kept for the
// tombstones of those. waitingShare is what flows may take that only tags have announced.
const foldedShare, buriedShare, waitingShare = 3, 8, 8

// roomToWait says whether tags of a flow that nobody has told of may wait in an entry. No flow is folded for that:
// who sends names must not displace what counts.
func (t *Table) roomToWait() bool {
	if t.opt.Budget <= 0 {
		return true
	}
	const each = entryCost + rowCost
	limit := t.opt.Budget - t.opt.Budget/buriedShare
	return int64(t.waits+1)*each <= t.opt.Budget/waitingShare && t.cost()+each <= limit
}

// makeRoom folds cold flows until one more fits into the budget. False means that it cannot.
func (t *Table) makeRoom() bool {
	if t.opt.Budget <= 0 {
		return true
	}
	limit := t.opt.Budget - t.opt.Budget/buriedShare
	for tries := 0; t.cost()+entryCost+rowCost > limit; tries++ {
		full := int64(t.folded.used()+1)*foldedCost > t.opt.Budget/foldedShare
		if full || tries == 4 || t.arena.used == 0 {
			return false
		}
		if n := t.coldest(); n != 0 {
			t.fold(n)
		}
	}
	return true
}

// coldest looks at some flows in turn and gives the one that was still for longest; an ended one first, and before all
// what only tags have announced.
func (t *Table) coldest() uint32 {
	const looks = 32
	var best uint32
	bestAge := -1
	for range min(looks, int(t.arena.high)) {
		if t.hand++; t.hand > t.arena.high {
			t.hand = 1
		}
		e := t.arena.at(t.hand)
		if !e.is(flagUsed) {
			continue
		}
		if e.onlyTags() {
			return t.hand
		}
		age := since(uint16(t.open), e.moved()) * 2 //nolint:gosec // Wraps on purpose.
		if e.is(flagEnded) {
			age++
		}
		if age > bestAge {
			best, bestAge = t.hand, age
		}
	}
	return best
}

// fold takes a flow out of the table and keeps only its account.
func (t *Table) fold(n uint32) {
	e := t.arena.at(n)
	taken := entryFlags(0)
	if (t.books.all || e.row != 0 || e.told&owing != 0) && t.leaveAccount(e, false) && t.books.all {
		taken = flagTakenDown
	}
	t.foldRow(e)
	if !e.is(flagAnnounced) {
		t.folded.put(foldedFlow{
			hash: t.identity(e),
			last: e.last, flags: e.flags | taken, seen: e.seen, source: e.source,
		})
	}
	t.unclaimed(e)
	t.remove(n)
	t.stats.FoldedTotal++
}

// foldRow moves what an entry did in the open slice to (other).
func (t *Table) foldRow(e *entry) {
	if e.row == 0 {
		return
	}
	r := t.rows.at(e.row)
	o := e.totals(r)
	o.Rows = 1
	t.other.Add(o)
	*r = row{}
	e.row = 0
}

// totals of a row of the entry.
func (e *entry) totals(r *row) messages.Totals {
	up := 1
	if e.localIsA() {
		up = 0
	}
	return messages.Totals{
		Up: r.moved[up], Down: r.moved[1-up], Started: uint64(r.started), Ended: uint64(r.ended),
	}
}

// sweepFolded forgets folded flows that are over, as sweep does with entries.
func (t *Table) sweepFolded() {
	for i := range t.folded.flows {
		f := &t.folded.flows[i]
		if f.hash == 0 {
			continue
		}
		n, age := uint32(i+1), since(uint16(t.open), f.seen) //nolint:gosec // Bounded by the budget.
		switch {
		case f.flags&flagEnded != 0:
			if age > graceSlices {
				t.folded.remove(n)
			}
		case f.flags&flagLimbo != 0:
			if age > limboSlices {
				t.folded.remove(n)
				t.stats.Forgotten++
			}
		case t.vanished(f.source, f.seen):
			f.flags |= flagLimbo
			t.news.gone += uint64(one(f.source == t.before))
			if f.flags&flagEndTold == 0 {
				f.flags |= flagEndTold
				t.other.Ended++
			}
		}
	}
}
