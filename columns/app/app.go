// Package app gives a flow the protocol that it speaks, whatever its port.
package app

import (
	"weir/columns"
	"weir/columns/text"
)

// longest bounds a protocol's name, in bytes.
const longest = 64

// Column is app.
var Column = columns.Register(text.Lower("app",
	"The application protocol that the inspector recognised by what the flow says, not by its port.", longest, false,
	"tls", "http", "dns", "quic", "ssh"))

// Original is app.orig.
var Original = columns.Register(text.Lower("app.orig",
	"The application protocol that the flow began with, if it changed to another (as by STARTTLS).", longest, false,
	"smtp", "http"))
