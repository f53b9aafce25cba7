package flows

import (
	"weir/columns"
	"weir/messages"
)

// aliases knows the second keys that flows have behind NAT. The shard that owns a flow keeps the key
// itself; the shard that owns the alias's hash keeps where to find the flow, and forwards to there
// updates that come under the alias.
type aliases struct {
	keys  []messages.Key // of own flows, by number − 1
	free  []uint32
	owner map[uint64]uint64 // hash of an alias that belongs here → hash of the flow's key

	// What the batch at work has for other shards. News of aliases wait here until they are taken: a shard
	// that missed that one is gone would remember it for ever.
	learn   map[int]*messages.LearnAliases
	forward map[int]*messages.Batch
}

// maxUntold bounds the news of aliases that wait for one shard.
const maxUntold = 64 * messages.BatchSize

// ownerShare is the part of a table's budget that the owners of aliases may take.
const ownerShare = 4

// aliasCost is what an alias takes: the key, and the entry of the owner map in some shard.
const aliasCost = 40 + 32

func newAliases() aliases {
	return aliases{
		owner: map[uint64]uint64{}, learn: map[int]*messages.LearnAliases{}, forward: map[int]*messages.Batch{},
	}
}

func (a *aliases) key(n uint32) *messages.Key { return &a.keys[n-1] }

func (a *aliases) put(k *messages.Key) uint32 {
	if n := len(a.free); n > 0 {
		slot := a.free[n-1]
		a.free = a.free[:n-1]
		a.keys[slot-1] = *k
		return slot
	}
	a.keys = append(a.keys, *k)
	return uint32(len(a.keys)) //nolint:gosec // Fewer than flows.
}

// learnAlias keeps a flow's alias and tells the shard to which its hash belongs.
func (t *Table) learnAlias(e *entry, alias *messages.Key, u *messages.Update) {
	e.alias = t.aliases.put(alias)
	e.flags &^= flagResponderAliasB
	if u.Flags&messages.ResponderAliasB != 0 {
		e.flags |= flagResponderAliasB
	}
	t.tell(messages.Alias{Key: *alias, Owner: e.key})
}

// forgetAlias of a flow that is removed, unless another incarnation still has it.
func (t *Table) forgetAlias(e *entry, hash uint64) {
	alias := *t.aliases.key(e.alias)
	t.aliases.free = append(t.aliases.free, e.alias)
	if _, newest := t.lookup(&messages.Update{Key: e.key, Hash: hash}); newest != 0 {
		if o := t.arena.at(newest); o.alias != 0 && *t.aliases.key(o.alias) == alias {
			return
		}
	}
	t.tell(messages.Alias{Key: alias, Owner: e.key, Gone: true})
}

// tell puts news of an alias where it belongs.
func (t *Table) tell(a messages.Alias) {
	shard := ShardOf(a.Key.Hash(t.opt.Seed), t.opt.Shards)
	if shard == t.opt.Shard || t.opt.Shards <= 1 {
		t.learn(&a)
		return
	}
	m := t.aliases.learn[shard]
	if m == nil {
		m = &messages.LearnAliases{Shard: shard}
		t.aliases.learn[shard] = m
	}
	m.Aliases = append(m.Aliases, a)
	if len(m.Aliases)%messages.BatchSize == 0 {
		t.aliases.sendLearn(t, shard)
	}
}

// LearnAliases takes what another shard tells of aliases whose hashes belong here.
func (t *Table) LearnAliases(m *messages.LearnAliases) {
	for i := range m.Aliases {
		t.learn(&m.Aliases[i])
	}
	t.aliases.flush(t)
}

func (t *Table) learn(a *messages.Alias) {
	hash, owner := a.Key.Hash(t.opt.Seed), a.Owner.Hash(t.opt.Seed)
	if !a.Gone {
		t.aliases.limit(t)
		t.aliases.owner[hash] = owner
		t.moveWaiting(&a.Key, hash, owner)
	} else if t.aliases.owner[hash] == owner {
		delete(t.aliases.owner, hash)
	}
}

