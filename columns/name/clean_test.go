package name_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"weir/columns/name"
)

func TestClean(t *testing.T) {
	label := strings.Repeat("a", 63) + "."
	for raw, want := range map[string]string{
		"www.example.org":                 "www.example.org",
		"WWW.Example.ORG.":                "www.example.org",
		" nas1 ":                          "nas1",
		"nas1\x00":                        "nas1",
		"nas1\x00\x00\x00":                "nas1",
		"nas1.\x00":                       "nas1",
		"nas1\x00.":                       "nas1",
		"nas1 \x00 ":                      "nas1",
		"a\x00b\x00":                      "a\ufffdb",
		"a..":                             "a",
		".":                               "",
		"..\x00 ":                         "",
		"":                                "",
		"\x00":                            "",
		".example.org":                    ".example.org",
		"a.b":                             "a.b",
		`nas\xff1`:                        `nas\xff1`,
		"nas\xff1":                        "nas\ufffd1",
		"a\nb":                            "a\ufffdb",
		"x\u2028y":                        "x\ufffdy",
		"moc.\u202eelpmaxe\u202c":         "moc.\ufffdelpmaxe\ufffd",
		"P\u0158\u00cdKLAD.cz":            "p\u0158\u00cdklad.cz", // Capitals other than A to Z stay.
		"[2001:DB8::1]":                   "[2001:db8::1]",
		"He said \"hi\"":                  `he said "hi"`,
		label + label + label + label:     strings.TrimSuffix(label+label+label+label[:61], "."),
		label + label + label + "b.c":     label + label + label + "b.c",
		strings.Repeat("\x00", 64<<10):    "",
		strings.Repeat("a", 252) + ".org": strings.Repeat("a", 252), // The cut leaves a dot at the end.
		strings.Repeat("a", 64<<10):       strings.Repeat("a", 253),
	} {
		if got := name.Clean(raw); got != want {
			t.Errorf("%.300q: %q, want %q", raw, got, want)
		}
	}
}

// TestCleanOfGoodNamesIsFree: nearly all names need no cleaning.
func TestCleanOfGoodNamesIsFree(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { name.Clean("www.example.org") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzClean: what is cleaned is a value of the columns as it is, and cleaning again changes nothing.
func FuzzClean(f *testing.F) {
	for _, raw := range []string{
		"www.example.org", "NAS1\x00", "nas1\x00. ", "a\xffb.", " \u2028. ", "\u202e", strings.Repeat("é.", 100),
		strings.Repeat("a", 252) + "..", strings.Repeat("\xff", 253) + ".",
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got := name.Clean(raw)
		if again := name.Clean(got); again != got {
			t.Errorf("%q: %q, again %q", raw, got, again)
		}
		if len(got) > 253 || !utf8.ValidString(got) || strings.HasSuffix(got, ".") ||
			strings.ContainsAny(got, "\x00\n\x1b") {
			t.Errorf("%q: %q", raw, got)
		}
		if v := name.Columns.Value(got); string(v) != got || got != "" && !name.Columns.Local.Valid(v) {
			t.Errorf("%q: %q is stored as %q", raw, got, v)
		}
	})
}
