package dns_test

import (
	"testing"

	"weir/columns/columnstest"
	"weir/columns/dns"
)

func TestContract(t *testing.T) {
	columnstest.Run(t, dns.Query.Column)
	columnstest.Run(t, dns.Rcode.Column)
	columnstest.Run(t, dns.Type.Column)
}
