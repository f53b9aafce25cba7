package query_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"weir/columns"
	"weir/messages"
	"weir/query"
	"weir/store"
	"weir/store/memory"
	"weir/store/storetest"
)

// TestAgainstNaive asks random questions about random slices and compares with an evaluator that walks the
// expression as it was written, row by row and text by text.
func TestAgainstNaive(t *testing.T) {
	for seed := range uint64(60) {
		m := storetest.NewMaker(seed)
		tier := memory.New(memory.Options{})
		made := make([]*messages.Slice, 0, 12)
		for range 12 {
			s := m.Slice(15)
			if err := tier.Append(s); err != nil {
				t.Fatal(err)
			}
			made = append(made, s)
		}
		for range 10 {
			g := generator{r: m.R, slices: made}
			compareWithNaive(t, fmt.Sprintf("seed %d", seed), &g, tier)
		}
	}
}

func compareWithNaive(t *testing.T, what string, g *generator, tier store.Tier) {
	t.Helper()
	q, e := g.question()
	a, err := query.Ask(t.Context(), []store.Tier{tier}, q, storetest.Begin().Add(time.Hour))
	if err != nil {
		t.Fatalf("%s: %+v: %v", what, q, err)
	}
	want := naive(g.slices, &q, e)
	got := make([]string, 0, len(a.Rows))
	for _, row := range a.Rows {
		got = append(got, fmt.Sprint(row))
	}
	if !slices.Equal(got, want.rows) {
		t.Fatalf("%s: %+v:\nwant %s\ngot  %s", what, q, want.rows, got)
	}
	if a.Exact != want.exact || a.RowsRead != want.read {
		t.Fatalf("%s: %+v: want exact %v of %d rows, got %v of %d: %s", what, q, want.exact, want.read, a.Exact,
			a.RowsRead, a.Why)
	}
}

// generator makes questions about some slices.
type generator struct {
	r      *rand.Rand
	slices []*messages.Slice
}

func (g *generator) question() (query.Question, query.Expr) {
	from := storetest.Begin().Add(time.Duration(g.r.IntN(12)) * storetest.Resolution)
	q := query.Question{
		From: from, Last: time.Duration(1+g.r.IntN(12)) * storetest.Resolution, By: []string{query.NoColumns},
		Order: query.Measures()[g.r.IntN(len(query.Measures()))], Top: []int{query.AllGroups, 1, 3, 50}[g.r.IntN(4)],
	}
	names := columns.Names()
	if n := g.r.IntN(4); n > 0 {
		q.By = nil
		for _, i := range g.r.Perm(len(names))[:n] {
			q.By = append(q.By, names[i])
		}
	}
	if g.r.IntN(2) == 0 {
		q.Step = time.Duration(1+g.r.IntN(4)) * storetest.Resolution
	}
	if g.r.IntN(4) == 0 {
		return q, nil
	}
	e := g.expr(3)
	q.Filter = e.String()
	return q, e
}

// expr makes an expression whose operands are often in the data.
func (g *generator) expr(depth int) query.Expr {
	switch kind := g.r.IntN(7); {
	case kind == 0 && depth > 0:
		return query.Not{Expr: g.expr(depth - 1)}
	case kind == 1 && depth > 0:
		return query.And{g.expr(depth - 1), g.expr(depth - 1)}
	case kind == 2 && depth > 0:
		return query.Or{g.expr(depth - 1), g.expr(depth - 1), g.expr(depth - 1)}
	}
	all := columns.All()
	c := all[g.r.IntN(len(all))]
	column := query.Name{Text: c.Name}
	if g.r.IntN(8) == 0 {
		return query.Has{Column: column}
	}
	ops := []query.Operator{
		query.Equal, query.NotEqual, query.In, query.NotIn,
		query.Less, query.LessEqual, query.Greater, query.GreaterEqual,
	}
	e := query.Compare{Column: column, Op: ops[g.r.IntN(len(ops))], Values: []query.Operand{g.operand(c)}}
	if (e.Op == query.In || e.Op == query.NotIn) && g.r.IntN(2) == 0 {
		e.List = true
		e.Values = append(e.Values, g.operand(c), g.operand(c))
	}
	return e
}

