package history

import (
	"reflect"
	"testing"
	"time"

	"weir/columns"
	"weir/messages"
	"weir/store"
)

func small() Options {
	return Options{Seed: 7, Rows: 40_000, Span: 6 * time.Hour, Names: 500, Addresses: 2000, Apps: 40, Devices: 20}
}

func makeAll(t testing.TB, o Options) []*messages.Slice {
	t.Helper()
	m, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	var all []*messages.Slice
	for s := m.Next(); s != nil; s = m.Next() {
		all = append(all, s)
	}
	return all
}

func TestSlicesHoldTogether(t *testing.T) {
	rows, started := 0, uint64(0)
	before := time.Time{}
	for _, s := range makeAll(t, small()) {
		if !before.IsZero() && !s.Span.Start.Equal(before) {
			t.Fatalf("slice %d starts at %v, the last one ended at %v", s.Seq, s.Span.Start, before)
		}
		before = s.Span.End
		if _, err := store.Pack(s.Parts); err != nil {
			t.Fatalf("slice %d: %v", s.Seq, err)
		}
		sum := s.Parts[0].Totals()
		rows += s.Parts[0].Len()
		started += sum.Started
		for _, c := range s.Parts[0].Cells {
			for _, cell := range c.Dict[1:] {
				values := []columns.Value{cell}
				if c.Column.Set {
					values = columns.SplitSet(cell)
				}
				for _, v := range values {
					if !c.Column.Valid(v) {
						t.Fatalf("%s: %x is not valid", c.Column.Name, v)
					}
				}
			}
		}
	}
	if rows < 39_000 || rows > 40_000 {
		t.Errorf("%d rows", rows)
	}
	if flows := float64(rows) / float64(started); flows < 1.5 || flows > 3 {
		t.Errorf("%.2f rows a flow", flows)
	}
}

func TestSameOptionsSameSlices(t *testing.T) {
	a, b := makeAll(t, small()), makeAll(t, small())
	if !reflect.DeepEqual(a, b) {
		t.Error("two makers with the same options differ")
	}
}

func TestBadOptions(t *testing.T) {
	for _, o := range []Options{{Rows: -1}, {Devices: 300}, {Slice: time.Millisecond}, {Span: time.Second}, {Apps: 3}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

func BenchmarkNext(b *testing.B) {
	rows := 0
	for b.Loop() {
		m, err := New(Options{Seed: 1, Rows: 500_000, Span: 5 * time.Hour})
		if err != nil {
			b.Fatal(err)
		}
		for s := m.Next(); s != nil; s = m.Next() {
			rows += s.Parts[0].Len()
		}
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}
