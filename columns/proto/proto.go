// Package proto gives a flow its protocol.
package proto

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"weir/columns"
)

// Column is proto.
var Column = columns.Register(columns.Spec[uint8]{
	Name:     "proto",
	Doc:      "The protocol above IP, by name or IANA number, from the flow's key.",
	Type:     "protocol",
	Examples: []string{"tcp", "udp", "icmp", "icmp6", "253"},
	Parse:    parse,
	Format:   format,
	Encode:   func(dst []byte, p uint8) []byte { return append(dst, p) },
	Decode:   decode,
	Compare:  cmp.Compare[uint8],
	Random:   func(r *rand.Rand) uint8 { return uint8(r.UintN(256)) },
	Derive:   func(f *columns.Flow, _ columns.Side) (uint8, bool) { return f.Proto, true },
})

func parse(text string) (uint8, error) {
	if n, err := strconv.ParseUint(text, 10, 8); err == nil {
		return uint8(n), nil
	}
	if p, ok := number(strings.ToLower(text)); ok {
		return p, nil
	}
	return 0, fmt.Errorf("%q is not a protocol: a name such as tcp, udp or icmp, or a number from 0 to 255", text)
}

func format(p uint8) string {
	if n := name(p); n != "" {
		return n
	}
	return strconv.Itoa(int(p))
}

func decode(enc string) (uint8, error) {
	if len(enc) != 1 {
		return 0, columns.ErrEncoding
	}
	return enc[0], nil
}
