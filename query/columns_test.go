package query_test

import (
	"math/rand/v2"
	"path"
	"strings"

	"weir/columns"
	_ "weir/columns/direction"
	_ "weir/columns/http"
	_ "weir/columns/ip"
	_ "weir/columns/mac"
	_ "weir/columns/mark"
	_ "weir/columns/name"
	_ "weir/columns/port"
	_ "weir/columns/proto"
	"weir/columns/text"
	_ "weir/columns/zone"
)

// The columns of these tests take even the empty text, which no family does, and texts longer than those of any.
var (
	name = columns.Register(textSpec("test.name", false))
	_    = columns.Register(textSpec("test.words", true))
	long = columns.Register(longSpec("test.long", false))
	many = columns.Register(longSpec("test.many", true))
)

// longSpec is like the texts of the families. Its values are short unless a test makes them long.
func longSpec(name string, set bool) columns.Spec[string] {
	s := text.Column(name, "A long text for tests.", 1<<20, set, "example.com")
	s.Random = text.Column(name, s.Doc, 100, set, "example.com").Random
	return s
}

func textSpec(name string, set bool) columns.Spec[string] {
	return columns.Spec[string]{
		Name: name, Doc: "A text for tests.", Type: "text", Set: set, Examples: []string{"example.com"},
		Parse: func(s string) (string, error) { return s, nil }, Format: func(s string) string { return s },
		Encode:  func(b []byte, s string) []byte { return append(append(b, '='), s...) },
		Decode:  func(s string) (string, error) { return strings.TrimPrefix(s, "="), nil },
		Compare: strings.Compare,
		Random: func(r *rand.Rand) string {
			texts := []string{"", "(other)", "a b", "café.example", "=1+1", "\x1b[2J\xff", "x\u202ey", "and", "w"}
			return texts[r.IntN(len(texts))]
		},
		Pattern: func(text string) (func(string) bool, bool) {
			_, err := path.Match(text, "")
			match := func(s string) bool { ok, _ := path.Match(text, s); return ok }
			return match, err == nil && strings.Contains(text, "*")
		},
	}
}
