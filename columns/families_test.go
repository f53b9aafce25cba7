package columns_test

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	_ "weir/columns/alert"
	_ "weir/columns/app"
	"weir/columns/columnstest"
	_ "weir/columns/direction"
	_ "weir/columns/dns"
	_ "weir/columns/http"
	_ "weir/columns/iface"
	_ "weir/columns/ip"
	_ "weir/columns/mac"
	_ "weir/columns/mark"
	_ "weir/columns/mqtt"
	_ "weir/columns/name"
	_ "weir/columns/number"
	_ "weir/columns/port"
	_ "weir/columns/proto"
	_ "weir/columns/quic"
	_ "weir/columns/sip"
	_ "weir/columns/smb"
	_ "weir/columns/smtp"
	_ "weir/columns/ssh"
	_ "weir/columns/text"
	_ "weir/columns/tls"
	_ "weir/columns/vlan"
	_ "weir/columns/word"
	_ "weir/columns/zone"
)

// TestFamilies runs the contract suite over all columns, also those that the tests here register.
func TestFamilies(t *testing.T) { columnstest.RunAll(t) }

// TestFamiliesAreAllHere fails when a family is missing from the imports above.
func TestFamiliesAreAllHere(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "families_test.go", nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	imported := map[string]bool{}
	for _, spec := range file.Imports {
		imported[strings.Trim(spec.Path.Value, `"`)] = true
	}
	sources, err := filepath.Glob("*/*.go")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no families found: %v", err)
	}
	for _, source := range sources {
		if pkg := "weir/columns/" + filepath.ToSlash(filepath.Dir(source)); !imported[pkg] {
			t.Errorf("%s is not imported", pkg)
		}
	}
}
