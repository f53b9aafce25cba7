package bestname

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"weir/columns/name"
	"weir/computations"
)

func listFile(lines ...string) computations.File {
	return computations.File{Path: "a.list", Content: []byte(strings.Join(lines, "\n"))}
}

func TestFind(t *testing.T) {
	r, errs := noRules().with([]computations.File{
		listFile(
			"# A comment, an empty line, and a rule with both.", "", "  exact.example.com\tFirst.Example  # why",
			"*.beneath.example.com below", ".both.example.com both.", "*.deep.both.example.com deeper",
			"*.out.deep.both.example.com -", "outer.example.com ?", "*.příklad.cz příklad\r", "UPPER.example.com upper",
		),
		listFile("\ufeffexact.example.com later", "*.net. all"),
	})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for host, want := range map[string]rule{
		"exact.example.com":           {name: "later"},
		"www.exact.example.com":       {},
		"beneath.example.com":         {},
		"www.beneath.example.com":     {name: "below"},
		"a.b.beneath.example.com":     {name: "below"},
		"notbeneath.example.com":      {},
		"xbeneath.example.com":        {},
		"both.example.com":            {name: "both"},
		"www.both.example.com":        {name: "both"},
		"deep.both.example.com":       {name: "both"},
		"www.deep.both.example.com":   {name: "deeper"},
		"out.deep.both.example.com":   {name: "deeper"},
		"x.out.deep.both.example.com": {},
		"outer.example.com":           {vague: true},
		"www.příklad.cz":              {name: "příklad"},
		"upper.example.com":           {name: "upper"},
		"any.net":                     {name: "all"},
		"net":                         {},
		"":                            {},
		".":                           {},
		"..net":                       {name: "all"},
	} {
		if got := r.find(host); got != want {
			t.Errorf("%q: %+v, want %+v", host, got, want)
		}
	}
	if r.len() != 10 {
		t.Errorf("%d rules", r.len())
	}
}

func TestMistakesInLists(t *testing.T) {
	for line, want := range map[string]string{
		"host.example":                    "not 1",
		"host.example a b":                "not 3",
		"* name":                          `"*" is not`,
		"*. name":                         `"*." is not`,
		". name":                          `"." is not`,
		"r*.example.com name":             `"r*.example.com" is not`,
		"a..example.com name":             `"a..example.com" is not`,
		"a/b name":                        `"a/b" is not`,
		"host.example .":                  `"." is not a name`,
		"host.example a\x1bb":             "is not a name",
		"host\x00.example name":           "is not host.example",
		strings.Repeat("x", 2000):         "longer than 1024 bytes",
		"host.example \xff":               "is not a name",
		strings.Repeat("a.", 400):         "not 1",
		strings.Repeat("a.", 400) + "b n": "is not host.example",
	} {
		r, errs := noRules().with([]computations.File{listFile("good.example one", line, "fine.example two")})
		if len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), "a.list:2: ") {
			t.Errorf("%.40q: %v", line, errs)
		} else if !strings.Contains(errs[0].Error(), want) {
			t.Errorf("%.40q: %v, want %q", line, errs[0], want)
		}
		if r.len() != 2 {
			t.Errorf("%.40q: %d rules beside it", line, r.len())
		}
	}
}

func TestListsAreBounded(t *testing.T) {
	var many, wrong strings.Builder
	for i := range maxRules + 10 {
		fmt.Fprintf(&many, "h%d.example n\n", i)
	}
	wrong.WriteString(strings.Repeat("wrong\n", maxErrors+10))
	r, errs := noRules().with([]computations.File{listFile(many.String()), listFile(wrong.String())})
	if r.len() != maxRules || len(errs) != 10+maxErrors+1 {
		t.Errorf("%d rules, %d mistakes", r.len(), len(errs))
	}
	if last := errs[len(errs)-1].Error(); !strings.HasPrefix(last, "a.list:100: too many mistakes") {
		t.Error(last)
	}
}

