package flows

import (
	"cmp"
	"encoding/binary"
	"slices"
	"unique"

	"weir/columns"
)

// tagSets keeps each set of tags once, counted by the flows that carry it: many flows carry the same.
type tagSets struct {
	sets  []tagSet // by number − 1
	byKey map[string]uint32
	free  []uint32
	// refused counts tags that a flow had no more room for.
	refused uint64
	// memory is an estimate of the bytes that the sets take; beyond limit, unless that is 0, there are no
	// new sets.
	memory, limit int64
}

// tagSet is sorted by column, end and value.
type tagSet struct {
	tags []columns.Tag
	key  string
	refs uint32
	// from is the first of the tags that were merged last and changed nothing. Tags never change once
	// sent, and most flows bring the same ones again and again.
	from *columns.Tag
}

const (
	// maxTags bounds the tags of a flow, maxValues those of them in one column, maxTagBytes a value.
	maxTags, maxValues, maxTagBytes = 64, 16, 4096
	// singleRoom is how many of the tags only columns with one value may take: peers choose how many hosts and
	// URLs a flow has, and must not keep it from getting a name that way.
	singleRoom = 24
	// tagSetCost is what a set takes beside its values: its record, map slot and slice header.
	tagSetCost = 160
	// tagShare is the part of a table's budget that tags may take: who sends names must not displace flows.
	tagShare = 2
)

func newTagSets(limit int64) tagSets { return tagSets{byKey: map[string]uint32{}, limit: limit} }

// get gives the tags of a set.
func (s *tagSets) get(n uint32) []columns.Tag {
	if n == 0 {
		return nil
	}
	return s.sets[n-1].tags
}

// knows says whether the tags were merged into the set last and changed nothing.
func (s *tagSets) knows(n uint32, tags []columns.Tag) bool {
	return n != 0 && s.sets[n-1].from == &tags[0]
}

// merge gives the set that a flow with the set n has once it also carries the tags, at least one. A
// value in a column that holds one replaces the one that was there.
func (s *tagSets) merge(n uint32, tags []columns.Tag) uint32 {
	if s.knows(n, tags) {
		return n
	}
	have := s.get(n)
	if !slices.ContainsFunc(tags, func(t columns.Tag) bool { return !slices.Contains(have, t) }) {
		s.sets[n-1].from = &tags[0]
		return n
	}
	want := slices.Clone(have)
	for _, t := range tags {
		want = s.put(want, t)
	}
	slices.SortFunc(want, compareTags)
	key := setKey(want)
	if _, known := s.byKey[string(key)]; !known && s.limit > 0 && s.memory > s.limit {
		s.refused += uint64(len(tags))
		return n
	}
	now := s.intern(want, key)
	s.release(n)
	return now
}

// hold counts one more user of a set, who releases it.
func (s *tagSets) hold(n uint32) {
	if n != 0 {
		s.sets[n-1].refs++
	}
}

// put adds one tag, or counts it as refused.
func (s *tagSets) put(set []columns.Tag, t columns.Tag) []columns.Tag {
	if t.Column == nil || t.Column.Derived || t.Value == "" || len(t.Value) > maxTagBytes {
		s.refused++
		return set
	}
	if slices.Contains(set, t) {
		return set
	}
	same := func(o columns.Tag) bool { return o.Column == t.Column && o.End == t.End }
	if !t.Column.Set {
		set = slices.DeleteFunc(set, same)
	}
	values := 0
	for _, o := range set {
		if same(o) {
			values++
		}
	}
	room := maxTags
	if t.Column.Set {
		room -= singleRoom
	}
	if len(set) >= room || values >= maxValues {
		s.refused++
		return set
	}
	t.Value = columns.Value(unique.Make(string(t.Value)).Value())
	return append(set, t)
}

func compareTags(a, b columns.Tag) int {
	return cmp.Or(
		cmp.Compare(a.Column.Index(), b.Column.Index()), cmp.Compare(a.End, b.End), cmp.Compare(a.Value, b.Value),
	)
}

// setKey is different for each set.
func setKey(tags []columns.Tag) (b []byte) {
	for _, t := range tags {
		b = binary.AppendUvarint(b, uint64(t.Column.Index())<<2|uint64(t.End)) //nolint:gosec // Never negative.
		b = binary.AppendUvarint(b, uint64(len(t.Value)))
		b = append(b, t.Value...)
	}
	return b
}

// intern gives the number of a set and counts one more flow that carries it.
func (s *tagSets) intern(tags []columns.Tag, b []byte) uint32 {
	if len(tags) == 0 {
		return 0
	}
	if n, ok := s.byKey[string(b)]; ok {
		s.sets[n-1].refs++
		return n
	}
	var n uint32
	if k := len(s.free); k > 0 {
		n, s.free = s.free[k-1], s.free[:k-1]
	} else {
		s.sets = append(s.sets, tagSet{})
		n = uint32(len(s.sets)) //nolint:gosec // Fewer than flows.
	}
	set := tagSet{tags: tags, key: string(b), refs: 1}
	s.sets[n-1] = set
	s.byKey[set.key] = n
	s.memory += set.cost()
	return n
}

func (s *tagSet) cost() int64 { return tagSetCost + 2*int64(len(s.key)) + 32*int64(len(s.tags)) }

// release says that a flow does not carry the set any more.
func (s *tagSets) release(n uint32) {
	if n == 0 {
		return
	}
	set := &s.sets[n-1]
	if set.refs--; set.refs > 0 {
		return
	}
	s.memory -= set.cost()
	delete(s.byKey, set.key)
	*set = tagSet{}
	s.free = append(s.free, n)
}
