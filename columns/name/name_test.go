package name_test

import (
	"testing"

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
