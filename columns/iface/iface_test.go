package iface_test

import (
	"testing"

	"weir/columns/columnstest"
	"weir/columns/iface"
)

func TestContract(t *testing.T) {
	columnstest.Run(t, iface.Column.Column)
}
