// Package vlan gives a flow the VLANs that its packets were in.
package vlan

import (
	"weir/columns"
	"weir/columns/number"
)

// Column is vlan.
var Column = columns.Register(number.Column[uint16]("vlan",
	"The VLANs that packets of the flow were tagged with, the outer and the inner ones, as the inspector saw them.",
	0, 4095, true, "1", "100"))