// limit forgets some alias once there are too many: news that one is gone may have been lost.
func (a *aliases) limit(t *Table) {
	if t.opt.Budget <= 0 || int64(len(a.owner)) < t.opt.Budget/ownerShare/(aliasCost/2) {
		return
	}
	for hash := range a.owner {
		delete(a.owner, hash)
		t.stats.AliasesEvicted++
		return
	}
}

// elsewhere passes an update that counts on to the flow whose alias its key is. Only sources that watch packets
// can know a flow under its alias; the kernel's own records are always under the first key.
func (t *Table) elsewhere(b *messages.Batch, u *messages.Update) bool {
	if u.Kind == messages.Absolute || u.Status != messages.Seen || u.Start != 0 {
		return false
	}
	if own := u.Key.Hash(t.opt.Seed); own != u.Hash {
		t.applyToAlias(b, u) // Forwarded to here: the hash is that of the flow's own key.
		return true
	}
	owner, ok := t.aliases.owner[u.Hash]
	if !ok {
		return false
	}
	v := *u
	v.Hash = owner
	if shard := t.shardOf(owner); shard != t.opt.Shard {
		t.forward(shard, b.Source, &v, b.TagsOf(u))
		return true
	}
	t.applyToAlias(b, &v)
	return true
}

// shardOf is this shard's number if it is the only one.
func (t *Table) shardOf(hash uint64) int {
	if t.opt.Shards <= 1 {
		return t.opt.Shard
	}
	return ShardOf(hash, t.opt.Shards)
}

// passOn passes tags on to the flow whose alias their key is; false if there is none, or if it is one that has
// just given them back.
func (t *Table) passOn(source string, u *messages.Update, tags []columns.Tag) bool {
	owner, ok := t.aliases.owner[u.Hash]
	if !ok || u.Flags&messages.Waited != 0 && u.Counters[0].Bytes == owner {
		return false
	}
	v := *u
	v.Hash = owner
	t.passTo(source, &v, tags)
	return true
}

// passTo passes tags on to the shard of the update's hash.
func (t *Table) passTo(source string, u *messages.Update, tags []columns.Tag) {
	if shard := t.shardOf(u.Hash); shard != t.opt.Shard {
		t.forward(shard, source, u, tags)
		return
	}
	t.tagAlias(source, u, tags)
}

// giveBack returns tags under an alias whose flow did not live when they were seen: they wait under the
// alias for the next flow that has it.
func (t *Table) giveBack(source string, u *messages.Update, tags []columns.Tag) {
	t.stats.AliasMisses++
	if len(tags) == 0 {
		return
	}
	v := t.waitingUpdate(&u.Key, waitedOf(u))
	v.Counters[0].Bytes, v.Hash = u.Hash, u.Key.Hash(t.opt.Seed)
	if shard := t.shardOf(v.Hash); shard != t.opt.Shard {
		t.forward(shard, source, &v, tags)
		return
	}
	b := messages.Batch{Source: source}
	b.Add(&v, nil, tags)
	t.applyTags(&b, &b.Updates[0], t.source(source))
}

// waitingUpdate brings tags that have waited in a shard.
func (t *Table) waitingUpdate(k *messages.Key, w waited) messages.Update {
	u := messages.Update{Key: *k, Stop: w.first, Flags: messages.Waited}
	u.Counters[1].Bytes = uint64(w.last) //nolint:gosec // Read by waitedOf.
	return u
}

// moveWaiting passes tags that waited under an alias on to the flow that has it, now that it is known.
func (t *Table) moveWaiting(alias *messages.Key, hash, owner uint64) {
	for range maxWaiting {
		n := t.waitingUnder(alias, hash)
		if n == 0 {
			return
		}
		e := t.arena.at(n)
		u, tags := t.waitingUpdate(alias, e.waited()), t.tags.get(e.tags)
		u.Hash = owner
		source := t.sources[e.source].name
		t.remove(n)
		t.passTo(source, &u, tags)
	}
}

