package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"weir/columns"
	_ "weir/columns/app"
	_ "weir/columns/ip"
	_ "weir/columns/port"
	"weir/messages"
	"weir/store"
	"weir/store/storetest"
)

func at(n int) time.Time { return storetest.Begin().Add(time.Duration(n) * time.Second) }

// randomInfos makes tiers, each whole in some spans that begin and end between its slices.
func randomInfos(t *rapid.T) []store.TierInfo {
	infos := make([]store.TierInfo, rapid.IntRange(1, 6).Draw(t, "tiers"))
	lengths := []int{1, 2, 6, 12}
	for i := range infos {
		slice := lengths[rapid.IntRange(0, len(lengths)-1).Draw(t, "slice")]
		info := store.TierInfo{
			Name: fmt.Sprint(i), Resolution: time.Duration(slice) * time.Second,
			Mixed: rapid.Bool().Draw(t, "mixed"), Volatile: rapid.Bool().Draw(t, "volatile"),
		}
		end := -60
		for range rapid.IntRange(0, 3).Draw(t, "spans") {
			start := end + slice*rapid.IntRange(1, 60/slice).Draw(t, "gap")
			end = start + slice*rapid.IntRange(1, 60/slice).Draw(t, "length")
			info.Whole = append(info.Whole, messages.Span{Start: at(start), End: at(end)})
		}
		if rapid.Bool().Draw(t, "earlier") {
			info.Earlier = at(rapid.IntRange(-60, 60).Draw(t, "end"))
		}
		if rapid.Bool().Draw(t, "folds") {
			info.Knows = func(c *columns.Column) store.Filter {
				if c.Base == "port" {
					return store.Or{}
				}
				return nil
			}
		}
		infos[i] = info
	}
	return infos
}

func randomRequest(t *rapid.T) *store.Request {
	start := rapid.IntRange(-100, 100).Draw(t, "from")
	r := &store.Request{
		Span:   messages.Span{Start: at(start), End: at(start + rapid.IntRange(1, 150).Draw(t, "last"))},
		Origin: at(start), Step: time.Duration(rapid.IntRange(0, 12).Draw(t, "step")) * time.Second,
	}
	for _, name := range []string{"local.ip", "remote.port"} {
		if c, ok := columns.Lookup(name); ok && rapid.Bool().Draw(t, name) {
			r.By = append(r.By, c)
		}
	}
	return r
}

// TestPlanCoversOnce looks at every second of a range: one piece has it, and its tier is as good as promised.
func TestPlanCoversOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		infos, r := randomInfos(t), randomRequest(t)
		pieces := store.Plan(infos, r)
		end := r.Span.Start
		for i, p := range pieces {
			if !p.Span.Start.Equal(end) || !p.Span.Start.Before(p.Span.End) {
				t.Fatalf("piece %d is %v after %v: %+v", i, p.Span, end, pieces)
			}
			end = p.Span.End
			same := p.Read.Start.Equal(p.Span.Start)
			if p.Read.Start.After(p.Span.Start) || i > 0 && !same || p.Read.End != p.Span.End {
				t.Fatalf("piece %d reads %v for %v", i, p.Read, p.Span)
			}
			checkPiece(t, infos, r, p)
		}
		if !end.Equal(r.Span.End) {
			t.Fatalf("ends at %v: %+v", end, pieces)
		}
	})
}

// checkPiece compares with what each second could have.
func checkPiece(t *rapid.T, infos []store.TierInfo, r *store.Request, p store.Piece) {
	info := &infos[p.Tier]
	finest, earlier := info.Resolution, time.Time{}
	for _, o := range infos {
		finest = min(finest, o.Resolution)
		if o.Earlier.After(earlier) {
			earlier = o.Earlier
		}
	}
	aligned := info.Resolution == finest || p.Span.Start.Truncate(info.Resolution).Equal(p.Span.Start) &&
		p.Span.End.Truncate(info.Resolution).Equal(p.Span.End)
	fits := r.Step == 0 || info.Resolution == finest || r.Step%info.Resolution == 0 &&
		r.Origin.Truncate(info.Resolution).Equal(r.Origin)
	if p.Exact && (!aligned || !fits || info.Knows != nil && slices.ContainsFunc(r.By, func(c *columns.Column) bool {
		return c.Base == "port"
	})) {
		t.Fatalf("%+v is not exact in %+v for %+v", p, info, r)
	}
	for s := p.Span.Start; s.Before(p.Span.End); s = s.Add(time.Second) {
		some := false
		for i := range infos {
			o := &infos[i]
			is := holds(o, s, earlier)
			some = some || is
			if i == p.Tier && !is && p.Tier != len(infos)-1 {
				t.Fatalf("%v is not in tier %d: %+v", s, p.Tier, o)
			}
			if is && !o.Mixed && o.Resolution == finest && o.Knows == nil && !p.Exact {
				t.Fatalf("%v is in the finest tier %d, yet %+v", s, i, p)
			}
		}
		if some && !holds(info, s, earlier) {
			t.Fatalf("%v is in some tier, and not in %d", s, p.Tier)
		}
	}
}

func holds(o *store.TierInfo, s, earlier time.Time) bool {
	return (!o.Volatile || !s.Before(earlier)) && slices.ContainsFunc(o.Whole, func(w messages.Span) bool {
		return !s.Before(w.Start) && s.Before(w.End)
	})
}

