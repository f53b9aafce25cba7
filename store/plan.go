package store

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"weir/columns"
	"weir/messages"
)

// TierInfo is what a planner needs to know of a tier.
type TierInfo struct {
	// Name of the tier.
	Name string
	// Resolution is the length of its slices.
	Resolution time.Duration
	// Whole are spans in order of time that do not touch each other: all that is stored of the slices that start
	// inside is in the tier.
	Whole []messages.Span
	// Mixed says that it holds slices of several lengths. It is asked where no other one is whole.
	Mixed bool
	// Volatile says that it holds nothing from before the program began.
	Volatile bool
	// Earlier is when the last slice ends that was stored before the program began: what is volatile is not whole
	// before that, whatever it says. Zero if there was none.
	Earlier time.Time
	// Knows tells of which rows the cells of a column are what they were: all if the filter is nil, none if it is
	// the empty Or. A nil function knows all columns of all rows.
	Knows func(c *columns.Column) Filter
}

// View is a tier as it was at some moment: later changes of the tier do not touch it.
type View struct {
	TierInfo
	// Query adds what the view knows about the request into the answer.
	Query func(ctx context.Context, r *Request, into *Partial) error
}

// Viewer is a tier that can be planned with, or several that one manager keeps. The views of one call belong
// together: where two of them are whole, both tell the same.
type Viewer interface {
	// Views gives what there is at this moment, the newest and finest first. done is called when nobody asks the
	// views any more.
	Views() (views []View, done func())
}

// ViewsOf gives views of tiers, the newest and finest first. Each instant is answered by the first tier that
// reaches back to it, unless the tiers say more of themselves by being a [Viewer]. done is to be called in the
// end.
func ViewsOf(tiers []Tier) (views []View, done func()) {
	var after []func()
	// Slices move from the front to the back while this goes on, thus the back is looked at last: a slice is seen
	// twice rather than not at all, and the plan takes it once.
	for _, t := range tiers {
		if v, ok := t.(Viewer); ok {
			more, done := v.Views()
			views, after = append(views, more...), append(after, done)
			continue
		}
		c := t.Coverage()
		v := View{TierInfo: TierInfo{Name: c.Name, Resolution: c.Resolution}, Query: t.Query}
		if c.Span != (messages.Span{}) {
			v.Whole = []messages.Span{{Start: c.Span.Start, End: Always().End}}
		}
		views = append(views, v)
	}
	return views, func() {
		for _, f := range after {
			f()
		}
	}
}

// Always is a span that holds all times that are asked for.
func Always() messages.Span {
	return messages.Span{Start: time.Unix(-1<<34, 0), End: time.Unix(1<<34, 0)}
}

// Piece is a part of a range that one tier answers.
type Piece struct {
	// Tier is its place in the list that was planned with.
	Tier int
	// Span is the part of the range.
	Span messages.Span
	// Read is the span to ask the tier for. It begins before Span if the range begins in the middle of a slice and
	// there is no finer tier.
	Read messages.Span
	// Exact says that the tier has the resolution and all columns that were asked for.
	Exact bool
}

// Plan cuts the range of a request into pieces in order of time, each for one tier, without overlap and without
// gap. A piece goes to the coarsest tier that has the resolution and the columns that are needed; where there is
// none, to the finest that is whole there; where none is whole, to the last one.
func Plan(tiers []TierInfo, r *Request) []Piece {
	if len(tiers) == 0 || !r.Span.Start.Before(r.Span.End) {
		return nil
	}
	p := planner{tiers: tiers, request: r, needs: Needs(r), finest: time.Duration(math.MaxInt64)}
	for i := range tiers {
		p.finest = min(p.finest, tiers[i].Resolution)
		if tiers[i].Earlier.After(p.earlier) {
			p.earlier = tiers[i].Earlier
		}
	}
	p.rest = []messages.Span{r.Span}
	for _, i := range p.order(func(a, b *TierInfo) int { return cmp.Compare(b.Resolution, a.Resolution) }) {
		if p.exact(&tiers[i]) {
			p.take(i, true, true)
		}
	}
	fine := p.order(func(a, b *TierInfo) int { return cmp.Compare(a.Resolution, b.Resolution) })
	for _, aligned := range []bool{true, false} {
		for _, i := range fine {
			p.take(i, aligned, false)
		}
	}
	for _, s := range p.rest {
		p.pieces = append(p.pieces, Piece{Tier: len(tiers) - 1, Span: s})
	}
	return p.finish()
}

