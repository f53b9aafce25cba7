// Package smtp gives a flow what its SMTP session told: no address and no subject.
package smtp

import (
	"weir/columns"
	"weir/columns/text"
)

// Helo is smtp.helo.
var Helo = columns.Register(text.Host("smtp.helo",
	"The host that the client of the SMTP session said to be (HELO, EHLO).", 253, false, "mail.example.org"))
