package bestname

import (
	"cmp"
	"net/netip"
	"strings"
	"time"

	"weir/columns/name"
)

// The times by which a question belongs to a flow.
const (
	// slack is how long after the start of a flow an answer may seem to have come: two clocks tell the times.
	slack = 2 * time.Second
	// justBefore is how long before a flow a question is so near that it is surely the flow's, unless others
	// are as near.
	justBefore = 10 * time.Second
)

// choice is a name for an end. It is none if name and site are empty.
type choice struct {
	raw  string // as it was told
	name string // as the rules have it
	// site is empty if it follows from the name.
	site string
	by   evidence
	sure name.Certainty
}

// belongsTo gives the site of a choice, empty if there is none.
func (n *choice) belongsTo() string {
	switch {
	case n.site != "":
		return n.site
	case n.name != n.raw:
		// Whoever wrote the rule wants these hosts to be one thing.
		return cmp.Or(siteOf(n.name), n.name)
	default:
		return siteOf(n.name)
	}
}

// ranking looks for the best name of one end. docs/names.md has the order and its reasons.
type ranking struct {
	c    *computation
	s    *subject
	end  *end
	best choice
	// vague is the first name that tells nothing of the service.
	vague choice
	// own, others and late are names that were asked for its addresses: by the client itself, by anyone, and
	// by anyone after the flow had begun. stale is what the client asked last, but too long ago.
	own, others, late []candidate
	stale             candidate
}

// about begins a new ranking; it keeps the memory of the last one.
func (r *ranking) about(s *subject, n *end) *ranking {
	*r = ranking{c: r.c, s: s, end: n, own: r.own[:0], others: r.others[:0], late: r.late[:0]}
	return r
}

// candidate is one of several names.
type candidate struct {
	raw, name string
	at        int64
	vague     bool
}

// responder finds the name of the end that was called.
func (r *ranking) responder() choice {
	switch {
	case r.device():
	case r.handshake():
	case r.requests():
	case r.askedItself():
	case r.certificate():
	case r.askedLongAgo():
	case r.askedByOthers():
	case r.askedLater():
	case r.wildcard():
	case r.asBefore():
	case r.reverse():
	case r.vague.name != "":
		r.best = r.vague
	case r.shortest():
	default:
		r.siteAlone()
	}
	return r.best
}

// initiator finds the name of the end that called.
func (r *ranking) initiator() choice {
	switch {
	case r.device():
	case r.reverse():
	case r.vague.name != "":
		r.best = r.vague
	}
	return r.best
}

// offer takes a name, unless it is none or tells nothing.
func (r *ranking) offer(raw string, by evidence, sure name.Certainty, vague bool) bool {
	if raw == "" {
		return false
	}
	to := r.c.rules.find(raw)
	n := choice{raw: raw, name: cmp.Or(to.name, raw), by: by, sure: sure}
	if !vague && !to.vague {
		r.best = n
		return true
	}
	if r.vague.name == "" {
		n.sure = name.Guess
		r.vague = n
	}
	return false
}

// device: what is at home is known by what it calls itself.
func (r *ranking) device() bool {
	if !r.end.home {
		return false
	}
	var best, own item
	for n, a := range r.c.siblings(r.end.addr) {
		e := r.c.cache.get(deviceKey(a))
		if e == nil {
			continue
		}
		i := e.called()
		if n == 0 {
			own = i
		}
		if i.name != "" && (best.name == "" || i.before(&best)) {
			best = i
		}
	}
	// Two devices may seem to be one, behind a repeater.
	if own.name != "" && own.by <= best.by {
		best = own
	}
	return r.offer(best.name, best.by, name.Likely, false)
}

// before says whether a name of a device is better than another one: by what told it, then the later one.
func (i *item) before(o *item) bool {
	return cmp.Or(cmp.Compare(i.by, o.by), cmp.Compare(o.at, i.at), strings.Compare(i.name, o.name)) < 0
}

// handshake: the client named the server to the server.
func (r *ranking) handshake() bool {
	n, dotted := asName(r.s.sni)
	by := name.SNI
	if r.s.quic {
		by = name.QUIC
	}
	return r.offer(n, by, name.Certain, !dotted && !r.end.home)
}

// requests: the client named the server in each request. Of several the one that the flow is known by stays.
func (r *ranking) requests() bool {
	sure := name.Certain
	if r.s.via {
		sure = name.Likely // The flow leads to a proxy.
	}
	if r.end.has.by == name.HTTP {
		for _, h := range r.s.hosts {
			n, dotted := asName(h)
			to := r.c.rules.find(n)
			if n != "" && string(r.end.has.name) == cmp.Or(to.name, n) && (dotted || r.end.home) && !to.vague {
				return r.offer(n, name.HTTP, sure, false)
			}
		}
	}
	for _, h := range r.s.hosts {
		if n, dotted := asName(h); r.offer(n, name.HTTP, sure, !dotted && !r.end.home) {
			return true
		}
	}
	return false
}

// certificate: the server's own name for itself.
func (r *ranking) certificate() bool {
	n, dotted := asName(r.s.cn)
	return dotted && hostname(n) && r.offer(n, name.CN, name.Likely, false)
}

// wildcard: the certificate is for all hosts of a domain.
func (r *ranking) wildcard() bool {
	domain, ok := strings.CutPrefix(r.s.cn, "*.")
	return ok && hostname(domain) && strings.Contains(domain, ".") && r.offer(domain, name.CN, name.Guess, false)
}

// reverse: what the owner of the address calls it. At home that is the resolver of the home.
func (r *ranking) reverse() bool {
	sure := name.Guess
	if r.end.home {
		sure = name.Likely
	}
	for _, a := range [...]netip.Addr{r.end.addr, r.end.dialled} {
		e := r.c.cache.get(reversedKey(a))
		if e != nil && r.offer(e.latest(), name.PTR, sure, false) {
			return true
		}
	}
	return false
}

// many are names of which each fits as well as any other.
func (r *ranking) many() []candidate {
	if len(r.others) > 0 {
		return r.others
	}
	return r.late
}

// asBefore: when the end got its name from an answer nobody knew that others fit as well. A name cannot be
// taken back, but it is a guess now.
func (r *ranking) asBefore() bool {
	if r.end.has.by != name.DNS {
		return false
	}
	for _, n := range r.many() {
		if n.name == string(r.end.has.name) {
			return r.offer(n.raw, name.DNS, name.Guess, n.vague)
		}
	}
	return false
}

// siteAlone: several names fit, but all belong to one site.
func (r *ranking) siteAlone() {
	if many := r.many(); len(many) > 1 {
		r.c.counts.ambiguous++
		r.best.site = commonSite(many)
	}
}

// shortest: the last resort, if it is wanted.
func (r *ranking) shortest() bool {
	if r.c.config.Heuristic != HeuristicShortest {
		return false
	}
	var best candidate
	for _, n := range r.many() {
		if best.name == "" || cmp.Or(cmp.Compare(len(n.name), len(best.name)), strings.Compare(n.name, best.name)) < 0 {
			best = n
		}
	}
	return r.offer(best.raw, name.DNS, name.Guess, best.vague)
}
