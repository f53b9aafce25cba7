// Package quic gives a flow what its QUIC handshake told; what the TLS inside of it told is in the columns
// of TLS.
package quic

import (
	"weir/columns"
	"weir/columns/text"
)

// Version is quic.version.
var Version = columns.Register(text.Column("quic.version",
	"The version of QUIC, from the first packet of the flow.", 32, false, "1", "2", "Q046"))