// waitingUnder finds an entry that only tags have announced.
func (t *Table) waitingUnder(k *messages.Key, hash uint64) uint32 {
	q := t.index.probe(hash)
	for n := q.next(); n != 0; n = q.next() {
		if e := t.arena.at(n); e.key == *k && e.onlyTags() && e.tags != 0 {
			return n
		}
	}
	return 0
}

// onlyTags says whether nothing but tags has announced an entry.
func (e *entry) onlyTags() bool { return e.is(flagAnnounced) && !e.is(flagBorn) && e.id == 0 }

func (t *Table) forward(shard int, source string, u *messages.Update, tags []columns.Tag) {
	m := t.aliases.forward[shard]
	if m == nil {
		m = messages.NewBatch()
		m.Source = source
		t.aliases.forward[shard] = m
	}
	m.Add(u, nil, tags)
	t.stats.Forwarded++
	if m.Full() {
		t.aliases.sendForward(t, shard)
	}
}

// applyToAlias books an update on the flow with the update's hash that has its key as alias.
func (t *Table) applyToAlias(b *messages.Batch, u *messages.Update) {
	n := t.byAlias(u)
	if n == 0 {
		t.stats.AliasMisses++
		t.news.shed += uint64(one(u.Kind != messages.NoCounters))
		return
	}
	e := t.arena.at(n)
	v := *u
	v.Key = e.key
	swapped := e.aliasSwapped()
	if swapped {
		v.Counters[0], v.Counters[1] = v.Counters[1], v.Counters[0]
	}
	t.book(n, e, &v, false)
	if tags := b.TagsOf(u); len(tags) > 0 {
		t.tag(n, e, turn(tags, swapped))
	}
}

// aliasSwapped says whether A of the alias is B of the key.
func (e *entry) aliasSwapped() bool { return e.is(flagInitiatorB) == e.is(flagResponderAliasB) }

// turn puts endpoint tags on the other end if the ends of the alias are swapped against the key.
func turn(tags []columns.Tag, swapped bool) []columns.Tag {
	if !swapped {
		return tags
	}
	turned := make([]columns.Tag, len(tags))
	for i, tag := range tags {
		switch tag.End {
		case columns.EndA:
			tag.End = columns.EndB
		case columns.EndB:
			tag.End = columns.EndA
		case columns.NoEnd:
		}
		turned[i] = tag
	}
	return turned
}

// byAlias finds the newest flow under the update's hash that has its key as alias.
func (t *Table) byAlias(u *messages.Update) (found uint32) {
	q := t.index.probe(u.Hash)
	for n := q.next(); n != 0; n = q.next() {
		e := t.arena.at(n)
		if e.alias != 0 && *t.aliases.key(e.alias) == u.Key && (found == 0 || !t.newer(found, e)) {
			found = n
		}
	}
	return found
}

// flush sends what the batch has gathered for other shards.
func (a *aliases) flush(t *Table) {
	for shard := range a.learn {
		a.sendLearn(t, shard)
	}
	for shard := range a.forward {
		a.sendForward(t, shard)
	}
}

func (a *aliases) sendLearn(t *Table, shard int) {
	m := a.learn[shard]
	delete(a.learn, shard)
	switch {
	case t.opt.Send(shard, m):
	case len(m.Aliases) < maxUntold:
		a.learn[shard] = m
	default:
		t.stats.AliasesRefused += uint64(len(m.Aliases))
	}
}

func (a *aliases) sendForward(t *Table, shard int) {
	m := a.forward[shard]
	delete(a.forward, shard)
	all, bytes := uint64(len(m.Updates)), counting(m) // Once it is sent it is another's.
	if !t.opt.Send(shard, m) {
		t.stats.ForwardsRefused += all
		t.news.shed += bytes
		t.news.untagged += all - bytes
	}
}

// counting is how many updates of a batch count something; the others bring tags.
func counting(m *messages.Batch) (n uint64) {
	for i := range m.Updates {
		n += uint64(one(m.Updates[i].Kind != messages.NoCounters))
	}
	return n
}
