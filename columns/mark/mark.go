// Package mark gives a flow its conntrack mark, which sources tag.
package mark

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"weir/columns"
)

// Column is mark. A source tags flows whose mark is not 0.
var Column = columns.Register(columns.Spec[uint32]{
	Name:     "mark",
	Doc:      "The conntrack mark that the ruleset set on the flow, as the kernel tells it; absent if none was set.",
	Type:     "mark",
	Examples: []string{"0x10", "16", "0xffffffff"},
	Parse:    parse,
	Format:   func(m uint32) string { return "0x" + strconv.FormatUint(uint64(m), 16) },
	Encode:   binary.BigEndian.AppendUint32,
	Decode:   decode,
	Compare:  cmp.Compare[uint32],
	Random:   (*rand.Rand).Uint32,
	Pattern:  pattern,
})

func parse(text string) (uint32, error) {
	digits, base := text, 10
	if hex, ok := strings.CutPrefix(strings.ToLower(text), "0x"); ok {
		digits, base = hex, 16
	}
	m, err := strconv.ParseUint(digits, base, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is not a mark (16, 0x10) or a mark and its mask (0x10/0xf0)", text)
	}
	return uint32(m), nil
}

func decode(enc string) (uint32, error) {
	if len(enc) != 4 {
		return 0, columns.ErrEncoding
	}
	return binary.BigEndian.Uint32([]byte(enc)), nil
}

// pattern reads value/mask, as rules are written: of a mark, the bits of the mask must be the value. A
// value outside its mask could never match and is refused.
func pattern(text string) (func(uint32) bool, bool) {
	left, right, ok := strings.Cut(text, "/")
	if !ok {
		return nil, false
	}
	value, errV := parse(left)
	mask, errM := parse(right)
	if errV != nil || errM != nil || value&^mask != 0 {
		return nil, false
	}
	return func(m uint32) bool { return m&mask == value }, true
}
