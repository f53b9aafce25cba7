package translate

import "sync/atomic"

// Reason says why an event was not used.
type Reason uint8

// The reasons. Each event is either used or counted under one of them.
const (
	// Ignored: an event of a type that says nothing that Weir needs, such as netflow or stats.
	Ignored Reason = iota
	// UnknownType: an event of a type that this version of Weir does not know.
	UnknownType
	// NoAddress: there is no address at one end or both, or they are of different families.
	NoAddress
	// NoProtocol: the protocol of the IP header is absent or unknown.
	NoProtocol
	// NoPorts: a TCP, UDP or SCTP event without ports.
	NoPorts
	// ICMP: events of ICMP do not carry the identifier that tells its exchanges apart.
	ICMP
	// Empty: nothing in the event is worth a tag or a fact.
	Empty
	// Repeated: all that the event says was said a moment before.
	Repeated
	// NotBound: a DHCP message that gives no address to anybody.
	NotBound
	// Ghost: the flow record of one packet that came after its connection was forgotten.
	Ghost
	// Late: the event came so long after the record of its flow that the flow is gone.
	Late
	// Reasons is how many there are.
	Reasons
)

// String gives the word that metrics use.
func (r Reason) String() string {
	switch r {
	case Ignored:
		return "ignored"
	case UnknownType:
		return "unknown_type"
	case NoAddress:
		return "no_address"
	case NoProtocol:
		return "no_protocol"
	case NoPorts:
		return "no_ports"
	case ICMP:
		return "icmp"
	case Empty:
		return "empty"
	case Repeated:
		return "repeated"
	case NotBound:
		return "not_bound"
	case Ghost:
		return "ghost"
	case Late:
		return "late"
	default:
		return "used"
	}
}

// used is not a reason: the event was used.
const used = Reasons

// Counts are what became of all events. They only grow, but for FlowsKept.
type Counts struct {
	// Used and Unused together are all events.
	Used   uint64
	Unused [Reasons]uint64
	// Updates, with the Tags in them, and Facts are what was handed over.
	Updates, Tags, Facts uint64
	// FactsRepeated were told a moment before.
	FactsRepeated uint64
	// Unasked are DNS records that answer another name than was asked, such as the addresses of name servers.
	Unasked uint64
	// Excess are values and facts of one event beyond the bounds.
	Excess uint64
	// FlowsForgotten are flows of which nothing is remembered any more because newer ones needed the room. Where
	// EVE is the only source they count as ended, and their counters as a flow of their own.
	FlowsForgotten uint64
	// FlowsKept are flows of which something is remembered now.
	FlowsKept uint64
}

// counters are Counts that grow while others read them.
type counters struct {
	used                              atomic.Uint64
	unused                            [Reasons]atomic.Uint64
	updates, tags                     atomic.Uint64
	facts, repeated, unasked          atomic.Uint64
	excess, flowsForgotten, flowsKept atomic.Uint64
}

// Counts gives what was counted up to now. It may be called from any goroutine at any time.
func (t *Translator) Counts() Counts {
	n := &t.counts
	c := Counts{
		Used: n.used.Load(), Updates: n.updates.Load(), Tags: n.tags.Load(), Facts: n.facts.Load(),
		FactsRepeated: n.repeated.Load(), Unasked: n.unasked.Load(), Excess: n.excess.Load(),
		FlowsForgotten: n.flowsForgotten.Load(), FlowsKept: n.flowsKept.Load(),
	}
	for i := range c.Unused {
		c.Unused[i] = n.unused[i].Load()
	}
	return c
}

func (n *counters) add(r Reason) {
	if r == used {
		n.used.Add(1)
		return
	}
	n.unused[r].Add(1)
}
