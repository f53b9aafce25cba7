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
	resolution := time.Duration(0)
	if len(tiers) > 0 {
		resolution = tiers[0].Coverage().Resolution
	}
	p, err := q.prepare(now, resolution)
	if err != nil {
		return nil, err
	}
	sum := store.NewPartial(&p.request)
	for _, part := range share(tiers, p.request.Span) {
		r := p.request
		r.Span = part.span
		if err := part.tier.Query(ctx, &r, sum); err != nil {
			return nil, fmt.Errorf("ask: %w", err)
		}
	}
	a := p.answer(sum)
	a.Elapsed = time.Since(began)
	return a, nil
}

// piece is the part of a range that one tier answers.
type piece struct {
	tier store.Tier
	span messages.Span
}

// share cuts a range so that each instant is answered by exactly one tier: the first that reaches back to
// it. What none reaches is left to the last one.
func share(tiers []store.Tier, span messages.Span) []piece {
	var pieces []piece
	for i, tier := range tiers {
		s := span
		held := tier.Coverage().Span
		if i < len(tiers)-1 {
			if held == (messages.Span{}) || !held.Start.Before(span.End) {
				continue
			}
			s.Start = later(held.Start, span.Start)
		}
		pieces = append(pieces, piece{tier: tier, span: s})
		span.End = s.Start
		if !span.Start.Before(span.End) {
			break
		}
	}
	return pieces
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
