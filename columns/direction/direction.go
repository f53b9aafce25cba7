// Package direction says how a flow lies to the home networks.
package direction

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"weir/columns"
)

// names are indexed by the stored number; the unknown direction has none, since it is no value.
var names = [...]string{
	columns.DirectionOut:     "out",
	columns.DirectionIn:      "in",
	columns.DirectionLAN:     "lan",
	columns.DirectionTransit: "transit",
	columns.DirectionSelf:    "self",
}

// Column is direction.
var Column = columns.Register(columns.Spec[columns.Direction]{
	Name: "direction",
	Doc: "How the flow lies to the home networks: out and in by who opened it, lan between home addresses, " +
		"transit past them, self to or from the router; from the flow's key and the home networks.",
	Type:     "direction",
	Examples: names[columns.DirectionOut:],
	Parse:    parse,
	Format:   format,
	Encode:   func(dst []byte, d columns.Direction) []byte { return append(dst, byte(d)) },
	Decode:   decode,
	Compare:  cmp.Compare[columns.Direction],
	Random:   func(r *rand.Rand) columns.Direction { return columns.Direction(1 + r.IntN(len(names)-1)) },
	Derive: func(f *columns.Flow, _ columns.Side) (columns.Direction, bool) {
		return f.Direction, known(f.Direction)
	},
})

func known(d columns.Direction) bool {
	return d != columns.DirectionUnknown && int(d) < len(names)
}

func parse(text string) (columns.Direction, error) {
	d := columns.Direction(max(0, slices.Index(names[:], strings.ToLower(text)))) //nolint:gosec // A place in names.
	if !known(d) {
		return d, fmt.Errorf("%q is not a direction: %s", text, strings.Join(names[columns.DirectionOut:], ", "))
	}
	return d, nil
}

func format(d columns.Direction) string {
	if !known(d) {
		return ""
	}
	return names[d]
}

func decode(enc string) (columns.Direction, error) {
	if len(enc) != 1 || !known(columns.Direction(enc[0])) {
		return columns.DirectionUnknown, columns.ErrEncoding
	}
	return columns.Direction(enc[0]), nil
}
