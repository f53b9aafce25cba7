package store

import (
	"slices"

	"weir/columns"
)

// verdict is what is known of a test before any row is looked at.
type verdict uint8

const (
	byRow  verdict = iota // it depends on the row
	always                // every row passes
	never                 // no row passes
)

// test is a filter made ready for one part: each leaf has been asked about each distinct cell.
type test struct {
	verdict verdict
	// pass tells of each number in ids whether its cell passes, in a leaf; passed counts those that pass before
	// each number, and is made when it is first asked for.
	pass   []bool
	passed []uint32
	ids    *Ints
	// cells is the column's place in the part, or timeCells.
	cells int
	// parts are combined by and, or by or; a leaf has none.
	parts []test
	or    bool
	// negate turns the result around.
	negate bool
}

// prepare makes a filter ready for a part. Without a filter every row passes.
func prepare(f Filter, p *Part) test {
	switch f := f.(type) {
	case nil:
		return test{verdict: always}
	case Match:
		return prepareMatch(f, p)
	case Not:
		return prepare(f.Filter, p).not()
	case And:
		return combine(f, p, false)
	case Or:
		return combine(f, p, true)
	}
	panic("store: a filter of an unknown kind")
}

func prepareMatch(m Match, p *Part) test {
	at := slices.IndexFunc(p.Cells, func(c PartCells) bool { return c.Column == m.Column })
	if at < 0 {
		return constant(m.Cell(""))
	}
	cells := &p.Cells[at]
	pass := make([]bool, cells.Dict.Len())
	passed := 0
	pass[0] = m.Cell("")
	if pass[0] {
		passed++
	}
	if cells.Equal != nil && m.Equals != nil && !m.Column.Set {
		passed += cells.Equal(m.Equals, pass)
	} else {
		for id := 1; id < len(pass); id++ {
			if m.Cell(cells.Dict.At(id)) {
				pass[id] = true
				passed++
			}
		}
	}
	if passed == 0 || passed == len(pass) {
		return constant(passed > 0)
	}
	if cells.IDs.width == 0 && cells.IDs.n == p.Rows {
		return constant(pass[cells.IDs.same])
	}
	return test{pass: pass, ids: &cells.IDs, cells: at}
}

// combine joins tests; what is known of some parts can decide all.
func combine(filters []Filter, p *Part, or bool) test {
	tests := make([]test, len(filters))
	for i, f := range filters {
		tests[i] = prepare(f, p)
	}
	return joinTests(tests, or)
}

func joinTests(tests []test, or bool) test {
	decides, neutral := never, always
	if or {
		decides, neutral = always, never
	}
	t := test{or: or}
	for _, part := range tests {
		switch part.verdict {
		case decides:
			return test{verdict: decides}
		case neutral:
		default:
			t.parts = append(t.parts, part)
		}
	}
	switch len(t.parts) {
	case 0:
		return test{verdict: neutral}
	case 1:
		return t.parts[0]
	}
	return t
}

func constant(pass bool) test {
	if pass {
		return test{verdict: always}
	}
	return test{verdict: never}
}

func (t test) not() test {
	switch t.verdict {
	case always:
		t.verdict = never
	case never:
		t.verdict = always
	default:
		t.negate = !t.negate
	}
	return t
}

// masks are buffers for the results of tests, one for each level of nesting.
type masks struct {
	levels [][]bool
	ids    [blockRows]uint32
}

func (m *masks) level(n int) []bool {
	for len(m.levels) <= n {
		m.levels = append(m.levels, make([]bool, blockRows))
	}
	return m.levels[n]
}

// run tests the rows from place from on, one for each element of out.
func (t *test) run(out []bool, from, level int, m *masks) {
	if t.parts == nil {
		ids := m.ids[:len(out)]
		t.ids.LoadIDs(ids, from)
		for i, id := range ids {
			out[i] = t.pass[id] != t.negate
		}
		return
	}
	t.parts[0].run(out, from, level+1, m)
	more := m.level(level)[:len(out)]
	for i := range t.parts[1:] {
		t.parts[i+1].run(more, from, level+1, m)
		for k, pass := range more {
			if t.or {
				out[k] = out[k] || pass
			} else {
				out[k] = out[k] && pass
			}
		}
	}
	if t.negate {
		for k := range out {
			out[k] = !out[k]
		}
	}
}

// Passes says whether a single row passes a filter, given its cells.
func Passes(f Filter, cell func(*columns.Column) columns.Value) bool {
	switch f := f.(type) {
	case nil:
		return true
	case Match:
		return f.Cell(cell(f.Column))
	case Not:
		return !Passes(f.Filter, cell)
	case And:
		for _, part := range f {
			if !Passes(part, cell) {
				return false
			}
		}
		return true
	case Or:
		for _, part := range f {
			if Passes(part, cell) {
				return true
			}
		}
		return false
	}
	panic("store: a filter of an unknown kind")
}
