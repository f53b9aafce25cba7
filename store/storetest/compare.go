package storetest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"weir/messages"
	"weir/store"
)

// ask queries a tier and fails the test on an error.
func ask(t *testing.T, tier store.Tier, r *store.Request) *store.Partial {
	t.Helper()
	p := store.NewPartial(r)
	if err := tier.Query(context.Background(), r, p); err != nil {
		t.Fatalf("query: %v", err)
	}
	return p
}

// appendAll appends slices to all tiers.
func appendAll(t *testing.T, ss []*messages.Slice, tiers ...store.Tier) {
	t.Helper()
	for _, tier := range tiers {
		for _, s := range ss {
			if err := tier.Append(s); err != nil {
				t.Fatalf("append slice %d: %v", s.Seq, err)
			}
		}
	}
}

// Total sums all that is in an answer.
func Total(p *store.Partial) messages.Totals {
	var sum messages.Totals
	for _, t := range p.Groups() {
		sum.Add(t)
	}
	for _, t := range p.Other {
		sum.Add(t)
	}
	for _, t := range p.Overflow {
		sum.Add(t)
	}
	return sum
}

// Diff says how two answers to one request differ, or nothing.
func Diff(want, got *store.Partial) string {
	if d := diffMaps(groups(want), groups(got)); d != "" {
		return "groups: " + d
	}
	if d := diffMaps(want.Other, got.Other); d != "" {
		return "other: " + d
	}
	if d := diffMaps(want.Overflow, got.Overflow); d != "" {
		return "overflow: " + d
	}
	w, g := summary(want), summary(got)
	if w != g {
		return fmt.Sprintf("want %s, got %s", w, g)
	}
	return ""
}

func groups(p *store.Partial) map[string]messages.Totals {
	m := map[string]messages.Totals{}
	for k, t := range p.Groups() {
		m[fmt.Sprintf("%d %q", k.Step, k.Cells)] = t
	}
	return m
}

func diffMaps[K cmp.Ordered](want, got map[K]messages.Totals) string {
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if g, ok := got[k]; !ok || g != want[k] {
			return fmt.Sprintf("%v: want %+v, got %+v (there: %v)", k, want[k], g, ok)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[k]; !ok {
			return fmt.Sprintf("%v: want none, got %+v", k, got[k])
		}
	}
	return ""
}

// summary prints what is not counts.
func summary(p *store.Partial) string {
	losses := slices.Clone(p.Losses)
	slices.SortFunc(losses, func(a, b messages.Loss) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Kind, b.Kind))
	})
	return fmt.Sprintf("slices %d rows %d incomplete %d resolution %v covered %v to %v losses %v",
		p.Slices, p.Rows, p.Incomplete, p.Resolution, p.Covered.Start.UTC(), p.Covered.End.UTC(), losses)
}
