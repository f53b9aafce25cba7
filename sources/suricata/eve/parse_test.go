package eve

import (
	"net/netip"
	"testing"
	"time"
)

// TestParseTime compares with package time.
func TestParseTime(t *testing.T) {
	for _, s := range []string{
		"2026-11-22T21:09:28.643083+0000", "2026-11-22T21:09:28.643083-0730", "2026-11-22T21:09:28.643083+05:30",
		"2026-11-22T21:09:28.643083-00:00", "2026-11-22T21:09:28.643083Z", "2026-11-22T21:09:28.643083+02",
		"2019-01-02T03:50:11.315110", "2026-11-22T21:09:28.6430831+0000", "2026-11-22T21:09:28.6430831239999+0000",
		"2026-11-22T21:09:28+0000", "2026-11-22T21:09:28", "2024-02-29T23:59:59.999999+0000", "1970-01-01T00:00:00.5Z",
		"2000-02-29T00:00:00Z", "2261-12-31T23:59:59.999999Z", "2026-11-22 21:09:28.643083",
	} {
		got, ok := parseTime([]byte(s))
		want, err := parseSlow(s)
		if !ok || err != nil || got != want.UnixNano() {
			t.Errorf("%s: got %d, %v; want %d, %v", s, got, ok, want.UnixNano(), err)
		}
	}
	for _, s := range []string{
		"", "ts-error", "2026-11-22", "2026-11-22T21:09:28.643083+", "2026-11-22T21:09:28.643083+1",
		"2023-02-29T00:00:00Z",
		"2026-13-22T21:09:28.643083+0000", "2026-00-22T21:09:28.643083+0000", "2026-11-31T21:09:28.643083+0000",
		"2026-11-22T24:09:28.643083+0000", "2026-11-22T21:60:28.643083+0000", "2026-11-22T21:09:60.643083+0000",
		"2026-11-22T21:09:28.643083+0000x", "2026-11-22T21:09:28.+0000", "2026-11-22T21:09:28.643083+2500",
		"1900-02-28T00:00:00Z", "9999-01-01T00:00:00Z", "1970-01-01T00:00:00+0001", "2026-11-2xT21:09:28.643083+0000",
		"2026-11-22T21:09:28.643083+0060", "2100-02-29T00:00:00Z", "-026-11-22T21:09:28Z",
		"2026-11-22T21:09:28.643083 +0000",
	} {
		if got, ok := parseTime([]byte(s)); ok || got != 0 {
			t.Errorf("%q was read as %d", s, got)
		}
	}
}

// parseSlow reads a time with the layouts that there are.
func parseSlow(s string) (time.Time, error) {
	var first error
	for _, layout := range []string{
		"2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z07", "2006-01-02T15:04:05",
		"2006-01-02 15:04:05",
	} {
		t, err := time.Parse(layout, s)
		if err == nil {
			return t, nil
		}
		first = err
	}
	return time.Time{}, first
}

// TestDays compares each day that can be with package time.
func TestDays(t *testing.T) {
	for day := time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 2262; day = day.AddDate(0, 0, 1) {
		got, ok := parseTime([]byte(day.Format("2006-01-02T15:04:05")))
		if !ok || got != day.UnixNano() {
			t.Fatalf("%s: got %d", day, got)
		}
	}
}

// TestParseAddr compares with package netip.
func TestParseAddr(t *testing.T) {
	for _, s := range []string{
		"1.2.3.4", "0.0.0.0", "255.255.255.255", "01.2.3.4", "1.2.3.04", "256.1.1.1", "1.2.3", "1.2.3.4.5",
		"1..2.3", ".1.2.3",
		"1.2.3.", "1.2.3.4 ", "", "2001:0db8:0000:0000:0000:0000:0000:0001",
		"2001:0DB8:0000:0000:0000:0000:0000:00FF",
		"2001:0db8:0000:0000:0000:0000:0000:000g", "2001:0db8:0000:0000:0000:0000:0000.0001", "::", "::1",
		"2001:db8::1",
		"0000:0000:0000:0000:0000:ffff:c000:0201", "::ffff:192.0.2.1", "fe80::1%eth0",
		"2001:0db8:0000:0000:0000:0000:1.2.3.4",
	} {
		got, ok := parseAddr([]byte(s))
		want, err := netip.ParseAddr(s)
		if want = want.Unmap().WithZone(""); got != want || ok != (err == nil) {
			t.Errorf("%q: got %s, %v; want %s, %v", s, got, ok, want, err)
		}
	}
}

// TestProtocols checks that each protocol's name is found, and as a number too.
func TestProtocols(t *testing.T) {
	d := NewDecoder()
	for name, want := range protocols() {
		if len(name) > maxProtocol {
			t.Errorf("%s is too long", name)
		}
		if got, ok := d.protocol([]byte(name)); !ok || got != want {
			t.Errorf("%s: got %d", name, got)
		}
	}
}

// TestWords checks that texts are the same ones again, and that those that hash alike do not mix.
func TestWords(t *testing.T) {
	w := newWords()
	for i := range 3 * wordSlots {
		b := []byte{byte(i), byte(i >> 8), byte(i >> 16)}
		if got := w.get(b); got != string(b) {
			t.Fatalf("got %q for %q", got, b)
		}
	}
	b := []byte("example.org")
	w.get(b)
	if n := testing.AllocsPerRun(100, func() { w.get(b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
