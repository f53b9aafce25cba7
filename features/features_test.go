package features

import (
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestKnownListsTheShims(t *testing.T) {
	known := Known()
	if !slices.Contains(known, "sources_conntrack") || !slices.Contains(known, "columns_ip") {
		t.Errorf("known: %v", known)
	}
	if !slices.IsSorted(known) || slices.Contains(known, "features_test") {
		t.Errorf("known: %v", known)
	}
}

// TestShims looks at each shim: its tag follows from its name, and it links the extension of that name.
func TestShims(t *testing.T) {
	for _, name := range Known() {
		t.Run(name, func(t *testing.T) {
			f, err := parser.ParseFile(token.NewFileSet(), name+".go", nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			kind, ext, _ := strings.Cut(name, "_")
			path := `"weir/` + kind + "/" + ext + `"`
			if len(f.Imports) != 1 || f.Imports[0].Path.Value != path || f.Imports[0].Name.Name != "_" {
				t.Errorf("does not link weir/%s/%s alone", kind, ext)
			}
			if len(f.Decls) != 1 {
				t.Error("does more than to link")
			}
			checkTag(t, tagOf(t, f), kind, name)
		})
	}
}

// tagOf gives the build constraint of a file.
func tagOf(t *testing.T, f *ast.File) constraint.Expr {
	t.Helper()
	for _, g := range f.Comments {
		for _, c := range g.List {
			if constraint.IsGoBuild(c.Text) {
				x, err := constraint.Parse(c.Text)
				if err != nil {
					t.Fatal(err)
				}
				return x
			}
		}
	}
	t.Fatal("no build tag")
	return nil
}

// checkTag tries the combinations of tags that matter.
func checkTag(t *testing.T, x constraint.Expr, kind, name string) {
	t.Helper()
	for tags, want := range map[string]bool{
		"": true, "custom": false, "custom," + kind: true, "custom," + name: true, name: true,
		"custom," + kind + "_nothing": false,
	} {
		list := strings.Split(tags, ",")
		if got := x.Eval(func(tag string) bool { return slices.Contains(list, tag) }); got != want {
			t.Errorf("with tags %q linked: %v, want %v", tags, got, want)
		}
	}
}

// TestEveryExtensionHasAShim finds the folders that register something.
func TestEveryExtensionHasAShim(t *testing.T) {
	for _, kind := range kinds() {
		dirs, _ := filepath.Glob("../" + kind + "/*/")
		for _, dir := range dirs {
			name := kind + "_" + filepath.Base(dir)
			if registers(t, dir, kind) && !slices.Contains(Known(), name) {
				t.Errorf("%s registers itself, but features/%s.go does not exist", dir, name)
			}
		}
	}
}

// registers says whether a package calls a Register function of its kind.
func registers(t *testing.T, dir, kind string) bool {
	t.Helper()
	files, _ := filepath.Glob(dir + "/*.go")
	found := false
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && strings.HasPrefix(s.Sel.Name, "Register") {
				pkg, isIdent := s.X.(*ast.Ident)
				found = found || isIdent && pkg.Name == kind
			}
			return true
		})
	}
	return found
}

// TestCustomLinksNothing asks the build of the whole program, and not only the tags: an extension is left out only
// if nobody else imports it.
func TestCustomLinksNothing(t *testing.T) {
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go tool")
	}
	// A source may bring along the columns that it tags.
	for tags, wanted := range map[string][]string{
		"custom": nil, "custom,columns_ip": {"weir/columns/ip"}, "custom,sources_replay": {"weir/sources/replay"},
		"custom,sources_conntrack": {conntrackLibrary, "weir/columns/mark", "weir/sources/conntrack"},
	} {
		cmd := exec.CommandContext(t.Context(), goTool, "list", "-deps", "-tags", tags, "weir")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list -tags %s: %v", tags, err)
		}
		packages := strings.Fields(string(out))
		if !slices.Contains(packages, "weir/features") {
			t.Fatalf("go list -tags %s lists %d packages, but not weir/features", tags, len(packages))
		}
		linked := slices.DeleteFunc(packages, func(p string) bool { return !isOptional(p) })
		slices.Sort(linked)
		if !slices.Equal(linked, wanted) {
			t.Errorf("with tags %s linked are %v, want %v", tags, linked, wanted)
		}
	}
}

// conntrackLibrary is what the conntrack source alone needs.
const conntrackLibrary = "github.com/ti-mo/conntrack"

// isOptional says whether a package is an extension, or there for one alone.
func isOptional(path string) bool {
	name := strings.ReplaceAll(strings.TrimPrefix(path, "weir/"), "/", "_")
	return path == conntrackLibrary || slices.Contains(Known(), name)
}
