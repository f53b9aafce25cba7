// Package query is how Weir is asked: a small language for filters, the question around it, the executor
// that puts a question to the tiers, and the answer in the forms that people and programs read.
//
// # Filter
//
// A filter chooses rows:
//
//	remote.port = 443 and not local.ip in (192.168.1.0/24, 2001:db8::7)
//	proto in (tcp, udp) or has mark
//
// Comparisons are = != < <= > >= in (…) and not in (…); what stands for many values, such as a network for
// addresses, goes with = != in and not in. They bind tighter than not, which binds tighter than and, which
// binds tighter than or. Values are bare words, or texts in double quotes with the escapes \" \\ \n \t \r
// \xHH \uHHHH and \UHHHHHHHH. A text in quotes is taken as one value where the column can read it so; a
// bare word is first tried as a pattern.
//
// A flow that has no value in a column fails every comparison with it, and thus passes != and not in,
// which are the negations of = and in. In a column that holds a set, a comparison holds if it does for any
// of the values.
//
// # Measures
//
// An answer sums bytes and packets, up (local to remote), down, and both. Its flows are those that started
// in the range.
package query

import (
	"fmt"
	"strings"
)

// Error is a mistake in a question, with the place in the text where it was noticed.
type Error struct {
	// Part names what is wrong: "filter", "by", "step", ….
	Part string
	// Offset counts bytes from 0 to the place, Column characters from 1. Column is 0 if there is no place.
	Offset, Column int
	// Message says what is wrong and what was expected.
	Message string
	// Hint says what may have been meant; it may be empty.
	Hint string
}

// Error gives one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Part)
	if e.Column > 0 {
		fmt.Fprintf(&b, ", character %d", e.Column)
	}
	b.WriteString(": " + e.Message)
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

// wrong makes an error that has no place in a text.
func wrong(part, format string, args ...any) *Error {
	return &Error{Part: part, Message: fmt.Sprintf(format, args...)}
}

// quote shows a piece of the user's text in an error: short, and harmless in a terminal.
func quote(s string) string {
	const most = 40
	if len(s) > most {
		cut := most
		for cut > 0 && !startsRune(s[cut]) {
			cut--
		}
		return fmt.Sprintf("%q…", s[:cut])
	}
	return fmt.Sprintf("%q", s)
}

func startsRune(b byte) bool { return b&0xC0 != 0x80 }
