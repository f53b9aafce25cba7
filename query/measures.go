package query

import (
	"cmp"

	"weir/messages"
)

// measure is a column of sums.
type measure struct {
	name, unit string
	of         func(*messages.Totals) uint64
}

// measures are in the order in which answers have them.
var measures = []measure{ //nolint:gochecknoglobals // A table that never changes.
	{"bytes", "bytes", func(t *messages.Totals) uint64 { return t.Up.Bytes + t.Down.Bytes }},
	{"bytes.up", "bytes", func(t *messages.Totals) uint64 { return t.Up.Bytes }},
	{"bytes.down", "bytes", func(t *messages.Totals) uint64 { return t.Down.Bytes }},
	{"packets", "packets", func(t *messages.Totals) uint64 { return t.Up.Packets + t.Down.Packets }},
	{"packets.up", "packets", func(t *messages.Totals) uint64 { return t.Up.Packets }},
	{"packets.down", "packets", func(t *messages.Totals) uint64 { return t.Down.Packets }},
	{"flows", "flows", func(t *messages.Totals) uint64 { return t.Started }},
}

// Measures lists the names of the measures.
func Measures() []string {
	names := make([]string, len(measures))
	for i, m := range measures {
		names[i] = m.name
	}
	return names
}

func findMeasure(name string) (measure, bool) {
	for _, m := range measures {
		if m.name == cmp.Or(name, measures[0].name) {
			return m, true
		}
	}
	return measure{}, false
}

func isMeasure(name string) bool {
	_, ok := findMeasure(name)
	return ok && name != ""
}