// operand takes a value of some row, or makes one.
func (g *generator) operand(c *columns.Column) query.Operand {
	v := c.Random(g.r)
	for len(v) > 200 { // A filter of 16 kB would be full soon.
		v = c.Random(g.r)
	}
	s := g.slices[g.r.IntN(len(g.slices))]
	if len(s.Parts) > 0 {
		p := s.Parts[g.r.IntN(len(s.Parts))]
		if p.Len() > 0 {
			if vs := values(c, storetest.CellOf(p, c, g.r.IntN(p.Len()))); len(vs) > 0 && len(vs[0]) <= 200 {
				v = vs[0]
			}
		}
	}
	return query.Operand{Text: c.Format(v), Quoted: true}
}

func values(c *columns.Column, cell columns.Value) []columns.Value {
	switch {
	case cell == "":
		return nil
	case c.Set:
		return columns.SplitSet(cell)
	}
	return []columns.Value{cell}
}

// passes evaluates an expression for one row.
func passes(e query.Expr, p *messages.Rows, row int) bool {
	switch e := e.(type) {
	case nil:
		return true
	case query.Not:
		return !passes(e.Expr, p, row)
	case query.And:
		return !slices.ContainsFunc(e, func(e query.Expr) bool { return !passes(e, p, row) })
	case query.Or:
		return slices.ContainsFunc(e, func(e query.Expr) bool { return passes(e, p, row) })
	case query.Has:
		c, _ := columns.Lookup(e.Column.Text)
		return storetest.CellOf(p, c, row) != ""
	case query.Compare:
		c, _ := columns.Lookup(e.Column.Text)
		vs := values(c, storetest.CellOf(p, c, row))
		anyOf := func(holds func(order int) bool) bool {
			return slices.ContainsFunc(vs, func(v columns.Value) bool {
				return slices.ContainsFunc(e.Values, func(o query.Operand) bool {
					w, err := c.Parse(o.Text)
					return err == nil && holds(c.Compare(v, w))
				})
			})
		}
		switch e.Op {
		case query.Equal, query.In:
			return anyOf(func(o int) bool { return o == 0 })
		case query.NotEqual, query.NotIn:
			return !anyOf(func(o int) bool { return o == 0 })
		case query.Less:
			return anyOf(func(o int) bool { return o < 0 })
		case query.LessEqual:
			return anyOf(func(o int) bool { return o <= 0 })
		case query.Greater:
			return anyOf(func(o int) bool { return o > 0 })
		case query.GreaterEqual:
			return anyOf(func(o int) bool { return o >= 0 })
		}
	}
	panic("no such expression")
}

// naiveAnswer is what the naive evaluator finds.
type naiveAnswer struct {
	rows  []string
	exact bool
	read  uint64
}

// naiveGroup is a row of the answer in the making.
type naiveGroup struct {
	step  int
	cells []columns.Value
	other bool
	sum   messages.Totals
}

// naive answers a question with maps of texts.
func naive(all []*messages.Slice, q *query.Question, e query.Expr) naiveAnswer {
	n := naiveAnswer{exact: true}
	origin := q.From
	if q.Step > 0 {
		origin = origin.Truncate(q.Step)
	}
	by := naiveColumns(q)
	groups := map[string]*naiveGroup{}
	add := func(step int, cells []columns.Value, other bool, t messages.Totals) {
		key := fmt.Sprintf("%d %v %q", step, other, cells)
		if groups[key] == nil {
			groups[key] = &naiveGroup{step: step, cells: cells, other: other}
		}
		groups[key].sum.Add(t)
	}
	touched := false
	for _, s := range all {
		if s.Span.Start.Before(q.From) || !s.Span.Start.Before(q.From.Add(q.Last)) {
			continue
		}
		touched = true
		step := 0
		if q.Step > 0 {
			step = int(s.Span.Start.Sub(origin) / q.Step)
		}
		if len(by) == 0 {
			add(step, nil, false, messages.Totals{})
		}
		for _, p := range s.Parts {
			n.read += uint64(p.Len())
			for row := range p.Len() {
				if passes(e, p, row) {
					add(step, naiveCells(by, p, row), false, storetest.RowTotals(p, row))
				}
			}
			if p.Other != (messages.Totals{}) {
				n.exact = n.exact && e == nil && len(by) == 0
				if e == nil {
					add(step, nil, len(by) > 0, p.Other)
				}
			}
		}
	}
	n.exact = n.exact && touched
	n.rows = naiveRows(q, by, origin, slices.Collect(maps.Values(groups)))
	return n
}

