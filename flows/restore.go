package flows

import (
	"weir/messages"
)

// restored is the name of the source to which flows belong that an earlier process has counted, until another one
// tells of them. No source is called so, since names are without brackets.
const restored = "(restored)"

// nobody is no number of a source.
const nobody = 255

// restore puts in what an earlier process has counted: what those flows moved since then counts as soon as
// their next counters are known, and nothing of what they moved before does.
func (t *Table) restore(list []messages.Account) {
	if list == nil {
		return
	}
	t.resumed = true
	t.before = t.source(restored)
	for i := range list {
		a := &list[i]
		hash := a.Key.Hash(t.opt.Seed)
		if a.Key == (messages.Key{}) || t.opt.Shards > 1 && ShardOf(hash, t.opt.Shards) != t.opt.Shard {
			continue
		}
		t.readmit(a, hash)
	}
}

// readmit puts one flow in, or, if there is no room for it, among the folded ones, even beyond the budget: were it
// forgotten, it would be counted again.
func (t *Table) readmit(a *messages.Account, hash uint64) {
	seen := uint16(t.open) //nolint:gosec // Wraps on purpose.
	flags := flagCounted | flagStartTold
	switch {
	case a.Ended:
		flags |= flagEnded | flagEndTold
		seen-- // Every snapshot from now on began after the end.
	case a.Vanished:
		flags |= flagLimbo | flagEndTold
	}
	if !a.LocalIsA {
		flags |= flagLocalResponds // Until it is known who opened the flow, A is taken to have done so.
	}
	if n := t.incarnation(a, hash); n != 0 {
		e := t.arena.at(n)
		e.last = [2]messages.Counter{furthest(e.last[0], a.Last[0]), furthest(e.last[1], a.Last[1])}
		return
	}
	if !t.makeRoom() {
		t.folded.put(foldedFlow{
			hash: incarnationHash(hash, a.Start, a.ID), last: a.Last, flags: flagUsed | flags, seen: seen,
			source: t.before,
		})
		return
	}
	n := t.arena.take()
	e := t.arena.at(n)
	e.key, e.start, e.id, e.source, e.last = a.Key, a.Start, a.ID, t.before, a.Last
	e.seen, e.active = seen, seen
	e.flags |= flags
	_, d := t.home.orient(a.Key.A.IP(), a.Key.B.IP(), false)
	e.setDirection(d)
	t.index.insert(hash, n)
	if len(a.Tags) > 0 {
		e.tags = t.tags.merge(0, a.Tags)
	}
	if !e.over() {
		t.note(n, e, 0)
	}
}

// incarnation finds the entry of an account.
func (t *Table) incarnation(a *messages.Account, hash uint64) uint32 {
	q := t.index.probe(hash)
	for n := q.next(); n != 0; n = q.next() {
		e := t.arena.at(n)
		if e.key == a.Key && e.start == a.Start && (a.Start != 0 || e.id == a.ID) && e.is(flagEnded) == a.Ended {
			return n
		}
	}
	return 0
}

// noteRestored counts a slice with a complete snapshot, of whatever source, as one from which flows of an earlier
// process are missing that nobody has told of yet: accounts do not say who counts a flow.
func (t *Table) noteRestored(done []messages.SnapshotTaken) {
	if t.before == nobody {
		return
	}
	newest := uint64(0)
	for _, s := range done {
		if s.Complete {
			newest = max(newest, s.Seq)
		}
	}
	if own := &t.sources[t.before]; newest > own.snapshots[0] {
		copy(own.snapshots[1:], own.snapshots[:])
		own.snapshots[0] = newest
	}
}
