// Package text makes columns whose values are texts. It is no column itself: families that hold texts
// build theirs with it, so that all of them are written, searched and bounded in the same way.
//
// A text is stored as it is. It comes from the network and may hold anything, even bytes that are no
// UTF-8; a source cleans what it tags with [Clean], and whoever prints a value escapes it.
package text

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"unicode/utf8"

	"weir/columns"
)

// Column describes a column of texts of at most so many bytes, in which upper and lower case differ.
// In an operand a star stands for any run of characters, and case does not matter. A longer text that is
// tagged is cut before the character that does not fit. An empty text is no value: its tag tags nothing.
func Column(name, doc string, most int, set bool, examples ...string) columns.Spec[string] {
	return spec(name, doc, most, set, func(s string) string { return s }, examples)
}

// Lower describes a column like [Column], but of texts that mean the same in upper and in lower case,
// such as host names: the letters A to Z become small in what is tagged and in what is asked.
func Lower(name, doc string, most int, set bool, examples ...string) columns.Spec[string] {
	return spec(name, doc, most, set, ToLower, examples)
}

// Host describes a column like [Lower], for names of hosts: dots at the end mean nothing, in what is tagged and in what
// is asked.
func Host(name, doc string, most int, set bool, examples ...string) columns.Spec[string] {
	s := spec(name, doc, most, set, func(s string) string { return undotted(ToLower(s)) }, examples)
	s.Pattern = func(operand string) (func(string) bool, bool) { return glob(undotted(operand)) }
	return s
}

// undotted takes the dots off the end of a text, unless there is nothing else.
func undotted(s string) string {
	if short := strings.TrimRight(s, "."); short != "" {
		return short
	}
	return s
}

// Upper describes a column like [Lower], for texts that people write in capitals, such as GET.
func Upper(name, doc string, most int, set bool, examples ...string) columns.Spec[string] {
	return spec(name, doc, most, set, upper, examples)
}

func spec(name, doc string, most int, set bool, fold func(string) string, examples []string) columns.Spec[string] {
	return columns.Spec[string]{
		Name: name, Doc: doc, Type: "text", Set: set, Examples: examples,
		Parse: func(text string) (string, error) {
			if text == "" || len(text) > most {
				return "", fmt.Errorf("a value has 1 to %d bytes, not %d", most, len(text))
			}
			return fold(text), nil
		},
		Format: func(v string) string { return v },
		Encode: func(dst []byte, v string) []byte { return append(dst, fold(cut(v, most))...) },
		Decode: func(enc string) (string, error) {
			if enc == "" || len(enc) > most || fold(enc) != enc {
				return "", columns.ErrEncoding
			}
			return enc, nil
		},
		Compare: strings.Compare,
		Random:  func(r *rand.Rand) string { return fold(random(r, most)) },
		Pattern: glob,
	}
}

// cut gives the beginning of a text, at most so many bytes. It does not cut through a character, unless
// the bytes are none.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	n := most
	for n > 0 && n > most-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	if n == 0 || !utf8.RuneStart(s[n]) {
		n = most
	}
	return s[:n]
}

// ToLower makes the letters A to Z small. Others stay, so that no text changes its length or its meaning by
// the rules of some language.
func ToLower(s string) string { return shift(s, 'A', 'Z', 'a'-'A') }

// upper makes the letters a to z capital.
func upper(s string) string { return shift(s, 'a', 'z', 'A'-'a') }

// shift adds to each byte between two bounds. A text that has none is given back as it is.
func shift(s string, from, to byte, by int) string {
	for i := range len(s) {
		if from <= s[i] && s[i] <= to {
			b := []byte(s)
			for ; i < len(b); i++ {
				if from <= b[i] && b[i] <= to {
					b[i] += byte(by)
				}
			}
			return string(b)
		}
	}
	return s
}
