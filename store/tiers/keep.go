package tiers

import (
	"cmp"
	"slices"
	"strings"

	"weir/columns"
	"weir/store"
)

// keep says which columns of rows are kept. It is a chain of what each tier says from the first to some tier, since
// none can keep what the one before has dropped.
type keep struct {
	// rules of all tiers so far, each as its text says (see [parseRule]).
	rules []rule
}

// rule is what one tier keeps.
type rule struct {
	// drop says that all columns are kept but those named alone; otherwise those are kept that are named.
	drop bool
	// names are the columns. Of several side by side the first is kept of which a row has a cell.
	names [][]string
}

// ruleOf reads what a level says. Columns that this build lacks are left out: no row has them.
func ruleOf(l *Level) rule {
	entries, r := l.Columns, rule{}
	if len(entries) == 0 {
		entries, r.drop = l.Drop, true
	}
	for _, entry := range entries {
		names := slices.DeleteFunc(strings.Split(entry, "|"), func(name string) bool {
			_, ok := columns.Lookup(name)
			return !ok
		})
		if len(names) > 0 {
			r.names = append(r.names, names)
		}
	}
	return r
}

// The texts of rules stand among the sources of a bucket file, so that it is known what it has left out, whatever the
// configuration says later.
const (
	ruleKeep = "keep "
	ruleDrop = "drop "
)

func (r rule) String() string {
	entries := make([]string, 0, len(r.names))
	for _, names := range r.names {
		entries = append(entries, strings.Join(names, "|"))
	}
	if r.drop {
		return ruleDrop + strings.Join(entries, ",")
	}
	return ruleKeep + strings.Join(entries, ",")
}

// parseRule reads the text of a rule. ok is false if it is something else.
func parseRule(text string) (r rule, ok bool) {
	rest, drop := strings.CutPrefix(text, ruleDrop)
	if !drop {
		if rest, ok = strings.CutPrefix(text, ruleKeep); !ok {
			return r, false
		}
	}
	r.drop = drop
	for entry := range strings.SplitSeq(rest, ",") {
		if entry != "" {
			r.names = append(r.names, strings.Split(entry, "|"))
		}
	}
	return r, true
}

// all says that it leaves nothing out.
func (r rule) all() bool { return r.drop && len(r.names) == 0 }

// knows tells of which rows the cells of a column are kept, as in [store.TierInfo].
func (r rule) knows(c *columns.Column) store.Filter {
	at, place := r.find(c.Name)
	switch {
	case r.drop && at >= 0:
		return store.Or{}
	case r.drop || place == 0:
		return nil
	case at < 0:
		return store.Or{}
	}
	var known store.And
	for _, name := range r.names[at][:place] {
		before, ok := columns.Lookup(name)
		if !ok {
			return store.Or{}
		}
		known = append(known, empty(before))
	}
	return known
}

// find gives the entry that names a column and its place in it, or -1.
func (r rule) find(name string) (at, place int) {
	best := -1
	for i, names := range r.names {
		if p := slices.Index(names, name); p >= 0 && (best < 0 || p < place) {
			best, place = i, p
		}
	}
	if best < 0 {
		return -1, -1
	}
	return best, place
}

func empty(c *columns.Column) store.Filter {
	return store.Match{Column: c, Cell: func(v columns.Value) bool { return v == "" }}
}

// knows tells of which rows the cells of a column came through all rules.
func (k keep) knows(c *columns.Column) store.Filter {
	var known store.And
	for _, r := range k.rules {
		switch f := r.knows(c).(type) {
		case nil:
		case store.And:
			known = append(known, f...)
		default:
			return f
		}
	}
	for _, f := range known {
		if m, ok := f.(store.Match); ok && k.knows(m.Column) != nil {
			return store.Or{} // Whether there was a cell before it is not known either.
		}
	}
	if len(known) == 0 {
		return nil
	}
	return known
}

// with is a chain with one more rule.
func (k keep) with(r rule) keep {
	if r.all() {
		return k
	}
	has := func(o rule) bool { return o.String() == r.String() }
	if slices.ContainsFunc(k.rules, has) {
		return k
	}
	rules := append(slices.Clone(k.rules), r)
	slices.SortFunc(rules, func(a, b rule) int { return cmp.Compare(a.String(), b.String()) })
	return keep{rules: rules}
}

// texts are the rules as they stand among the sources of a file.
func (k keep) texts() []string {
	texts := make([]string, 0, len(k.rules))
	for _, r := range k.rules {
		texts = append(texts, r.String())
	}
	return texts
}

// keepOf finds the rules among the sources of a file.
func keepOf(sources []string) (k keep, rest []string) {
	for _, text := range sources {
		if r, ok := parseRule(text); ok {
			k = k.with(r)
		} else {
			rest = append(rest, text)
		}
	}
	return k, rest
}

// Unknown lists the columns that levels name and this build lacks, each once. They are left out.
func Unknown(levels []Level) []string {
	var names []string
	for i := range levels {
		for _, entry := range slices.Concat(levels[i].Columns, levels[i].Drop) {
			for name := range strings.SplitSeq(entry, "|") {
				if _, ok := columns.Lookup(name); !ok && !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
		}
	}
	return names
}
