// Package word makes columns whose values are a few fixed words, such as yes and no. It is no column
// itself: families build theirs with it.
package word

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"strings"

	"weir/columns"
)

// Column describes a column whose values are places in a list of words, from 1; at place 0 stands the empty
// word, which is no value. Values sort by their place. The place is what is stored: it must never change.
// There are at most 255 words. kind is the word that answers show for the type.
func Column[T ~uint8](name, doc, kind string, words []string) columns.Spec[T] {
	known := func(v T) bool { return v != 0 && int(v) < len(words) }
	return columns.Spec[T]{
		Name: name, Doc: doc, Type: kind, Examples: words[1:],
		Parse: func(text string) (T, error) {
			for i, w := range words {
				if i > 0 && strings.EqualFold(w, text) {
					return T(i), nil
				}
			}
			return 0, fmt.Errorf("%q is none of %s", text, strings.Join(words[1:], ", "))
		},
		Format: func(v T) string {
			if !known(v) {
				return ""
			}
			return words[v]
		},
		Encode: func(dst []byte, v T) []byte { return append(dst, byte(v)) },
		Decode: func(enc string) (T, error) {
			if len(enc) != 1 || !known(T(enc[0])) {
				return 0, columns.ErrEncoding
			}
			return T(enc[0]), nil
		},
		Compare: cmp.Compare[T],
		Random:  func(r *rand.Rand) T { return T(1 + r.IntN(len(words)-1)) },
	}
}
