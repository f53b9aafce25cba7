package word

import (
	"math/rand/v2"

	"weir/columns"
)

// The stored form of yes and no.
const (
	no  = 1
	yes = 2
)

// YesNo describes a column whose values are yes (true) and no (false); no is before yes.
func YesNo(name, doc string) columns.Spec[bool] {
	s := Column[uint8](name, doc, "yes or no", []string{no: "no", yes: "yes"})
	place := func(v bool) uint8 {
		if v {
			return yes
		}
		return no
	}
	return columns.Spec[bool]{
		Name: s.Name, Doc: s.Doc, Type: s.Type, Examples: s.Examples,
		Parse:   func(text string) (bool, error) { v, err := s.Parse(text); return v == yes, err },
		Format:  func(v bool) string { return s.Format(place(v)) },
		Encode:  func(dst []byte, v bool) []byte { return s.Encode(dst, place(v)) },
		Decode:  func(enc string) (bool, error) { v, err := s.Decode(enc); return v == yes, err },
		Compare: func(a, b bool) int { return s.Compare(place(a), place(b)) },
		Random:  func(r *rand.Rand) bool { return s.Random(r) == yes },
	}
}
