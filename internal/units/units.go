// Package units reads and prints durations and amounts of memory the way people write them: "10s", "7d",
// "64MiB". The types read themselves from texts, so that configuration structs can use them as they are.
package units

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Day and Week are the units that package time lacks.
const (
	Day  = 24 * time.Hour
	Week = 7 * Day
)

// Duration is a length of time. It is a struct so that a bare number, which has no unit, is refused.
type Duration struct{ time.Duration }

// Expects says in words what UnmarshalText reads.
func (Duration) Expects() string { return `a duration such as "10s", "90m" or "7d"` }

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := ParseDuration(string(text))
	if err != nil {
		return err
	}
	d.Duration = v
	return nil
}

// MarshalText prints the duration so that UnmarshalText reads it back.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String prints the duration in the largest units that fit: "7d", "1h30m", "10s".
func (d Duration) String() string { return FormatDuration(d.Duration) }

// ParseDuration reads a sequence of numbers with units, of which w, d, h, m, s, ms, us and ns are known.
func ParseDuration(text string) (time.Duration, error) {
	rest := strings.TrimSpace(text)
	bad := fmt.Errorf("%q is not %s", clip(text), Duration{}.Expects())
	if rest == "0" {
		return 0, nil
	}
	if rest == "" {
		return 0, bad
	}
	var sum time.Duration
	for rest != "" {
		number := len(rest) - len(strings.TrimLeft(rest, "0123456789."))
		end := number + len(rest[number:]) - len(strings.TrimLeft(rest[number:], "abcdefghijklmnopqrstuvwxyzµ"))
		d, ok := oneDuration(rest[:number], rest[number:end])
		if !ok || sum > math.MaxInt64-d {
			return 0, bad
		}
		sum += d
		rest = rest[end:]
	}
	return sum, nil
}

// oneDuration reads one number with its unit.
func oneDuration(number, unit string) (time.Duration, bool) {
	scale := map[string]time.Duration{"d": Day, "w": Week}[unit]
	if scale == 0 {
		d, err := time.ParseDuration(number + unit)
		return d, err == nil && number != "" && unit != ""
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || f*float64(scale) >= math.MaxInt64 {
		return 0, false
	}
	return time.Duration(f * float64(scale)), true
}

// FormatDuration prints what ParseDuration reads back to the same.
func FormatDuration(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	if d < 0 {
		return "-" + FormatDuration(-d)
	}
	var b strings.Builder
	if days := d / Day; days > 0 {
		fmt.Fprintf(&b, "%dd", days)
		d %= Day
	}
	if d > 0 {
		b.WriteString(trimZeros(d.String()))
	}
	return b.String()
}

// trimZeros turns "1h0m0s" into "1h".
func trimZeros(s string) string {
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// clip bounds what an error repeats of its input.
func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}
