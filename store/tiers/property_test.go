package tiers

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"weir/columns"
	"weir/internal/disk/disktest"
	"weir/messages"
	"weir/store"
	"weir/store/memory"
	"weir/store/storetest"
)

// world is a store with memory beside a model that keeps every row.
type world struct {
	t      *testing.T
	r      *rand.Rand
	fs     *disktest.FS
	levels []Level
	store  *Store
	memory *memory.Tier
	model  *storetest.Model
	maker  *storetest.Maker
	seq    uint64
	at     time.Time
}

// randomLadder makes a ladder of one to four levels.
func randomLadder(r *rand.Rand, all []*columns.Column) []Level {
	slice, bucket := storetest.Resolution, storetest.Resolution*time.Duration(1+r.IntN(6))
	var levels []Level
	for k := range 1 + r.IntN(4) {
		l := Level{Name: fmt.Sprintf("t%d", k), Slice: duration(slice), Bucket: duration(bucket)}
		if k > 0 && r.IntN(2) == 0 {
			l.Columns, l.Drop = randomColumns(r, all)
		}
		levels = append(levels, l)
		var divisors []time.Duration
		for longer := 2 * slice; longer <= bucket; longer += slice {
			if bucket%longer == 0 {
				divisors = append(divisors, longer)
			}
		}
		if len(divisors) == 0 {
			break
		}
		slice = divisors[r.IntN(len(divisors))]
		bucket *= time.Duration(1 + r.IntN(4))
	}
	if r.IntN(2) == 0 { // All but the coarsest tier keep no more than must be.
		for k := range len(levels) - 1 {
			levels[k].Retention = duration(levels[k].Bucket.Duration + levels[k+1].Bucket.Duration)
		}
	}
	return levels
}

// randomColumns keeps some columns, some of them as alternatives, or drops some.
func randomColumns(r *rand.Rand, all []*columns.Column) (kept, drop []string) {
	var names []string
	for _, i := range r.Perm(len(all))[:1+r.IntN(len(all))] {
		names = append(names, all[i].Name)
	}
	if r.IntN(2) == 0 {
		return nil, names
	}
	for len(names) > 0 {
		n := min(1+r.IntN(2), len(names))
		entry := names[0]
		if n == 2 {
			entry += "|" + names[1]
		}
		kept, names = append(kept, entry), names[n:]
	}
	return kept, nil
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	m := storetest.NewMaker(seed)
	w := &world{
		t: t, r: m.R, maker: m, fs: disktest.New(), model: &storetest.Model{Resolution: storetest.Resolution},
		levels: randomLadder(m.R, m.Columns), at: storetest.Begin(),
	}
	w.open()
	return w
}

