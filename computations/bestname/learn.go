package bestname

import (
	"bytes"
	"cmp"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"weir/columns/name"
	"weir/messages"
)

// Bounds of how long facts hold, whatever they say themselves.
const (
	minTTL, maxTTL   = time.Minute, time.Hour
	unknownTTL       = 5 * time.Minute
	minHost, maxHost = time.Hour, 7 * 24 * time.Hour
)

// evidence is what tells a name; a short name for what is used everywhere here.
type evidence = name.Evidence

// learn takes a fact in.
func (c *computation) learn(f *messages.Fact) {
	if !f.Addr.IsValid() || f.Time < 0 || f.Time > lastTime {
		c.counts.unusable++
		return
	}
	switch f.Kind {
	case messages.FactAnswer:
		c.learnAnswer(f)
	case messages.FactReverse:
		c.learnReverse(f)
	case messages.FactLease, messages.FactNeighbour, messages.FactHost:
		c.learnDevice(f)
	default:
		c.counts.unusable++
	}
}

func (c *computation) learnAnswer(f *messages.Fact) {
	n := nameIn(f)
	if !f.Client.IsValid() || n == "" {
		c.counts.unusable++
		return
	}
	c.counts.answers++
	e := c.cache.make(askedKey(f.Client, f.Addr))
	c.cache.capped += e.add(item{name: n, at: f.Time, until: f.Time + int64(lasts(f.TTL, unknownTTL, minTTL, maxTTL))})
	c.cache.charge(e)
	c.touch(f.Addr, f.Time)
}

func (c *computation) learnReverse(f *messages.Fact) {
	n := nameIn(f)
	if n == "" {
		c.counts.unusable++
		return
	}
	c.counts.reverses++
	e := c.cache.make(reversedKey(f.Addr))
	before := e.latest()
	c.cache.capped += e.tell(item{name: n, at: f.Time, until: f.Time + int64(lasts(f.TTL, maxTTL, maxTTL, maxHost))})
	if e.latest() != before {
		c.touch(f.Addr, anyTime)
	}
	c.cache.charge(e)
}

// nameIn gives the name of a fact, empty if it is none, such as an address.
func nameIn(f *messages.Fact) string {
	n, _ := asName(name.Clean(f.Name))
	return n
}

// lasts bounds how long a fact holds.
func lasts(ttl, unknown, least, most time.Duration) time.Duration {
	if ttl == 0 {
		ttl = unknown
	}
	return min(max(ttl, least), most)
}

// add puts a name among those that were told, each with its time. It says how many it forgot for it.
func (e *entry) add(n item) uint64 {
	at, found := slices.BinarySearchFunc(e.items, n, compareItems)
	if found {
		e.items[at].until = max(e.items[at].until, n.until)
		return 0
	}
	n.name = e.own(n.name)
	e.items = slices.Insert(e.items, at, n)
	if len(e.items) <= maxNames {
		return 0
	}
	e.items = slices.Delete(e.items, e.dispensable(), e.dispensable()+1)
	return 1
}

// compareItems orders names by when they were told.
func compareItems(a, b item) int {
	return cmp.Or(
		cmp.Compare(a.at, b.at), strings.Compare(a.name, b.name), cmp.Compare(a.by, b.by),
		bytes.Compare(a.mac[:], b.mac[:]),
	)
}

// dispensable is the item that is missed least: between two others of the same name, for then the name that
// was told last before any time stays the same; otherwise the oldest.
func (e *entry) dispensable() int {
	for i := 1; i < len(e.items)-1; i++ {
		if e.items[i-1].name == e.items[i].name && e.items[i].name == e.items[i+1].name {
			return i
		}
	}
	return 0
}

// own gives the entry's own copy of a name, so that it keeps nothing else in memory.
func (e *entry) own(n string) string {
	for i := range e.items {
		if e.items[i].name == n {
			return e.items[i].name
		}
	}
	return strings.Clone(n)
}

// tell puts a name among those of which only the last time matters.
func (e *entry) tell(n item) uint64 {
	for i := range e.items {
		o := &e.items[i]
		if o.name != n.name || o.by != n.by || o.mac != n.mac {
			continue
		}
		n.at, n.until, n.name = max(o.at, n.at), max(o.until, n.until), o.name
		e.items = slices.Delete(e.items, i, i+1)
		break
	}
	return e.add(n)
}

