package sip_test

import (
	"testing"

	"weir/columns/columnstest"
	"weir/columns/sip"
)

func TestContract(t *testing.T) {
	columnstest.Run(t, sip.Method.Column)
	columnstest.Run(t, sip.Host.Column)
}
