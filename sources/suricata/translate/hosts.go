package translate

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"weir/columns/name"
	"weir/messages"
	"weir/sources"
)

const (
	// maxRequests bounds the DHCP requests whose answer is awaited, and requestLife how long.
	maxRequests = 1024
	requestLife = int64(time.Minute)
	portRDP     = 3389
)

// leaseID is a DHCP exchange.
type leaseID struct {
	id  uint64
	mac [6]byte
}

// request is what a client called itself in one.
type request struct {
	name string
	at   int64
}

// host tells what the client of a session calls itself.
func (t *Translator) host(ctx context.Context, x *work, f messages.Fact, w sources.Writer) (Reason, error) {
	f.Kind, f.Name = messages.FactHost, name.Clean(f.Name)
	if f.Name == "" || !tellable(f.Addr) {
		return Empty, nil
	}
	return t.tell(ctx, x, &f, w)
}

// rdpClient gives the client, or no address if the ports do not tell: the source of the event may be either.
func (x *work) rdpClient() netip.Addr {
	switch src, dest := x.SrcPort == portRDP, x.DestPort == portRDP; {
	case dest && !src:
		return x.Src
	case src && !dest:
		return x.Dest
	}
	return netip.Addr{}
}

// lease remembers a request, and tells an acknowledgement with the name of its request: it has none itself.
func (t *Translator) lease(ctx context.Context, x *work, w sources.Writer) (Reason, error) {
	d := &x.DHCP
	id := leaseID{id: d.ID, mac: d.ClientMAC}
	asked := t.leases.get(id)
	if d.Type == "request" {
		if n := name.Clean(d.Hostname); n != "" {
			if asked == nil {
				asked = t.leases.put(id, request{})
			}
			*asked = request{name: n, at: x.received}
		}
		return NotBound, nil
	}
	if d.Message != "ack" {
		return NotBound, nil
	}
	f := messages.Fact{
		Kind: messages.FactLease, Addr: d.Assigned, MAC: d.ClientMAC,
		TTL: time.Duration(d.Lease) * time.Second, Source: "dhcp",
	}
	if !tellable(f.Addr) {
		f.Addr = d.Client
	}
	if !tellable(f.Addr) || !t.device(f.MAC) {
		return NotBound, nil
	}
	if asked != nil && x.received-asked.at <= requestLife {
		f.Name = asked.name
	}
	return t.tell(ctx, x, &f, w)
}

// announcements tells which hosts announce themselves. What is no announcement, but comes by its port, is DNS.
func (t *Translator) announcements(ctx context.Context, x *work, w sources.Writer) (Reason, error) {
	if !isAnswer(x.DNS.Type) {
		return Empty, nil
	}
	result, foreign := Empty, false
	for i := range x.DNS.Answers {
		r := &x.DNS.Answers[i]
		f := messages.Fact{Kind: messages.FactHost, Source: "mdns", TTL: time.Duration(r.TTL) * time.Second}
		owner := name.Clean(r.Owner)
		var ok bool
		switch r.Type {
		case "A", "AAAA":
			f.Name = owner
			f.Addr, ok = parseAddr(r.Type, r.Data)
		case "PTR":
			f.Name = name.Clean(r.Data)
			f.Addr, ok = reversed(owner)
			ok = ok && tellable(f.Addr)
		}
		if !ok {
			continue
		}
		if !strings.HasSuffix(f.Name, ".local") {
			foreign = true
			continue
		}
		if f.Addr == x.Src && t.mac(x.Src, x.SrcMAC) {
			f.MAC = x.SrcMAC
		}
		now, err := t.tell(ctx, x, &f, w)
		if err != nil {
			return 0, err
		}
		if result != used {
			result = now
		}
	}
	if foreign && !x.Dest.IsMulticast() {
		return t.answers(ctx, x, portMDNS, w)
	}
	return result, nil
}

// neighbour tells the address that a device said in ARP that it has.
func (t *Translator) neighbour(ctx context.Context, x *work, w sources.Writer) (Reason, error) {
	a := &x.ARP
	if a.Opcode != "request" && a.Opcode != "reply" || !a.SrcIP.Is4() || !tellable(a.SrcIP) || !t.device(a.SrcMAC) {
		return Empty, nil
	}
	return t.tell(ctx, x, &messages.Fact{
		Kind: messages.FactNeighbour, Addr: a.SrcIP, MAC: a.SrcMAC, Source: "arp",
	}, w)
}
