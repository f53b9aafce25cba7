package store

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"weir/columns"
	"weir/messages"
)

// wide are columns enough for a code of more than 64 bits.
var wide = func() []*columns.Column {
	cs := make([]*columns.Column, 0, 8)
	for i := range 8 {
		cs = append(cs, columns.Register(columns.Spec[string]{
			Name: "storetest.wide" + strconv.Itoa(i), Doc: "For tests.", Type: "text", Examples: []string{"a"},
			Parse: func(s string) (string, error) { return s, nil }, Format: func(s string) string { return s },
			Encode:  func(b []byte, s string) []byte { return append(b, s...) },
			Decode:  func(s string) (string, error) { return s, nil },
			Compare: strings.Compare,
			Random:  func(r *rand.Rand) string { return strconv.Itoa(r.Int()) },
		}).Column)
	}
	return cs
}()

func TestIntsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.IntRange(0, 64).Draw(t, "bits")
		values := rapid.SliceOfN(rapid.Uint64(), 0, 50).Draw(t, "values")
		for i := range values {
			values[i] >>= 64 - bits
		}
		b := append(appendInts(nil, values), 7)
		v, rest := cutInts(b, len(values))
		if len(rest) != 1 || v.Len() != len(values) {
			t.Fatalf("%d integers, %d bytes left", v.Len(), len(rest))
		}
		for i, want := range values {
			if v.At(i) != want {
				t.Fatalf("at %d: want %d, got %d", i, want, v.At(i))
			}
		}
		from := rapid.IntRange(0, len(values)).Draw(t, "from")
		got := make([]uint64, len(values)-from)
		v.Load(got, from)
		if !slices.Equal(got, values[from:]) {
			t.Fatalf("from %d: want %v, got %v", from, values[from:], got)
		}
	})
}

func TestIntsWidth(t *testing.T) {
	for _, c := range []struct {
		values []uint64
		bytes  int
	}{
		{nil, 2},
		{[]uint64{1 << 63, 1 << 63}, 11},
		{[]uint64{0, 255}, 3},
		{[]uint64{0, 256}, 5},
		{[]uint64{0, 1 << 16}, 9},
		{[]uint64{0, 1 << 32}, 17},
	} {
		if got := len(appendInts(nil, c.values)); got != c.bytes {
			t.Errorf("%v take %d bytes, want %d", c.values, got, c.bytes)
		}
	}
}

func TestDictRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cells := rapid.SliceOfN(rapid.StringN(1, 5, -1), 0, 40).Draw(t, "cells")
		ends := make([]uint32, 0, len(cells))
		text := ""
		for _, c := range cells {
			text += c
			ends = append(ends, uint32(len(text)))
		}
		d, rest, restText := cutDict(append(appendDict(nil, ends), 7), text+"more")
		if len(rest) != 1 || restText != "more" || d.Len() != len(cells)+1 || d.At(0) != "" {
			t.Fatalf("%d cells, left %d bytes and %q", d.Len(), len(rest), restText)
		}
		for i, c := range cells {
			if string(d.At(i+1)) != c {
				t.Fatalf("cell %d: want %q, got %q", i+1, c, d.At(i+1))
			}
		}
	})
}

// randomRows makes n rows whose cells in each wide column are of so many kinds.
func randomRows(r *rand.Rand, n, kinds int) *messages.Rows {
	rows := &messages.Rows{}
	for _, c := range wide {
		cells := messages.Cells{Column: c, Dict: []columns.Value{""}}
		for i := range kinds {
			cells.Dict = append(cells.Dict, columns.Value(strconv.Itoa(i)))
		}
		for range n {
			cells.IDs = append(cells.IDs, uint32(r.IntN(kinds+1)))
		}
		rows.Cells = append(rows.Cells, cells)
	}
	for i := range n {
		rows.UpBytes = append(rows.UpBytes, uint64(i))
		rows.UpPackets = append(rows.UpPackets, 1)
		rows.DownBytes = append(rows.DownBytes, 0)
		rows.DownPackets = append(rows.DownPackets, 0)
		rows.Started = append(rows.Started, 0)
		rows.Ended = append(rows.Ended, 0)
	}
	return rows
}

// TestManyBits groups by more columns than fit into one code: every row twice, so every group has two.
func TestManyBits(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	const n = 3000
	rows := randomRows(r, n, 2000)
	packed, err := Pack([]*messages.Rows{rows, rows})
	if err != nil {
		t.Fatal(err)
	}
	var part Part
	packed.View(&part)
	req := &Request{By: wide}
	p := NewPartial(req)
	NewScan(req, p).Add(3, &part)
	if p.Len() != n {
		t.Fatalf("%d groups, want %d", p.Len(), n)
	}
	for k, sum := range p.Groups() {
		i := int(sum.Up.Bytes / 2)
		for j := range wide {
			if want := rows.Cells[j].Dict[rows.Cells[j].IDs[i]]; k.Cells[j] != want || k.Step != 3 || sum.Rows != 2 {
				t.Fatalf("row %d, column %d: want %q, got %q of %d rows", i, j, want, k.Cells[j], sum.Rows)
			}
		}
	}
}

