package query_test

import (
	"errors"
	"strings"
	"testing"

	"weir/query"
)

func TestParsePrintsCanonically(t *testing.T) {
	for text, want := range map[string]string{
		"proto=tcp":                     "proto = tcp",
		" proto  !=  tcp ":              "proto != tcp",
		"remote.ip in 10.0.0.0/8":       "remote.ip in 10.0.0.0/8",
		"remote.ip in (10.0.0.0/8,::1)": "remote.ip in (10.0.0.0/8, ::1)",
		"remote.port not in(1,2)":       "remote.port not in (1, 2)",
		"remote.port<=1024":             "remote.port <= 1024",
		"a=1 or b=2 and not c=3":        "a = 1 or b = 2 and not c = 3",
		"(a=1 or b=2) and c=3":          "(a = 1 or b = 2) and c = 3",
		"((a=1))":                       "a = 1",
		"not (not a=1)":                 "not not a = 1",
		"not (a=1 and b=2)":             "not (a = 1 and b = 2)",
		"(not a=1) and b=2":             "not a = 1 and b = 2",
		"a=1 and (b=2 and c=3)":         "a = 1 and b = 2 and c = 3",
		"has mark or has zone":          "has mark or has zone",
		`a = "x \"y\" \\ \x1b \u202e"`:  `a = "x \"y\" \\ \x1b \u202e"`,
		`a = "\n\t\r\U0001f600"`:        `a = "\x0a\x09\x0d😀"`,
		`a = "and"`:                     `a = "and"`,
		`a = café.example`:              `a = café.example`,
		`a = *.example.com`:             `a = *.example.com`,
		`a = "plain"`:                   `a = "plain"`,
	} {
		e, err := query.ParseFilter(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if e.String() != want {
			t.Errorf("%s: prints %s, want %s", text, e, want)
		}
	}
	if e, err := query.ParseFilter(" \n "); e != nil || err != nil {
		t.Errorf("nothing parses to %v, %v", e, err)
	}
}

// TestErrorsPointAtThePlace checks places in bytes and characters, and what is said.
func TestErrorsPointAtThePlace(t *testing.T) {
	for _, c := range []struct {
		text           string
		offset, column int
		says           string
	}{
		{"proto", 5, 6, `expected = != < <= > >= "in" or "not in", found the end`},
		{"proto = ", 8, 9, "expected a value, found the end"},
		{"proto == tcp", 6, 7, "write ="},
		{"proto <> tcp", 6, 7, "write !="},
		{"! proto = tcp", 0, 1, `expected a column, "not", "has" or "(", found "!"`},
		{"proto = tcp port = 3", 12, 13, `expected "and", "or" or the end, found "port"`},
		{"proto = tcp AND zone = 3", 12, 13, "write and in lower case"},
		{"proto = tcp && zone = 3", 12, 13, `write "and"`},
		{"proto = 'tcp'", 8, 9, "double quotes"},
		{"proto = (tcp)", 8, 9, `several values go with "in"`},
		{"proto in (tcp", 13, 14, `expected "," or ")", found the end`},
		{"proto in (tcp,)", 14, 15, `expected a value, found ")"`},
		{"proto in ()", 10, 11, "expected a value"},
		{"(proto = tcp", 12, 13, "the parenthesis at character 1 is not closed"},
		{"proto not tcp", 10, 11, `expected "in"`},
		{"has", 3, 4, "expected a column"},
		{"not", 3, 4, `expected a column, "not", "has" or "("`},
		{"proto = and", 8, 9, `write "and" in quotes`},
		{`test.name = "é`, 12, 13, "no closing quote"},
		{`test.name = "é" x`, 17, 17, `expected "and", "or" or the end`},
		{`test.name = "\q"`, 13, 14, "expected one of the escapes"},
		{`test.name = "\u12"`, 13, 14, "expected one of the escapes"},
		{`test.name = "\ud800"`, 13, 14, "expected one of the escapes"},
		{"proto = tcp ; x", 12, 13, "has no meaning here"},
		{"proto = \x01", 8, 9, `"\x01" has no meaning here`},
		{"proto = \xff", 8, 9, "has no meaning here"},
		{"remote.pi = 1.1.1.1", 0, 1, `there is no column "remote.pi"; the nearest is remote.ip`},
		{"zone = 1 and ip = 1.1.1.1", 13, 14, "write local.ip or remote.ip"},
		{"has prto", 4, 5, "the nearest is proto"},
		{"xxxxxxxxxx = 1", 0, 1, "weir columns lists those there are"},
		{"bytes > 3", 0, 1, "bytes is a measure"},
		{"remote.ip = 10.0.0", 12, 13, "is not an address"},
		{"remote.ip in (1.1.1.1, x)", 23, 24, "is not an address"},
		{"remote.ip < 10.0.0.0/8", 12, 13, "stands for many values"},
		{"local.ip = remote.ip", 11, 12, "expected a value"},
		{"test.name = @list", 12, 13, "in quotes"},
		{"test.name = zone", 12, 13, "in quotes"},
	} {
		_, err := query.Bind(c.text)
		var e *query.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: got %v", c.text, err)
			continue
		}
		if e.Offset != c.offset || e.Column != c.column || !strings.Contains(e.Error(), c.says) {
			t.Errorf("%s: at byte %d, character %d: %v", c.text, e.Offset, e.Column, e)
		}
	}
}

// TestHostileFilters gives what no user writes: the parser answers soon and says so.
func TestHostileFilters(t *testing.T) {
	for what, text := range map[string]string{
		"long":         strings.Repeat("zone = 1 or ", 5000),
		"parentheses":  strings.Repeat("(", 5000),
		"nots":         strings.Repeat("not ", 4000),
		"closed":       strings.Repeat("(", 200) + "zone = 1" + strings.Repeat(")", 200),
		"long name":    strings.Repeat("x", 15000) + " = 1",
		"long value":   "remote.ip = " + strings.Repeat("1", 15000),
		"hostile name": "\u202e\x1b[2J = 1",
	} {
		_, err := query.Bind(text)
		if err == nil || len(err.Error()) > 500 || strings.ContainsAny(err.Error(), "\x1b\u202e") {
			t.Errorf("%s: %v", what, err)
		}
	}
	wide := strings.Repeat("zone = 1 or ", 1000) + "zone = 2"
	if _, err := query.Bind(wide); err != nil {
		t.Errorf("a long chain: %v", err)
	}
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{
		"proto = tcp", "a=1 or b=2 and not c=3", "remote.ip in (10.0.0.0/8, ::1)", `x = "\x1b\u202e\""`,
		"has mark", "not not (a < 1)", "a not in (1,2", "((((", `"`, "a = \xff", "a==b", "a = (b)", "é = ü",
		`test.name in ("", "(other)", *.x) and local.port = 1-2`, "a = \u00a0b", "a=b!c", "a = \\ ",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := query.ParseFilter(text)
		if err != nil {
			var at *query.Error
			if !errors.As(err, &at) || at.Offset < 0 || at.Offset > len(text) || at.Column > len(text)+1 {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if e == nil {
			return
		}
		again, err := query.ParseFilter(e.String())
		if err != nil && len(e.String()) <= query.MaxFilter {
			t.Fatalf("%q prints %q: %v", text, e, err)
		}
		if err == nil && again.String() != e.String() {
			t.Fatalf("%q prints %q, then %q", text, e, again)
		}
		_, _ = query.Bind(text)
	})
}
