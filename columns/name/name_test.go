package name_test

import (
	"testing"

	"weir/columns"
	"weir/columns/columnstest"
	"weir/columns/name"
)

func TestContract(t *testing.T) {
	columnstest.Run(t, name.Source.Local)
	columnstest.Run(t, name.Source.Remote)
	columnstest.Run(t, name.Sure.Local)
	columnstest.Run(t, name.Sure.Remote)
	columnstest.Run(t, name.Columns.Local)
	columnstest.Run(t, name.Columns.Remote)
	columnstest.Run(t, name.All.Local)
	columnstest.Run(t, name.All.Remote)
	columnstest.Run(t, name.Site.Local)
	columnstest.Run(t, name.Site.Remote)
}

// A name is asked for as people write it: with capitals, and with the dot of the root.
func TestAskedWithADot(t *testing.T) {
	for _, column := range []string{"remote.name", "local.names", "remote.site"} {
		c, ok := columns.Lookup(column)
		if !ok {
			t.Fatalf("no column %s", column)
		}
		for _, asked := range []string{"www.Example.org.", "www.example.org", "WWW.EXAMPLE.ORG.."} {
			v, err := c.Parse(asked)
			if err != nil || c.Format(v) != "www.example.org" {
				t.Errorf("%s: %q reads as %q: %v", column, asked, v, err)
			}
		}
		want, err := c.Parse("www.example.org")
		if match, ok := c.Pattern("*.Example.ORG."); err != nil || !ok || !match(want) {
			t.Errorf("%s: a pattern with a dot at its end does not match", column)
		}
	}
}
