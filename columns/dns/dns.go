// Package dns gives a flow what was asked and answered in its DNS messages.
package dns

import (
	"weir/columns"
	"weir/columns/text"
)

// longestCode bounds a response code or a record type, in bytes.
const longestCode = 32

// Query is dns.query.
var Query = columns.Register(text.Host("dns.query",
	"The names that were asked for in the DNS messages of the flow.", 253, true, "www.example.org"))

// Rcode is dns.rcode.
var Rcode = columns.Register(text.Upper("dns.rcode",
	"The response codes of the DNS answers of the flow.", longestCode, true, "NOERROR", "NXDOMAIN", "SERVFAIL"))

// Type is dns.type.
var Type = columns.Register(text.Upper("dns.type",
	"The types of records that were asked for in the DNS messages of the flow.", longestCode, true,
	"A", "AAAA", "HTTPS"))
