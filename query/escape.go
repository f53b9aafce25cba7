package query

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What tables show for cells that hold no text.
const (
	shownNone  = "(none)"
	shownOther = "(other)"
)

// Escape makes a text from the network harmless in a terminal: control characters, invisible ones, those
// that turn the direction of writing and bytes that are no UTF-8 become \xHH, \uHHHH or \UHHHHHHHH, and a
// backslash becomes two.
func Escape(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case r == utf8.RuneError && n == 1 || r < utf8.RuneSelf && !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case unicode.IsPrint(r):
			b.WriteString(s[:n])
		case r > 0xFFFF:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		s = s[n:]
	}
	return b.String()
}

// plain says that a text needs no escapes.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f || s[i] == '\\' {
			return false
		}
	}
	return true
}

// shown gives a text for a cell of a table: one that could be taken for something else stands in quotes.
func shown(s string) string {
	e := Escape(s)
	if e == "" || e == shownNone || e == shownOther || strings.TrimSpace(e) != e {
		return `"` + e + `"`
	}
	return e
}

// clipRunes cuts a text to so many characters.
func clipRunes(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}
