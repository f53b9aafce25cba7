package bestname

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"weir/columns/name"
)

// askedItself: what the client itself asked last before the flow began, if the answer still held.
func (r *ranking) askedItself() bool {
	r.gather()
	own := r.narrow(r.own)
	if len(own) == 0 {
		return false
	}
	return r.offer(own[0].raw, name.DNS, r.surety(own), own[0].vague)
}

// surety says how sure the first of several names is, which was asked last.
func (r *ranking) surety(own []candidate) name.Certainty {
	if len(own) == 1 || commonSite(own) != "" {
		return name.Likely
	}
	near := r.s.start - int64(justBefore)
	if own[0].at >= near && own[1].at < near {
		return name.Likely
	}
	return name.Guess
}

// askedLongAgo: the answer did not hold any more, but programs keep addresses for longer than they should. It
// is sure if others were told the same since, and nothing else.
func (r *ranking) askedLongAgo() bool {
	sure := name.Guess
	r.others = r.narrow(r.others)
	if len(r.others) == 1 && r.others[0].name == r.stale.name {
		sure = name.Likely
	}
	return r.offer(r.stale.raw, name.DNS, sure, r.stale.vague)
}

// askedByOthers: what others asked says something if all asked the same.
func (r *ranking) askedByOthers() bool {
	return len(r.others) == 1 && r.offer(r.others[0].raw, name.DNS, name.Likely, r.others[0].vague)
}

// askedLater: nobody had asked before the flow began. It may be older than we are.
func (r *ranking) askedLater() bool {
	if len(r.others) > 0 {
		return false
	}
	r.late = r.narrow(r.late)
	return len(r.late) == 1 && r.offer(r.late[0].raw, name.DNS, name.Guess, r.late[0].vague)
}

// gather looks up who asked what for the addresses of the end. What was dialled is what was asked, so that
// the real address matters only if nobody asked for that.
func (r *ranking) gather() {
	clients := r.c.siblings(r.s.initiator.addr)
	for _, a := range [...]netip.Addr{r.end.dialled, r.end.addr} {
		for _, client := range clients {
			if e := r.c.cache.get(askedKey(client, a)); e != nil {
				r.gatherOwn(e)
			}
		}
		if len(r.own) > 0 {
			return
		}
	}
	for _, a := range [...]netip.Addr{r.end.dialled, r.end.addr} {
		for e := range r.c.cache.groupOf(groupKey{kind: asked, addr: a.As16()}) {
			if r.gatherAll(e); len(r.others) >= maxCandidates {
				break
			}
		}
		if len(r.others)+len(r.late) > 0 {
			return
		}
	}
}

func (r *ranking) gatherOwn(e *entry) {
	for i := range e.items {
		n := &e.items[i]
		switch {
		case n.at > r.s.start+int64(slack):
		case n.until >= r.s.start:
			r.own = r.note(r.own, n)
		default:
			if r.stale.raw == "" || cmp.Or(cmp.Compare(r.stale.at, n.at), strings.Compare(n.name, r.stale.raw)) < 0 {
				r.stale = r.candidate(n)
			}
		}
	}
}

// maxCandidates bounds the names that many clients asked for one address: of so many none is better than the others,
// and whoever asks for thousands must not make each flow to the address expensive.
const maxCandidates = 32

func (r *ranking) gatherAll(e *entry) {
	for i := range e.items {
		n := &e.items[i]
		switch {
		case n.at > r.s.start+int64(slack):
			if len(r.late) < maxCandidates {
				r.late = r.note(r.late, n)
			}
		case n.until >= r.s.start:
			r.others = r.note(r.others, n)
		}
	}
}

func (r *ranking) candidate(n *item) candidate {
	to := r.c.rules.find(n.name)
	return candidate{raw: n.name, name: cmp.Or(to.name, n.name), at: n.at, vague: to.vague}
}

// note adds a name to others; of the same name it keeps the last time.
func (r *ranking) note(list []candidate, n *item) []candidate {
	for i := range list {
		if o := &list[i]; o.raw == n.name {
			o.at = max(o.at, n.at)
			return list
		}
	}
	c := r.candidate(n)
	for i := range list {
		o := &list[i]
		if o.name != c.name {
			continue
		}
		if cmp.Or(cmp.Compare(o.at, c.at), strings.Compare(c.raw, o.raw)) < 0 {
			*o = c
		}
		return list
	}
	return append(list, c)
}

// narrow leaves out names that tell nothing, if there are others, and names for which the certificate of the
// server was not made, if it was made for others. What was asked last comes first.
func (r *ranking) narrow(list []candidate) []candidate {
	list = prefer(list, func(n *candidate) bool { return !n.vague })
	if r.s.cn != "" {
		list = prefer(list, func(n *candidate) bool { return covers(r.s.cn, n.raw) })
	}
	slices.SortFunc(list, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.at, a.at), strings.Compare(a.name, b.name))
	})
	return list
}

// prefer leaves those that are good, or all if none is.
func prefer(list []candidate, good func(*candidate) bool) []candidate {
	if len(list) < 2 || !slices.ContainsFunc(list, func(n candidate) bool { return good(&n) }) {
		return list
	}
	return slices.DeleteFunc(list, func(n candidate) bool { return !good(&n) })
}

// commonSite gives the site to which all names belong, empty if there is none.
func commonSite(list []candidate) string {
	site := siteOf(list[0].name)
	for i := range list[1:] {
		if site == "" || siteOf(list[i+1].name) != site {
			return ""
		}
	}
	return site
}
