package flows

import "weir/messages"

// Rescue makes a new table of all that is sound in one whose code has panicked. b is the batch that was
// being applied, or nil: the update that made it panic is left out, the rest of the batch is applied.
// What is missing is told with the next part. The old table must not be used any more.
func (t *Table) Rescue(b *messages.Batch) *Table {
	at := t.at
	t.stats.Rescues++
	if t.closing != 0 {
		t.putAside(t.closing)
	}
	n := *t
	n.rebuild()
	if b != nil {
		n.lostUpdate()
		n.applyFrom(b, min(at+1, len(b.Updates)))
	}
	return &n
}

const badRow = "a row could not be described and counts in (other); see the log"

// putAside moves the row that could not be turned into columns to (other). What is wrong with it may be wrong
// with others, and each panic costs a restart: they are tried one by one.
func (t *Table) putAside(closing uint32) {
	r := t.rows.at(closing)
	t.closing, t.careful = 0, true
	if r.entry == 0 {
		return
	}
	e := t.arena.at(r.entry)
	e.row = closing
	t.owe(r.entry, e)
	t.foldRow(e)
	e.tags = 0
	t.news.reasons = append(t.news.reasons, badRow)
}

func (t *Table) lostUpdate() {
	t.stats.LostUpdates++
	t.news.restart++
	t.news.reasons = append(t.news.reasons, "an update could not be applied; the flow's next record repairs its "+
		"bytes unless it was the last one; see the log")
}

// rebuild moves all sound entries with their rows, tags and aliases into new memory.
func (t *Table) rebuild() {
	old := *t
	t.index, t.arena, t.tags, t.hand = index{}, arena{}, newTagSets(old.tags.limit), 0
	t.tags.refused = old.tags.refused
	t.aliases.keys, t.aliases.free = nil, nil
	t.books.owing = nil
	t.rows, t.waits = rowSlab{}, 0
	t.folded = folded{}
	for _, f := range old.folded.flows {
		if f.hash != 0 {
			t.folded.put(f)
		}
	}
	now := make([]uint32, old.arena.high+1) // By old number, the new ones.
	for n := uint32(1); n <= old.arena.high; n++ {
		if e := old.arena.at(n); e.is(flagUsed) && e.key != (messages.Key{}) {
			now[n] = t.adopt(&old, n, e)
		}
	}
	t.adoptQueue(&old, now)
	t.adoptAmends(&old, now)
}

// adoptQueue takes the queue of events over, in its order.
func (t *Table) adoptQueue(old *Table, now []uint32) {
	t.queue.numbers, t.queue.waiting = nil, 0
	for _, was := range old.queue.numbers {
		if n := now[was]; n != 0 && old.arena.at(was).told&toldQueued != 0 {
			t.note(n, t.arena.at(n), 0)
		}
	}
}

// adoptAmends takes over what is to be amended.
func (t *Table) adoptAmends(old *Table, now []uint32) {
	t.amends = nil
	for _, a := range old.amends {
		n := now[a.n]
		if n == 0 || old.arena.at(a.n).told&amending == 0 || t.identity(t.arena.at(n)) != a.flow {
			continue
		}
		t.arena.at(n).told |= amending
		t.amends = append(t.amends, amendment{flow: a.flow, n: n, was: t.adoptTags(old, a.was)})
	}
}

// adoptTags gives the set of tags that had a number in the old table; 0 if it is not sound.
func (t *Table) adoptTags(old *Table, was uint32) uint32 {
	if was == 0 || int(was) > len(old.tags.sets) || len(old.tags.get(was)) == 0 {
		return 0
	}
	tags := old.tags.get(was)
	return t.tags.intern(tags, setKey(tags))
}

// adopt takes an entry over from an old table and gives its number. What it points to is taken along if it is
// sound.
func (t *Table) adopt(old *Table, was uint32, e *entry) uint32 {
	n := t.arena.take()
	c := t.arena.at(n)
	*c = *e
	c.row, c.tags, c.alias = 0, t.adoptTags(old, e.tags), 0
	c.told &^= toldQueued | amending
	if int(e.source) >= len(t.sources) {
		c.source = 0
	}
	if c.onlyTags() {
		t.waits++
	}
	if c.told&owing != 0 {
		t.books.owing = append(t.books.owing, n)
	}
	hash := c.key.Hash(t.opt.Seed)
	t.index.insert(hash, n)
	if t.folded.used() > 0 && !e.is(flagAnnounced) { // It was being folded when the table panicked.
		if twin := t.folded.find(incarnationHash(hash, e.start, e.id)); twin != 0 {
			t.folded.remove(twin)
		}
	}
	if e.alias != 0 && int(e.alias) <= len(old.aliases.keys) {
		c.alias = t.aliases.put(old.aliases.key(e.alias))
	}
	if e.row != 0 && int(e.row) <= old.rows.used && old.rows.at(e.row).entry == was {
		c.row = t.rows.take(n)
		r := t.rows.at(c.row)
		*r = *old.rows.at(e.row)
		r.entry = n
	}
	return n
}
