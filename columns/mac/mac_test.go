package mac_test

import (
	"testing"

	"weir/columns/columnstest"
	"weir/columns/mac"
)

func TestContract(t *testing.T) {
	columnstest.Run(t, mac.Columns.Local)
	columnstest.Run(t, mac.Columns.Remote)
}
