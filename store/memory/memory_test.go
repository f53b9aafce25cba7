package memory_test

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"weir/columns"
	_ "weir/columns/direction"
	_ "weir/columns/ip"
	_ "weir/columns/mark"
	_ "weir/columns/port"
	_ "weir/columns/proto"
	_ "weir/columns/zone"
	"weir/messages"
	"weir/store"
	"weir/store/memory"
	"weir/store/storetest"
)

// words is a set, which no family of this build is yet.
var words = columns.Register(columns.Spec[string]{
	Name: "memtest.words", Doc: "Words for tests.", Type: "text", Set: true, Examples: []string{"a"},
	Parse: func(s string) (string, error) { return s, nil }, Format: func(s string) string { return s },
	Encode:  func(b []byte, s string) []byte { return append(b, s...) },
	Decode:  func(s string) (string, error) { return s, nil },
	Compare: strings.Compare,
	Random:  func(r *rand.Rand) string { return strings.Repeat("x", 1+r.IntN(30)) },
})

var _ = columns.RegisterEndpoint(columns.Spec[string]{
	Name: "memtest.name", Doc: "A name for tests.", Type: "text", Examples: []string{"a"},
	Parse: func(s string) (string, error) { return s, nil }, Format: func(s string) string { return s },
	Encode:  func(b []byte, s string) []byte { return append(b, s...) },
	Decode:  func(s string) (string, error) { return s, nil },
	Compare: strings.Compare,
	Random:  func(r *rand.Rand) string { return strings.Repeat("y", 1+r.IntN(30)) },
})

func TestContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Tier { return memory.New(memory.Options{}) }, storetest.Amends)
}

func TestContractOfModel(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Tier {
		return &storetest.Model{Resolution: storetest.Resolution, Amends: true}
	}, storetest.Amends)
}

func TestContractOfModelThatDoesNotAmend(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Tier { return &storetest.Model{Resolution: storetest.Resolution} })
}

// slice makes a slice of n rows whose bytes are 1 … n, each row with its own remote address.
func slice(seq uint64, n int) *messages.Slice {
	start := storetest.Begin().Add(time.Duration(seq) * storetest.Resolution)
	r := &messages.Rows{
		DownBytes: make([]uint64, n), DownPackets: make([]uint64, n),
		Started: make([]uint32, n), Ended: make([]uint32, n),
	}
	cells := messages.Cells{Column: words.Column, Dict: []columns.Value{""}}
	for i := range n {
		r.UpBytes = append(r.UpBytes, uint64(i)+1)
		r.UpPackets = append(r.UpPackets, 1)
		word := binary.BigEndian.AppendUint32([]byte{4}, uint32(i))
		cells.Dict = append(cells.Dict, columns.Value(word))
		cells.IDs = append(cells.IDs, uint32(i)+1)
	}
	r.Cells = []messages.Cells{cells}
	return &messages.Slice{
		Seq: seq, Span: messages.Span{Start: start, End: start.Add(storetest.Resolution)},
		Parts: []*messages.Rows{r}, Complete: true,
	}
}

func total(t *testing.T, tier store.Tier) messages.Totals {
	t.Helper()
	r := storetest.Everything()
	p := store.NewPartial(r)
	if err := tier.Query(t.Context(), r, p); err != nil {
		t.Fatal(err)
	}
	return storetest.Total(p)
}

// TestBudget appends far more than fits: totals stay exact, the newest slices keep their rows, the oldest
// lose them by and by.
func TestBudget(t *testing.T) {
	const budget, rows, slices = 256 << 10, 500, 300
	tier := memory.New(memory.Options{Budget: budget})
	var want messages.Totals
	for seq := range uint64(slices) {
		s := slice(seq, rows)
		want.Add(s.Parts[0].Totals())
		if err := tier.Append(s); err != nil {
			t.Fatal(err)
		}
		if c := tier.Coverage(); c.Bytes > budget {
			t.Fatalf("slice %d: %d bytes of %d", seq, c.Bytes, budget)
		}
	}
	if got := total(t, tier); got != want {
		t.Errorf("want %+v, got %+v", want, got)
	}
	c := tier.Coverage()
	if c.Slices != slices || c.Folded == 0 || c.Folded+c.Rows != want.Rows {
		t.Errorf("coverage %+v of %d rows", c, want.Rows)
	}
	kept := rowsBySlice(t, tier, slices)
	if kept[slices-1] != rows || kept[0] > rows/16 {
		t.Errorf("the newest slice keeps %d rows, the oldest %d", kept[slices-1], kept[0])
	}
	steps := 0
	for i := 1; i < slices; i++ {
		if kept[i] < kept[i-1] {
			t.Errorf("slice %d keeps %d rows, the one before %d", i, kept[i], kept[i-1])
		}
		if kept[i] != kept[i-1] {
			steps++
		}
	}
	if steps < 3 {
		t.Errorf("rows fade in %d steps only: %v", steps, kept)
	}
}

