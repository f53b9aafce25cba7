package units

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bytes is an amount of memory or disk.
type Bytes int64

// The binary units.
const (
	KiB Bytes = 1 << (10 * (iota + 1))
	MiB
	GiB
	TiB
)

// byteUnits lists the units from the largest; printing uses the binary ones only.
var byteUnits = []struct { //nolint:gochecknoglobals // A table that never changes.
	name  string
	scale Bytes
}{
	{"TiB", TiB},
	{"GiB", GiB},
	{"MiB", MiB},
	{"KiB", KiB},
	{"TB", 1e12},
	{"GB", 1e9},
	{"MB", 1e6},
	{"kB", 1e3},
	{"KB", 1e3},
	{"B", 1},
}

// Expects says in words what UnmarshalText reads.
func (Bytes) Expects() string { return `an amount such as "64MiB", "64MB" or a number of bytes` }

// UnmarshalText reads an amount.
func (b *Bytes) UnmarshalText(text []byte) error {
	v, err := ParseBytes(string(text))
	if err != nil {
		return err
	}
	*b = v
	return nil
}

// MarshalText prints the amount so that UnmarshalText reads it back to the same.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// String prints the exact amount in the largest binary unit that divides it.
func (b Bytes) String() string {
	for _, u := range byteUnits[:4] {
		if b != 0 && b%u.scale == 0 {
			return strconv.FormatInt(int64(b/u.scale), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10) + "B"
}

// ParseBytes reads a number with or without a unit.
func ParseBytes(text string) (Bytes, error) {
	bad := fmt.Errorf("%q is not %s", clip(text), Bytes(0).Expects())
	number, scale := strings.TrimSpace(text), Bytes(1)
	for _, u := range byteUnits {
		if n, ok := strings.CutSuffix(number, u.name); ok {
			number, scale = strings.TrimSpace(n), u.scale
			break
		}
	}
	if n, err := strconv.ParseInt(number, 10, 64); err == nil {
		if n < 0 || n > math.MaxInt64/int64(scale) {
			return 0, bad
		}
		return Bytes(n) * scale, nil
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(f) || f < 0 || f*float64(scale) >= math.MaxInt64 {
		return 0, bad
	}
	return Bytes(f * float64(scale)), nil
}
