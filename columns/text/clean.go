package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean makes a text from the network fit to be kept: spaces at both ends go, each control character,
// line or paragraph separator, mark that turns the direction of writing, and byte that is no UTF-8 becomes
// U+FFFD, and what is then longer than so many bytes is cut before the character that does not fit. What
// was cleaned once is not changed again. Nothing may be left.
func Clean(raw string, most int) string {
	s := strings.TrimSpace(raw)
	// U+FFFD has three bytes, so a hostile text grows; what is beyond the bound need not be looked at.
	s = cut(s, most)
	if !clean(s) {
		s = replace(s)
	}
	return strings.TrimSpace(cut(s, most))
}

func clean(s string) bool {
	for i, r := range s {
		if unfit(r) || r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") {
			return false
		}
	}
	return true
}

func replace(s string) string {
	return strings.Map(func(r rune) rune {
		if unfit(r) {
			return utf8.RuneError
		}
		return r // A byte that is no UTF-8 arrives as U+FFFD.
	}, s)
}

// unfit says whether a character acts instead of being seen: it could end a line, command a terminal, or
// show a text in another order than it is read.
func unfit(r rune) bool {
	if r < utf8.RuneSelf { // Nearly all are.
		return r < ' ' || r == 0x7f
	}
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r)
}
