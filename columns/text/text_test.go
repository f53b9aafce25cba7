package text_test

import (
	"strings"
	"testing"
	"testing/quick"
	"unicode/utf8"

	"weir/columns"
	"weir/columns/columnstest"
	"weir/columns/text"
)

// The columns of these tests: short ones, so that the bound is met often.
var (
	plain = columns.Register(text.Column("text.plain", "A text, for tests.", 16, false, "A b", "*"))
	small = columns.Register(text.Lower("text.small", "A text, for tests.", 253, true, "www.example.org", "WWW"))
	big   = columns.Register(text.Upper("text.big", "A text, for tests.", 2048, false, "GET", "get"))
)

func TestContract(t *testing.T) {
	for _, c := range []*columns.Column{plain.Column, small.Column, big.Column} {
		columnstest.Run(t, c)
	}
}

func TestCase(t *testing.T) {
	for _, c := range []struct {
		handle columns.Handle[string]
		want   columns.Value
	}{{plain, "Ab é Ü"}, {small, "ab é Ü"}, {big, "AB é Ü"}} {
		parsed, err := c.handle.Column.Parse("Ab é Ü")
		if got := c.handle.Value("Ab é Ü"); got != c.want || parsed != c.want || err != nil {
			t.Errorf("%s: %q, parsed %q, %v; want %q", c.handle.Column.Name, got, parsed, err, c.want)
		}
	}
}

func TestBounds(t *testing.T) {
	for tagged, want := range map[string]columns.Value{
		"":                               "", // No value, which tags nothing.
		"0123456789abcdef":               "0123456789abcdef",
		"0123456789abcdefg":              "0123456789abcdef",
		"0123456789abcdé":                "0123456789abcd\xc3\xa9",
		"0123456789abcdeé":               "0123456789abcde",
		"0123456789abc😀":                 "0123456789abc",
		strings.Repeat("\x80", 64<<10):   columns.Value(strings.Repeat("\x80", 16)),
		"\xff" + strings.Repeat("a", 99): columns.Value("\xff" + strings.Repeat("a", 15)),
	} {
		if got := plain.Tag(tagged).Value; got != want {
			t.Errorf("%.20q: %q, want %q", tagged, got, want)
		}
	}
	for _, typed := range []string{"", "0123456789abcdefg"} {
		if v, err := plain.Column.Parse(typed); err == nil {
			t.Errorf("%q: parsed to %q", typed, v)
		}
	}
	if v, err := plain.Column.Parse(" \x00\n"); err != nil || v != " \x00\n" {
		t.Errorf("spaces: %q, %v", v, err)
	}
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		operand, value string
		want           bool
	}{
		{"*", "x", true},
		{"***", "x", true},
		{"*.example.org", "www.example.org", true},
		{"*.example.org", "WWW.Example.ORG", true},
		{"*.EXAMPLE.org", "www.example.org", true},
		{"*.example.org", ".example.org", true},
		{"*.example.org", "example.org", false},
		{"*.example.org", "www.example.org.invalid", false},
		{"www.*", "www.", true},
		{"www.*", "ww", false},
		{"a*a", "a", false}, // The two ends may not overlap.
		{"a*a", "aa", true},
		{"ab*ba", "aba", false},
		{"*b*", "abc", true},
		{"*b*", "aac", false},
		{"a*b*c", "a-b-b-c", true},
		{"a*b*c", "a-c-b", false},
		{"*ab*ab*", "abab", true},
		{"*ab*ab*", "aba", false},
		{"a**c", "abc", true},
		{"*é*", "\x1b\x00é\xff", true},
		{"*[a-z]?*", "www", false}, // Only the star is special.
		{"*[a-z]?*", "www[a-z]?", true},
	} {
		match, ok := plain.Column.Pattern(c.operand)
		if !ok {
			t.Fatalf("%q is no pattern", c.operand)
		}
		if got := match(columns.Value(c.value)); got != c.want {
			t.Errorf("%q and %q: %v", c.operand, c.value, got)
		}
	}
	for _, operand := range []string{"", "www", "?", "[a]"} {
		if _, ok := plain.Column.Pattern(operand); ok {
			t.Errorf("%q is a pattern", operand)
		}
	}
}

