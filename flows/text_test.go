package flows

import (
	"math/rand/v2"
	"strconv"
	"strings"

	"weir/columns"
)

func textSpec(name string, set bool) columns.Spec[string] {
	return columns.Spec[string]{
		Name: name, Doc: "A text for tests.", Type: "text", Set: set, Examples: []string{"x"},
		Parse:   func(s string) (string, error) { return s, nil },
		Format:  func(s string) string { return s },
		Encode:  func(b []byte, s string) []byte { return append(b, s...) },
		Decode:  func(s string) (string, error) { return s, nil },
		Compare: strings.Compare,
		Random:  func(r *rand.Rand) string { return strconv.Itoa(r.IntN(100) + 1) },
	}
}
