// Package ssh gives a flow what its SSH banners told.
package ssh

import (
	"weir/columns"
	"weir/columns/text"
)

// Software is ssh.software.
var Software = columns.Register(text.Column("ssh.software",
	"The software of the SSH client and of the server, as their banners say.", 255, true,
	"OpenSSH_9.2p1", "dropbear_2022.83"))
