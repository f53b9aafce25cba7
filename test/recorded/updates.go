package recorded

import (
	"net/netip"

	"weir/messages"
)

// icmp says of a flow that its ends are told by an id.
func (f *Flow) icmp() bool { return f.Orig.Proto == 1 || f.Orig.Proto == 58 }

// ends are the initiator and the responder of a tuple as keys have them.
func (f *Flow) ends(initiator, responder netip.AddrPort) (a, b messages.End) {
	a = messages.MakeEnd(initiator.Addr(), initiator.Port())
	b = messages.MakeEnd(responder.Addr(), responder.Port())
	if f.icmp() {
		a.Port, b.Port = f.ICMPID, f.ICMPType
	}
	return a, b
}

// Update is what the source conntrack says of the flow: its key, its key behind NAT if it has one, and who opened
// it. It has no counters.
func (f *Flow) Update() (u messages.Update, alias *messages.Key) {
	first, second := f.ends(f.Orig.Src, f.Orig.Dst)
	var swapped bool
	u = messages.Update{ID: f.ID, Start: f.Start.UnixNano(), Flags: messages.Oriented}
	if u.Key, swapped = messages.MakeKey(f.Orig.Proto, 0, first, second); swapped {
		u.Flags |= messages.InitiatorB
	}
	if f.Reply.Src == f.Orig.Dst && f.Reply.Dst == f.Orig.Src {
		return u, nil
	}
	initiator, responder := f.ends(f.Reply.Dst, f.Reply.Src)
	k, swapped := messages.MakeKey(f.Orig.Proto, 0, responder, initiator)
	if swapped {
		u.Flags |= messages.ResponderAliasB
	}
	return u, &k
}

// Started is what an event NEW becomes: the kernel does not say there when the flow began.
func (f *Flow) Started() (u messages.Update, alias *messages.Key) {
	u, alias = f.Update()
	u.Start, u.Status = 0, messages.Started
	return u, alias
}

// Dumped is what a dump says of the living flow. Counters other than the last ones are not recorded: it has moved
// nothing yet.
func (f *Flow) Dumped() (u messages.Update, alias *messages.Key) {
	u, alias = f.Update()
	u.Kind = messages.Absolute
	return u, alias
}

// Ended is what an event DESTROY becomes, or the last dump.
func (f *Flow) Ended() (u messages.Update, alias *messages.Key) {
	u, alias = f.Update()
	u.Kind = messages.Absolute
	u.Counters = f.Counters
	if u.Flags&messages.InitiatorB != 0 {
		u.Counters[0], u.Counters[1] = u.Counters[1], u.Counters[0]
	}
	if !f.Stop.IsZero() {
		u.Status, u.Stop = messages.Ended, f.Stop.UnixNano()
	}
	return u, alias
}
