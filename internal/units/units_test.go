package units

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"10s": 10 * time.Second, "0": 0, "0s": 0, "7d": 7 * Day, "1w": Week, "1.5d": 36 * time.Hour,
		"1d12h": 36 * time.Hour, "1h30m": 90 * time.Minute, "250ms": 250 * time.Millisecond, " 5s ": 5 * time.Second,
	} {
		got, err := ParseDuration(text)
		if err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "10", "s", "10x", "-5s", "1d-", "1..2s", "99999999d", "292y", "200000d200000d", "10 s", "1e3s",
		strings.Repeat("9", 400) + "d",
	} {
		got, err := ParseDuration(text)
		if err == nil {
			t.Errorf("ParseDuration(%q) = %v, want an error", text, got)
			continue
		}
		if !strings.Contains(err.Error(), "a duration such as") || len(err.Error()) > 200 {
			t.Errorf("ParseDuration(%q): unhelpful error %q", text, err)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0s": 0, "10s": 10 * time.Second, "1h": time.Hour, "1h30m": 90 * time.Minute, "7d": 7 * Day,
		"1d12h": 36 * time.Hour, "1m30s": 90 * time.Second, "-1m": -time.Minute, "1h0m5s": time.Hour + 5*time.Second,
	} {
		if got := FormatDuration(d); got != want {
			t.Errorf("FormatDuration(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]Bytes{
		"64MiB": 64 * MiB, "64MB": 64e6, "64 MiB": 64 * MiB, "1kB": 1000, "1KB": 1000, "1KiB": 1024, "0": 0, "17": 17,
		"17B": 17, "1.5GiB": GiB + 512*MiB, "1TiB": TiB, "2TB": 2e12,
	} {
		got, err := ParseBytes(text)
		if err != nil || got != want {
			t.Errorf("ParseBytes(%q) = %v, %v; want %v", text, int64(got), err, int64(want))
		}
	}
	for _, text := range []string{
		"", "MiB", "-1", "-1MiB", "64M", "64 mib", "1e30TB", "9223372036854775807KiB", "NaN", "InfB",
	} {
		if got, err := ParseBytes(text); err == nil {
			t.Errorf("ParseBytes(%q) = %v, want an error", text, int64(got))
		}
	}
}

func TestRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := Duration{time.Duration(rapid.Int64Range(0, 1<<62).Draw(t, "duration"))}
		text, _ := d.MarshalText()
		var back Duration
		if err := back.UnmarshalText(text); err != nil || back != d {
			t.Fatalf("%s came back as %v, %v", text, back, err)
		}
		b := Bytes(rapid.Int64Min(0).Draw(t, "bytes"))
		text, _ = b.MarshalText()
		var bytesBack Bytes
		if err := bytesBack.UnmarshalText(text); err != nil || bytesBack != b {
			t.Fatalf("%s came back as %v, %v", text, bytesBack, err)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"10s", "7d", "64MiB", "1.5d", "µs", "1µs", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := ParseDuration(text); err == nil && d < 0 {
			t.Errorf("ParseDuration(%q) = %v", text, d)
		}
		if b, err := ParseBytes(text); err == nil && b < 0 {
			t.Errorf("ParseBytes(%q) = %v", text, int64(b))
		}
	})
}

func TestFileMode(t *testing.T) {
	for text, want := range map[string]FileMode{"0660": 0o660, "600": 0o600, "0": 0} {
		var m FileMode
		if err := m.UnmarshalText([]byte(text)); err != nil || m != want {
			t.Errorf("%s: %v %v", text, m, err)
		}
	}
	for _, text := range []string{"", "0888", "01777", "rw-rw----", "-1"} {
		if err := new(FileMode).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	if b, err := FileMode(0o60).MarshalText(); err != nil || string(b) != "0060" {
		t.Errorf("%s %v", b, err)
	}
}
