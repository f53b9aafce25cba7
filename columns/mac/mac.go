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
	Doc:      "The hardware address (MAC) of the end, as its network told; 00:11:22:* stands for those of one maker.",
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
	b, err := octets(text, separator(text))
	if err != nil || len(b) != size {
		return a, fmt.Errorf("%q is not a hardware address (00:11:22:33:44:55) or its beginning (00:11:22:*)", text)
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
	var b []byte
	if begin != "" {
		between := separator(begin)
		var err error
		// A separator before the star only says where the next byte begins.
		if b, err = octets(strings.TrimSuffix(begin, between), between); err != nil || len(b) >= size {
			return nil, false
		}
	}
	return func(a [size]byte) bool { return bytes.HasPrefix(a[:], b) }, true
}

// separator finds what stands between the bytes of an address: a colon, a dash, or a dot after each second.
func separator(text string) string {
	for _, s := range []string{".", "-"} {
		if strings.Contains(text, s) {
			return s
		}
	}
	return ":"
}

var errOctets = errors.New("not an address")

// octets reads the bytes of an address or of its beginning; with dots the last group may be a half.
func octets(text, separator string) ([]byte, error) {
	digits := 2
	if separator == "." {
		digits = 4
	}
	b := make([]byte, 0, size)
	groups := strings.Split(text, separator)
	for i, g := range groups {
		half := i == len(groups)-1 && len(g) == 2
		octet, err := hex.DecodeString(g)
		if err != nil || len(g) != digits && !half || len(b)+len(octet) > size {
			return nil, errOctets
		}
		b = append(b, octet...)
	}
	return b, nil
}
