package translate

import (
	"hash/maphash"
	"slices"

	"weir/columns"
	"weir/columns/app"
	"weir/columns/name"
	"weir/columns/text"
)

const (
	// maxMade bounds the tags that are made only once, and maxKept the texts of which such a tag is made.
	maxMade, maxKept = 4096, 256
	// maxSets bounds the sets of tags that are made only once, and maxSetBytes the texts in such a set: one with more,
	// such as a long URL, hardly ever comes again.
	maxSets, maxSetBytes = 4096, 512
	// maxValues bounds the values that one event may give a column: what a flow keeps in one is twice that.
	maxValues = 8
)

// tagger gathers the tags of one event. It makes tags and whole sets of them once for as long as it remembers
// them, because most events say what others said: that spares memory, and tells the table of flows at a
// glance that nothing is new. Peers choose most texts, so what it remembers is bounded; it then begins anew.
type tagger struct {
	seed maphash.Seed
	made map[tagID]madeTag
	sets map[uint64][]columns.Tag
	// tags are those of the event at work; app says that one of them is its application.
	tags []madeTag
	app  bool
	// excess counts values of the event that were too many.
	excess uint64
}

// tagID is what a tag is made of.
type tagID struct {
	column *columns.Column
	end    columns.KeyEnd
	number uint64
	text   string
}

type madeTag struct {
	columns.Tag
	hash uint64
}

func newTagger() tagger {
	return tagger{seed: maphash.MakeSeed(), made: map[tagID]madeTag{}, sets: map[uint64][]columns.Tag{}}
}

func (g *tagger) begin() { g.tags, g.app, g.excess = g.tags[:0], false, 0 }

func (g *tagger) none() bool { return len(g.tags) == 0 }

// name adds a host name.
func (g *tagger) name(h columns.Handle[string], raw string) {
	if !public(raw) {
		return
	}
	id := tagID{column: h.Column, text: raw}
	if !g.known(id) {
		g.add(id, h.Tag(name.Clean(raw)))
	}
}

// text adds another text, of at most so many bytes.
func (g *tagger) text(h columns.Handle[string], raw string, most int) {
	id := tagID{column: h.Column, text: raw}
	if !g.known(id) {
		g.add(id, h.Tag(text.Clean(raw, most)))
	}
}

// number adds a number.
func number[T ~uint8 | ~uint16 | ~uint32](g *tagger, h columns.Handle[T], v T) {
	id := tagID{column: h.Column, number: uint64(v)}
	if !g.known(id) {
		g.add(id, h.Tag(v))
	}
}

// mac adds the hardware address of an end.
func (g *tagger) mac(h columns.EndpointHandle[[6]byte], end columns.KeyEnd, v [6]byte) {
	id := tagID{column: h.Local, end: end}
	for _, b := range v {
		id.number = id.number<<8 | uint64(b)
	}
	if !g.known(id) {
		g.add(id, h.Tag(end, v))
	}
}

// known adds the tag if it was made before, or says no.
func (g *tagger) known(id tagID) bool {
	if id.text == "" && id.number == 0 && id.column.Type == "text" {
		return true // An empty text tags nothing.
	}
	m, ok := g.made[id]
	if ok {
		g.put(m)
	}
	return ok
}

func (g *tagger) add(id tagID, tag columns.Tag) {
	m := madeTag{Tag: tag, hash: maphash.Comparable(g.seed, tag)}
	if len(id.text) <= maxKept {
		if len(g.made) >= maxMade {
			clear(g.made)
		}
		g.made[id] = m
	}
	g.put(m)
}

// put adds a tag to the event, unless it has it or it tags nothing.
func (g *tagger) put(m madeTag) {
	if m.Value == "" || slices.Contains(g.tags, m) {
		return
	}
	g.tags = append(g.tags, m)
}

// application adds the protocol that the flow speaks, under one name for all versions of Suricata. The first
// one of an event stays.
func (g *tagger) application(raw string) {
	if !g.app {
		g.app = g.protocol(app.Column, raw)
	}
}

func (g *tagger) protocol(h columns.Handle[string], raw string) bool {
	switch raw {
	case "", "failed", "unknown":
		return false
	case "ikev1", "ikev2":
		raw = "ike"
	case "bittorrent_dht":
		raw = "bittorrent-dht"
	case "ftp_data":
		raw = "ftp-data"
	}
	g.text(h, raw, maxWord)
	return true
}

// set gives the tags of the event as a slice that never changes.
func (g *tagger) set() []columns.Tag {
	if len(g.tags) == 0 {
		return nil
	}
	var hash uint64
	for _, m := range g.tags {
		hash = hash*0x9e3779b97f4a7c15 ^ m.hash
	}
	if s, ok := g.sets[hash]; ok && slices.EqualFunc(s, g.tags, same) {
		return s
	}
	s, bytes := make([]columns.Tag, len(g.tags)), 0
	for i, m := range g.tags {
		s[i] = m.Tag
		bytes += len(m.Value)
	}
	if bytes > maxSetBytes {
		return s
	}
	if len(g.sets) >= maxSets {
		clear(g.sets)
	}
	g.sets[hash] = s
	return s
}

func same(t columns.Tag, m madeTag) bool { return t == m.Tag }
