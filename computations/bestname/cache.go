package bestname

import (
	"net/netip"
)

// cache is what is remembered of facts, within a budget. It is a map of entries, each in three lists: of all
// by their use, of those of the same client, and of those of the same address or device.
type cache struct {
	budget, bytes int64
	entries       map[entryKey]*entry
	all           list
	clients       map[[16]byte]*list
	groups        map[groupKey]*list
	evicted       uint64 // entries that were forgotten for the budget
	capped        uint64 // names and clients that were forgotten since there were too many for one address
}

// entryKind says what an entry is about; the numbers are part of the saved format.
type entryKind uint8

const (
	// asked: the names for which a client was told an address, each with the time.
	asked entryKind = 1
	// reversed: the names that reverse lookups gave for an address.
	reversed entryKind = 2
	// device: what the device at an address calls itself, and its hardware address.
	device entryKind = 3
)

type entryKey struct {
	kind         entryKind
	addr, client [16]byte // IPv4 in its mapped form
}

// groupKey is an address with the clients that asked for names of it, or a hardware address (in the first 6
// bytes) with the addresses of its device.
type groupKey struct {
	kind entryKind
	addr [16]byte
}

type entry struct {
	key   entryKey
	items []item // sorted by time, then name
	// mac is who was at the address of a device last, all zero if unknown, and before who was there until then.
	mac, before   [6]byte
	last, changed int64 // when each of them was told last
	// lease is to whom DHCP gave the address last, and leased when.
	lease  [6]byte
	leased int64
	links  [dimensions]struct{ older, newer *entry }
	cost   int64 // what it is charged in the cache's bytes
}

// item is one name.
type item struct {
	name string
	// at is when it was told, until when it holds, in nanoseconds since 1970.
	at, until int64
	by        evidence // of a device
	mac       [6]byte  // of a device: who called itself so, all zero if unknown
}

const (
	// maxNames bounds the names of an entry, maxGroup the entries of an address or device.
	maxNames, maxGroup = 8, 256
	// entryCost and itemCost are what they take beside their names.
	entryCost, itemCost = 320, 48
	// clientShare is the part of the budget beyond which it is the client's own entries that go.
	clientShare = 4
)

// dimension is one of the lists that an entry is in.
type dimension int

const (
	byUse dimension = iota
	byClient
	byGroup
	dimensions
)

// list is in the order of use; a group is in that of coming.
type list struct {
	oldest, newest *entry
	cost           int64
	entries        int
}

func (l *list) push(d dimension, e *entry) {
	e.links[d].older, e.links[d].newer = l.newest, nil
	if l.newest != nil {
		l.newest.links[d].newer = e
	} else {
		l.oldest = e
	}
	l.newest = e
	l.entries++
}

func (l *list) remove(d dimension, e *entry) {
	older, newer := e.links[d].older, e.links[d].newer
	if older != nil {
		older.links[d].newer = newer
	} else {
		l.oldest = newer
	}
	if newer != nil {
		newer.links[d].older = older
	} else {
		l.newest = older
	}
	l.entries--
}

func newCache(budget int64) *cache {
	return &cache{
		budget: budget, entries: map[entryKey]*entry{},
		clients: map[[16]byte]*list{}, groups: map[groupKey]*list{},
	}
}

// group gives the list of the entry's address or device.
func (e *entry) group() (groupKey, bool) {
	switch {
	case e.key.kind == asked:
		return groupKey{kind: asked, addr: e.key.addr}, true
	case e.key.kind == device && e.mac != [6]byte{}:
		return deviceGroup(e.mac), true
	}
	return groupKey{}, false
}

func deviceGroup(mac [6]byte) (g groupKey) {
	g.kind = device
	copy(g.addr[:], mac[:])
	return g
}

// get gives an entry, or nil, and marks it as used.
func (c *cache) get(k entryKey) *entry {
	e := c.entries[k]
	if e != nil {
		c.use(e)
	}
	return e
}