// latest gives the name that was told last, empty if there is none.
func (e *entry) latest() string {
	if len(e.items) == 0 {
		return ""
	}
	return e.items[len(e.items)-1].name
}

func (c *computation) learnDevice(f *messages.Fact) {
	c.counts.devices++
	e := c.cache.make(deviceKey(f.Addr))
	before := e.called()
	news := c.learnMAC(e, f)
	if f.Kind == messages.FactLease && later(f.MAC, f.Time, e.lease, e.leased) {
		e.lease, e.leased = f.MAC, f.Time
	}
	if n := deviceName(f); n.name != "" {
		c.cache.capped += e.tell(n)
	}
	mac := e.mac
	if after := e.called(); news || after.name != before.name || after.by != before.by {
		c.touchDevice(f.Addr, mac)
	}
	c.cache.charge(e)
}

// called gives what a device calls itself: to the one who gave it the address, else in its network, else to a
// server; and of each the last. What was said when another device was at the address does not count.
func (e *entry) called() (best item) {
	for _, i := range e.items {
		switch {
		case e.leases(&i):
			best = i // The items are in the order in which they were told.
		case e.mac != [6]byte{} && i.mac != [6]byte{} && i.mac != e.mac:
		case e.before != [6]byte{} && i.mac == [6]byte{} && i.at <= e.changed:
		case best.name == "" || i.by <= best.by:
			best = i
		}
	}
	return item{name: best.name, by: best.by, at: best.at}
}

// leases says whether a name is that of the device to whom DHCP has given the address. As long as that holds, it means
// nothing that another hardware address seems to be there: a repeater answers with its own for those behind it, and
// anybody may say so.
func (e *entry) leases(i *item) bool {
	return i.by == name.DHCP && i.mac == e.lease && i.mac != [6]byte{} && (i.mac == e.mac || e.last <= i.until)
}

// learnMAC takes down who is at an address, and says whether that is news. The two that were told last are
// known; thus the order in which they are told means nothing.
func (c *computation) learnMAC(e *entry, f *messages.Fact) bool {
	switch {
	case f.MAC == [6]byte{}:
		return false
	case f.MAC == e.mac:
		e.last = max(e.last, f.Time)
		return false
	case f.MAC == e.before:
		e.changed = max(e.changed, f.Time)
	case e.mac == [6]byte{} || later(f.MAC, f.Time, e.before, e.changed):
		e.before, e.changed = f.MAC, f.Time
	default:
		return false
	}
	if e.mac != [6]byte{} && !later(e.before, e.changed, e.mac, e.last) {
		return true // No other device, but what it was called before may count no more.
	}
	mac, last := e.before, e.changed
	e.before, e.changed = e.mac, e.last
	e.last = last
	c.cache.move(e, mac)
	return true
}

// later says whether one hardware address was told later than another.
func later(a [6]byte, at int64, b [6]byte, bt int64) bool {
	return cmp.Or(cmp.Compare(at, bt), bytes.Compare(a[:], b[:])) > 0
}

// deviceName is what a fact says of the name of a device.
func deviceName(f *messages.Fact) item {
	i := item{name: nameIn(f), at: f.Time, mac: f.MAC, by: name.Host}
	i.until = f.Time + int64(lasts(f.TTL, maxHost, minHost, maxHost))
	switch {
	case f.Kind == messages.FactLease:
		i.by = name.DHCP
	case f.Source == "mdns":
		i.by = name.MDNS
	}
	return i
}

// siblings gives an address and those that are at the same device, as far as that is known. What has more
// than three IPv4 addresses is no device but a router, which has one hardware address for all behind it.
func (c *computation) siblings(a netip.Addr) []netip.Addr {
	c.scratch = append(c.scratch[:0], a)
	e := c.cache.get(deviceKey(a))
	if e == nil || e.mac == [6]byte{} {
		return c.scratch
	}
	fours := 0
	for o := range c.cache.groupOf(deviceGroup(e.mac)) {
		b := netip.AddrFrom16(o.key.addr).Unmap()
		if b.Is4() {
			fours++
		}
		if b != a && len(c.scratch) < maxSiblings {
			c.scratch = append(c.scratch, b)
		}
	}
	if fours > maxFours {
		return c.scratch[:1]
	}
	return c.scratch
}

const (
	maxSiblings, maxFours = 32, 3
	longestName           = 253
	// lastTime is one to which every duration here can be added.
	lastTime = math.MaxInt64 / 4
)
