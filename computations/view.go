package computations

import (
	"iter"
	"net/netip"
	"slices"

	"weir/messages"
)

// View is what a computation may see of the live flows: the last event of each of which it was told. It is
// bounded; what it has no room for is told as news but not found here later. What it yields, and in what
// order, follows from what it was told and from nothing else.
//
// The events that it gives are good until the next Learn or Sweep.
type View struct {
	// chunks hold the flows by number, from 1. They never move, so that an event can be pointed to.
	chunks []*[viewChunk]place
	high   uint32 // numbers up to this have been given out
	free   uint32 // first free number, chained by next[0]
	byFlow map[uint64]uint32
	byAddr map[netip.Addr]chain
	// over are flows that have ended, in that order, from gone on; those before fresh did so before the last
	// Sweep. They stay for a whole slice, since facts about them may come late and from another shard.
	over        []uint64
	gone, fresh int
	limit       int
	refused     uint64
}

// viewChunk is how many flows take memory at once.
const viewChunk = 256

// place is where a flow is kept. Under each of its addresses it stands in a chain.
type place struct {
	event messages.Event
	// next and prev are 4 times the number of a place, plus that place's own slot for the address.
	next, prev [4]uint32
	used, over bool
}

// chain is the flows that have one address, in the order in which they got it.
type chain struct {
	first, last uint32 // as in place
	flows       uint32
}

// NewView makes a view of at most so many flows.
func NewView(limit int) *View {
	return &View{byFlow: map[uint64]uint32{}, byAddr: map[netip.Addr]chain{}, limit: limit}
}

// Learn takes events in. Whoever feeds the computation calls it before each Handle.
func (v *View) Learn(events []messages.Event) {
	for i := range events {
		v.learn(&events[i])
	}
}

// learn keeps a copy, so that one flow does not hold on to all events that came with it.
func (v *View) learn(e *messages.Event) {
	n, known := v.byFlow[e.Flow]
	if !known {
		if len(v.byFlow) >= v.limit && !v.makeRoom() {
			v.refused++
			return
		}
		n = v.take()
		v.byFlow[e.Flow] = n
	}
	p := v.at(n)
	var had, has [4]netip.Addr
	if p.used {
		addresses(&p.event, &had)
	}
	addresses(e, &has)
	if had != has {
		v.unlink(n)
		p.event, p.used = *e, true
		v.link(n)
	}
	p.event = *e
	switch over := e.Change&messages.FlowEnded != 0; {
	case over && !p.over:
		p.over = true
		v.over = append(v.over, e.Flow)
	case !over && p.over:
		p.over = false
		v.revive(e.Flow)
	}
}

// revive takes a flow that lives again, such as one that had only vanished, out of those that are over.
func (v *View) revive(id uint64) {
	i := v.gone + slices.Index(v.over[v.gone:], id)
	v.over = slices.Delete(v.over, i, i+1)
	if i < v.fresh {
		v.fresh--
	}
}

// Sweep forgets flows that were over before the last Sweep. Whoever feeds the computation calls it after
// each Settle.
func (v *View) Sweep() {
	for v.makeRoom() {
	}
	v.over = append(v.over[:0], v.over[v.gone:]...)
	if cap(v.over) > 1024 && len(v.over) < cap(v.over)/8 {
		v.over = append([]uint64(nil), v.over...)
	}
	v.gone, v.fresh = 0, len(v.over)
}

// makeRoom forgets the flow that has been over for longest, if it was so before the last Sweep.
func (v *View) makeRoom() bool {
	if v.gone == v.fresh {
		return false
	}
	v.remove(v.over[v.gone])
	v.gone++
	return true
}

func (v *View) remove(id uint64) {
	n, ok := v.byFlow[id]
	if !ok {
		return
	}
	v.unlink(n)
	delete(v.byFlow, id)
	*v.at(n) = place{next: [4]uint32{v.free}}
	v.free = n
}

func (v *View) at(n uint32) *place { return &v.chunks[(n-1)/viewChunk][(n-1)%viewChunk] }

// take gives a number that is free.
func (v *View) take() uint32 {
	if n := v.free; n != 0 {
		p := v.at(n)
		v.free = p.next[0]
		*p = place{}
		return n
	}
	v.high++
	if int(v.high) > len(v.chunks)*viewChunk {
		v.chunks = append(v.chunks, new([viewChunk]place))
	}
	return v.high
}

// link puts a flow at the end of the chains of its addresses.
func (v *View) link(n uint32) {
	p := v.at(n)
	var as [4]netip.Addr
	for i, a := range as[:addresses(&p.event, &as)] {
		ref := 4*n + uint32(i) //nolint:gosec // Below 4.
		c := v.byAddr[a]
		if c.last != 0 {
			v.at(c.last / 4).next[c.last%4] = ref
		} else {
			c.first = ref
		}
		p.prev[i], p.next[i] = c.last, 0
		c.last = ref
		c.flows++
		v.byAddr[a] = c
	}
}

// unlink takes a flow out of the chains of its addresses, if it is in any.
func (v *View) unlink(n uint32) {
	p := v.at(n)
	if !p.used {
		return
	}
	var as [4]netip.Addr
	for i, a := range as[:addresses(&p.event, &as)] {
		c := v.byAddr[a]
		if c.flows--; c.flows == 0 {
			delete(v.byAddr, a)
			continue
		}
		if before := p.prev[i]; before != 0 {
			v.at(before / 4).next[before%4] = p.next[i]
		} else {
			c.first = p.next[i]
		}
		if after := p.next[i]; after != 0 {
			v.at(after / 4).prev[after%4] = p.prev[i]
		} else {
			c.last = p.prev[i]
		}
		v.byAddr[a] = c
	}
}

// addresses are the distinct ones by which a flow can be found: its real ends and those of its key. It says
// how many there are.
func addresses(e *messages.Event, as *[4]netip.Addr) (used int) {
next:
	for _, a := range [...]netip.Addr{e.Ends.Local.Addr, e.Ends.Remote.Addr, e.Key.A.IP(), e.Key.B.IP()} {
		for _, o := range as[:used] {
			if o == a {
				continue next
			}
		}
		as[used] = a
		used++
	}
	return used
}

// Flow gives the last event of a flow, or nil.
func (v *View) Flow(id uint64) *messages.Event {
	n, ok := v.byFlow[id]
	if !ok {
		return nil
	}
	return &v.at(n).event
}

// With yields the live flows that have an address at one of their ends, in the order in which that was told.
func (v *View) With(a netip.Addr) iter.Seq[*messages.Event] {
	return func(yield func(*messages.Event) bool) {
		for ref := v.byAddr[a].first; ref != 0; {
			p := v.at(ref / 4)
			if !yield(&p.event) {
				return
			}
			ref = p.next[ref%4]
		}
	}
}

// CountWith is how many live flows have an address at one of their ends.
func (v *View) CountWith(a netip.Addr) int { return int(v.byAddr[a].flows) }

// All yields all live flows, the same ones in the same order whenever the same was told.
func (v *View) All() iter.Seq[*messages.Event] {
	return func(yield func(*messages.Event) bool) {
		for n := uint32(1); n <= v.high; n++ {
			if p := v.at(n); p.used && !yield(&p.event) {
				return
			}
		}
	}
}

// Len is how many flows it holds.
func (v *View) Len() int { return len(v.byFlow) }

// Refused counts the flows for which there was no room.
func (v *View) Refused() uint64 { return v.refused }
