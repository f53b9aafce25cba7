// Package alert gives a flow the alerts that an inspector raised for it.
package alert

import (
	"math"

	"weir/columns"
	"weir/columns/number"
)

// SID is alert.sid.
var SID = columns.Register(number.Column[uint32]("alert.sid",
	"The signatures that raised an alert for the flow, by their numbers.", 0, math.MaxUint32, true, "2010935"))

// Severity is alert.severity.
var Severity = columns.Register(number.Column[uint8]("alert.severity",
	"How severe the alerts of the flow are; 1 is the worst.", 0, math.MaxUint8, true, "1", "3"))