// TestCurated: the list that ships has no mistakes, and no rule that it does not need.
func TestCurated(t *testing.T) {
	r, errs := noRules().with([]computations.File{{Path: "curated.list", Content: curated}})
	if len(errs) > 0 {
		t.Error(errs)
	}
	if got := curatedRules().len(); got != r.len() || got < 50 {
		t.Errorf("%d rules", got)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(curated)) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if seen[words[0]] {
			t.Errorf("%s is there twice", words[0])
		}
		seen[words[0]] = true
		if words[1] != vagueHas && siteOf(words[1]) != words[1] {
			t.Errorf("%s goes to %s, which nobody registered", words[0], words[1])
		}
	}
	for host, want := range map[string]rule{
		"scontent-prg1-1.xx.fbcdn.net": {name: "facebook.com"}, "www.facebook.com": {},
		"rr1---sn-2gb7sn7s.googlevideo.com": {name: "youtube.com"}, "storage.googleapis.com": {},
		"cloudflare-ech.com": {vague: true},
	} {
		if got := r.find(host); got != want {
			t.Errorf("%s: %+v, want %+v", host, got, want)
		}
	}
}

// FuzzRules: a list of anything gives rules whose names are names, and as many mistakes as lines at most.
func FuzzRules(f *testing.F) {
	for _, s := range []string{
		string(curated), "*.a.b c\n.d e#f\ng -\nh ?", "a\x00 b\n\xff \xff\n* *\n. .\n- -", "\ufeffa.b c\r\n\r\n",
		strings.Repeat("a", 1100), "a b c d e", "*.*.a b",
	} {
		f.Add(s, "www.example.com")
	}
	f.Fuzz(func(t *testing.T, content, host string) {
		r, errs := noRules().with([]computations.File{{Path: "f", Content: []byte(content)}})
		if lines := strings.Count(content, "\n") + 1; len(errs) > lines || r.len() > 2*lines {
			t.Errorf("%d mistakes and %d rules in %d lines", len(errs), r.len(), lines)
		}
		for _, m := range []map[string]rule{r.exact, r.below} {
			for pattern, to := range m {
				if !hostname(pattern) || name.Clean(to.name) != to.name || to.vague && to.name != "" {
					t.Errorf("%q goes to %+v", pattern, to)
				}
				x := "x." + pattern
				if r.below[pattern] != (rule{}) && r.exact[x] == (rule{}) && r.find(x) == (rule{}) {
					t.Errorf("nothing beneath %q is found", pattern)
				}
			}
		}
		r.find(host)
	})
}

// TestReadReplaces: what was read before is gone, and the live flows are looked at again.
func TestReadReplaces(t *testing.T) {
	x := newTable(t, testConfig())
	now := at(t, "10:00:00")
	e := newFlow(1, now, 6, worldPort("192.168.1.10:1"), worldPort("192.0.2.1:443"), noAddr)
	x.put(&e, parseTags(t, []string{"tls.sni=www.host.example"})...)
	x.hear(e)
	x.settle(now)
	for _, c := range []struct{ line, want string }{
		{"*.host.example one", "remote.name=one"},
		{"*.example two", "remote.name=two"},
		{"broken", "remote.name=www.host.example"},
		{"", "remote.name=www.host.example"},
	} {
		errs := x.c.Read([]computations.File{listFile(c.line)}, x.view, x)
		if (len(errs) > 0) != (c.line == "broken") {
			t.Error(errs)
		}
		x.settle(now)
		if got := cells(x.flows[1], x.flows[1].Tags); !strings.HasPrefix(got, c.want+" ") {
			t.Errorf("%q: %s", c.line, got)
		}
	}
	if !slices.Equal(x.c.Patterns(), []string{"/etc/weir/names.d/*.list"}) {
		t.Error(x.c.Patterns())
	}
}
