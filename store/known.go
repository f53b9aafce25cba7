package store

import (
	"context"

	"weir/columns"
)

// QueryKnown asks a tier that does not know all columns of all rows. query is how the tier answers as if it did,
// and knows is as in [TierInfo]. Rows of which cannot be told whether the filter lets them pass, and rows that
// pass of which not all cells to group by are known, are summed in Partial.Other: an answer may say less than was
// asked for, and nothing wrong.
func QueryKnown(
	ctx context.Context, r *Request, into *Partial, knows func(*columns.Column) Filter,
	query func(ctx context.Context, r *Request, into *Partial) error,
) error {
	t := TierInfo{Knows: knows}
	if t.knowsAll(Needs(r)) {
		return query(ctx, r, into)
	}
	sure := Surely(r.Filter, knows)
	for _, c := range r.By {
		if known := knows(c); known != nil {
			sure = both(sure, known)
		}
	}
	first := *r
	first.Filter = sure
	if err := query(ctx, &first, into); err != nil {
		return err
	}
	unsure := *r
	unsure.By, unsure.MaxGroups = nil, 0
	unsure.Filter = both(perhaps(r.Filter, knows), Not{Filter: orAll(sure)})
	sum := NewPartial(&unsure)
	if err := query(ctx, &unsure, sum); err != nil {
		return err
	}
	for k, totals := range sum.Groups() {
		into.AddOther(k.Step, totals)
	}
	into.Effort.Add(sum.Effort)
	return nil
}

// orAll makes a filter of one that may be nil.
func orAll(f Filter) Filter {
	if f == nil {
		return And{}
	}
	return f
}

// both joins filters, of which nil lets all pass.
func both(a, b Filter) Filter {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return And{a, b}
}

// Surely is a filter that lets pass what certainly passes another one, where not all cells are known; see [TierInfo].
func Surely(f Filter, knows func(*columns.Column) Filter) Filter { return weigh(f, knows, true) }

// perhaps is a filter that lets pass what may pass another one.
func perhaps(f Filter, knows func(*columns.Column) Filter) Filter { return weigh(f, knows, false) }

// weigh decides tests of which the cells are not known of all rows: such a row passes none if sure is set, else all.
func weigh(f Filter, knows func(*columns.Column) Filter, sure bool) Filter {
	each := func(parts []Filter) []Filter {
		weighed := make([]Filter, len(parts))
		for i, part := range parts {
			weighed[i] = orAll(weigh(part, knows, sure))
		}
		return weighed
	}
	switch f := f.(type) {
	case And:
		return And(each(f))
	case Or:
		return Or(each(f))
	case Not:
		return Not{Filter: orAll(weigh(f.Filter, knows, !sure))}
	case Match:
		known := knows(f.Column)
		switch {
		case known == nil:
		case sure:
			return And{known, f}
		default:
			return Or{Not{Filter: known}, f}
		}
	}
	return f
}
