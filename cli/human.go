package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"weir/internal/units"
)

// humanBytes prints an amount of memory with three digits that matter.
func humanBytes[N int64 | uint64](n N) string {
	f := float64(n)
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if f < 1000 {
			return threeDigits(f) + " " + unit
		}
		f /= 1024
	}
	return threeDigits(f) + " TiB"
}

func threeDigits(f float64) string {
	switch {
	case f == float64(int64(f)) || f >= 100:
		return strconv.FormatFloat(f, 'f', 0, 64)
	case f >= 10:
		return strconv.FormatFloat(f, 'f', 1, 64)
	default:
		return strconv.FormatFloat(f, 'f', 2, 64)
	}
}

// humanCount prints a number in groups of three digits.
func humanCount(n uint64) string {
	s := strconv.FormatUint(n, 10)
	var b strings.Builder
	for i := range len(s) {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// humanAge prints how long something took, with the two units that matter.
func humanAge(d time.Duration) string {
	switch {
	case d >= units.Day:
		return units.FormatDuration(d.Truncate(time.Hour))
	case d >= time.Hour:
		return units.FormatDuration(d.Truncate(time.Minute))
	case d >= time.Second:
		return units.FormatDuration(d.Truncate(time.Second))
	default:
		return units.FormatDuration(max(d, 0).Truncate(time.Millisecond))
	}
}

// humanTime prints a time of the day, with the date unless it is today.
func humanTime(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}

// humanSpan prints a stretch of time.
func humanSpan(start, end, now time.Time) string {
	return humanTime(start, now) + " to " + humanTime(end, now)
}

// humanNumber prints a metric of a source.
func humanNumber(v float64) string {
	if v >= 0 && v == float64(uint64(v)) {
		return humanCount(uint64(v))
	}
	return fmt.Sprintf("%.4g", v)
}
