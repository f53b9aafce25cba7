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

// maxMarks is how many marks, such as accents, a character may carry; scripts that need more are not known.
const maxMarks = 4

// Escape makes a text from the network harmless in a terminal: control characters, invisible ones, those
// that turn the direction of writing, marks that would pile up or stand on what is before the text, and bytes
// that are no UTF-8 become \xHH, \uHHHH or \UHHHHHHHH, and a backslash becomes two.
func Escape(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	marks := maxMarks // At the start there is nothing to carry one.
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if unicode.Is(unicode.M, r) {
			marks++
		} else {
			marks = 0
		}
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case visible(r) && marks <= maxMarks:
			b.WriteString(s[:n])
		default:
			writeEscape(&b, r)
		}
		s = s[n:]
	}
	return b.String()
}

func writeEscape(b *strings.Builder, r rune) {
	switch {
	case r < utf8.RuneSelf:
		fmt.Fprintf(b, `\x%02x`, r)
	case r > 0xFFFF:
		fmt.Fprintf(b, `\U%08x`, r)
	default:
		fmt.Fprintf(b, `\u%04x`, r)
	}
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

// visible says whether a character can be seen. Some letters and symbols of Unicode cannot.
func visible(r rune) bool {
	const blankBraille = '\u2800'
	return unicode.IsPrint(r) && r != blankBraille &&
		!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// literal gives a text as it stands between the quotes of a filter.
func literal(s string) string {
	return strings.ReplaceAll(Escape(s), `"`, `\"`) // Escape made no backslash before a quote.
}

// shown gives a text for a cell of a table: between quotes it is what a filter understands. One that could be
// taken for something else stands in quotes already.
func shown(s string) string {
	l := literal(s)
	if l == "" || l == shownNone || l == shownOther || strings.TrimSpace(l) != l {
		return `"` + l + `"`
	}
	return l
}

// shownSet gives the texts of a set for a cell of a table. Commas separate them; a text that holds one stands
// in quotes.
func shownSet(texts []string) string {
	members := make([]string, len(texts))
	for i, s := range texts {
		members[i] = shown(s)
		if strings.Contains(s, ",") && !strings.HasPrefix(members[i], `"`) {
			members[i] = `"` + members[i] + `"`
		}
	}
	return strings.Join(members, ",")
}

// clip cuts what a cell shows to so many characters, not through an escape.
func clip(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	fits := 0
	for count := 0; ; {
		n := unit(s[fits:])
		count += utf8.RuneCountInString(s[fits:][:n])
		if count >= most {
			return s[:fits] + "…"
		}
		fits += n
	}
}

// unit gives the length of the first character, or escape, of a text that is not empty.
func unit(s string) int {
	if s[0] != '\\' || len(s) == 1 {
		_, n := utf8.DecodeRuneInString(s)
		return n
	}
	length := map[byte]int{'x': 4, 'u': 6, 'U': 10}[s[1]]
	return min(max(2, length), len(s))
}

// clipRunes cuts a text to so many characters.
func clipRunes(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}
