package number_test

import (
	"math"
	"testing"

	"weir/columns"
	"weir/columns/columnstest"
	"weir/columns/number"
)

// The columns of these tests: each size, and bounds that are not those of the type.
var (
	small = columns.Register(number.Column[uint8]("number.small", "A number, for tests.", 1, 200, true, "7"))
	code  = columns.Register(number.Column[uint16]("number.code", "A number, for tests.", 100, 999, false, "404"))
	big   = columns.Register(number.Column[uint32]("number.big", "A number, for tests.", 0, math.MaxUint32, false, "0"))
)

func TestContract(t *testing.T) {
	for _, c := range []*columns.Column{small.Column, code.Column, big.Column} {
		columnstest.Run(t, c)
	}
}

func TestEncoding(t *testing.T) {
	if a, b, c := small.Value(7), code.Value(258), big.Value(0x01020304); a != "\x07" || b != "\x01\x02" ||
		c != "\x01\x02\x03\x04" {
		t.Errorf("%x, %x, %x", a, b, c)
	}
	for _, v := range []columns.Value{"", "\x01", "\x00\x63", "\x03\xe8", "\x01\x02\x03"} {
		if code.Column.Valid(v) {
			t.Errorf("%x is valid", v)
		}
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string]columns.Value{"100": "\x00\x64", "999": "\x03\xe7", "0404": "\x01\x94"} {
		if v, err := code.Column.Parse(text); err != nil || v != want {
			t.Errorf("%q: %x, %v", text, v, err)
		}
	}
	for _, text := range []string{"", "99", "1000", "-404", "+404", "404.0", " 404", "0x194", "4294967700"} {
		_, err := code.Column.Parse(text)
		if err == nil {
			t.Errorf("%q: parsed", text)
		}
	}
	_, err := code.Column.Parse("many")
	want := `"many" is not a number from 100 to 999 or a range (100-999)`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestPattern(t *testing.T) {
	match, ok := code.Column.Pattern("400-499")
	if !ok {
		t.Fatal("a range is no pattern")
	}
	for n, want := range map[uint16]bool{399: false, 400: true, 450: true, 499: true, 500: false} {
		if match(code.Value(n)) != want {
			t.Errorf("%d: not %v", n, want)
		}
	}
	for _, operand := range []string{"", "-", "400", "400-", "-499", "499-400", "1-499", "400-1000", "400-450-499"} {
		if _, ok := code.Column.Pattern(operand); ok {
			t.Errorf("%q is taken for a range", operand)
		}
	}
}