func rowsBySlice(t *testing.T, tier store.Tier, n int) []uint64 {
	t.Helper()
	kept := make([]uint64, n)
	for i := range kept {
		r := storetest.Everything()
		r.Span.Start = storetest.Begin().Add(time.Duration(i) * storetest.Resolution)
		r.Span.End = r.Span.Start.Add(storetest.Resolution)
		p := store.NewPartial(r)
		if err := tier.Query(t.Context(), r, p); err != nil {
			t.Fatal(err)
		}
		kept[i] = p.Rows
	}
	return kept
}

// TestColdestRowsFold looks at which rows lose their columns: those of least bytes.
func TestColdestRowsFold(t *testing.T) {
	tier := memory.New(memory.Options{Budget: 64 << 10})
	if err := tier.Append(slice(0, 10_000)); err != nil {
		t.Fatal(err)
	}
	r := storetest.Everything()
	r.By = []*columns.Column{words.Column}
	p := store.NewPartial(r)
	if err := tier.Query(t.Context(), r, p); err != nil {
		t.Fatal(err)
	}
	if c := tier.Coverage(); c.Rows == 0 || c.Rows == 10_000 || c.Bytes > 16<<10 {
		t.Fatalf("one slice takes %d bytes with %d rows", c.Bytes, c.Rows)
	}
	for _, sum := range p.Groups() {
		if sum.Up.Bytes <= 10_000-p.Rows {
			t.Errorf("a row of %d bytes kept its columns, a larger one did not", sum.Up.Bytes)
		}
	}
	other := p.Other[0]
	if n := 10_000 - p.Rows; other.Rows != n || other.Up.Bytes != n*(n+1)/2 || other.Up.Packets != n {
		t.Errorf("%d rows are folded to %+v", n, other)
	}
}

// TestDropsOnlyWhenFolded gives a budget that cannot hold the slices' totals even.
func TestDropsOnlyWhenFolded(t *testing.T) {
	tier := memory.New(memory.Options{Budget: 10_000})
	for seq := range uint64(200) {
		if err := tier.Append(slice(seq, 20)); err != nil {
			t.Fatal(err)
		}
	}
	c := tier.Coverage()
	if c.Bytes > 10_000 || c.Slices == 0 || c.Slices == 200 {
		t.Errorf("coverage %+v", c)
	}
	if want := storetest.Begin().Add(time.Duration(200-c.Slices) * storetest.Resolution); !c.Span.Start.Equal(want) {
		t.Errorf("begins at %v, want %v", c.Span.Start, want)
	}
	if want := c.Slices * 210; total(t, tier).Up.Bytes != want {
		t.Errorf("want %d bytes, got %d", want, total(t, tier).Up.Bytes)
	}
}

// TestRetention counts age in slices: a clock set by a year drops nothing.
func TestRetention(t *testing.T) {
	tier := memory.New(memory.Options{Retention: time.Minute})
	for seq := range uint64(20) {
		s := slice(seq, 1)
		if seq%2 == 1 {
			s.Span.Start, s.Span.End = s.Span.Start.AddDate(1, 0, 0), s.Span.End.AddDate(1, 0, 0)
		}
		if err := tier.Append(s); err != nil {
			t.Fatal(err)
		}
		if got, want := tier.Coverage().Slices, min(seq+1, 6); got != want {
			t.Fatalf("after slice %d: %d slices, want %d", seq, got, want)
		}
	}
	if err := tier.Append(slice(100, 1)); err != nil {
		t.Fatal(err)
	}
	if got := tier.Coverage().Slices; got != 1 {
		t.Errorf("%d slices are younger than a minute, want 1", got)
	}
}

