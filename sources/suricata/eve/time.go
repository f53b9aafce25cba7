package eve

import "time"

// parseTime reads a timestamp as the various versions write it: a date, "T" or a space, a time, any number of
// digits after the second, and the zone as +hhmm, +hh:mm, Z or nothing, which is taken for UTC. The result is
// in nanoseconds since 1970; times before that and after 2261 are not read.
func parseTime(s []byte) (int64, bool) {
	if len(s) < 19 || s[4] != '-' || s[7] != '-' || s[10] != 'T' && s[10] != ' ' || s[13] != ':' || s[16] != ':' {
		return 0, false
	}
	year, month, day := two(s)*100+two(s[2:]), two(s[5:]), two(s[8:])
	hour, minute, second := two(s[11:]), two(s[14:]), two(s[17:])
	if year < 1970 || year > 2261 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return 0, false
	}
	if hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
		return 0, false
	}
	nanos, rest := fraction(s[19:])
	zone, ok := offset(rest)
	t := daysSince1970(year, month, day)*86400 + int64(hour*3600+minute*60+second-zone)
	if !ok || t < 0 {
		return 0, false
	}
	return t*int64(time.Second) + nanos, true
}

// two reads two digits; the result is far below zero if they are none.
func two(s []byte) int {
	a, b := int(s[0])-'0', int(s[1])-'0'
	if a < 0 || a > 9 || b < 0 || b > 9 {
		return -1 << 20
	}
	return a*10 + b
}

// fraction reads the digits after the second, as nanoseconds, and returns what follows them.
func fraction(s []byte) (int64, []byte) {
	if len(s) < 2 || s[0] != '.' && s[0] != ',' || s[1] < '0' || s[1] > '9' {
		return 0, s
	}
	v, digits := 0, 0
	i := 1
	for ; i < len(s) && '0' <= s[i] && s[i] <= '9'; i++ {
		if digits < 9 {
			v = v*10 + int(s[i]-'0')
			digits++
		}
	}
	for ; digits < 9; digits++ {
		v *= 10
	}
	return int64(v), s[i:]
}

// offset reads a zone as seconds east of Greenwich.
func offset(s []byte) (int, bool) {
	switch {
	case len(s) == 0, string(s) == "Z":
		return 0, true
	case s[0] != '+' && s[0] != '-':
		return 0, false
	}
	var hours, minutes int
	switch {
	case len(s) == 3:
		hours = two(s[1:])
	case len(s) == 5:
		hours, minutes = two(s[1:]), two(s[3:])
	case len(s) == 6 && s[3] == ':':
		hours, minutes = two(s[1:]), two(s[4:])
	default:
		return 0, false
	}
	if hours < 0 || hours > 23 || minutes < 0 || minutes > 59 {
		return 0, false
	}
	seconds := hours*3600 + minutes*60
	if s[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}

// daysIn returns how many days a month has.
func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	default:
		return 31
	}
}

// daysSince1970 counts the days from the start of 1970 to a day of the Gregorian calendar. Years are counted
// from March, so that the day that some have more is their last.
func daysSince1970(year, month, day int) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	ofYear := (153*(month-3)+2)/5 + day - 1
	return int64(year*365 + year/4 - year/100 + year/400 + ofYear - 719468)
}
