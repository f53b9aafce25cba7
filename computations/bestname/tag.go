package bestname

import (
	"slices"

	"weir/columns"
	"weir/columns/name"
	"weir/computations"
	"weir/messages"
)

const (
	// maxAll bounds the names of an end that are told; tables hold no more.
	maxAll = 16
	// maxTagSets bounds how many sets of tags are kept to be given out again; one takes about half a kilobyte.
	maxTagSets = 4096
)

// tagSets are the tags that were given out of late. Many flows get the same ones, and a table knows by their
// place in memory that they are the same.
type tagSets map[tagKey]tagSet

type tagKey struct {
	end    columns.KeyEnd
	choice choice
}

type tagSet struct {
	tags []columns.Tag
	// site says whether one of them is a site.
	site bool
}

// of gives the tags that say a choice.
func (s tagSets) of(end columns.KeyEnd, n choice) tagSet {
	k := tagKey{end: end, choice: n}
	if set, ok := s[k]; ok {
		return set
	}
	tags := make([]columns.Tag, 0, 5)
	if n.name != "" {
		tags = append(tags, name.Columns.Tag(end, n.name), name.Source.Tag(end, n.by), name.Sure.Tag(end, n.sure),
			name.All.Tag(end, n.raw))
	}
	site := n.belongsTo()
	if site != "" {
		tags = append(tags, name.Site.Tag(end, site))
	}
	if len(s) >= maxTagSets {
		clear(s)
	}
	s[k] = tagSet{tags: tags, site: site != ""}
	return s[k]
}

// named says whether the end that was called has a name, as far as it matters to questions: what nobody
// asked for may get a better one.
func named(e *messages.Event) bool {
	end, _ := e.Responder()
	for i := range e.Tags {
		t := &e.Tags[i]
		if t.Column == name.Source.Local && t.End == end {
			by := evidence(word(t.Value))
			return by != name.PTR && by != name.CN
		}
	}
	return false
}

// tag says what is chosen for an end, if that is news.
func (c *computation) tag(s *subject, n *end, best choice, out computations.Out) {
	if best.name == "" && best.site == "" || c.keeps(s, n, &best) {
		return
	}
	set := c.tags.of(n.key, best)
	if !set.site && n.has.site != "" {
		// The one that the end has belongs to another name, and nothing can be untold.
		best.site = best.name
		set = c.tags.of(n.key, best)
	}
	tags := set.tags
	if n == &s.responder {
		tags = withOthers(s, n, best.raw, tags)
	}
	if !c.news(s, n, tags) {
		return
	}
	if best.name != "" && n.has.name != columns.Value(best.name) {
		c.counts.named[best.by]++
		if n.has.name != "" {
			c.counts.renamed++
		}
	}
	c.counts.tagged++
	out.Tag(s.event, tags)
}

// withOthers adds the names that the client gave the server, other than the one that is told.
func withOthers(s *subject, n *end, told string, tags []columns.Tag) []columns.Tag {
	shared := true
	for i := range len(s.hosts) + 1 {
		raw := s.sni
		if i > 0 {
			raw = s.hosts[i-1]
		}
		host, _ := asName(raw)
		if host == "" || host == told {
			continue
		}
		t := name.All.Tag(n.key, host)
		if slices.Contains(tags, t) {
			continue
		}
		if shared {
			tags, shared = slices.Clone(tags), false
		}
		tags = append(tags, t)
	}
	return tags
}

// news says whether there is a tag among them that the flow does not carry yet and has room for.
func (c *computation) news(s *subject, n *end, tags []columns.Tag) bool {
	for _, t := range tags {
		full := t.Column == name.All.Local && n.has.all >= maxAll
		if !full && !slices.Contains(s.event.Tags, t) {
			return true
		}
	}
	return false
}

// keeps says whether an end is better left as it is. What is known only ever grows, but for what is forgotten
// over budget or in a restart: then the name that a flow has may rest on more than what is known now.
func (c *computation) keeps(s *subject, n *end, best *choice) bool {
	if n.has.name == "" || columns.Value(best.name) == n.has.name {
		return false
	}
	if best.name == "" {
		return true
	}
	if s.event.Start == 0 && n.has.by == name.DNS && best.by == name.DNS && best.sure <= n.has.sure {
		return true // It is not known what was asked before the flow began: what was found first counts.
	}
	if strength(best.by, best.sure) >= strength(n.has.by, n.has.sure) || c.known(n) {
		return false
	}
	c.counts.kept++
	return true
}

// strength orders names by what they rest on, roughly: a flow does not tell more of the name that it has.
func strength(by evidence, sure name.Certainty) int {
	switch by {
	case name.DHCP, name.MDNS, name.Host:
		return 20 - int(by)
	case name.PTR:
		return 1
	default:
		return int(sure)*4 - min(int(by), int(name.DNS))/2
	}
}

// known says whether the evidence is still there on which the name rests that an end has.
func (c *computation) known(n *end) bool {
	switch n.has.by {
	case name.DNS:
		return c.knownAsked(n)
	case name.PTR, name.DHCP, name.MDNS, name.Host:
		return c.knownTold(n)
	default:
		return true // The flow carries it itself.
	}
}

func (c *computation) knownAsked(n *end) bool {
	for _, a := range [...][16]byte{n.dialled.As16(), n.addr.As16()} {
		for e := range c.cache.groupOf(groupKey{kind: asked, addr: a}) {
			if c.hasName(e, n.has.name) {
				return true
			}
		}
	}
	return false
}

func (c *computation) knownTold(n *end) bool {
	for _, a := range c.siblings(n.addr) {
		for _, k := range [...]entryKey{reversedKey(a), deviceKey(a)} {
			if e := c.cache.get(k); e != nil && c.hasName(e, n.has.name) {
				return true
			}
		}
	}
	return false
}

// hasName says whether an entry holds a name, as the rules have it.
func (c *computation) hasName(e *entry, n columns.Value) bool {
	return slices.ContainsFunc(e.items, func(i item) bool {
		to := c.rules.find(i.name)
		return string(n) == i.name || string(n) == to.name
	})
}