// Needs lists the columns that a request reads, each once.
func Needs(r *Request) []*columns.Column {
	needs := slices.Clone(r.By)
	var walk func(f Filter)
	walk = func(f Filter) {
		switch f := f.(type) {
		case And:
			for _, part := range f {
				walk(part)
			}
		case Or:
			for _, part := range f {
				walk(part)
			}
		case Not:
			walk(f.Filter)
		case Match:
			if !slices.Contains(needs, f.Column) {
				needs = append(needs, f.Column)
			}
		}
	}
	walk(r.Filter)
	return needs
}

// planner is a plan in the making.
type planner struct {
	tiers   []TierInfo
	request *Request
	needs   []*columns.Column
	// finest is the length of the shortest slices: ranges are cut anywhere between tiers that have them.
	finest  time.Duration
	earlier time.Time
	// rest is what has no tier yet.
	rest   []messages.Span
	pieces []Piece
}

// order gives the places of the tiers in some order, the mixed ones last.
func (p *planner) order(compare func(a, b *TierInfo) int) []int {
	places := make([]int, len(p.tiers))
	for i := range places {
		places[i] = i
	}
	slices.SortStableFunc(places, func(a, b int) int {
		x, y := &p.tiers[a], &p.tiers[b]
		switch {
		case x.Mixed && y.Mixed:
			return cmp.Compare(x.Resolution, y.Resolution)
		case x.Mixed:
			return 1
		case y.Mixed:
			return -1
		}
		return compare(x, y)
	})
	return places
}

// exact says whether a tier answers the request as if it had every row.
func (p *planner) exact(t *TierInfo) bool {
	r := p.request
	if r.Step > 0 && t.Resolution > p.finest &&
		(r.Step%t.Resolution != 0 || !r.Origin.Truncate(t.Resolution).Equal(r.Origin)) {
		return false
	}
	return t.knowsAll(p.needs)
}

func (t *TierInfo) knowsAll(needs []*columns.Column) bool {
	return t.Knows == nil || !slices.ContainsFunc(needs, func(c *columns.Column) bool { return t.Knows(c) != nil })
}

// take gives what is left to a tier as far as it is whole. Aligned cuts only between its slices.
func (p *planner) take(tier int, aligned, exact bool) {
	t := &p.tiers[tier]
	for _, w := range t.Whole {
		if t.Volatile && w.Start.Before(p.earlier) {
			w.Start = p.earlier
		}
		var rest []messages.Span
		for _, s := range p.rest {
			x := messages.Span{Start: later(s.Start, w.Start), End: earlier(s.End, w.End)}
			if aligned && t.Resolution > p.finest {
				x = inner(x, t.Resolution)
			}
			if !x.Start.Before(x.End) {
				rest = append(rest, s)
				continue
			}
			p.pieces = append(p.pieces, Piece{Tier: tier, Span: x, Exact: exact})
			if s.Start.Before(x.Start) {
				rest = append(rest, messages.Span{Start: s.Start, End: x.Start})
			}
			if x.End.Before(s.End) {
				rest = append(rest, messages.Span{Start: x.End, End: s.End})
			}
		}
		p.rest = rest
	}
}

// inner is the longest span of whole slices inside another.
func inner(s messages.Span, slice time.Duration) messages.Span {
	start := s.Start.Truncate(slice)
	if start.Before(s.Start) {
		start = start.Add(slice)
	}
	return messages.Span{Start: start, End: s.End.Truncate(slice)}
}

// finish sorts the pieces and joins those that one tier answers on.
func (p *planner) finish() []Piece {
	slices.SortFunc(p.pieces, func(a, b Piece) int { return a.Span.Start.Compare(b.Span.Start) })
	joined := p.pieces[:0]
	for _, x := range p.pieces {
		if n := len(joined); n > 0 && joined[n-1].Tier == x.Tier && joined[n-1].Exact == x.Exact {
			joined[n-1].Span.End = x.Span.End
			continue
		}
		joined = append(joined, x)
	}
	for i := range joined {
		x := &joined[i]
		x.Read = x.Span
		if t := &p.tiers[x.Tier]; i == 0 && t.Resolution > p.finest {
			x.Read.Start = x.Read.Start.Truncate(t.Resolution)
		}
	}
	return joined
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
