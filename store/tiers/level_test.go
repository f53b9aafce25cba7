package tiers

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/columns"
	"weir/internal/units"
	"weir/messages"
	"weir/store"
	"weir/store/storetest"
)

func TestDefaultIsValid(t *testing.T) {
	if err := Validate(Default(), 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if unknown := Unknown(Default()); !slices.Equal(unknown, []string{}) && unknown != nil {
		t.Errorf("unknown: %q", unknown)
	}
}

func TestValidateSays(t *testing.T) {
	for _, c := range []struct {
		spoil func(l []Level) []Level
		want  string
	}{
		{func([]Level) []Level { return nil }, "there is none"},
		{func(l []Level) []Level { l[0].Slice = duration(5 * time.Second); return l }, "closed every 10s"},
		{func(l []Level) []Level { l[1].Name = "A/b"; return l }, "lower-case"},
		{func(l []Level) []Level { l[1].Name = "journal"; return l }, "the journal is called"},
		{func(l []Level) []Level { l[1].Name = l[0].Name; return l }, "two of this name"},
		{func(l []Level) []Level { l[1].Slice = duration(7 * time.Second); return l }, "whole slices of 7s"},
		{func(l []Level) []Level { l[1].Slice = duration(15 * time.Second); return l }, "those of tier 10s"},
		{func(l []Level) []Level { l[1].Slice = duration(7 * time.Minute); return l }, "whole slices of 7m"},
		{
			func(l []Level) []Level {
				l[1].Slice, l[1].Bucket = duration(40*time.Minute), duration(4*time.Hour)
				return l
			},
			"the bucket of tier 10s",
		},
		{func(l []Level) []Level { l[1].Bucket = duration(90 * time.Minute); return l }, "whole buckets of 1h"},
		{func(l []Level) []Level { l[1].Retention = duration(units.Day); return l }, "keeps them longer"},
		{func(l []Level) []Level { l[0].Retention = duration(3 * time.Hour); return l }, "too short to fill a bucket"},
		{func(l []Level) []Level { l[0].Retention = duration(time.Minute); return l }, "less than a bucket"},
		{func(l []Level) []Level { l[2].Drop = []string{"app"}; return l }, "either the columns"},
		{func(l []Level) []Level { l[2].TopK = -1; return l }, "must not be negative"},
	} {
		err := Validate(c.spoil(Default()), 10*time.Second)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %q, got %v", c.want, err)
		}
	}
}

func TestUnknownColumnsAreToldOnce(t *testing.T) {
	l := Default()
	l[1].Drop = append(l[1].Drop, "no.such")
	l[2].Columns = append(l[2].Columns, "no.such|app", "other.one")
	if got := Unknown(l); !slices.Equal(got, []string{"no.such", "other.one"}) {
		t.Errorf("%q", got)
	}
	if err := Validate(l, 10*time.Second); err != nil {
		t.Error(err)
	}
}

func lookup(t *testing.T, name string) *columns.Column {
	t.Helper()
	c, ok := columns.Lookup(name)
	if !ok {
		t.Fatalf("no column %s", name)
	}
	return c
}

func TestKeepKnows(t *testing.T) {
	ip, mac, app, port := lookup(t, "local.ip"), lookup(t, "local.mac"), lookup(t, "app"), lookup(t, "remote.port")
	first := keep{}.with(rule{drop: true})
	second := first.with(ruleOf(&Level{Drop: []string{"remote.port", "no.such"}}))
	third := second.with(ruleOf(&Level{Columns: []string{"no.such|local.mac|local.ip", "app"}}))
	fourth := third.with(ruleOf(&Level{Columns: []string{"local.ip"}}))
	never := func(f store.Filter) bool { o, ok := f.(store.Or); return ok && len(o) == 0 }
	if len(first.rules) > 0 || first.knows(port) != nil || second.knows(ip) != nil || !never(second.knows(port)) {
		t.Error("dropping")
	}
	if third.knows(mac) != nil || third.knows(app) != nil || !never(third.knows(port)) {
		t.Error("keeping")
	}
	with := func(v columns.Value) func(*columns.Column) columns.Value {
		return func(c *columns.Column) columns.Value {
			if c == mac {
				return v
			}
			return ""
		}
	}
	known := third.knows(ip)
	if known == nil || !store.Passes(known, with("")) || store.Passes(known, with("x")) {
		t.Errorf("an address is known where there is no MAC: %v", known)
	}
	if !never(fourth.knows(ip)) {
		t.Errorf("nobody knows where there was a MAC: %v", fourth.knows(ip))
	}
	again, rest := keepOf(append(third.texts(), "10s/x"))
	if !slices.Equal(again.texts(), third.texts()) || !slices.Equal(rest, []string{"10s/x"}) {
		t.Errorf("%q %q", again.texts(), rest)
	}
}