func TestFoldKeepsTotals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		rows := randomRows(r, rapid.IntRange(0, 60).Draw(t, "rows"), 5)
		rows.Other = messages.Totals{Ended: 3, Rows: 1}
		packed, err := Pack([]*messages.Rows{rows})
		if err != nil {
			t.Fatal(err)
		}
		keep := rapid.IntRange(0, 70).Draw(t, "keep")
		folded := packed.Fold(keep)
		var part Part
		folded.View(&part)
		sum := part.Other
		for i := range part.Rows {
			sum.Add(part.Row(i))
		}
		if sum != rows.Totals() || folded.Rows() != min(keep, rows.Len()) || folded.Size() > packed.Size() {
			t.Fatalf("kept %d of %d rows, sum %+v, want %+v", folded.Rows(), rows.Len(), sum, rows.Totals())
		}
	})
}

func TestPackRefuses(t *testing.T) {
	good := func() *messages.Rows { return randomRows(rand.New(rand.NewPCG(1, 1)), 3, 2) }
	for name, spoil := range map[string]func(*messages.Rows){
		"counts":  func(r *messages.Rows) { r.Ended = r.Ended[1:] },
		"cells":   func(r *messages.Rows) { r.Cells[1].IDs = r.Cells[1].IDs[1:] },
		"id":      func(r *messages.Rows) { r.Cells[1].IDs[2] = 3 },
		"empty":   func(r *messages.Rows) { r.Cells[1].Dict[0] = "x" },
		"no dict": func(r *messages.Rows) { r.Cells[1].Dict = nil },
		"twice":   func(r *messages.Rows) { r.Cells[1].Column = r.Cells[0].Column },
		"nil":     func(r *messages.Rows) { r.Cells[1].Column = nil },
	} {
		r := good()
		spoil(r)
		if _, err := Pack([]*messages.Rows{good(), r}); err == nil {
			t.Errorf("%s: packed", name)
		}
	}
}

// TestMerge answers a request in two halves.
func TestMerge(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	req := &Request{By: wide[:2]}
	var whole, halves [2]*Partial
	whole[0], halves[0], halves[1] = NewPartial(req), NewPartial(req), NewPartial(req)
	for i := range 10 {
		packed, err := Pack([]*messages.Rows{randomRows(r, 50, 4)})
		if err != nil {
			t.Fatal(err)
		}
		var part Part
		packed.View(&part)
		part.Other = messages.Totals{Rows: 2}
		start := time.Unix(int64(i)*10, 0)
		span := messages.Span{Start: start, End: start.Add(10 * time.Second)}
		loss := []messages.Loss{{Source: "a", Kind: messages.LossShed, Count: 1, Span: span}}
		for _, p := range []*Partial{whole[0], halves[i%2]} {
			p.AddSlice(span, loss, i != 4)
			NewScan(req, p).Add(i/3, &part)
		}
	}
	got, want := halves[0], whole[0]
	got.Merge(halves[1])
	sums := map[string]messages.Totals{}
	for k, sum := range want.Groups() {
		before := got.Len()
		got.Add(k, messages.Totals{})
		if got.Len() != before {
			t.Errorf("%v is not there", k)
		}
		sums[fmt.Sprint(k)] = sum
	}
	for k, sum := range got.Groups() {
		if want := sums[fmt.Sprint(k)]; sum != want {
			t.Errorf("%v: want %+v, got %+v", k, want, sum)
		}
	}
	if got.Len() != want.Len() || got.Other[2] != want.Other[2] || got.Incomplete != 1 || got.Slices != 10 {
		t.Errorf("want %d groups, got %d; other %+v", want.Len(), got.Len(), got.Other)
	}
	if got.Covered != want.Covered || got.Losses[0].Count != 10 || got.Losses[0].Span != want.Losses[0].Span {
		t.Errorf("covered %v, losses %v", got.Covered, got.Losses)
	}
}

func TestMergeLossesBounded(t *testing.T) {
	var list []messages.Loss
	for i := range 1000 {
		kind := messages.LossKind(strconv.Itoa(i % 200))
		list = MergeLosses(list, []messages.Loss{{Source: strconv.Itoa(i), Kind: kind, Count: 1}})
	}
	sum := uint64(0)
	for _, l := range list {
		sum += l.Count
	}
	if len(list) > 2*maxLosses || sum != 1000 {
		t.Errorf("%d losses sum to %d", len(list), sum)
	}
}

// Flows without counters are told with each slice: they are the same ones again.
func TestMergeLossesCountsUncountedFlowsOnce(t *testing.T) {
	var list []messages.Loss
	for _, n := range []uint64{7, 9, 4} {
		list = MergeLosses(list, []messages.Loss{
			{Source: "a", Kind: messages.LossUncounted, Count: n}, {Source: "a", Kind: messages.LossOverrun, Count: n},
		})
	}
	if len(list) != 2 || list[0].Count != 9 || list[1].Count != 20 {
		t.Errorf("%+v", list)
	}
}