func (w *world) open() {
	s, err := New(testOptions(w.fs, w.levels))
	if err == nil {
		err = s.Open()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.store = s
	w.memory = memory.New(memory.Options{Retention: time.Duration(1+w.r.IntN(20)) * storetest.Resolution})
}

func (w *world) close() {
	if err := w.store.Close(); err != nil {
		w.t.Error(err)
	}
}

// slice appends one slice, mostly the next in time.
func (w *world) slice() {
	s := w.maker.Slice(8)
	s.Seq = w.seq
	w.seq++
	switch w.r.IntN(40) {
	case 0: // The clock is set back.
		w.at = w.at.Add(-time.Duration(w.r.IntN(60)) * storetest.Resolution)
	case 1: // Or forward.
		w.at = w.at.Add(time.Duration(w.r.IntN(60)) * storetest.Resolution)
	}
	s.Span = messages.Span{Start: w.at, End: w.at.Add(storetest.Resolution)}
	w.at = s.Span.End
	if w.r.IntN(10) == 0 {
		s.Complete = false
		s.Losses = []messages.Loss{{Source: "a", Kind: messages.LossShed, Count: 3, Bytes: 5, Span: s.Span}}
	}
	for _, tier := range []store.Tier{w.model, w.memory, w.store} {
		if err := tier.Append(s); err != nil {
			w.t.Fatal(err)
		}
	}
}

// request asks for some time around what there is, at steps of a coarse tier or not.
func (w *world) request() *store.Request {
	r := w.maker.Request()
	length := storetest.Resolution
	if w.r.IntN(2) == 0 {
		length = w.levels[w.r.IntN(len(w.levels))].Slice.Duration
	}
	span := w.model.Coverage().Span
	n := int(span.Duration()/length) + 2
	start := span.Start.Truncate(length).Add(time.Duration(w.r.IntN(n)) * length)
	r.Span = messages.Span{Start: start, End: start.Add(time.Duration(1+w.r.IntN(n)) * length)}
	r.Origin = start
	r.Step = time.Duration(w.r.IntN(3)) * length
	if w.r.IntN(2) == 0 {
		r.By = r.By[:min(len(r.By), 1)]
	}
	if w.r.IntN(2) == 0 {
		r.Filter = nil
	}
	return r
}

// ask answers as package query does.
func ask(ctx context.Context, tiers []store.Tier, r *store.Request) (*store.Partial, bool, error) {
	views, done := store.ViewsOf(tiers)
	defer done()
	infos := make([]store.TierInfo, 0, len(views))
	for _, v := range views {
		infos = append(infos, v.TierInfo)
	}
	sum, exact := store.NewPartial(r), true
	for _, p := range store.Plan(infos, r) {
		part := *r
		part.Span = p.Read
		exact = exact && p.Exact
		if err := views[p.Tier].Query(ctx, &part, sum); err != nil {
			return nil, false, err
		}
	}
	return sum, exact, nil
}

// check compares the answers to a request. Where tiers have what is asked for they are equal, else nothing is
// missing.
func (w *world) check(what string, tiers []store.Tier) bool {
	r := w.request()
	want := store.NewPartial(r)
	if err := w.model.Query(w.t.Context(), r, want); err != nil {
		w.t.Fatal(err)
	}
	got, exact, err := ask(w.t.Context(), tiers, r)
	if err != nil {
		w.t.Fatalf("%s: %v", what, err)
	}
	if exact {
		if d := diff(want, got); d != "" {
			w.t.Fatalf("%s: %+v of %+v: %s", what, r, w.levels, d)
		}
		return true
	}
	all := func(p *store.Partial) messages.Totals { return counted(storetest.Total(p)) }
	if r.Filter == nil && all(want) != all(got) && r.Step == 0 && slices.Equal(r.By, nil) {
		w.t.Fatalf("%s: %+v of %+v: want %+v, got %+v", what, r, w.levels, all(want), all(got))
	}
	return false
}

// counted leaves out how many rows it was: rolling up makes fewer.
func counted(t messages.Totals) messages.Totals {
	t.Rows = 0
	return t
}

func diff(want, got *store.Partial) string {
	sums := func(p *store.Partial) map[string]messages.Totals {
		m := map[string]messages.Totals{}
		for k, t := range p.Groups() {
			m[fmt.Sprintf("%d %q", k.Step, k.Cells)] = counted(t)
		}
		for step, t := range p.Other {
			m[fmt.Sprintf("%d other", step)] = counted(t)
		}
		return m
	}
	w, g := sums(want), sums(got)
	for k, t := range w {
		if g[k] != t {
			return fmt.Sprintf("%s: want %+v, got %+v", k, t, g[k])
		}
	}
	for k, t := range g {
		if _, ok := w[k]; !ok {
			return fmt.Sprintf("%s: want none, got %+v", k, t)
		}
	}
	if len(want.Losses) != len(got.Losses) || len(want.Losses) > 0 && want.Losses[0].Count != got.Losses[0].Count {
		return fmt.Sprintf("losses: want %+v, got %+v", want.Losses, got.Losses)
	}
	if (want.Incomplete > 0) != (got.Incomplete > 0) {
		return fmt.Sprintf("incomplete: want %d, got %d", want.Incomplete, got.Incomplete)
	}
	return ""
}

// TestAgainstModel makes random ladders, slices and requests: memory, journal and files at any stage of the work
// answer as the model does, which keeps every row.
func TestAgainstModel(t *testing.T) {
	exact, inexact := 0, 0
	for seed := range uint64(60) {
		w := newWorld(t, seed)
		for round := range 120 {
			w.slice()
			for w.r.IntN(3) == 0 {
				if _, err := w.store.Step(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if w.r.IntN(60) == 0 {
				w.close()
				w.fs = w.fs.Restart()
				w.open()
			}
			if round%4 != 0 {
				continue
			}
			what := fmt.Sprintf("seed %d round %d", seed, round)
			tiers := []store.Tier{w.memory, w.store}
			if w.r.IntN(2) == 0 {
				tiers = tiers[1:]
			}
			if w.check(what, tiers) {
				exact++
			} else {
				inexact++
			}
		}
		w.close()
	}
	t.Logf("%d requests were answered in full, %d not by tiers that have all that was asked for", exact, inexact)
	if exact < inexact/4 {
		t.Error("too few")
	}
}
