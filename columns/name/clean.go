package name

import (
	"strings"
	"unicode"

	"weir/columns/text"
)

// Clean makes a host name from the network fit to be a tag: spaces, dots and NULs at the end and spaces at the
// beginning go, the letters A to Z become small, characters that act (see [text.Clean]) become U+FFFD, and it
// is cut at 253 bytes. Of a text that is no name nothing is left. What was cleaned once is not changed again.
func Clean(raw string) string {
	// Cutting may bring another dot to the end.
	return text.ToLower(trimEnd(text.Clean(trimEnd(raw), longest)))
}

func trimEnd(s string) string {
	return strings.TrimRightFunc(s, func(r rune) bool { return r == '.' || r == 0 || unicode.IsSpace(r) })
}
