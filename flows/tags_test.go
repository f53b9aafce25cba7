package flows

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/columns"
	"weir/messages"
)

// tag applies tags to a flow by its key.
func (b *bench) tag(first, second string, tags ...columns.Tag) {
	k, swapped := messages.MakeKey(6, 0, end(first), end(second))
	if swapped { // The tags of the first end are given as EndA.
		tags = turn(tags, true)
	}
	u := messages.Update{Key: k, Hash: k.Hash(seed)}
	m := messages.NewBatch()
	m.Source = "watcher"
	m.Add(&u, nil, tags)
	b.tab.Apply(m)
}

func TestTagsComeBeforeDuringAndAfterTheFlow(t *testing.T) {
	b := newBench(t, nil)
	b.tag(client, server, text.Tag("before"), textEnd.Tag(columns.EndA, "mine"), textEnd.Tag(columns.EndB, "theirs"))
	b.snapshot(flowOf(client, server, time.Second, 10, 20))
	p := b.close()
	want(t, p, 10, 20, 1, 0)
	for column, text := range map[string]string{
		"flows_test.text": "before", "local.flows_test.end": "mine", "remote.flows_test.end": "theirs",
	} {
		if got := cell(t, p, column); got != text {
			t.Errorf("%s = %q, want %q", column, got, text)
		}
	}
	b.events(ended(flowOf(client, server, time.Second, 15, 20)))
	b.tag(server, client, text.Tag("after"), textEnd.Tag(columns.EndA, "also theirs"))
	p = b.close()
	if got := cell(t, p, "flows_test.text"); got != "after" {
		t.Errorf("text = %q, want the newer one", got)
	}
	if got := cell(t, p, "remote.flows_test.end"); got != "also theirs,theirs" {
		t.Errorf("remote end = %q, want both", got)
	}
}

func TestTagsAreBounded(t *testing.T) {
	b := newBench(t, nil)
	b.snapshot(flowOf(client, server, time.Second, 10, 20))
	for i := range 2 * maxValues {
		b.tag(client, server, textEnd.Tag(columns.EndA, strconv.Itoa(i)))
	}
	b.tag(client, server, text.Tag(strings.Repeat("x", maxTagBytes+1)))
	if got := strings.Count(cell(t, b.close(), "local.flows_test.end"), ","); got != maxValues-1 {
		t.Errorf("%d values, want %d", got+1, maxValues)
	}
	if s := b.tab.Stats(); s.TagsRefused != maxValues+1 {
		t.Errorf("%d tags refused, want %d", s.TagsRefused, maxValues+1)
	}
}

func TestTagSetsAreSharedAndFreed(t *testing.T) {
	s := newTagSets()
	a := s.merge(0, []columns.Tag{text.Tag("a"), textEnd.Tag(columns.EndA, "x")})
	b := s.merge(0, []columns.Tag{textEnd.Tag(columns.EndA, "x"), text.Tag("a")})
	if a != b {
		t.Errorf("sets %d and %d, want one", a, b)
	}
	if c := s.merge(a, []columns.Tag{text.Tag("a")}); c != a {
		t.Errorf("adding what is there made set %d of %d", c, a)
	}
	if c := s.merge(a, []columns.Tag{text.Tag("b")}); c == a || len(s.get(c)) != 2 {
		t.Errorf("another value in a single column: set %d, tags %v", c, s.get(c))
	}
	s.release(b)
	s.release(2)
	if s.memory != 0 || len(s.byKey) != 0 {
		t.Errorf("%d bytes and %d sets left", s.memory, len(s.byKey))
	}
}

func TestAliasFindsTheFlowInAnotherShard(t *testing.T) {
	const shards = 4
	tables := make([]*Table, shards)
	for i := range tables {
		tables[i] = NewTable(Options{
			Shard: i, Shards: shards, Seed: seed, Home: home, CountsSince: born,
			Send: func(shard int, m any) bool {
				switch m := m.(type) {
				case *messages.LearnAliases:
					tables[shard].LearnAliases(m)
				case *messages.Batch:
					tables[shard].Apply(m)
				}
				return true
			},
		})
	}
	to := func(u *messages.Update, alias *messages.Key, tags ...columns.Tag) {
		u.Hash = u.Key.Hash(seed)
		m := messages.NewBatch()
		m.Add(u, alias, tags)
		tables[ShardOf(u.Hash, shards)].Apply(m)
	}
	for i := range uint16(50) {
		u := flowOf(client, server, time.Second, 100, 900)
		u.Key.A.Port += i // Other flows, other shards.
		wan, swapped := messages.MakeKey(6, 0, end(server), messages.MakeEnd(end("203.0.113.1:0").IP(), 20000+i))
		if swapped {
			u.Flags |= messages.ResponderAliasB
		}
		to(&u, &wan)
		serverEnd := columns.EndA
		if swapped {
			serverEnd = columns.EndB
		}
		to(&messages.Update{Key: wan}, nil, text.Tag("seen outside"), textEnd.Tag(serverEnd, "the server"))
	}
	tagged, rows := 0, 0
	for _, tab := range tables {
		p := tab.Close(&messages.CloseSlice{Seq: 1})
		rows += p.Rows.Len()
		for _, c := range p.Rows.Cells {
			if c.Column.Name == "remote.flows_test.end" || c.Column.Name == "flows_test.text" {
				for _, id := range c.IDs {
					if c.Dict[id] != "" {
						tagged++
					}
				}
			}
		}
	}
	if rows != 50 || tagged != 100 {
		t.Errorf("%d rows with %d tags, want 50 with 100", rows, tagged)
	}
	for range graceSlices + vanishAfter + limboSlices + 5 { // Every flow vanishes and is forgotten.
		for _, tab := range tables {
			done := messages.SnapshotTaken{Seq: tab.open, Complete: true}
			tab.Close(&messages.CloseSlice{Seq: tab.open, Snapshots: []messages.SnapshotTaken{done}})
		}
	}
	for _, tab := range tables {
		if len(tab.aliases.owner) != 0 || tab.arena.used != 0 {
			t.Errorf("shard %d keeps %d aliases and %d flows", tab.opt.Shard, len(tab.aliases.owner), tab.arena.used)
		}
	}
}
