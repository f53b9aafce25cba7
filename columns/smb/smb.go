// Package smb gives a flow what its SMB session told.
package smb

import (
	"weir/columns"
	"weir/columns/text"
)

// Dialect is smb.dialect.
var Dialect = columns.Register(text.Column("smb.dialect",
	"The version of SMB that client and server agreed on.", 64, false, "3.11", "NT LM 0.12"))

// Share is smb.share.
var Share = columns.Register(text.Column("smb.share",
	"The shares that the client of the SMB session connected to.", 256, true, `\\nas1\photos`))
