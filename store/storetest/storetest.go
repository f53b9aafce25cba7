// Package storetest is the contract of a storage tier as a test suite: every tier passes it.
//
// The slices that it makes carry all registered columns, so the test of a tier imports the families it
// wants to see, a set among them.
package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"weir/columns"
	"weir/messages"
	"weir/store"
)

// Ability is what not every tier can do.
type Ability string

// Amends is the ability to heed the amendments of a slice. A tier without it must leave what it holds as it is.
const Amends Ability = "amends"

// Run tests the tiers that build gives. Each must be empty, keep slices of [Resolution], and have room for
// a few hundred slices of a hundred rows without folding.
func Run(t *testing.T, build func(t *testing.T) store.Tier, can ...Ability) {
	t.Helper()
	if len(columns.All()) == 0 {
		t.Fatal("import some columns")
	}
	for _, c := range []struct {
		name string
		test func(contract)
	}{
		{"Empty", contract.empty},
		{"TotalsHold", contract.totals},
		{"RandomRequests", contract.random},
		{"GroupingKeepsTotals", contract.grouping},
		{"MaxGroups", contract.maxGroups},
		{"SpanAndSteps", contract.steps},
		{"StepsBeginAtOrigin", contract.origin},
		{"Losses", contract.losses},
		{"Coverage", contract.coverage},
		{"QueryDuringAppend", contract.concurrent},
		{"InputIsLeftAlone", contract.input},
		{"BadSliceChangesNothing", contract.badSlice},
		{"Relabel", contract.relabel},
		{"OverlappingSlices", contract.overlap},
		{"Cancel", contract.cancel},
		{"Amendments", contract.amendments},
		{"AmendmentsAndTheirSliceAtOnce", contract.amendAtOnce},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.test(contract{t: t, tier: build(t), amends: slices.Contains(can, Amends)})
		})
	}
}

// contract is one part of the suite on one tier.
type contract struct {
	t      *testing.T
	tier   store.Tier
	amends bool
}

func (c contract) empty() {
	t, tier := c.t, c.tier
	held := tier.Coverage()
	if held.Span != (messages.Span{}) || held.Slices != 0 || held.Rows != 0 || held.Name == "" {
		t.Errorf("coverage of nothing: %+v", held)
	}
	p := ask(t, tier, Everything())
	if p.Slices != 0 || p.Len() != 0 || Total(p) != (messages.Totals{}) || p.Covered != (messages.Span{}) {
		t.Errorf("an empty tier answers %+v", p)
	}
}

func (c contract) totals() {
	t, tier := c.t, c.tier
	m := NewMaker(1)
	var want messages.Totals
	for range 50 {
		s := m.Slice(100)
		for _, p := range s.Parts {
			want.Add(p.Totals())
		}
		appendAll(t, []*messages.Slice{s}, tier)
		if got := Total(ask(t, tier, Everything())); got != want {
			t.Fatalf("after slice %d: want %+v, got %+v", s.Seq, want, got)
		}
	}
}

// random compares with the model, which looks at each row by itself.
func (c contract) random() {
	t, tier := c.t, c.tier
	m := NewMaker(2)
	model := &Model{Resolution: Resolution}
	for round := range 30 {
		rows := 60
		if round == 15 {
			rows = 2500
		}
		appendAll(t, []*messages.Slice{m.Slice(rows)}, tier, model)
		for range 8 {
			r := m.Request()
			if d := Diff(ask(t, model, r), ask(t, tier, r)); d != "" {
				t.Fatalf("round %d, request %+v: %s", round, r, d)
			}
		}
	}
}

func (c contract) grouping() {
	t, tier := c.t, c.tier
	m := NewMaker(3)
	appendAll(t, []*messages.Slice{m.Slice(100), m.Slice(100), m.Slice(2000)}, tier)
	whole := Total(ask(t, tier, Everything()))
	for _, c := range m.Columns {
		r := Everything()
		r.By = []*columns.Column{c}
		if got := Total(ask(t, tier, r)); got != whole {
			t.Errorf("by %s: want %+v, got %+v", c.Name, whole, got)
		}
	}
	r := Everything()
	r.By = m.Columns
	if got := Total(ask(t, tier, r)); got != whole {
		t.Errorf("by all columns: want %+v, got %+v", whole, got)
	}
}

func (c contract) maxGroups() {
	t, tier := c.t, c.tier
	m := NewMaker(4)
	appendAll(t, []*messages.Slice{m.Slice(100), m.Slice(100), m.Slice(100), m.Slice(100)}, tier)
	r := Everything()
	r.By = m.Columns
	all := ask(t, tier, r)
	r.MaxGroups = 3
	few := ask(t, tier, r)
	if all.Len() <= 3 || few.Len() != 3 {
		t.Fatalf("want 3 of many groups, got %d of %d", few.Len(), all.Len())
	}
	if len(few.Overflow) == 0 || Total(few) != Total(all) {
		t.Errorf("want %+v, got %+v", Total(all), Total(few))
	}
}

