package translate

import (
	"context"
	"net/netip"
	"time"

	"weir/messages"
	"weir/sources"
)

const (
	// maxFacts bounds the facts of one event, maxTold those that are remembered so as not to be told twice.
	maxFacts, maxTold = 64, 4096
	// answerHold is for how long an answer is not told again to the same client: a capture of two
	// interfaces sees it twice. Other facts change seldom and are told again after factHold.
	answerHold, factHold = int64(time.Second), int64(time.Minute)
)

// factID is what a fact is about.
type factID struct {
	kind         messages.FactKind
	client, addr netip.Addr
	source       string
}

// toldFact is what was said of it last.
type toldFact struct {
	name string
	mac  [6]byte
	at   int64
}

// facts tells what an event of a kind says besides what it says of its flow.
func (t *Translator) facts(ctx context.Context, k kind, x *work, w sources.Writer) (Reason, error) {
	switch k {
	case kindDNS:
		return t.answers(ctx, x, portDNS, w)
	case kindMDNS:
		return t.announcements(ctx, x, w)
	case kindDHCP:
		return t.lease(ctx, x, w)
	case kindSMB:
		return t.host(ctx, x, messages.Fact{Addr: x.Src, Name: x.SMB.Host, Source: "smb"}, w)
	case kindRDP:
		return t.host(ctx, x, messages.Fact{Addr: x.rdpClient(), Name: x.RDP.ClientName, Source: "rdp"}, w)
	default:
		return Empty, nil
	}
}

// tell hands a fact over, unless that was just done or the event has told too many. It says what became of it.
func (t *Translator) tell(ctx context.Context, x *work, f *messages.Fact, w sources.Writer) (Reason, error) {
	if !public(f.Name) {
		return Empty, nil
	}
	id := factID{kind: f.Kind, client: f.Client, addr: f.Addr, source: f.Source}
	hold := factHold
	if f.Kind == messages.FactAnswer {
		hold = answerHold
	}
	said := t.told.get(id)
	switch {
	case said == nil:
		said = t.told.put(id, toldFact{})
	case said.name == f.Name && said.mac == f.MAC && 0 <= x.received-said.at && x.received-said.at < hold:
		t.counts.repeated.Add(1)
		return Repeated, nil
	}
	if x.facts >= maxFacts {
		t.counts.excess.Add(1)
		return Repeated, nil
	}
	x.facts++
	*said = toldFact{name: f.Name, mac: f.MAC, at: x.received}
	f.Time = x.now
	t.counts.facts.Add(1)
	return used, w.Tell(ctx, f)
}

// tellable says whether an address can be that of somebody else.
func tellable(a netip.Addr) bool { return a.IsValid() && !a.IsUnspecified() && !a.IsLoopback() }

// parseAddr reads an address of a record; ok is false if it is none that a host can have.
func parseAddr(typ, data string) (a netip.Addr, ok bool) {
	if len(data) > len("0000:0000:0000:0000:0000:0000:0000:0000") {
		return a, false
	}
	a, err := netip.ParseAddr(data)
	if err != nil || a.Zone() != "" || a.Is4() != (typ == "A") {
		return a, false
	}
	a = a.Unmap()
	return a, tellable(a)
}
