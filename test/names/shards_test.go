package names_test

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"

	"weir/columns"
	"weir/flows"
	"weir/messages"
)

const (
	seed  = 42
	slice = 10 * time.Second
)

// incarnation names a flow of the kernel.
type incarnation struct {
	key   messages.Key
	start int64
}

// shards are tables of flows that share the load, and what is known of their flows.
type shards struct {
	t      *testing.T
	tables []*flows.Table
	open   []*messages.Batch // by shard
	source string
	// posts are messages from shard to shard that have not arrived.
	posts []post
	seq   uint64
	begun time.Time // of the open slice
	// named is the last event of each flow, by Rows.Flow.
	named map[uint64]messages.Event
	total messages.Totals
	facts []messages.Fact
}

type post struct {
	shard   int
	message any
}

func newShards(t *testing.T, n int, begun time.Time) *shards {
	t.Helper()
	s := &shards{
		t: t, open: make([]*messages.Batch, n), seq: 1, begun: begun, named: map[uint64]messages.Event{},
	}
	home := flows.NewHome(
		[]netip.Prefix{netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("fd00::/16")},
		[]netip.Addr{netip.MustParseAddr("192.168.1.1"), netip.MustParseAddr("203.0.113.2")},
	)
	for i := range n {
		s.tables = append(s.tables, flows.NewTable(flows.Options{
			Shard: i, Shards: n, Seed: seed, Home: home, CountsSince: begun, Events: true,
			Send: func(shard int, m any) bool {
				s.posts = append(s.posts, post{shard, m})
				return true
			},
		}))
	}
	return s
}

// from says whose updates follow.
func (s *shards) from(source string) *shards {
	s.source = source
	return s
}

// Add, Tell, Flush and Snapshot make it a sources.Writer.
func (s *shards) Add(_ context.Context, u *messages.Update, alias *messages.Key, tags []columns.Tag) error {
	hash := u.Key.Hash(seed)
	to := flows.ShardOf(hash, len(s.tables))
	if s.open[to] == nil {
		s.open[to] = messages.NewBatch()
		s.open[to].Source = s.source
	}
	b := s.open[to]
	b.Add(u, alias, tags)
	b.Updates[len(b.Updates)-1].Hash = hash
	if b.Full() {
		return s.Flush(s.t.Context())
	}
	return nil
}

func (s *shards) Tell(_ context.Context, f *messages.Fact) error {
	s.facts = append(s.facts, *f)
	return nil
}

func (*shards) Snapshot(uint64) {}

func (s *shards) Flush(context.Context) error {
	for i, b := range s.open {
		if b != nil {
			s.open[i] = nil
			s.tables[i].Apply(b)
			b.Release()
		}
	}
	s.deliver()
	return nil
}

// deliver lets the posts between the shards arrive, and those that they lead to.
func (s *shards) deliver() {
	for len(s.posts) > 0 {
		p := s.posts[0]
		s.posts = s.posts[1:]
		switch m := p.message.(type) {
		case *messages.LearnAliases:
			s.tables[p.shard].LearnAliases(m)
		case *messages.Batch:
			s.tables[p.shard].Apply(m)
			m.Release()
		default:
			s.t.Fatalf("a post of another kind: %T", m)
		}
	}
}

// close ends the open slice as the slicer does.
func (s *shards) close() {
	if err := s.Flush(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	end := s.begun.Add(slice)
	for _, table := range s.tables {
		for _, e := range table.TakeEvents(table.Pending()) {
			s.named[e.Flow] = e
		}
		part := table.Close(&messages.CloseSlice{
			Seq: s.seq, Span: messages.Span{Start: s.begun, End: end},
			Snapshots: []messages.SnapshotTaken{{Seq: s.seq, Source: "conntrack", Complete: true}},
		})
		s.total.Add(part.Rows.Totals())
	}
	s.deliver()
	s.seq++
	s.begun = end
}

// tags gives what each flow was tagged with.
func (s *shards) tags() map[incarnation][]columns.Tag {
	all := map[incarnation][]columns.Tag{}
	for _, e := range s.named {
		i := incarnation{e.Key, e.Start}
		if _, twice := all[i]; twice {
			s.t.Errorf("two flows are the incarnation %+v", i)
		}
		all[i] = e.Tags
	}
	return all
}

// values gives what a flow was tagged with in a column, sorted.
func values(tags []columns.Tag, c *columns.Column) []columns.Value {
	var vs []columns.Value
	for _, t := range tags {
		if t.Column == c {
			vs = append(vs, t.Value)
		}
	}
	slices.Sort(vs)
	return vs
}
