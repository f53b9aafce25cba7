package query

import (
	"math"
	"strconv"
	"strings"
	"time"

	"weir/internal/units"
)

// ParseTime reads a time as people write it: RFC 3339, "2026-11-22 14:00" with or without seconds,
// "2026-11-22" for its midnight, "14:00" for the last time that the clock showed it, seconds since 1970,
// "now", or a duration before now such as "-90m". What has no zone is in loc.
func ParseTime(text string, now time.Time, loc *time.Location) (time.Time, error) {
	t, ok := parseTime(text, now, loc)
	if !ok {
		return t, notTime("time", text)
	}
	return t, nil
}

func notTime(part, text string) *Error {
	return wrong(part, `%s is not a time such as "14:00", "2026-11-22 14:00", "2026-11-22T14:00:00Z", "-90m", "now" `+
		`or seconds since 1970`, quote(text))
}

func parseTime(text string, now time.Time, loc *time.Location) (t time.Time, ok bool) {
	text = strings.TrimSpace(text)
	if text == "now" {
		return now, true
	}
	if ago, ok := strings.CutPrefix(text, "-"); ok {
		if d, err := units.ParseDuration(ago); err == nil {
			return now.Add(-d), true
		}
	}
	if t, ok := unixSeconds(text); ok {
		return t.In(loc), true
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, true
	}
	for _, layout := range []string{
		"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02",
	} {
		if t, err := time.ParseInLocation(layout, text, loc); err == nil {
			return t, true
		}
	}
	return clockTime(text, now.In(loc))
}

// unixSeconds reads seconds since 1970. Fewer than five digits are rather meant as a year or an hour.
func unixSeconds(text string) (time.Time, bool) {
	if len(text) < 5 {
		return time.Time{}, false
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n > math.MaxUint32*100 {
		return time.Time{}, false
	}
	return time.Unix(int64(n), 0), true
}

// clockTime reads a time of day as the last time that the clock showed it.
func clockTime(text string, now time.Time) (time.Time, bool) {
	for _, layout := range []string{"15:04:05", "15:04"} {
		c, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		for day := 0; ; day++ {
			t := time.Date(now.Year(), now.Month(), now.Day()-day, c.Hour(), c.Minute(), c.Second(), 0, now.Location())
			if !t.After(now) {
				return t, true
			}
		}
	}
	return time.Time{}, false
}
