package query

import (
	"cmp"
	"encoding/binary"
	"iter"
	"slices"
	"time"

	"weir/columns"
	"weir/messages"
	"weir/store"
)

// line is a row of the answer before its cells are made.
type line struct {
	step  int
	cells []columns.Value
	other bool
	sums  messages.Totals
}

// lines chooses and sorts what the answer shows: by step, in it by the measure, (other) last.
func (p *plan) lines(sum *store.Partial) []line {
	var rest map[int]messages.Totals
	var shown []line
	if len(p.request.By) == 0 {
		shown = p.sumsOnly(sum)
	} else {
		shown, rest = p.groups(sum)
	}
	for step, t := range rest {
		if t != (messages.Totals{}) {
			shown = append(shown, line{step: step, other: true, sums: t})
		}
	}
	slices.SortFunc(shown, p.compare)
	return shown
}

// compare orders lines.
func (p *plan) compare(a, b line) int {
	if a.step != b.step {
		return cmp.Compare(a.step, b.step)
	}
	if a.other != b.other {
		if a.other {
			return 1
		}
		return -1
	}
	if c := cmp.Compare(p.order.of(&b.sums), p.order.of(&a.sums)); c != 0 {
		return c
	}
	return p.compareCells(a.cells, b.cells)
}

// compareCells makes the order of equals the same in every answer.
func (p *plan) compareCells(a, b []columns.Value) int {
	for i, c := range p.request.By {
		if d := c.CompareCells(a[i], b[i]); d != 0 {
			return d
		}
	}
	return 0
}

// sumsOnly gives one line for each step of what is covered, or one alone. What was folded counts in them,
// as long as no filter wants to know its columns.
func (p *plan) sumsOnly(sum *store.Partial) []line {
	steps := 1
	first := 0
	if p.request.Step > 0 {
		first, steps = p.steps(sum.Covered)
	}
	lines := make([]line, steps)
	for i := range lines {
		lines[i].step = first + i
	}
	add := func(step int, t messages.Totals) {
		if i := step - first; i >= 0 && i < steps {
			lines[i].sums.Add(t)
		}
	}
	for k, t := range sum.Groups() {
		add(k.Step, t)
	}
	for step, t := range sum.Overflow {
		add(step, t)
	}
	if p.request.Filter == nil {
		for step, t := range sum.Other {
			add(step, t)
		}
	}
	return lines
}

// steps says which steps a span touches.
func (p *plan) steps(span messages.Span) (first, n int) {
	if span == (messages.Span{}) {
		return 0, 0
	}
	first = p.request.StepOf(span.Start)
	return first, p.request.StepOf(span.End.Add(-1)) - first + 1
}

// groups chooses the groups that have most over all steps, and sums the others for each step.
func (p *plan) groups(sum *store.Partial) (shown []line, rest map[int]messages.Totals) {
	rest = map[int]messages.Totals{}
	add := func(step int, t messages.Totals) {
		r := rest[step]
		r.Add(t)
		rest[step] = r
	}
	chosen := p.choose(sum)
	for k, t := range sum.Groups() {
		if chosen == nil || chosen[encode(k.Cells)] {
			shown = append(shown, line{step: k.Step, cells: k.Cells, sums: t})
		} else {
			add(k.Step, t)
		}
	}
	for step, t := range sum.Overflow {
		add(step, t)
	}
	if p.request.Filter == nil {
		for step, t := range sum.Other {
			add(step, t)
		}
	}
	return shown, rest
}

// choose gives the encoded cells of the groups that are shown; nil means all.
func (p *plan) choose(sum *store.Partial) map[string]bool {
	if p.top == AllGroups {
		return nil
	}
	var best []line
	all := 0
	for l := range p.wholes(sum) {
		all++
		best = append(best, l)
		if len(best) >= 2*p.top+64 {
			best = p.cut(best)
		}
	}
	if all <= p.top {
		return nil
	}
	chosen := make(map[string]bool, p.top)
	for _, l := range p.cut(best) {
		chosen[encode(l.cells)] = true
	}
	return chosen
}

// cut keeps the lines that have most.
func (p *plan) cut(lines []line) []line {
	slices.SortFunc(lines, p.compare)
	return lines[:min(len(lines), p.top)]
}

// wholes gives each group with its sums over all steps.
func (p *plan) wholes(sum *store.Partial) iter.Seq[line] {
	return func(yield func(line) bool) {
		at := map[string]int{}
		var wholes []line
		for k, t := range sum.Groups() {
			if p.request.Step == 0 {
				if !yield(line{cells: k.Cells, sums: t}) {
					return
				}
				continue
			}
			key := encode(k.Cells)
			i, known := at[key]
			if !known {
				i = len(wholes)
				at[key] = i
				wholes = append(wholes, line{cells: k.Cells})
			}
			wholes[i].sums.Add(t)
		}
		for _, l := range wholes {
			if !yield(l) {
				return
			}
		}
	}
}

// encode makes a map key of cells.
func encode(cells []columns.Value) string {
	var b []byte
	for _, c := range cells {
		b = binary.AppendUvarint(b, uint64(len(c)))
		b = append(b, c...)
	}
	return string(b)
}

// stepStart is when a step begins.
func (p *plan) stepStart(step int) time.Time {
	return p.request.Origin.Add(time.Duration(step) * p.request.Step)
}