func naiveColumns(q *query.Question) []*columns.Column {
	var by []*columns.Column
	for _, name := range q.By {
		if c, ok := columns.Lookup(name); ok {
			by = append(by, c)
		}
	}
	return by
}

func naiveCells(by []*columns.Column, p *messages.Rows, row int) []columns.Value {
	cells := make([]columns.Value, 0, len(by))
	for _, c := range by {
		cells = append(cells, storetest.CellOf(p, c, row))
	}
	return cells
}

// measureOf sums a measure by its name.
func measureOf(name string, t messages.Totals) uint64 {
	return map[string]uint64{
		"bytes": t.Up.Bytes + t.Down.Bytes, "bytes.up": t.Up.Bytes, "bytes.down": t.Down.Bytes,
		"packets": t.Up.Packets + t.Down.Packets, "packets.up": t.Up.Packets, "packets.down": t.Down.Packets,
		"flows": t.Started,
	}[name]
}

// naiveRows cuts to the top and prints.
func naiveRows(q *query.Question, by []*columns.Column, origin time.Time, groups []*naiveGroup) []string {
	whole := map[string]*naiveGroup{}
	for _, g := range groups {
		if key := fmt.Sprintf("%q", g.cells); !g.other {
			if whole[key] == nil {
				whole[key] = &naiveGroup{cells: g.cells}
			}
			whole[key].sum.Add(g.sum)
		}
	}
	order := func(a, b *naiveGroup) int {
		switch x, y := measureOf(q.Order, a.sum), measureOf(q.Order, b.sum); {
		case a.step != b.step:
			return a.step - b.step
		case a.other != b.other:
			return map[bool]int{true: 1, false: -1}[a.other]
		case x > y:
			return -1
		case x < y:
			return 1
		}
		for i, c := range by {
			if o := c.CompareCells(a.cells[i], b.cells[i]); o != 0 {
				return o
			}
		}
		return 0
	}
	ranked := slices.SortedFunc(maps.Values(whole), order)
	cut := map[string]bool{}
	for i, g := range ranked {
		cut[fmt.Sprintf("%q", g.cells)] = q.Top != query.AllGroups && i >= q.Top
	}
	others := map[int]*naiveGroup{}
	var shown []*naiveGroup
	for _, g := range groups {
		if g.other || len(by) > 0 && cut[fmt.Sprintf("%q", g.cells)] {
			if others[g.step] == nil {
				others[g.step] = &naiveGroup{step: g.step, other: true}
			}
			others[g.step].sum.Add(g.sum)
		} else {
			shown = append(shown, g)
		}
	}
	shown = slices.AppendSeq(shown, maps.Values(others))
	slices.SortFunc(shown, order)
	rows := make([]string, 0, len(shown))
	for _, g := range shown {
		rows = append(rows, fmt.Sprint(naiveRow(q, by, origin, g)))
	}
	return rows
}

func naiveRow(q *query.Question, by []*columns.Column, origin time.Time, g *naiveGroup) []query.Cell {
	var row []query.Cell
	if q.Step > 0 {
		row = append(row, query.Cell{Kind: query.CellTime, Time: origin.Add(time.Duration(g.step) * q.Step)})
	}
	for i, c := range by {
		switch {
		case g.other:
			row = append(row, query.Cell{Kind: query.CellOther})
		case g.cells[i] == "":
			row = append(row, query.Cell{})
		case c.Set:
			row = append(row, query.Cell{Kind: query.CellSet, Texts: c.FormatSet(g.cells[i])})
		default:
			row = append(row, query.Cell{Kind: query.CellText, Text: c.Format(g.cells[i])})
		}
	}
	for _, name := range query.Measures() {
		row = append(row, query.Cell{Kind: query.CellNumber, Number: measureOf(name, g.sum)})
	}
	return row
}
