package translate

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"weir/columns/name"
	"weir/messages"
	"weir/sources"
	"weir/sources/suricata/eve"
)

const (
	portDNS, portMDNS = 53, 5353
	// maxChains bounds the exchanges of version 1 that are remembered, and chainLife how long; maxLinks bounds the
	// CNAMEs of an answer.
	maxChains, maxLinks = 1024, 16
	chainLife           = int64(10 * time.Second)
)

// dnsID is an exchange of version 1, in which each record is an event.
type dnsID struct {
	conn, id uint64
	key      messages.Key
}

// chain is what an exchange has told up to now.
type chain struct {
	// asked is empty if the question was not seen.
	asked string
	links []link
	at    int64
}

// link says that owner is another name of target, the answer's CNAME.
type link struct{ owner, target string }

// answers tells which addresses a client was told for the name that it asked for.
func (t *Translator) answers(ctx context.Context, x *work, port uint16, w sources.Writer) (Reason, error) {
	d := &x.DNS
	if !isAnswer(d.Type) {
		t.note(x)
		return Empty, nil
	}
	if d.Rcode != "" && d.Rcode != "NOERROR" {
		return Empty, nil
	}
	c, joined := &t.chain, len(d.Queries) == 0
	if joined {
		c = t.exchange(x)
	} else {
		c.links = c.links[:0]
	}
	t.link(c, d.Answers)
	t.questions = t.questions[:0]
	for _, q := range d.Queries[:min(len(d.Queries), maxValues)] {
		t.questions = append(t.questions, name.Clean(q.Name))
	}
	return t.records(ctx, x, port, c, w)
}

// records tells the records of an answer that lead from what was asked.
func (t *Translator) records(
	ctx context.Context, x *work, port uint16, c *chain, w sources.Writer,
) (result Reason, err error) {
	list := x.DNS.Answers
	if len(list) == 0 {
		list = x.DNS.Grouped
	}
	client := x.dnsClient(port)
	result = Empty
	var asked string
	var ok bool
	for i := range list {
		r := &list[i]
		if i == 0 || r.Owner != list[i-1].Owner {
			asked, ok = c.from(r.Owner, t.questions)
		}
		if !ok {
			t.counts.unasked.Add(1)
			continue
		}
		now, err := t.answer(ctx, x, client, asked, r, w)
		if err != nil {
			return 0, err
		}
		if now == used || result == Empty {
			result = now
		}
	}
	return result, nil
}

// answer tells one record of an answer.
func (t *Translator) answer(
	ctx context.Context, x *work, client netip.Addr, asked string, r *eve.Answer, w sources.Writer,
) (Reason, error) {
	f := messages.Fact{TTL: time.Duration(r.TTL) * time.Second, Source: "dns"}
	var ok bool
	switch r.Type {
	case "A", "AAAA":
		f.Kind, f.Client, f.Name = messages.FactAnswer, client, asked
		f.Addr, ok = parseAddr(r.Type, r.Data)
		ok = ok && tellable(client)
	case "PTR":
		f.Kind, f.Name = messages.FactReverse, name.Clean(r.Data)
		f.Addr, ok = reversed(asked)
		ok = ok && tellable(f.Addr)
	}
	if !ok || f.Name == "" {
		return Empty, nil
	}
	return t.tell(ctx, x, &f, w)
}

// note remembers the question of an exchange of version 1. Version 2 knows it with every answer, but its
// questions may come without their version.
func (t *Translator) note(x *work) {
	if x.DNS.Version > 1 || len(x.DNS.Queries) == 0 {
		return
	}
	c := t.exchange(x)
	c.asked, c.links, c.at = name.Clean(x.DNS.Queries[0].Name), c.links[:0], x.received
}

// exchange gives what is remembered of the event's exchange.
func (t *Translator) exchange(x *work) *chain {
	id := dnsID{conn: x.conn, id: x.DNS.ID, key: x.key}
	c := t.names.get(id)
	if c == nil {
		c = t.names.put(id, chain{at: x.received})
	}
	if age := x.received - c.at; age < 0 || age > chainLife {
		*c = chain{links: c.links[:0], at: x.received} // The port and the identifier are used again.
	}
	return c
}

// link adds the CNAMEs of an answer.
func (t *Translator) link(c *chain, records []eve.Answer) {
	for i := range records {
		if records[i].Type != "CNAME" {
			continue
		}
		l := link{owner: name.Clean(records[i].Owner), target: name.Clean(records[i].Data)}
		switch {
		case l.owner == "" || l.target == "" || slices.Contains(c.links, l):
		case len(c.links) >= maxLinks:
			t.counts.excess.Add(1)
		default:
			c.links = append(c.links, l)
		}
	}
}

// from follows the names of a record back to the one that was asked. ok is false if the record leads to another
// one than the question that is remembered. What comes together with its question is taken to be the
// answer to it.
func (c *chain) from(owner string, questions []string) (asked string, ok bool) {
	n := name.Clean(owner)
	for range maxLinks + 1 {
		if n != "" && slices.Contains(questions, n) {
			return n, true
		}
		i := slices.IndexFunc(c.links, func(l link) bool { return l.target == n })
		if i < 0 || n == "" {
			break
		}
		n = c.links[i].owner
	}
	if len(questions) > 0 {
		return questions[0], true
	}
	return n, c.asked == "" || c.asked == n
}

// dnsClient gives the end that asked. Up to version 2 that is the source of answers too, but for those of
// Suricata 4 and older ones; the server's port tells.
func (x *work) dnsClient(port uint16) netip.Addr {
	switch fromServer, toServer := x.SrcPort == port, x.DestPort == port; {
	case fromServer && !toServer:
		return x.Dest
	case toServer && !fromServer:
		return x.Src
	case x.DNS.Type == "response" && !x.has(eve.HasHTTP):
		return x.Dest
	}
	return x.Src
}
