package tls_test

import (
	"testing"

	"weir/columns/columnstest"
	"weir/columns/tls"
)

func TestContract(t *testing.T) {
	columnstest.Run(t, tls.Version.Column)
	columnstest.Run(t, tls.SNI.Column)
	columnstest.Run(t, tls.CN.Column)
	columnstest.Run(t, tls.SAN.Column)
	columnstest.Run(t, tls.ALPN.Column)
	columnstest.Run(t, tls.JA3.Column)
	columnstest.Run(t, tls.JA3S.Column)
	columnstest.Run(t, tls.JA4.Column)
	columnstest.Run(t, tls.Resumed.Column)
}