// heldSource is a source in memory.
type heldSource struct {
	heads  []store.Head
	blocks []*store.Block
	reads  int
}

func (h *heldSource) Heads() []store.Head { return h.heads }

// heldSink keeps what it gets.
type heldSink struct {
	sum   messages.Totals
	rows  []messages.Totals
	heads []store.Head
	steps map[int64]int
}

func (h *heldSink) Head(head *store.Head) error {
	h.heads = append(h.heads, *head)
	h.sum.Add(head.Other)
	return nil
}

func (h *heldSink) Block(b *store.Block) error {
	for i := range b.Rows {
		h.rows = append(h.rows, b.Row(i))
		h.sum.Add(b.Row(i))
		h.steps[int64(b.Starts.At(i))]++
	}
	return nil
}

// TestRollIsBounded rolls up far more groups than it may hold at once: windows are cut, single slices are folded,
// totals hold.
func TestRollIsBounded(t *testing.T) {
	ip := lookup(t, "local.ip")
	r := rand.New(rand.NewPCG(1, 1))
	src := &heldSource{}
	var want messages.Totals
	for i := range 60 {
		start := storetest.Begin().Add(time.Duration(i) * 10 * time.Second)
		src.heads = append(src.heads, store.Head{
			Seq: uint64(i), Complete: i != 7, Span: messages.Span{Start: start, End: start.Add(10 * time.Second)},
			Losses: []messages.Loss{{Source: "a", Kind: messages.LossShed, Count: 1}}, Other: messages.Totals{Ended: 1},
		})
		want.Ended++
		b, sum := ipBlock(r, ip, start, 100)
		src.blocks = append(src.blocks, b)
		want.Add(sum)
	}
	span := messages.Span{Start: storetest.Begin(), End: storetest.Begin().Add(10 * time.Minute)}
	for _, bound := range []int{1 << 17, 700, 250, 10} {
		roll := newRoll(&Level{Slice: duration(time.Minute)}, rule{drop: true})
		roll.bound = bound
		src.reads = 0
		sink := &heldSink{steps: map[int64]int{}}
		if err := roll.run(t.Context(), []rollSource{src}, span, 6000, sink); err != nil {
			t.Fatal(err)
		}
		if counted(sink.sum) != counted(want) {
			t.Errorf("bound %d: want %+v, got %+v", bound, want, sink.sum)
		}
		for at, n := range sink.steps {
			if n > bound {
				t.Errorf("bound %d: %d rows at %v", bound, n, time.Unix(0, at))
			}
		}
		hs := sink.heads
		if len(hs) != 10 || hs[0].Losses[0].Count != 6 || hs[1].Complete || !hs[2].Complete {
			t.Errorf("bound %d: heads %+v", bound, sink.heads[:3])
		}
		if bound == 1<<17 && src.reads != 1 || bound == 700 && src.reads < 8 {
			t.Errorf("bound %d: read %d times", bound, src.reads)
		}
	}
	roll := newRoll(&Level{Slice: duration(time.Minute), TopK: 3, MinBytes: 900}, rule{drop: true})
	sink := &heldSink{steps: map[int64]int{}}
	if err := roll.run(t.Context(), []rollSource{src}, span, 6000, sink); err != nil {
		t.Fatal(err)
	}
	if counted(sink.sum) != counted(want) || len(sink.rows) > 30 || len(sink.rows) == 0 {
		t.Errorf("%d rows: want %+v, got %+v", len(sink.rows), want, sink.sum)
	}
	for _, row := range sink.rows {
		if row.Up.Bytes < 900 {
			t.Errorf("a row of %d bytes", row.Up.Bytes)
		}
	}
}

func (h *heldSource) Columns() []string { return []string{"local.ip"} }

// ipBlock is a block of n rows with addresses.
func ipBlock(r *rand.Rand, ip *columns.Column, start time.Time, n int) (*store.Block, messages.Totals) {
	b := &store.Block{Part: store.Part{Rows: n}, Starts: store.SameInts(uint64(start.UnixNano()), n)}
	dict, ids, up := []columns.Value{""}, make([]uint32, n), make([]uint64, n)
	known := map[columns.Value]uint32{"": 0}
	for i := range n {
		v := ip.Random(r)
		if _, ok := known[v]; !ok {
			known[v] = uint32(len(dict))
			dict = append(dict, v)
		}
		ids[i], up[i] = known[v], r.Uint64N(1000)
	}
	for m := range b.Measures {
		b.Measures[m] = store.SameInts(0, n)
	}
	b.Measures[store.UpBytes] = store.IntsOf(nil, up)
	b.Cells = []store.PartCells{{Column: ip, Dict: store.DictOf(dict), IDs: store.IntsOf(nil, ids)}}
	var sum messages.Totals
	for i := range n {
		sum.Add(b.Row(i))
	}
	return b, sum
}
