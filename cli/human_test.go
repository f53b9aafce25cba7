package cli

import (
	"strings"
	"testing"
	"time"
)

func TestHuman(t *testing.T) {
	for got, want := range map[string]string{
		humanBytes(int64(0)): "0 B", humanBytes(uint64(999)): "999 B", humanBytes(int64(1536)): "1.50 KiB",
		humanBytes(int64(64 << 20)): "64 MiB", humanBytes(uint64(1) << 63): "8388608 TiB",
		humanBytes(int64(12_900_000)): "12.3 MiB",
		humanCount(0):                 "0", humanCount(999): "999", humanCount(1000): "1,000",
		humanCount(1234567): "1,234,567",
		humanAge(0):         "0s", humanAge(-time.Second): "0s", humanAge(1500 * time.Microsecond): "1ms",
		humanAge(90*time.Second + time.Millisecond): "1m30s", humanAge(26*time.Hour + time.Minute): "1d2h",
		humanTime(now, now): "12:00:00", humanTime(now.AddDate(0, 0, -1), now): "2026-11-21 12:00:00",
		humanNumber(1e6): "1,000,000", humanNumber(0.01234): "0.01234", humanNumber(-2): "-2",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestEscape(t *testing.T) {
	for text, want := range map[string]string{
		"plain ü €": "plain ü €", "\x1b[31m": `\x1b[31m`, "a\nb": `a\nb`, "\u202e": `\u202e`, "\xff": `\ufffd`,
		"\u0085": `\u0085`,
	} {
		if got := escape(text); got != want {
			t.Errorf("escape(%q) = %q, want %q", text, got, want)
		}
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("\x1b]0;x\a\u009b")
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range escape(text) {
			if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u202e' {
				t.Errorf("%q went through in %q", r, text)
			}
		}
	})
}

func TestScreen(t *testing.T) {
	var out buffer
	a := App{Environ: []string{"LANG=C.UTF-8"}}
	if s := a.screen(&out); s.terminal || s.colour || s.marks {
		t.Errorf("a buffer is no terminal: %+v", s)
	}
	s := &screen{w: &out, colour: true, marks: true}
	s.table([]string{"name", "n"}, [][]string{{"a\x1b", "5"}, {"b", "1,000"}})
	want := "\x1b[1mname   n\x1b[0m\na\\x1b      5\nb      1,000\n"
	if got := out.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for environ, want := range map[string]bool{
		"LANG=C": false, "LC_ALL=C LANG=de_DE.UTF-8": false, "LANG=de_DE.utf8": true, "": false,
	} {
		a := App{Environ: strings.Fields(environ)}
		if a.isUTF8() != want {
			t.Errorf("%q: %v", environ, !want)
		}
	}
}

func TestCompletion(t *testing.T) {
	newTerminal(t).run("__complete", "query", "--by", "local.ip,").want(t, 0, "local.ip,remote.ip\n")
	newTerminal(t).run("completion", "bash").want(t, 0, "complete -o default")
}
