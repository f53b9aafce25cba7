package query

import (
	"context"
	"fmt"
	"time"

	"weir/messages"
	"weir/store"
)

// Ask puts a question to the tiers, which are ordered from the newest and finest to the oldest. now is the
// end of a range that has none. Nothing is asked of an actor: the caller's goroutine does the work. An
// error in the question is an [*Error].
func Ask(ctx context.Context, tiers []store.Tier, q Question, now time.Time) (*Answer, error) {
	began := time.Now()
	views, done := store.ViewsOf(tiers)
	defer done()
	infos := make([]store.TierInfo, len(views))
	resolution := time.Duration(0)
	for i := range views {
		infos[i] = views[i].TierInfo
		if resolution == 0 || views[i].Resolution < resolution {
			resolution = views[i].Resolution
		}
	}
	p, err := q.prepare(now, resolution)
	if err != nil {
		return nil, err
	}
	sum := store.NewPartial(&p.request)
	var parts []Part
	for _, piece := range store.Plan(infos, &p.request) {
		part, err := p.ask(ctx, &views[piece.Tier], piece, sum)
		if err != nil {
			return nil, fmt.Errorf("ask: %w", err)
		}
		parts = append(parts, part)
	}
	p.parts = parts
	a := p.answer(sum)
	a.Parts = parts
	a.Elapsed = time.Since(began)
	return a, nil
}

// ask puts the question to one tier.
func (p *plan) ask(ctx context.Context, v *store.View, piece store.Piece, sum *store.Partial) (Part, error) {
	began := time.Now()
	before := *sum
	// Of the whole answer the resolution is the longest slice; here it is that of the part.
	sum.Effort, sum.Resolution = store.Effort{}, 0
	r := p.request
	r.Span = piece.Read
	err := v.Query(ctx, &r, sum)
	part := Part{
		Tier: v.Name, Span: piece.Span, Resolution: max(v.Resolution, sum.Resolution), Exact: piece.Exact,
		Folded: folded(v, &p.request), Slices: sum.Slices - before.Slices, Rows: sum.Rows - before.Rows,
		Effort: sum.Effort, Elapsed: time.Since(began),
	}
	sum.Effort.Add(before.Effort)
	if part.Slices > 0 { // The first slice of a run is a short one, and says little about those that follow.
		sum.Resolution = part.Resolution
	}
	sum.Resolution = max(sum.Resolution, before.Resolution)
	return part, err
}

// folded names the columns that were asked for and that a tier does not know, or not of all rows.
func folded(v *store.View, r *store.Request) (names []string) {
	if v.Knows == nil {
		return nil
	}
	for _, c := range store.Needs(r) {
		if v.Knows(c) != nil {
			names = append(names, c.Name)
		}
	}
	return names
}

// Part says which tier answered for which part of the range, and what that took.
type Part struct {
	// Tier is its name, Span the part of the range.
	Tier string
	Span messages.Span
	// Resolution is the length of its slices, or of the longest one that was read.
	Resolution time.Duration
	// Exact says that the tier has the resolution and the columns that were asked for. Folded names the columns
	// that it lacks; rows of which they are not known count in (other).
	Exact  bool
	Folded []string
	// Slices and Rows were read.
	Slices, Rows uint64
	// Effort is what was read of files, Elapsed the time it took.
	Effort  store.Effort
	Elapsed time.Duration
}
