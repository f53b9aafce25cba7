package query

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/columns"
	"weir/messages"
	"weir/store"
)

// answer makes the answer of what the tiers found.
func (p *plan) answer(sum *store.Partial) *Answer {
	a := &Answer{
		Columns: p.columns(), Range: sum.Covered, Asked: p.asked, Resolution: sum.Resolution,
		Step: p.request.Step, Notes: p.notes, Loss: sum.Losses, SlicesRead: sum.Slices, RowsRead: sum.Rows,
	}
	if sum.Slices > 0 {
		for _, l := range p.lines(sum) {
			a.Rows = append(a.Rows, p.row(&l))
		}
	}
	a.Why = p.why(sum)
	a.Exact = len(a.Why) == 0
	a.Notes = append(a.Notes, p.reach(sum.Covered, sum.Resolution)...)
	return a
}

// columns lists what the cells of a row are.
func (p *plan) columns() []Column {
	var cs []Column
	if p.request.Step > 0 {
		cs = append(cs, Column{Name: "time", Type: "time"})
	}
	for _, c := range p.request.By {
		cs = append(cs, Column{Name: c.Name, Type: c.Type, Unit: c.Unit, Set: c.Set})
	}
	for _, m := range measures {
		cs = append(cs, Column{Name: m.name, Type: "integer", Unit: m.unit, Measure: true})
	}
	return cs
}

// row makes the cells of a line.
func (p *plan) row(l *line) []Cell {
	row := make([]Cell, 0, 1+len(p.request.By)+len(measures))
	if p.request.Step > 0 {
		row = append(row, Cell{Kind: CellTime, Time: p.stepStart(l.step)})
	}
	for i, c := range p.request.By {
		switch {
		case l.other:
			row = append(row, Cell{Kind: CellOther})
		case l.cells[i] == "":
			row = append(row, Cell{Kind: CellNone})
		case c.Set:
			row = append(row, Cell{Kind: CellSet, Texts: c.FormatSet(l.cells[i])})
		default:
			row = append(row, Cell{Kind: CellText, Text: c.Format(l.cells[i])})
		}
	}
	for _, m := range measures {
		row = append(row, Cell{Kind: CellNumber, Number: m.of(&l.sums)})
	}
	return row
}

// why says what the rows may lack, in sentences; nothing means that they are exact.
func (p *plan) why(sum *store.Partial) []string {
	if sum.Slices == 0 {
		return []string{"Nothing is kept of this time."}
	}
	var why []string
	if s := p.whyFolded(sum.Other); s != "" {
		why = append(why, s)
	}
	if len(sum.Overflow) > 0 {
		why = append(why, fmt.Sprintf("There are more than %d groups: the rest is summed in (other), and a group "+
			"that moved much may be in it.", p.request.MaxGroups))
	}
	if sum.Incomplete > 0 {
		why = append(why, fmt.Sprintf("%d of %s closed before every part had answered: what came late counts "+
			"in a later slice.", sum.Incomplete, counted(sum.Slices, "slice")))
	}
	for _, l := range sum.Losses {
		if l.Kind != messages.LossFolded && (l.Kind != messages.LossUntagged || p.readsTags()) {
			why = append(why, describe(&l))
		}
	}
	return why
}

// readsTags says whether the answer depends on any tag, rather than only on what follows from the flows' ends.
func (p *plan) readsTags() bool {
	tag := func(c *columns.Column) bool { return !c.Derived }
	return slices.ContainsFunc(p.request.By, tag) || filterReads(p.request.Filter, tag)
}

// filterReads says whether a filter looks at a column of some kind.
func filterReads(f store.Filter, wanted func(*columns.Column) bool) bool {
	reads := func(f store.Filter) bool { return filterReads(f, wanted) }
	switch f := f.(type) {
	case store.And:
		return slices.ContainsFunc(f, reads)
	case store.Or:
		return slices.ContainsFunc(f, reads)
	case store.Not:
		return reads(f.Filter)
	case store.Match:
		return wanted(f.Column)
	default:
		return false
	}
}

// whyFolded tells of the rows that have no columns, unless nobody asked for columns.
func (p *plan) whyFolded(other map[int]messages.Totals) string {
	var t messages.Totals
	for _, step := range other {
		t.Add(step)
	}
	if t == (messages.Totals{}) {
		return ""
	}
	what := fmt.Sprintf("%s with %s had lost their columns to %s", counted(t.Rows, "row"),
		counted(t.Up.Bytes+t.Down.Bytes, "byte"), p.folder())
	switch {
	case p.request.Filter != nil:
		return what + ": the filter could not be tried on them, and they do not count in any row."
	case len(p.request.By) > 0:
		return what + ": they count in (other) alone."
	}
	return ""
}

// folder says who has folded rows: tiers that do not keep a column that was asked for, or a budget.
func (p *plan) folder() string {
	var who []string
	for i := range p.parts {
		if f := &p.parts[i]; len(f.Folded) > 0 {
			text := "tier " + f.Tier + ", which does not keep " + strings.Join(f.Folded, ", ")
			if !slices.Contains(who, text) {
				who = append(who, text)
			}
		}
	}
	if len(who) == 0 {
		return "a memory budget"
	}
	return strings.Join(who, ", or to ")
}

// describe says a loss in one sentence.
func describe(l *messages.Loss) string {
	var b strings.Builder
	if l.Kind == messages.LossUntagged { // What it counts depends on who lost it, and the detail says it.
		fmt.Fprintf(&b, "%s: tags such as names may be missing, bytes are complete", l.Source)
	} else {
		fmt.Fprintf(&b, "%s: %s", l.Source, l.Kind)
	}
	if l.Count > 0 {
		b.WriteString(", " + counted(l.Count, lossUnit(l.Kind)))
	}
	if l.Bytes > 0 {
		b.WriteString(", " + counted(l.Bytes, "byte"))
	}
	if l.Detail != "" {
		b.WriteString(": " + strings.TrimSuffix(l.Detail, "."))
	}
	b.WriteByte('.')
	return b.String()
}

// lossUnit names what a loss counts.
func lossUnit(k messages.LossKind) string {
	switch k {
	case messages.LossOverrun:
		return "event"
	case messages.LossShed, messages.LossRestart:
		return "update"
	case messages.LossZeroed, messages.LossUncounted, messages.LossUnseen:
		return "flow"
	case messages.LossFolded:
		return "row"
	case messages.LossDamaged:
		return "slice"
	default:
		return "time"
	}
}

// counted puts a number before a noun.
func counted(n uint64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.FormatUint(n, 10) + " " + noun
}

// reach says where the range that was asked for goes beyond what is kept.
func (p *plan) reach(covered messages.Span, resolution time.Duration) []string {
	if covered == (messages.Span{}) {
		return nil
	}
	var notes []string
	if covered.Start.After(p.asked.Start) {
		notes = append(notes, fmt.Sprintf("Nothing is kept from before %s.", stamp(covered.Start.In(p.location))))
	}
	// The open slice, and one that is just closing, are not missing.
	if p.asked.End.Sub(covered.End) > 3*resolution {
		notes = append(notes, fmt.Sprintf("Nothing is kept from after %s.", stamp(covered.End.In(p.location))))
	}
	return notes
}
