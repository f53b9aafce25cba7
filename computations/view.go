package computations

import (
	"iter"
	"net/netip"
	"slices"

	"weir/messages"
)

// View is what a computation may see of the live flows: the last event of each of which it was told. It is
// bounded; what it has no room for is told as news but not found here later.
type View struct {
	flows  map[uint64]*messages.Event
	byAddr map[netip.Addr]map[uint64]struct{}
	// over are flows that have ended; they stay until the slice is settled, since facts about them may
	// come from another shard.
	over    map[uint64]struct{}
	limit   int
	refused uint64
}

// NewView makes a view of at most so many flows.
func NewView(limit int) *View {
	return &View{
		flows: map[uint64]*messages.Event{}, byAddr: map[netip.Addr]map[uint64]struct{}{},
		over: map[uint64]struct{}{}, limit: limit,
	}
}

// Learn takes events in. Whoever feeds the computation calls it before each Handle.
func (v *View) Learn(events []messages.Event) {
	for i := range events {
		v.learn(events[i])
	}
}

// learn keeps a copy, so that one flow does not hold on to all events that came with it.
func (v *View) learn(e messages.Event) {
	old := v.flows[e.Flow]
	if old == nil && len(v.flows) >= v.limit {
		v.refused++
		return
	}
	if old != nil {
		v.remove(old)
	}
	v.flows[e.Flow] = &e
	for _, a := range addresses(&e) {
		if v.byAddr[a] == nil {
			v.byAddr[a] = map[uint64]struct{}{}
		}
		v.byAddr[a][e.Flow] = struct{}{}
	}
	if e.Change&messages.FlowEnded != 0 {
		v.over[e.Flow] = struct{}{}
	}
}

// Sweep forgets flows that are over. Whoever feeds the computation calls it after each Settle.
func (v *View) Sweep() {
	for id := range v.over {
		v.remove(v.flows[id])
	}
}

func (v *View) remove(e *messages.Event) {
	delete(v.flows, e.Flow)
	delete(v.over, e.Flow)
	for _, a := range addresses(e) {
		delete(v.byAddr[a], e.Flow)
		if len(v.byAddr[a]) == 0 {
			delete(v.byAddr, a)
		}
	}
}

// addresses are the distinct ones by which a flow can be found: its real ends and those of its key.
func addresses(e *messages.Event) []netip.Addr {
	as := make([]netip.Addr, 0, 4)
	for _, a := range [...]netip.Addr{e.Ends.Local.Addr, e.Ends.Remote.Addr, e.Key.A.IP(), e.Key.B.IP()} {
		if !slices.Contains(as, a) {
			as = append(as, a)
		}
	}
	return as
}

// Flow gives the last event of a flow, or nil.
func (v *View) Flow(id uint64) *messages.Event { return v.flows[id] }

// With yields the live flows that have an address at one of their ends, in no order.
func (v *View) With(a netip.Addr) iter.Seq[*messages.Event] {
	return func(yield func(*messages.Event) bool) {
		for id := range v.byAddr[a] {
			if !yield(v.flows[id]) {
				return
			}
		}
	}
}

// All yields all live flows, in no order.
func (v *View) All() iter.Seq[*messages.Event] {
	return func(yield func(*messages.Event) bool) {
		for _, e := range v.flows {
			if !yield(e) {
				return
			}
		}
	}
}

// Len is how many flows it holds.
func (v *View) Len() int { return len(v.flows) }

// Refused counts the flows for which there was no room.
func (v *View) Refused() uint64 { return v.refused }