// ones is a slice with one row of one byte.
func ones(seq uint64, start time.Time) *messages.Slice {
	one := []uint64{1}
	return &messages.Slice{
		Seq: seq, Span: messages.Span{Start: start, End: start.Add(Resolution)}, Complete: true,
		Parts: []*messages.Rows{{
			UpBytes: one, UpPackets: one, DownBytes: []uint64{0}, DownPackets: []uint64{0},
			Started: []uint32{1}, Ended: []uint32{0},
		}},
	}
}

// fill appends n slices of one byte each and says where the last ends.
func fill(t *testing.T, tier store.Tier, n int) time.Time {
	t.Helper()
	at := Begin()
	for seq := range n {
		appendAll(t, []*messages.Slice{ones(uint64(seq), at)}, tier) //nolint:gosec // Counts up from 0.
		at = at.Add(Resolution)
	}
	return at
}

func (c contract) steps() {
	t, tier := c.t, c.tier
	fill(t, tier, 12)
	from := Begin().Add(2 * Resolution)
	r := &store.Request{
		Span: messages.Span{Start: from, End: from.Add(7*Resolution + 1)}, Origin: from, Step: 3 * Resolution,
	}
	p := ask(t, tier, r)
	want := []uint64{3, 3, 2}
	for k, sum := range p.Groups() {
		if k.Step >= len(want) || sum.Up.Bytes != want[k.Step] {
			t.Errorf("step %d: got %d bytes", k.Step, sum.Up.Bytes)
		}
	}
	covered := messages.Span{Start: from, End: from.Add(8 * Resolution)}
	if p.Len() != 3 || p.Slices != 8 || !p.Covered.Start.Equal(covered.Start) || !p.Covered.End.Equal(covered.End) {
		t.Errorf("got %d steps of %d slices over %v", p.Len(), p.Slices, p.Covered)
	}
	r.Span = messages.Span{Start: from.Add(1), End: from.Add(Resolution)}
	if p := ask(t, tier, r); p.Slices != 0 {
		t.Errorf("a slice that starts before the span was read")
	}
}

func (c contract) origin() {
	t, tier := c.t, c.tier
	fill(t, tier, 12)
	r := &store.Request{
		Span:   messages.Span{Start: Begin().Add(6 * Resolution), End: Begin().Add(time.Hour)},
		Origin: Begin(), Step: 4 * Resolution,
	}
	got := map[int]uint64{}
	for k, sum := range ask(t, tier, r).Groups() {
		got[k.Step] = sum.Up.Bytes
	}
	if len(got) != 2 || got[1] != 2 || got[2] != 4 {
		t.Errorf("want 2 bytes in step 1 and 4 in step 2, got %v", got)
	}
}

func (c contract) losses() {
	t, tier := c.t, c.tier
	overrun := func(n uint64) messages.Loss {
		return messages.Loss{Source: "conntrack", Kind: messages.LossOverrun, Count: n, Bytes: 7, Detail: "Too slow."}
	}
	at := Begin()
	for seq := range uint64(4) {
		s := ones(seq, at)
		at = s.Span.End
		if seq > 0 {
			s.Losses = []messages.Loss{overrun(seq), {Source: "slicer", Kind: messages.LossLate, Count: 1}}
			s.Complete = seq != 3
		}
		appendAll(t, []*messages.Slice{s}, tier)
	}
	p := ask(t, tier, Everything())
	if p.Incomplete != 1 || len(p.Losses) != 2 {
		t.Fatalf("want 1 incomplete and 2 losses, got %d and %+v", p.Incomplete, p.Losses)
	}
	if l := p.Losses[0]; l.Count != 6 || l.Bytes != 21 || l.Kind != messages.LossOverrun || l.Detail != "Too slow." {
		t.Errorf("overrun: %+v", l)
	}
	r := Everything()
	r.Span.End = Begin().Add(Resolution)
	if p := ask(t, tier, r); len(p.Losses) != 0 || p.Incomplete != 0 {
		t.Errorf("a slice without loss tells %+v", p.Losses)
	}
}

func (c contract) coverage() {
	t, tier := c.t, c.tier
	m := NewMaker(5)
	model := &Model{Resolution: Resolution}
	made := make([]*messages.Slice, 0, 10)
	for range 10 {
		made = append(made, m.Slice(100))
	}
	appendAll(t, made, tier, model)
	got, want := tier.Coverage(), model.Coverage()
	if !got.Span.Start.Equal(want.Span.Start) || !got.Span.End.Equal(want.Span.End) {
		t.Errorf("span: want %v, got %v", want.Span, got.Span)
	}
	if got.Slices != 10 || got.Rows != want.Rows || got.Folded != want.Folded || got.Resolution != Resolution {
		t.Errorf("want %+v, got %+v", want, got)
	}
	if got.Bytes == 0 || got.Bytes > got.Budget {
		t.Errorf("%d bytes of %d", got.Bytes, got.Budget)
	}
}

