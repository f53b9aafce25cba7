// Package iface gives a flow the network interfaces where it was seen.
package iface

import (
	"weir/columns"
	"weir/columns/text"
)

// Column is iface.
var Column = columns.Register(text.Column("iface",
	"The network interfaces where the inspector saw the flow.", 64, true, "br-lan", "eth2"))
