package vlan_test

import (
	"testing"

	"weir/columns/columnstest"
	"weir/columns/vlan"
)

func TestContract(t *testing.T) {
	columnstest.Run(t, vlan.Column.Column)
}
