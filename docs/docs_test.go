// Package docs_test holds the pages of this folder to what the program does.
package docs_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"weir/columns"
	"weir/config"
	_ "weir/features"
)

var update = flag.Bool("update", false, "write the generated parts of the pages anew")

// generated compares what stands in a page between two marks with what the program says, or writes it.
func generated(t *testing.T, page, name, want string) {
	t.Helper()
	begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->\n"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	have, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no part %q", page, name)
	}
	if have == want {
		return
	}
	if !*update {
		t.Fatalf("%s: the part %q is old; renew it with: go test ./docs -update", page, name)
	}
	if err := os.WriteFile(page, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestConfigurationPage(t *testing.T) {
	c := config.Default()
	c.Socket = config.SystemSocket // As for root, whoever runs the test.
	var b bytes.Buffer
	if err := c.Write(&b); err != nil {
		t.Fatal(err)
	}
	generated(t, "configuration.md", "keys", "```toml\n"+b.String()+"```\n")
}

func TestColumnsInQueryPage(t *testing.T) {
	var b strings.Builder
	b.WriteString("| column | values | examples | meaning, and where it comes from |\n|---|---|---|---|\n")
	for _, c := range columns.All() {
		if c.Side == columns.OfRemote {
			continue // It stands beside its sibling.
		}
		names := "`" + c.Name + "`"
		if c.Side == columns.OfLocal {
			names += " `" + c.Sibling(columns.OfRemote).Name + "`"
		}
		values := c.Type
		if c.Set {
			values = "set of " + values
		}
		fmt.Fprintf(&b, "| %s | %s | `%s` | %s |\n", names, values, strings.Join(c.Examples, "` `"), c.Doc)
	}
	generated(t, "query.md", "columns", b.String())
}

// TestLinks follows each link from a page to a file of the tree.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	for _, pattern := range []string{"*.md", "*/*.md", "../*.md"} {
		pages, err := filepath.Glob(pattern)
		if err != nil || len(pages) == 0 {
			t.Fatalf("no pages %s: %v", pattern, err)
		}
		for _, page := range pages {
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range link.FindAllStringSubmatch(string(text), -1) {
				if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
					t.Errorf("%s: link to %s: %v", page, m[1], err)
				}
			}
		}
	}
}
