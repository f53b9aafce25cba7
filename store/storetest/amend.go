package storetest

import (
	"context"
	"sync"

	"weir/columns"
	"weir/messages"
	"weir/store"
)

// flowsOfTests is how many flows the slices of the tests on amendments have.
const flowsOfTests = 60

// amendments compares with the model after slices that amend earlier ones.
func (c contract) amendments() {
	t, tier := c.t, c.tier
	m := NewMaker(9)
	model := &Model{Resolution: Resolution, Amends: c.amends}
	var want messages.Totals
	for round := range 30 {
		s := m.Slice(60)
		m.name(s)
		for range m.R.IntN(20) {
			s.Amendments = append(s.Amendments, m.amendment())
		}
		before := dump(t, s)
		appendAll(t, []*messages.Slice{s}, tier, model)
		if dump(t, s) != before {
			t.Fatal("the slice was written to")
		}
		for _, p := range s.Parts {
			want.Add(p.Totals())
		}
		if got := Total(ask(t, tier, Everything())); got != want {
			t.Fatalf("round %d: amendments changed the totals to %+v from %+v", round, got, want)
		}
		for range 8 {
			r := m.Request()
			if d := Diff(ask(t, model, r), ask(t, tier, r)); d != "" {
				t.Fatalf("round %d, request %+v: %s", round, r, d)
			}
		}
	}
	if got := tier.Coverage().Amended; (got > 0) != c.amends && tier.Coverage().Name != "model" {
		t.Errorf("%d rows amended", got)
	}
}

// name tells of which flows the rows of a slice are; of some it does not.
func (m *Maker) name(s *messages.Slice) {
	for _, p := range s.Parts {
		if m.R.IntN(4) == 0 {
			continue
		}
		for range p.Len() {
			p.Flow = append(p.Flow, m.R.Uint64N(flowsOfTests))
		}
	}
}

// amendment is one of some flow, which may be none or unknown.
func (m *Maker) amendment() messages.Amendment {
	a := messages.Amendment{Flow: m.R.Uint64N(flowsOfTests + 5)}
	for range m.R.IntN(4) {
		i := m.R.IntN(len(m.Columns))
		value := m.pools[i][m.R.IntN(len(m.pools[i]))]
		if m.R.IntN(2) == 0 {
			value = m.cell(m.Columns[i])
		}
		a.Cells = append(a.Cells, messages.AmendedCell{Column: m.Columns[i], Value: value})
	}
	return a
}

// amendAtOnce asks while slices are appended that amend all earlier ones: an answer holds a slice together with
// what it says of others, or neither.
func (c contract) amendAtOnce() {
	t, tier := c.t, c.tier
	column, values := distinct()
	r := Everything()
	r.By = []*columns.Column{column}
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			for {
				p := store.NewPartial(r)
				if err := tier.Query(context.Background(), r, p); err != nil || c.amends && p.Len() > 1 {
					t.Errorf("%d values in %d slices: %v", p.Len(), p.Slices, err)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	at := Begin()
	for seq := range uint64(100) {
		value := values[seq%uint64(len(values))]
		s := ones(seq, at)
		s.Parts[0].Flow = []uint64{7}
		s.Parts[0].Cells = []messages.Cells{{Column: column, Dict: []columns.Value{"", value}, IDs: []uint32{1}}}
		s.Amendments = []messages.Amendment{{Flow: 7, Cells: []messages.AmendedCell{{Column: column, Value: value}}}}
		appendAll(t, []*messages.Slice{s}, tier)
		at = s.Span.End
	}
	bad := ones(100, at)
	bad.Parts[0].Flow = []uint64{7, 8}
	bad.Amendments = []messages.Amendment{{Flow: 7, Cells: []messages.AmendedCell{{Column: column, Value: "bad"}}}}
	before := ask(t, tier, r)
	if err := tier.Append(bad); err == nil {
		t.Error("two flows for one row were taken")
	}
	if d := Diff(before, ask(t, tier, r)); d != "" {
		t.Errorf("a slice that was not taken amended others: %s", d)
	}
	close(done)
	wg.Wait()
}

// distinct gives a column and different values of it.
func distinct() (c *columns.Column, values []columns.Value) {
	m := NewMaker(1)
	for _, c = range m.Columns {
		known := map[columns.Value]bool{}
		for range 100 {
			if v := m.cell(c); !known[v] {
				known[v] = true
				values = append(values, v)
			}
		}
		if len(values) > 5 {
			return c, values
		}
		values = values[:0]
	}
	panic("no column has six values")
}
