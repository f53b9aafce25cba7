package quic_test

import (
	"testing"

	"weir/columns/columnstest"
	"weir/columns/quic"
)

func TestContract(t *testing.T) {
	columnstest.Run(t, quic.Version.Column)
}
