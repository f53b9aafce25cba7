package text

import (
	"math/rand/v2"
	"strings"
)

// pieces are what hostile texts are made of.
func pieces() []string {
	return []string{
		"www.", "example.org", "A", "z", " ", ".", "-", "*", "é", "日本", "😀", "\ufffd",
		"\x00", "\x1b[2J", "\x1b]0;title\a", "\r\n", "\t", "\x7f", "\u009b", "\xff", "\xc3",
		"\u202e", "\u2066", "\u200f", "\u200b", "\ufeff", "\u2028", "\U000e0001",
		"<script>alert(1)</script>", "&amp;", `"`, "'", `\`, `\x1b`, ",", "(other)", "(none)", "=1+1", "@x",
		"%s", "$(reboot)",
	}
}

// random makes some text of at most so many bytes: often one that a peer might choose to do harm, seldom
// one as long as they get.
func random(r *rand.Rand, most int) string {
	all := pieces()
	var b strings.Builder
	for n := 1 + r.IntN(6); n > 0; n-- {
		b.WriteString(all[r.IntN(len(all))])
	}
	s := b.String()
	if r.IntN(16) == 0 {
		s = strings.Repeat(s, 1+most/len(s))
	}
	return cut(s, most)
}
