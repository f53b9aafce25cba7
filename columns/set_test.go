package columns_test

import (
	"slices"
	"testing"

	"weir/columns"
)

func TestJoinSet(t *testing.T) {
	got := columns.JoinSet([]columns.Value{"b", "a", "b"})
	if want := columns.Value("\x01a\x01b"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if columns.JoinSet(nil) != "" || columns.SplitSet("") != nil {
		t.Error("the empty set is not the empty cell")
	}
}

func TestSplitDamagedSet(t *testing.T) {
	for cell, want := range map[columns.Value][]columns.Value{
		"\x01a\x05b":                {"a"},
		"\x01a\x80":                 {"a"},
		"\xff\xff\xff\xff\xff\x7fx": nil,
		"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff": nil,
		"\x00\x01a": {"", "a"},
	} {
		if got := columns.SplitSet(cell); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", cell, got, want)
		}
	}
}

func TestCells(t *testing.T) {
	set := columns.JoinSet([]columns.Value{"b", "a", "c"})
	if got := many.Column.FormatCell(set); got != "a,b,c" {
		t.Errorf("format: %q", got)
	}
	if got := text.Column.FormatCell("x"); got != "x" {
		t.Errorf("format of one value: %q", got)
	}
	is := func(want columns.Value) func(columns.Value) bool {
		return func(v columns.Value) bool { return v == want }
	}
	for _, c := range []struct {
		column *columns.Column
		cell   columns.Value
		value  columns.Value
		want   bool
	}{
		{many.Column, set, "c", true},
		{many.Column, set, "d", false},
		{many.Column, set, set, false},
		{many.Column, "", "", false},
		{text.Column, "x", "x", true},
		{text.Column, "", "", false},
	} {
		if got := c.column.MatchCell(c.cell, is(c.value)); got != c.want {
			t.Errorf("%s %q matches %q: %v", c.column.Name, c.cell, c.value, got)
		}
	}
}

func TestCompareCells(t *testing.T) {
	join := func(vs ...columns.Value) columns.Value { return columns.JoinSet(vs) }
	for _, c := range []struct {
		column *columns.Column
		sorted []columns.Value
	}{
		{text.Column, []columns.Value{"a", "ab", "b", ""}},
		{many.Column, []columns.Value{join("a"), join("a", "b"), join("a", "c"), join("b"), ""}},
	} {
		for i, a := range c.sorted {
			for j, b := range c.sorted {
				if got, want := c.column.CompareCells(a, b), i-j; (got < 0) != (want < 0) || (got > 0) != (want > 0) {
					t.Errorf("%s: compare %q with %q: %d", c.column.Name, a, b, got)
				}
			}
		}
	}
}

// A value that is not of the column prints as hexadecimal and sorts last.
func TestForeignValue(t *testing.T) {
	port, _ := columns.Lookup("local.port")
	if got := port.Format("\x00\x01\x02"); got != "0x000102" {
		t.Errorf("format: %q", got)
	}
	if port.Compare("\x00\x01\x02", "\xff\xff") <= 0 || port.Compare("\x01", "\x02\x00\x00") >= 0 {
		t.Error("order of foreign values")
	}
	if _, ok := text.Column.Pattern("1-2"); ok {
		t.Error("a column without patterns read one")
	}
}

func FuzzSplitSet(f *testing.F) {
	f.Add("")
	f.Add("\x01a\x01b")
	f.Add("\x05a")
	f.Add("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
	f.Fuzz(func(t *testing.T, cell string) {
		vs := columns.SplitSet(columns.Value(cell))
		total := 0
		for _, v := range vs {
			total += 1 + len(v)
		}
		if total > len(cell) {
			t.Errorf("%q splits to %d bytes", cell, total)
		}
		again := columns.JoinSet(vs)
		if len(again) > len(cell) || columns.JoinSet(columns.SplitSet(again)) != again {
			t.Errorf("%q: %q joins to %q", cell, vs, again)
		}
		many.Column.FormatCell(columns.Value(cell))
		many.Column.CompareCells(columns.Value(cell), again)
	})
}
