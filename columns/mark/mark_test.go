package mark_test

import (
	"testing"

	"weir/columns/columnstest"
	"weir/columns/mark"
)

func TestContract(t *testing.T) { columnstest.Run(t, mark.Column.Column) }

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"16": "0x10", "0x10": "0x10", "0X1F": "0x1f", "4294967295": "0xffffffff", "0": "0x0",
	} {
		v, err := mark.Column.Column.Parse(text)
		if err != nil || mark.Column.Column.Format(v) != want {
			t.Errorf("%q: %q, %v", text, mark.Column.Column.Format(v), err)
		}
	}
	for _, text := range []string{"", "0x", "x10", "4294967296", "-1", "ff", "0x1_0"} {
		if v, err := mark.Column.Column.Parse(text); err == nil {
			t.Errorf("%q: parsed to %x", text, v)
		}
	}
}

func TestPattern(t *testing.T) {
	match, ok := mark.Column.Column.Pattern("0x10/0xf0")
	if !ok {
		t.Fatal("value and mask are no pattern")
	}
	for m, want := range map[uint32]bool{0x10: true, 0x1f: true, 0xff10: true, 0x20: false, 0x30: false, 0: false} {
		if match(mark.Column.Value(m)) != want {
			t.Errorf("%#x: not %v", m, want)
		}
	}
	for _, operand := range []string{"", "/", "0x10", "0x10/", "/0xf0", "0x1f/0xf0", "1/2/3"} {
		if _, ok := mark.Column.Column.Pattern(operand); ok {
			t.Errorf("%q is taken for a mark and its mask", operand)
		}
	}
}

func TestTag(t *testing.T) {
	if got := mark.Column.Tag(0x01020304); got.Column != mark.Column.Column || got.Value != "\x01\x02\x03\x04" {
		t.Errorf("got %+v", got)
	}
}
