// Package features says which extensions the program links: one small file for each, `ls features`. Without
// build tags all are linked; with the tag custom only those whose tags are given, for example
// -tags custom,sources_conntrack,columns. The extensions themselves carry no tags, so that tests and
// linters see all of them in every build.
package features

import (
	"embed"
	"slices"
	"strings"
)

// files is what lies in this folder when the program is built, linked or not.
//
//go:embed *.go
var files embed.FS

// Known lists all extensions of the source tree, linked or not, as kind_name, sorted. Each is a build tag too.
func Known() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".go")
		if kind, _, ok := strings.Cut(name, "_"); ok && slices.Contains(kinds(), kind) {
			names = append(names, name)
		}
	}
	return names
}

// kinds are the folders that hold extensions.
func kinds() []string { return []string{"columns", "computations", "sources"} }
