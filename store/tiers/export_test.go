package tiers

import (
	"bytes"
	"encoding/csv"
	"strconv"
	"testing"
	"time"

	"weir/columns"
	"weir/internal/disk/disktest"
	"weir/messages"
	"weir/store"
	"weir/store/storetest"
)

// filled is a store with slices in all tiers and the journal, and a model of it.
func filled(t *testing.T, levels []Level, n int) (*Store, *storetest.Model, *storetest.Maker) {
	t.Helper()
	s := openStore(t, testOptions(disktest.New(), levels))
	m, model := storetest.NewMaker(3), &storetest.Model{Resolution: storetest.Resolution}
	for range n {
		sl := m.Slice(20)
		for _, tier := range []store.Tier{s, model} {
			if err := tier.Append(sl); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Work(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s, model, m
}

// answer asks a tier.
func answer(t *testing.T, tier store.Tier, r *store.Request) *store.Partial {
	t.Helper()
	p := store.NewPartial(r)
	if err := tier.Query(t.Context(), r, p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestExportImport(t *testing.T) {
	s, model, m := filled(t, short(), 100)
	span := model.Coverage().Span
	out := disktest.New()
	told := uint64(0)
	info, err := s.Export(t.Context(), out, "x.parquet", span, func(done, of uint64) {
		if told = done; done > of {
			t.Errorf("%d of %d", done, of)
		}
	})
	if err != nil || told == 0 {
		t.Fatal(err)
	}
	want := counted(storetest.Total(answer(t, model, storetest.Everything())))
	if got := counted(info.Totals); got != want {
		t.Fatalf("want %+v, got %+v", want, got)
	}
	other := openStore(t, testOptions(disktest.New(), short()))
	done, err := other.Import(t.Context(), out, "x.parquet", nil)
	if err != nil || done.Slices != 100 || done.Skipped != 0 {
		t.Fatalf("%+v: %v", done, err)
	}
	done, err = other.Import(t.Context(), out, "x.parquet", nil)
	if err != nil || done.Slices != 0 || done.Skipped != 100 {
		t.Fatalf("again: %+v: %v", done, err)
	}
	for round := range 200 {
		if round == 100 {
			if err := other.Work(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		r := m.Request()
		got, exact, err := ask(t.Context(), []store.Tier{other}, r)
		if err != nil || !exact {
			t.Fatalf("%v: %v", r, err)
		}
		if d := diff(answer(t, model, r), got); d != "" {
			t.Fatal(d)
		}
	}
	if _, err := other.Import(t.Context(), other.options.FS, other.catalog.files[0][0].info.Path, nil); err == nil {
		t.Error("a bucket was imported")
	}
}

func TestExportCSV(t *testing.T) {
	s, model, _ := filled(t, short(), 30)
	var b bytes.Buffer
	if err := s.ExportCSV(t.Context(), &b, model.Coverage().Span, nil); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	up := uint64(0)
	for _, l := range lines[1:] {
		if _, err := time.Parse(time.RFC3339Nano, l[0]); err != nil {
			t.Fatal(err)
		}
		n, err := strconv.ParseUint(l[len(l)-6], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		up += n
	}
	if want := storetest.Total(answer(t, model, storetest.Everything())).Up.Bytes; up != want {
		t.Errorf("want %d bytes, got %d", want, up)
	}
	if len(lines[0]) != 8+len(columns.All()) {
		t.Errorf("%q", lines[0])
	}
}

// TestForget removes what has some cell, and compares with the model without those rows.
func TestForget(t *testing.T) {
	s, model, _ := filled(t, short(), 100)
	c, _ := columns.Lookup("app")
	r := storetest.Everything()
	r.By = []*columns.Column{c}
	var some columns.Value
	for k := range answer(t, model, r).Groups() {
		some = max(some, k.Cells[0])
	}
	match := store.Match{Column: c, Cell: func(v columns.Value) bool { return v == some }}
	all := storetest.Everything()
	all.Filter = match
	want := storetest.Total(answer(t, model, all))
	for _, t := range answer(t, model, all).Other { // What has no columns stays.
		want.Up.Bytes -= t.Up.Bytes
	}
	proof, err := s.Forget(t.Context(), match, nil)
	if err != nil || len(proof) != 4 {
		t.Fatalf("%+v: %v", proof, err)
	}
	for k, p := range proof {
		if p.Left != (messages.Totals{}) || p.Of > 0 && p.Removed.Up.Bytes == 0 {
			t.Errorf("tier %d: %+v", k, p)
		}
	}
	if got := proof[0].Removed.Up.Bytes; got != want.Up.Bytes {
		t.Errorf("want %d bytes gone, got %d", want.Up.Bytes, got)
	}
	steps := *all
	steps.Step, steps.Origin = 2*time.Minute, storetest.Begin()
	for _, r := range []*store.Request{all, &steps} {
		if p := answer(t, s, r); p.Len() > 0 {
			t.Errorf("%d rows are left", p.Len())
		}
	}
	if len(s.log.segments()) > 0 && s.log.segments()[0].rows > 0 {
		t.Error("the journal still has rows")
	}
	v, err := s.Verify(t.Context(), nil)
	if err != nil || len(v.Faults) > 0 || v.Compared == 0 {
		t.Errorf("%+v: %v", v, err)
	}
	without := storetest.Everything()
	without.Filter = store.Not{Filter: match}
	got, left := answer(t, s, storetest.Everything()), answer(t, model, without)
	if counted(storetest.Total(got)) != counted(storetest.Total(left)) {
		t.Errorf("want %+v, got %+v", storetest.Total(left), storetest.Total(got))
	}
}

// TestForgetDropped forgets by a column that coarser tiers lack: they are made anew of the finer one.
func TestForgetDropped(t *testing.T) {
	s, model, _ := filled(t, short(), 100)
	c, _ := columns.Lookup("remote.port")
	match := store.Match{Column: c, Cell: func(v columns.Value) bool { return v != "" }}
	proof, err := s.Forget(t.Context(), match, nil)
	if err != nil {
		t.Fatal(err)
	}
	without := storetest.Everything()
	without.Filter = store.Not{Filter: match}
	want := counted(storetest.Total(answer(t, model, without)))
	if got := counted(storetest.Total(answer(t, s, storetest.Everything()))); got != want {
		t.Errorf("want %+v, got %+v: %+v", want, got, proof)
	}
	v, err := s.Verify(t.Context(), nil)
	if err != nil || len(v.Faults) > 0 || v.Compared == 0 {
		t.Errorf("%+v: %v", v, err)
	}
}