// TestLossesAreBounded gives a slice more losses than anybody reads.
func TestLossesAreBounded(t *testing.T) {
	tier := memory.New(memory.Options{})
	s := slice(0, 1)
	for i := range 10_000 {
		s.Losses = append(s.Losses, messages.Loss{
			Source: string(rune('a' + i)), Kind: messages.LossShed, Count: 1, Detail: strings.Repeat("x", 10_000),
		})
	}
	if err := tier.Append(s); err != nil {
		t.Fatal(err)
	}
	if c := tier.Coverage(); c.Bytes > 64<<10 {
		t.Errorf("losses take %d bytes", c.Bytes)
	}
	r := storetest.Everything()
	p := store.NewPartial(r)
	if err := tier.Query(t.Context(), r, p); err != nil {
		t.Fatal(err)
	}
	sum := uint64(0)
	for _, l := range p.Losses {
		sum += l.Count
	}
	if sum != 10_000 || len(p.Losses) > 128 {
		t.Errorf("%d losses sum to %d", len(p.Losses), sum)
	}
}

// TestSizeIsHonest compares what the tier says that it takes with what the heap says.
func TestSizeIsHonest(t *testing.T) {
	tier := memory.New(memory.Options{})
	m := storetest.NewMaker(8)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 300 {
		if err := tier.Append(m.Slice(1000)); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	said, took := int64(tier.Coverage().Bytes), int64(after.HeapAlloc)-int64(before.HeapAlloc)
	if took > said*12/10 || said > took*12/10 {
		t.Errorf("says %d bytes, takes %d", said, took)
	}
	runtime.KeepAlive(m)
}

// flowed gives each row of a slice a flow.
func flowed(s *messages.Slice) *messages.Slice {
	for i := range s.Parts[0].Len() {
		s.Parts[0].Flow = append(s.Parts[0].Flow, uint64(i)+1)
	}
	return s
}

func amendment(flow uint64, word string) messages.Amendment {
	return messages.Amendment{Flow: flow, Cells: []messages.AmendedCell{
		{Column: words.Column, Value: columns.JoinSet([]columns.Value{columns.Value(word)})},
	}}
}

// TestAmendmentsReachTheNewestSlices checks that the flows of old rows are forgotten, that this is told, and that
// amended slices stay in the budget.
func TestAmendmentsReachTheNewestSlices(t *testing.T) {
	const budget, rows, slices = 1 << 20, 200, 200
	tier := memory.New(memory.Options{Budget: budget})
	for seq := range uint64(slices) {
		if err := tier.Append(flowed(slice(seq, rows))); err != nil {
			t.Fatal(err)
		}
	}
	reach := budget / 8 / 8 / rows
	before := total(t, tier)
	last := slice(slices, 1)
	long := strings.Repeat("x", 3000)
	last.Amendments = []messages.Amendment{amendment(rows, long), amendment(rows-1, long+"y"), amendment(rows+1, "")}
	if err := tier.Append(last); err != nil {
		t.Fatal(err)
	}
	c := tier.Coverage()
	if int(c.Amended) != 2*reach || c.AmendmentsCut != 3 {
		t.Errorf("%d rows amended, want %d; %d amendments cut", c.Amended, 2*reach, c.AmendmentsCut)
	}
	if c.Bytes > budget {
		t.Errorf("%d bytes of %d", c.Bytes, budget)
	}
	before.Add(last.Parts[0].Totals())
	got := total(t, tier)
	if before.Rows = got.Rows; got != before { // Rows that were folded count as one each.
		t.Errorf("total %+v, want %+v", got, before)
	}
}

// TestFoldedRowsAreNotAmended amends a flow whose row was folded, and one whose row was kept.
func TestFoldedRowsAreNotAmended(t *testing.T) {
	packed, err := store.Pack(flowed(slice(0, 10)).Parts)
	if err != nil {
		t.Fatal(err)
	}
	packed = packed.Fold(4)
	as := store.NewAmendments([]messages.Amendment{amendment(3, "folded"), amendment(9, "kept"), amendment(0, "none")})
	changed, n := packed.Amend(as)
	var part store.Part
	changed.View(&part)
	cells := part.Find(words.Column)
	if n != 1 || string(cells.Dict.At(int(cells.IDs.At(2)))) != "\x04kept" {
		t.Errorf("%d rows were amended", n)
	}
	if changed.Other() != packed.Other() || changed.Rows() != 4 {
		t.Errorf("%d rows and %+v are left", changed.Rows(), changed.Other())
	}
	if _, n := changed.Amend(as); n != 0 {
		t.Errorf("the same amendments changed %d rows again", n)
	}
	if _, n := changed.Forget().Amend(as); n != 0 || changed.Forget().Amendable() != 0 || changed.Amendable() != 4 {
		t.Error("forgotten flows can be amended")
	}
}
