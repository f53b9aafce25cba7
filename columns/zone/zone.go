// Package zone gives a flow its conntrack zone, if the ruleset put it into one.
package zone

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"

	"weir/columns"
)

// Column is zone. Zone 0, which every flow is in unless a rule says otherwise, is no value: a column
// that says the same of all flows would only cost.
var Column = columns.Register(columns.Spec[uint16]{
	Name:     "zone",
	Doc:      "The conntrack zone that the ruleset put the flow into, from the flow's key; absent in the default, 0.",
	Type:     "integer",
	Examples: []string{"1", "65535"},
	Parse:    parse,
	Format:   func(z uint16) string { return strconv.Itoa(int(z)) },
	Encode:   binary.BigEndian.AppendUint16,
	Decode:   decode,
	Compare:  cmp.Compare[uint16],
	Random:   func(r *rand.Rand) uint16 { return uint16(1 + r.UintN(1<<16-1)) },
	Derive:   func(f *columns.Flow, _ columns.Side) (uint16, bool) { return f.Zone, f.Zone != 0 },
})

func parse(text string) (uint16, error) {
	z, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%q is not a zone: a number from 1 to 65535", text)
	}
	if z == 0 {
		return 0, fmt.Errorf("zone %s is the default: flows in it have no value here", text)
	}
	return uint16(z), nil
}

func decode(enc string) (uint16, error) {
	if len(enc) != 2 || enc == "\x00\x00" {
		return 0, columns.ErrEncoding
	}
	return binary.BigEndian.Uint16([]byte(enc)), nil
}