// slowGlob is what a glob means, in the plainest way.
func slowGlob(operand, v string) bool {
	switch {
	case operand == "":
		return v == ""
	case operand[0] == '*':
		return slowGlob(operand[1:], v) || v != "" && slowGlob(operand, v[1:])
	}
	return v != "" && v[0] == operand[0] && slowGlob(operand[1:], v[1:])
}

func TestGlobAgainstItsMeaning(t *testing.T) {
	letters := func(n uint32, alphabet string) string {
		var b strings.Builder
		for ; n > 0; n /= uint32(len(alphabet)) {
			b.WriteByte(alphabet[n%uint32(len(alphabet))])
		}
		return b.String()
	}
	hits := 0
	check := func(o, v uint32) bool {
		operand, value := letters(o%2000000, "ab*")+"*", letters(1+v%1000, "ab")
		match, _ := plain.Column.Pattern(operand)
		if got := match(columns.Value(value)); got != slowGlob(operand, value) {
			t.Errorf("%q and %q: %v", operand, value, got)
			return false
		} else if got {
			hits++
		}
		return true
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 20000}); err != nil || hits < 100 {
		t.Errorf("%d hits, %v", hits, err)
	}
}

// TestGlobTakesLinearTime has an operand over which one that goes back would sit until the sun is cold.
func TestGlobTakesLinearTime(t *testing.T) {
	match, _ := big.Column.Pattern(strings.Repeat("*A", 4000) + "*B*")
	if match(columns.Value(strings.Repeat("A", 2048))) {
		t.Error("matches")
	}
	match, _ = big.Column.Pattern(strings.Repeat("A*", 1000) + "B*")
	for range 1000 {
		if match(columns.Value(strings.Repeat("A", 2048))) {
			t.Fatal("matches")
		}
	}
}

func TestClean(t *testing.T) {
	for raw, want := range map[string]string{
		"":                         "",
		" \t\r\n ":                 "",
		" a b ":                    "a b",
		"nas1\x00":                 "nas1\ufffd",
		"a\x00b\nc\x1b[2J":         "a\ufffdb\ufffdc\ufffd[2J",
		"a\x00b\nc\x7fd\x1b[2Je":   "a\ufffdb\ufffdc\ufffdd\ufffd", // It grew, so that it is cut.
		"\x01":                     "\ufffd",
		"x\u0085y\u009bz":          "x\ufffdy\ufffdz",
		"x\u2028y\u2029z":          "x\ufffdy\ufffdz",
		"x\u202ey\u2066z\u200f!":   "x\ufffdy\ufffdz\ufffd!",
		"\xff\xc3é":                "\ufffd\ufffdé",
		`a\xffb`:                   `a\xffb`,
		"\ufffd":                   "\ufffd",
		"P\u0159\u00edklad s.r.o.": "P\u0159\u00edklad s.r.o.",
		"<b>":                      "<b>",
		"0123456789abcdefg":        "0123456789abcdef",
		"0123456789abcdeé":         "0123456789abcde",
		"0123456789abcde f":        "0123456789abcde",
		"0123456789abcd\xff\xff":   "0123456789abcd",
		"0123456789abc\xff\xff":    "0123456789abc\ufffd",
	} {
		if got := text.Clean(raw, 16); got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, raw := range []string{
		"www.example.org", "nas1\x00", " a ", "\u202e\u2028\x1b[2J", "\xff\xfe", "é\xc3", "\ufffd",
		strings.Repeat("é", 40), "0123456789abcd\xff\xff", "  \x85 ",
	} {
		f.Add(raw, uint8(16))
	}
	f.Fuzz(func(t *testing.T, raw string, bound uint8) {
		most := 4 + int(bound)
		got := text.Clean(raw, most)
		if again := text.Clean(got, most); again != got {
			t.Errorf("%q: %q, again %q", raw, got, again)
		}
		if len(got) > most || !utf8.ValidString(got) {
			t.Errorf("%q: %q of %d bytes", raw, got, len(got))
		}
		for _, r := range got {
			if r < ' ' || 0x7f <= r && r < 0xa0 || r == '\u2028' || r == '\u2029' || 0x202a <= r && r <= 0x202e ||
				0x2066 <= r && r <= 0x2069 || r == 0x200e || r == 0x200f || r == 0x061c {
				t.Errorf("%q: %q holds %U", raw, got, r)
			}
		}
		if v := plain.Value(raw); raw != "" && !plain.Column.Valid(v) {
			t.Errorf("%q: encoded to %q", raw, v)
		}
	})
}
