// Package bestname is the computation that gives each end of a flow the name that its user would expect,
// chosen from ranked evidence. docs/names.md explains the ranking.
//
// Handle only takes news down. Names are given when the slice settles, so that within a slice the order of
// messages means nothing: facts about a flow come by way of other shards than the flow itself.
package bestname

import (
	"math"
	"net/netip"

	"github.com/rs/zerolog"

	"weir/computations"
	"weir/messages"
)

// Bounds of the work for one message and of what waits for it.
const (
	// perSettle and perHandle are how many flows are looked at; the rest waits for the next message.
	perSettle, perHandle = 1 << 18, 1 << 12
	// maxWaiting is how many flows may wait before Handle begins to name them too.
	maxWaiting = 1 << 16
	// maxTouched is about how many addresses there may be news in a slice.
	maxTouched = 1 << 16
)

// anyTime is that of news which matter to a flow whenever it began.
const anyTime = math.MinInt64

// computation is the running computation.
type computation struct {
	config Config
	log    zerolog.Logger
	rules  *rules
	cache  *cache
	tags   tagSets

	// queue are the flows to be looked at, in order, and queued says which they are.
	queue  []waiting
	queued map[uint64]struct{}
	// refused is how many flows the view had no room for, up to the last message.
	refused uint64
	// touched are the addresses about which there is news, in order, and since when flows began to which it
	// matters.
	touched   []netip.Addr
	touchedAt map[netip.Addr]int64
	// now is the latest time that was told; loaded says that the cache was loaded and is not yet cleaned.
	now    int64
	loaded bool

	subject subject
	ranking ranking
	scratch []netip.Addr
	counts  counts
}

// waiting is a flow that is to be looked at, and when it was heard of.
type waiting struct {
	flow  uint64
	heard int64
}

func newComputation(config Config, core computations.Core) *computation {
	c := &computation{
		config: config, log: core.Log, rules: noRules(), cache: newCache(int64(config.Cache)), tags: tagSets{},
		queued: map[uint64]struct{}{}, touchedAt: map[netip.Addr]int64{},
	}
	if config.Curated {
		c.rules = curatedRules()
	}
	c.ranking.c = c
	return c
}

// Handle takes down what is new.
func (c *computation) Handle(in *messages.Events, view *computations.View, out computations.Out) {
	c.tick(in.Time)
	for i := range in.Facts {
		c.learn(&in.Facts[i])
	}
	full := view.Refused() != c.refused
	c.refused = view.Refused()
	for i := range in.Flows {
		e := &in.Flows[i]
		if full && view.Flow(e.Flow) == nil {
			// It will not be found later.
			c.counts.unseen++
			c.nameEnds(e, in.Time, out)
			continue
		}
		c.enqueue(e.Flow, in.Time)
	}
	if len(c.queue) > maxWaiting {
		c.work(perHandle, view, out)
	}
}

// Settle names the flows of which there is news.
func (c *computation) Settle(now int64, view *computations.View, out computations.Out) {
	c.tick(now)
	for _, a := range c.touched {
		c.reconsider(a, c.touchedAt[a], view)
	}
	c.touched = c.touched[:0]
	clear(c.touchedAt)
	c.work(perSettle, view, out)
	c.counts.deferred += uint64(len(c.queue))
}

// tick takes the time from the messages.
func (c *computation) tick(now int64) {
	c.now = max(c.now, now)
	if c.loaded {
		c.loaded = false
		c.cache.dropExpired(now)
	}
}

func (c *computation) enqueue(flow uint64, heard int64) {
	if _, is := c.queued[flow]; !is {
		c.queued[flow] = struct{}{}
		c.queue = append(c.queue, waiting{flow: flow, heard: heard})
	}
}

// touch takes down that there is news about an address, for flows that began after the time, about.
func (c *computation) touch(a netip.Addr, at int64) {
	if old, is := c.touchedAt[a]; is {
		c.touchedAt[a] = min(old, at)
		return
	}
	if len(c.touched) >= maxTouched {
		c.counts.missed++
		return
	}
	c.touched = append(c.touched, a)
	c.touchedAt[a] = at
}

// touchDevice takes down that there is news about all addresses of a device.
func (c *computation) touchDevice(a netip.Addr, mac [6]byte) {
	c.touch(a, anyTime)
	if mac == [6]byte{} {
		return
	}
	for e := range c.cache.groupOf(deviceGroup(mac)) {
		c.touch(netip.AddrFrom16(e.key.addr).Unmap(), anyTime)
	}
}

// reconsider queues the flows of an address to which the news may matter: those that began after it was told,
// and those for which there is no name yet.
func (c *computation) reconsider(a netip.Addr, at int64, view *computations.View) {
	for e := range view.With(a) {
		if _, is := c.queued[e.Flow]; is {
			continue
		}
		if at == anyTime || e.Start == 0 || at <= e.Start+int64(slack) || !named(e) {
			c.counts.reconsidered++
			c.enqueue(e.Flow, c.now)
		}
	}
}

// work looks at some of the flows that wait.
func (c *computation) work(most int, view *computations.View, out computations.Out) {
	n := min(most, len(c.queue))
	for _, w := range c.queue[:n] {
		if e := view.Flow(w.flow); e != nil {
			c.nameEnds(e, w.heard, out)
		} else {
			c.counts.gone++
		}
	}
	c.dequeue(n)
}

// dequeue takes the first of the flows that wait out of the queue.
func (c *computation) dequeue(n int) {
	if n < len(c.queue) {
		for _, w := range c.queue[:n] {
			delete(c.queued, w.flow)
		}
		c.queue = append(c.queue[:0], c.queue[n:]...)
		return
	}
	clear(c.queued)
	if c.queue = c.queue[:0]; cap(c.queue) > maxWaiting {
		c.queue, c.queued = nil, map[uint64]struct{}{}
	}
}

// nameEnds says what is to be said of a flow.
func (c *computation) nameEnds(e *messages.Event, heard int64, out computations.Out) {
	c.counts.evaluated++
	s := &c.subject
	s.read(e, heard)
	c.tag(s, &s.responder, c.ranking.about(s, &s.responder).responder(), out)
	c.tag(s, &s.initiator, c.ranking.about(s, &s.initiator).initiator(), out)
}