func (c *cache) use(e *entry) {
	if c.all.newest == e {
		return
	}
	c.all.remove(byUse, e)
	c.all.push(byUse, e)
	l := c.clients[e.key.client]
	l.remove(byClient, e)
	l.push(byClient, e)
}

// make gives an entry, a new one if there is none.
func (c *cache) make(k entryKey) *entry {
	if e := c.get(k); e != nil {
		return e
	}
	e := &entry{key: k}
	c.entries[k] = e
	c.all.push(byUse, e)
	listOf(c.clients, k.client).push(byClient, e)
	c.join(e)
	return e
}

// join puts an entry into its group. A group that is full loses what came first.
func (c *cache) join(e *entry) {
	k, ok := e.group()
	if !ok {
		return
	}
	g := listOf(c.groups, k)
	if g.entries >= maxGroup {
		c.capped++
		c.forget(g.oldest)
		g = listOf(c.groups, k)
	}
	g.push(byGroup, e)
}

func (c *cache) leave(e *entry) {
	if k, ok := e.group(); ok {
		leave(c.groups, k, byGroup, e)
	}
}

// move tells who is at the address of a device now.
func (c *cache) move(e *entry, mac [6]byte) {
	c.leave(e)
	e.mac = mac
	c.join(e)
}

func (c *cache) forget(e *entry) {
	delete(c.entries, e.key)
	c.all.remove(byUse, e)
	c.bytes -= e.cost
	c.clients[e.key.client].cost -= e.cost
	leave(c.clients, e.key.client, byClient, e)
	c.leave(e)
}

// charge takes down what an entry takes now, and makes room if that is too much. It may forget the entry.
func (c *cache) charge(e *entry) {
	cost := int64(entryCost)
	for i := range e.items {
		cost += itemCost + int64(len(e.items[i].name))
	}
	own := c.clients[e.key.client]
	c.bytes += cost - e.cost
	own.cost += cost - e.cost
	e.cost = cost
	for c.bytes > c.budget && c.all.entries > 0 {
		c.evicted++
		// Who asks for much may not displace what others asked for.
		if own.cost > c.budget/clientShare {
			c.forget(own.oldest)
		} else {
			c.forget(c.all.oldest)
		}
	}
}

// listOf gives a list of a map, a new one if there is none.
func listOf[K comparable](m map[K]*list, k K) *list {
	l := m[k]
	if l == nil {
		l = &list{}
		m[k] = l
	}
	return l
}

func leave[K comparable](m map[K]*list, k K, d dimension, e *entry) {
	l := m[k]
	if l.remove(d, e); l.entries == 0 {
		delete(m, k)
	}
}

// groupOf yields the entries of an address or a device.
func (c *cache) groupOf(k groupKey) func(yield func(*entry) bool) {
	return func(yield func(*entry) bool) {
		l := c.groups[k]
		if l == nil {
			return
		}
		for e := l.oldest; e != nil; e = e.links[byGroup].newer {
			if !yield(e) {
				return
			}
		}
	}
}

// dropExpired forgets what held until before now.
func (c *cache) dropExpired(now int64) {
	for e := c.all.oldest; e != nil; {
		next := e.links[byUse].newer
		if e.until() < now {
			c.forget(e)
		}
		e = next
	}
}

// until is when all that the entry says has ceased to hold.
func (e *entry) until() int64 {
	var until int64
	if e.mac != [6]byte{} {
		until = e.last + int64(maxHost)
	}
	for i := range e.items {
		until = max(until, e.items[i].until)
	}
	return until
}

func askedKey(client, addr netip.Addr) entryKey {
	return entryKey{kind: asked, addr: addr.As16(), client: client.As16()}
}

func reversedKey(addr netip.Addr) entryKey { return entryKey{kind: reversed, addr: addr.As16()} }

func deviceKey(addr netip.Addr) entryKey { return entryKey{kind: device, addr: addr.As16()} }
