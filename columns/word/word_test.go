package word_test

import (
	"testing"

	"weir/columns"
	"weir/columns/columnstest"
	"weir/columns/word"
)

type size uint8

// The columns of these tests.
var (
	sizes = columns.Register(word.Column[size]("word.size", "A test.", "size", []string{1: "small", 2: "big"}))
	yesNo = columns.Register(word.YesNo("word.yesno", "An answer, for tests."))
)

func TestContract(t *testing.T) {
	columnstest.Run(t, sizes.Column)
	columnstest.Run(t, yesNo.Column)
}

func TestWords(t *testing.T) {
	c := sizes.Column
	for text, want := range map[string]columns.Value{"small": "\x01", "BIG": "\x02"} {
		if v, err := c.Parse(text); err != nil || v != want {
			t.Errorf("%q: %x, %v", text, v, err)
		}
	}
	for _, text := range []string{"", "huge", "1", " small"} {
		if v, err := c.Parse(text); err == nil {
			t.Errorf("%q: parsed to %x", text, v)
		}
	}
	for _, v := range []columns.Value{"", "\x00", "\x03", "\x01\x01"} {
		if c.Valid(v) {
			t.Errorf("%x is valid", v)
		}
	}
	if c.Compare(sizes.Value(2), sizes.Value(1)) <= 0 {
		t.Error("big is not more than small")
	}
	if _, err := c.Parse("huge"); err.Error() != `"huge" is none of small, big` {
		t.Error(err)
	}
}

func TestYesNo(t *testing.T) {
	for v, want := range map[bool]columns.Value{false: "\x01", true: "\x02"} {
		text := map[bool]string{false: "no", true: "yes"}[v]
		parsed, err := yesNo.Column.Parse(text)
		if got := yesNo.Value(v); got != want || parsed != want || err != nil || yesNo.Column.Format(got) != text {
			t.Errorf("%v: %x, %x, %v", v, got, parsed, err)
		}
	}
}
