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
	s := newTagSets(0)
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

// Who sends names cannot make a table larger than its budget.
func TestTagsStayInTheBudget(t *testing.T) {
	const budget, flows = 1 << 20, 100
	b := newBench(t, func(o *Options) { o.Budget = budget })
	for i := range flows {
		b.snapshot(nth(i, 100))
		for j := range maxValues {
			u := nth(i, 0)
			v := strings.Repeat("x", maxTagBytes-10) + strconv.Itoa(i*maxValues+j)
			u = messages.Update{Key: u.Key, Hash: u.Key.Hash(seed)}
			m := messages.NewBatch()
			m.Add(&u, nil, []columns.Tag{textEnd.Tag(columns.EndA, v)})
			b.tab.Apply(m)
		}
	}
	if c := b.tab.cost(); c > budget {
		t.Errorf("cost %d over the budget of %d", c, budget)
	}
	if s := b.tab.Stats(); s.TagsRefused == 0 || s.FoldedTotal != 0 {
		t.Errorf("%d tags refused, %d flows folded", s.TagsRefused, s.FoldedTotal)
	}
	want(t, b.close(), 100*flows, 0, flows, 0)
}

// natted is a flow behind NAT with its alias.
func natted(port int) (u messages.Update, alias messages.Key) {
	u = flowOf("192.168.1.2:"+strconv.Itoa(port), server, time.Second, 10, 10)
	alias, _ = messages.MakeKey(6, 0, end("203.0.113.1:"+strconv.Itoa(port)), end(server))
	u.Hash = u.Key.Hash(seed)
	return u, alias
}

// A shard that was too busy to hear that aliases are gone hears it later.
func TestAliasesThatAreGoneAreForgotten(t *testing.T) {
	var full bool
	var tables [2]*Table
	for i := range tables {
		tables[i] = NewTable(Options{
			Shard: i, Shards: 2, Seed: seed, Home: home, CountsSince: born,
			Send: func(shard int, m any) bool {
				if l, ok := m.(*messages.LearnAliases); ok && !full {
					tables[shard].LearnAliases(l)
				}
				return !full
			},
		})
	}
	for port := 1000; port < 1500; port++ {
		u, alias := natted(port)
		u.Status = messages.Ended
		m := messages.NewBatch()
		m.Add(&u, &alias, nil)
		tables[ShardOf(u.Hash, 2)].Apply(m)
	}
	if n := len(tables[0].aliases.owner) + len(tables[1].aliases.owner); n != 500 {
		t.Fatalf("%d aliases, want 500", n)
	}
	for seq := uint64(1); seq < graceSlices+5; seq++ {
		full = seq < graceSlices+3
		for _, tab := range tables {
			tab.Close(&messages.CloseSlice{Seq: seq})
		}
	}
	for i, tab := range tables {
		if n := len(tab.aliases.owner); n > 0 {
			t.Errorf("shard %d still knows %d aliases of flows that are gone", i, n)
		}
	}
}

// Should the news be lost for good, the aliases stay in the budget.
func TestAliasesStayInTheBudget(t *testing.T) {
	const budget = 100 * ownerShare * aliasCost / 2
	tab := NewTable(Options{Shards: 1, Seed: seed, Home: home, CountsSince: born, Budget: budget})
	for port := 1000; port < 1300; port++ {
		u, alias := natted(port)
		tab.LearnAliases(&messages.LearnAliases{Aliases: []messages.Alias{{Key: alias, Owner: u.Key}}})
	}
	if n := len(tab.aliases.owner); n != 100 || tab.Stats().AliasesEvicted != 200 {
		t.Errorf("%d aliases, %d evicted", n, tab.Stats().AliasesEvicted)
	}
}

// Only updates that bring bytes are missed if their alias is not known any more.
func TestADeltaForNobodyIsTold(t *testing.T) {
	for kind, missed := range map[messages.CounterKind]uint64{messages.Delta: 1, messages.NoCounters: 0} {
		b := newBench(t, nil)
		u, alias := natted(1000)
		m := messages.NewBatch()
		m.Add(&messages.Update{Key: alias, Hash: u.Hash, Kind: kind, Counters: u.Counters}, nil, nil)
		b.tab.Apply(m)
		if p := b.close(); loss(p, messages.LossShed) != missed || b.tab.Stats().AliasMisses != 1 {
			t.Errorf("kind %d: losses %v", kind, p.Losses)
		}
	}
}

// However many values the peers make a flow have, there is room for what others say of it.
func TestSetsLeaveRoomForTheRest(t *testing.T) {
	s := newTagSets(0)
	set := uint32(0)
	for i := range maxTags {
		for _, h := range []columns.EndpointHandle[string]{textEnd, otherEnd} {
			for _, at := range []columns.KeyEnd{columns.EndA, columns.EndB} {
				set = s.merge(set, []columns.Tag{h.Tag(at, strconv.Itoa(i))})
			}
		}
	}
	if n := len(s.get(set)); n != maxTags-singleRoom {
		t.Errorf("%d tags", n)
	}
	if set = s.merge(set, []columns.Tag{text.Tag("x")}); len(s.get(set)) != maxTags-singleRoom+1 {
		t.Errorf("there is no room for another column: %v", s.get(set))
	}
}
