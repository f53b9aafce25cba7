// Package sip gives a flow what its SIP requests told: no user, and no number that was called.
package sip

import (
	"weir/columns"
	"weir/columns/text"
)

// Method is sip.method.
var Method = columns.Register(text.Upper("sip.method",
	"The methods of the SIP requests of the flow.", 32, true, "INVITE", "REGISTER"))

// Host is sip.host.
var Host = columns.Register(text.Lower("sip.host",
	"The hosts of the addresses that the SIP requests of the flow were for.", 253, true, "sip.example.org"))