// TestPlanChooses draws some ladders and what is asked of them.
func TestPlanChooses(t *testing.T) {
	all := func(from, to int) []messages.Span { return []messages.Span{{Start: at(from), End: at(to)}} }
	noPorts := func(c *columns.Column) store.Filter {
		if c.Base == "port" {
			return store.Or{}
		}
		return nil
	}
	infos := []store.TierInfo{
		{Name: "memory", Resolution: time.Second, Whole: all(50, 1000), Volatile: true},
		{Name: "fine", Resolution: time.Second, Whole: all(0, 70), Earlier: at(55)},
		{Name: "coarse", Resolution: 10 * time.Second, Whole: all(-600, 40), Knows: noPorts},
	}
	port, _ := columns.Lookup("remote.port")
	for _, c := range []struct {
		what     string
		from, to int
		step     time.Duration
		by       []*columns.Column
		want     string
	}{
		{"sum", -60, 90, 0, nil, "coarse -60..40 fine 40..55 memory 55..90 "},
		{"sum from within a slice", -55, 45, 0, nil, "coarse -60..-50! coarse -50..40 fine 40..45 "},
		{"short steps", -60, 90, 5 * time.Second, nil, "coarse -60..0! fine 0..55 memory 55..90 "},
		{"a column that is dropped", -60, 90, 0, []*columns.Column{port}, "coarse -60..0! fine 0..55 memory 55..90 "},
		{"before all", -700, -590, 0, nil, "coarse -700..-600! coarse -600..-590 "},
	} {
		r := &store.Request{Origin: at(c.from), Step: c.step, By: c.by}
		r.Span = messages.Span{Start: at(c.from), End: at(c.to)}
		got := ""
		for _, p := range store.Plan(infos, r) {
			mark := ""
			if !p.Exact {
				mark = "!"
			}
			second := func(t time.Time) int { return int(t.Sub(storetest.Begin()) / time.Second) }
			got += fmt.Sprintf("%s %d..%d%s ", infos[p.Tier].Name, second(p.Read.Start), second(p.Span.End), mark)
		}
		if got != c.want {
			t.Errorf("%s: want %s, got %s", c.what, c.want, got)
		}
	}
}

// TestQueryKnown forgets cells of rows and compares what is still told with the whole truth: nothing is wrong, and
// what is missing is in (other).
func TestQueryKnown(t *testing.T) {
	for seed := range uint64(200) {
		m := storetest.NewMaker(seed)
		model := &storetest.Model{Resolution: storetest.Resolution}
		for range 3 {
			if err := model.Append(m.Slice(20)); err != nil {
				t.Fatal(err)
			}
		}
		knows := randomKnowledge(m)
		for range 20 {
			r := m.Request()
			whole, part := store.NewPartial(r), store.NewPartial(r)
			if err := model.Query(t.Context(), r, whole); err != nil {
				t.Fatal(err)
			}
			if err := store.QueryKnown(t.Context(), r, part, knows, forgetful(model, knows)); err != nil {
				t.Fatal(err)
			}
			compareKnown(t, seed, whole, part)
		}
	}
}

// randomKnowledge drops some columns, and of others the cells where a third column has any.
func randomKnowledge(m *storetest.Maker) func(*columns.Column) store.Filter {
	known := map[*columns.Column]store.Filter{}
	guard := m.Columns[m.R.IntN(len(m.Columns))]
	for _, c := range m.Columns {
		if c == guard {
			continue
		}
		switch m.R.IntN(4) {
		case 0:
			known[c] = store.Or{}
		case 1:
			known[c] = store.Match{Column: guard, Cell: func(v columns.Value) bool { return v == "" }}
		}
	}
	return func(c *columns.Column) store.Filter { return known[c] }
}

// forgetful fails if a test that means something is made on a row whose cell is not known: it answers at random.
func forgetful(
	model *storetest.Model, knows func(*columns.Column) store.Filter,
) func(context.Context, *store.Request, *store.Partial) error {
	r := rand.New(rand.NewPCG(1, 2))
	var spoil func(f store.Filter) store.Filter
	spoil = func(f store.Filter) store.Filter {
		switch f := f.(type) {
		case store.And:
			out := store.And{}
			for _, p := range f {
				out = append(out, spoil(p))
			}
			return out
		case store.Or:
			out := store.Or{}
			for _, p := range f {
				out = append(out, spoil(p))
			}
			return out
		case store.Not:
			return store.Not{Filter: spoil(f.Filter)}
		case store.Match:
			known := knows(f.Column)
			if known == nil {
				return f
			}
			lie := store.Match{Column: f.Column, Cell: func(columns.Value) bool { return r.IntN(2) == 0 }}
			return store.Or{store.And{known, f}, store.And{store.Not{Filter: known}, lie}}
		}
		return f
	}
	return func(ctx context.Context, req *store.Request, into *store.Partial) error {
		spoiled := *req
		spoiled.Filter = spoil(req.Filter)
		return model.Query(ctx, &spoiled, into)
	}
}

func compareKnown(t *testing.T, seed uint64, whole, part *store.Partial) {
	t.Helper()
	for k, sum := range part.Groups() {
		all := find(whole, k)
		if sum.Up.Bytes > all.Up.Bytes || sum.Rows > all.Rows {
			t.Fatalf("seed %d: %v sums to %+v of %+v", seed, k, sum, all)
		}
	}
	w, p := storetest.Total(whole), storetest.Total(part)
	if p.Up.Bytes < w.Up.Bytes || p.Rows < w.Rows || part.Slices != whole.Slices {
		t.Fatalf("seed %d: %+v of %+v in %d slices of %d", seed, p, w, part.Slices, whole.Slices)
	}
}

func find(p *store.Partial, want store.GroupKey) (sum messages.Totals) {
	for k, t := range p.Groups() {
		if k.Step == want.Step && slices.Equal(k.Cells, want.Cells) {
			sum.Add(t)
		}
	}
	return sum
}
