// Package number makes columns whose values are whole numbers that name something, such as a VLAN. It is
// no column itself: families build theirs with it.
package number

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"unsafe"

	"weir/columns"
)

// Number is the type of a value; its size is that of the stored form.
type Number interface{ ~uint8 | ~uint16 | ~uint32 }

// Column describes a column of numbers between two bounds, both included. An operand such as 400-499
// stands for all numbers between two. What is tagged is not checked against the bounds: the source does.
func Column[T Number](name, doc string, least, most T, set bool, examples ...string) columns.Spec[T] {
	parse := func(text string) (T, error) {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil || n < uint64(least) || n > uint64(most) {
			return 0, fmt.Errorf("%q is not a number from %d to %d or a range (%[2]d-%[3]d)", text, least, most)
		}
		return T(n), nil
	}
	return columns.Spec[T]{
		Name: name, Doc: doc, Type: "integer", Set: set, Examples: examples,
		Parse:   parse,
		Format:  func(n T) string { return strconv.FormatUint(uint64(n), 10) },
		Encode:  encode[T],
		Decode:  func(enc string) (T, error) { return decode(enc, least, most) },
		Compare: cmp.Compare[T],
		Random:  func(r *rand.Rand) T { return least + T(r.Uint64N(uint64(most-least)+1)) },
		Pattern: func(text string) (func(T) bool, bool) {
			low, high, ok := strings.Cut(text, "-")
			if !ok {
				return nil, false
			}
			a, errA := parse(low)
			b, errB := parse(high)
			if errA != nil || errB != nil || b < a {
				return nil, false
			}
			return func(n T) bool { return a <= n && n <= b }, true
		},
	}
}

// encode appends the bytes of a number, the highest first.
func encode[T Number](dst []byte, n T) []byte {
	for shift := 8 * (int(unsafe.Sizeof(n)) - 1); shift >= 0; shift -= 8 {
		dst = append(dst, byte(uint64(n)>>shift))
	}
	return dst
}

func decode[T Number](enc string, least, most T) (T, error) {
	var n T
	if len(enc) != int(unsafe.Sizeof(n)) {
		return 0, columns.ErrEncoding
	}
	var sum uint64
	for i := range len(enc) {
		sum = sum<<8 | uint64(enc[i])
	}
	if sum < uint64(least) || sum > uint64(most) {
		return 0, columns.ErrEncoding
	}
	return T(sum), nil
}
