// Package mac gives each end of a flow its hardware address, if it is in a network of the router.
package mac

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"weir/columns"
)

// size is that of an address, in bytes.
const size = 6

// Columns are local.mac and remote.mac.
var Columns = columns.RegisterEndpoint(columns.Spec[[size]byte]{
	Name:     "mac",
	Doc:      "The hardware address (MAC) of the end, as frames of its network told; 00:11:22:* are those of one maker.",
	Type:     "mac",
	Examples: []string{"00:11:22:33:44:55", "00-11-22-aa-bb-cc", "0011.22aa.bbcc"},
	Parse:    parse,
	Format:   format,
	Encode:   func(dst []byte, a [size]byte) []byte { return append(dst, a[:]...) },
	Decode:   decode,
	Compare:  func(a, b [size]byte) int { return bytes.Compare(a[:], b[:]) },
	Random:   random,
	Pattern:  pattern,
})

func parse(text string) (a [size]byte, err error) {
	b, err := octets(text)
	if err != nil || len(b) != size {
		return a, fmt.Errorf("%q is not a hardware address (00:11:22:33:44:55) or the beginning of one (00:11:22:*)", text)
	}
	return [size]byte(b), nil
}

func format(a [size]byte) string {
	b := make([]byte, 0, 3*size)
	for _, octet := range a {
		b = append(hex.AppendEncode(b, []byte{octet}), ':')
	}
	return string(b[:len(b)-1])
}

func decode(enc string) (a [size]byte, err error) {
	if len(enc) != size {
		return a, columns.ErrEncoding
	}
	copy(a[:], enc)
	return a, nil
}

func random(r *rand.Rand) (a [size]byte) {
	for i := range a {
		a[i] = byte(r.UintN(4)) // So that some are equal.
	}
	return a
}

// pattern reads the beginning of an address, whole bytes, before a star.
func pattern(text string) (func([size]byte) bool, bool) {
	begin, ok := strings.CutSuffix(text, "*")
	if !ok {
		return nil, false
	}
	if n := len(begin); n > 0 && strings.IndexByte(separators, begin[n-1]) >= 0 {
		begin = begin[:n-1]
		if begin == "" {
			return nil, false
		}
	}
	b, err := octets(begin)
	if err != nil || len(b) >= size {
		return nil, false
	}
	return func(a [size]byte) bool { return bytes.HasPrefix(a[:], b) }, true
}

// separators stand between the bytes of an address, a dot between pairs of bytes.
const separators = ":-."

var errOctets = errors.New("not an address")

// octets reads bytes as they stand in an address; of one with dots the last group may be a half.
func octets(text string) ([]byte, error) {
	group, separator := 2, ":"
	switch {
	case strings.Contains(text, "."):
		group, separator = 4, "."
	case strings.Contains(text, "-"):
		separator = "-"
	}
	var b []byte
	if text == "" {
		return b, nil
	}
	groups := strings.Split(text, separator)
	for i, g := range groups {
		half := i == len(groups)-1 && len(g) == 2
		if len(g) != group && !half {
			return nil, errOctets
		}
		octet, err := hex.DecodeString(g)
		if err != nil || len(b) == size {
			return nil, errOctets
		}
		b = append(b, octet...)
	}
	return b, nil
}