// concurrent asks while slices are appended: an answer holds whole slices only. Every slice sums to
// one byte.
func (c contract) concurrent() {
	t, tier := c.t, c.tier
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 3 {
		wg.Go(func() {
			for before := uint64(0); ; {
				r := Everything()
				p := store.NewPartial(r)
				err := tier.Query(context.Background(), r, p)
				if sum := Total(p); err != nil || sum.Up.Bytes != p.Slices || p.Slices < before {
					t.Errorf("%d bytes in %d slices after %d: %v", sum.Up.Bytes, p.Slices, before, err)
					return
				}
				before = p.Slices
				tier.Coverage()
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	fill(t, tier, 200)
	close(done)
	wg.Wait()
}

func (c contract) input() {
	t, tier := c.t, c.tier
	s := NewMaker(6).Slice(50)
	s.Losses = []messages.Loss{
		{Source: "a", Kind: messages.LossShed, Count: 1}, {Source: "a", Kind: messages.LossShed, Count: 1},
	}
	before := dump(t, s)
	appendAll(t, []*messages.Slice{s}, tier)
	ask(t, tier, Everything())
	if err := tier.Relabel(0, time.Hour); err != nil {
		t.Fatal(err)
	}
	if dump(t, s) != before {
		t.Error("the slice was written to")
	}
}

func dump(t *testing.T, s *messages.Slice) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (c contract) badSlice() {
	t, tier := c.t, c.tier
	end := fill(t, tier, 3)
	before := Total(ask(t, tier, Everything()))
	bad := ones(3, end)
	bad.Parts[0].Cells = []messages.Cells{{Column: columns.All()[0], Dict: []columns.Value{""}, IDs: []uint32{0, 0}}}
	empty := ones(4, end)
	empty.Span.End = empty.Span.Start
	for _, s := range []*messages.Slice{bad, empty} {
		if err := tier.Append(s); err == nil {
			t.Errorf("slice %d was taken", s.Seq)
		}
	}
	if got := Total(ask(t, tier, Everything())); got != before {
		t.Errorf("want %+v, got %+v", before, got)
	}
}

func (c contract) relabel() {
	t, tier := c.t, c.tier
	m := NewMaker(7)
	model := &Model{Resolution: Resolution}
	made := make([]*messages.Slice, 0, 8)
	for range 8 {
		s := m.Slice(30)
		s.Losses = []messages.Loss{{Source: "slicer", Kind: messages.LossClock, Span: s.Span}}
		made = append(made, s)
	}
	appendAll(t, made, tier, model)
	for _, delta := range []time.Duration{24*time.Hour + 3*time.Second, -time.Hour - time.Second} {
		for _, k := range []store.Tier{tier, model} {
			if err := k.Relabel(5, delta); err != nil {
				t.Fatal(err)
			}
		}
		for range 20 {
			r := m.Request()
			r.Span.Start = r.Span.Start.Add(time.Duration(m.R.IntN(3)) * 12 * time.Hour)
			r.Span.End = r.Span.End.Add(time.Duration(m.R.IntN(3)) * 12 * time.Hour)
			if d := Diff(ask(t, model, r), ask(t, tier, r)); d != "" {
				t.Fatalf("after %v: %s", delta, d)
			}
		}
		if got, want := tier.Coverage().Span, model.Coverage().Span; !got.End.Equal(want.End) {
			t.Errorf("after %v: want %v, got %v", delta, want, got)
		}
	}
}

// overlap appends slices whose times lie over each other, as after a clock that was set back: both count.
func (c contract) overlap() {
	t, tier := c.t, c.tier
	fill(t, tier, 4)
	appendAll(t, []*messages.Slice{
		ones(4, Begin()), ones(5, Begin().Add(Resolution/2)), ones(6, Begin().Add(-time.Hour)),
	}, tier)
	r := Everything()
	r.Span.Start, r.Origin = Begin(), Begin()
	r.Step = Resolution
	got := map[int]uint64{}
	for k, sum := range ask(t, tier, r).Groups() {
		got[k.Step] = sum.Up.Bytes
	}
	if len(got) != 4 || got[0] != 3 || got[1] != 1 {
		t.Errorf("want 3 bytes in the first step, got %v", got)
	}
	if p := ask(t, tier, Everything()); Total(p).Up.Bytes != 7 {
		t.Errorf("want 7 bytes, got %d", Total(p).Up.Bytes)
	}
	if span := tier.Coverage().Span; !span.Start.Equal(Begin().Add(-time.Hour)) {
		t.Errorf("covers %v", span)
	}
}

func (c contract) cancel() {
	t, tier := c.t, c.tier
	fill(t, tier, 3)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r := Everything()
	if err := tier.Query(ctx, r, store.NewPartial(r)); !errors.Is(err, context.Canceled) {
		t.Errorf("want the reason of the cancelling, got %v", err)
	}
}
