// Package port gives each end of a flow its transport port, if its protocol has ports.
package port

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"weir/columns"
)

// Columns are local.port and remote.port.
var Columns = columns.RegisterEndpoint(columns.Spec[uint16]{
	Name:     "port",
	Doc:      "The port of the end, from the flow's key; only TCP, UDP, UDP-Lite, SCTP and DCCP have ports.",
	Type:     "integer",
	Examples: []string{"443", "53", "65535"},
	Parse:    parse,
	Format:   func(p uint16) string { return strconv.Itoa(int(p)) },
	Encode:   binary.BigEndian.AppendUint16,
	Decode:   decode,
	Compare:  cmp.Compare[uint16],
	Random:   func(r *rand.Rand) uint16 { return uint16(r.UintN(1 << 16)) },
	Pattern:  pattern,
	Derive: func(f *columns.Flow, side columns.Side) (uint16, bool) {
		return f.End(side).Port, hasPorts(f.Proto)
	},
})

// hasPorts says whether an IANA protocol has ports. The numbers that other protocols keep in the key,
// such as an ICMP id, are none.
func hasPorts(proto uint8) bool {
	switch proto {
	case 6, 17, 33, 132, 136: // TCP, UDP, DCCP, SCTP, UDP-Lite.
		return true
	}
	return false
}

func parse(text string) (uint16, error) {
	p, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%q is not a port (0 to 65535) or a range of ports (1000-2000)", text)
	}
	return uint16(p), nil
}

func decode(enc string) (uint16, error) {
	if len(enc) != 2 {
		return 0, columns.ErrEncoding
	}
	return binary.BigEndian.Uint16([]byte(enc)), nil
}

// pattern reads a range of ports; both bounds belong to it.
func pattern(text string) (func(uint16) bool, bool) {
	low, high, ok := strings.Cut(text, "-")
	if !ok {
		return nil, false
	}
	a, errA := parse(low)
	b, errB := parse(high)
	if errA != nil || errB != nil || b < a {
		return nil, false
	}
	return func(v uint16) bool { return a <= v && v <= b }, true
}
