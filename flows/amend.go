package flows

import (
	"slices"

	"weir/columns"
	"weir/messages"
)

// amendment is a flow whose rows in closed slices do not say what is known of it now.
type amendment struct {
	flow uint64 // its identity: the entry may be another one by now
	n    uint32
	was  uint32 // the tag set that the rows have, which is held
}

// maxAmends bounds the flows that wait to be amended, amendsAtOnce those that go with one slice: the memory
// tier looks through all its newer rows for them while the slice is appended.
const maxAmends, amendsAtOnce = 1 << 16, 1 << 13

// tag puts tags on an entry and remembers who must hear of it.
func (t *Table) tag(n uint32, e *entry, tags []columns.Tag) {
	if t.tags.knows(e.tags, tags) {
		return
	}
	was := e.tags
	if !t.opt.Events {
		if e.tags = t.tags.merge(was, tags); e.tags != was {
			t.owe(n, e)
		}
		return
	}
	amend := e.told&(toldRow|amending) == toldRow
	if amend {
		t.tags.hold(was)
	}
	e.tags = t.tags.merge(was, tags)
	if e.tags != was {
		t.note(n, e, toldNot)
		t.owe(n, e)
	}
	if !amend {
		return
	}
	switch {
	case e.tags == was:
		t.tags.release(was)
	case len(t.amends) >= maxAmends:
		t.stats.AmendmentsLost++
		t.tags.release(was)
	default:
		e.told |= amending
		t.amends = append(t.amends, amendment{flow: t.identity(e), n: n, was: was})
	}
}

// takeAmendments gives what the rows of earlier slices should say. What does not fit waits for the next slice.
func (t *Table) takeAmendments() []messages.Amendment {
	var as []messages.Amendment
	taken := 0
	for ; taken < len(t.amends) && len(as) < amendsAtOnce; taken++ {
		a := t.amends[taken]
		e := t.arena.at(a.n)
		if e.told&amending != 0 && t.identity(e) == a.flow {
			e.told &^= amending
			if cells := newCells(t.tags.get(a.was), t.tags.get(e.tags), e.localIsA()); len(cells) > 0 {
				as = append(as, messages.Amendment{Flow: a.flow, Cells: cells})
			}
		}
		t.tags.release(a.was)
	}
	if t.amends = t.amends[taken:]; len(t.amends) == 0 {
		t.amends = nil
	}
	t.stats.Amendments += uint64(len(as))
	return as
}

// newCells are the values that changed, of columns that hold one.
func newCells(was, now []columns.Tag, localIsA bool) (cells []messages.AmendedCell) {
	for _, tag := range now {
		if !tag.Column.Set && !slices.Contains(was, tag) {
			column := tag.Column.Sibling(sideOf(tag.End, localIsA))
			cells = append(cells, messages.AmendedCell{Column: column, Value: tag.Value})
		}
	}
	return cells
}
