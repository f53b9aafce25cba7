package eve

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestSpecial compares with a plain search, with every byte at every place.
func TestSpecial(t *testing.T) {
	text := bytes.Repeat([]byte("é~!a#[]\xff\x7f"), 4)
	for at := range text {
		for b := range 256 {
			text := bytes.Clone(text)
			text[at] = byte(b)
			// What follows must not matter, whatever it is.
			text[len(text)-1] = "\"\\\x00"[b%3]
			for start := range 12 {
				want := start
				for want < len(text) && text[want] >= ' ' && text[want] != '"' && text[want] != '\\' {
					want++
				}
				if got := special(text, start); got != want {
					t.Fatalf("%q from %d on: %d, want %d", text, start, got, want)
				}
			}
		}
	}
	random := make([]byte, 40)
	for range 100000 {
		for i := range random {
			random[i] = byte(rand.IntN(256))
		}
		want := bytes.IndexFunc(random, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' })
		if want < 0 {
			want = len(random)
		}
		if got := special(random, 0); got != want {
			t.Fatalf("%q: %d, want %d", random, got, want)
		}
	}
}

// TestNumber compares with the slow way, which leaves numbers to jx.
func TestNumber(t *testing.T) {
	for _, test := range []struct {
		text string
		want uint64
		ok   bool
		bad  bool
	}{
		{"0,", 0, true, false},
		{"7}", 7, true, false},
		{"123456789]", 123456789, true, false},
		{"1234567890,", 1234567890, true, false},
		{"9999999999999999999,", 9999999999999999999, true, false},
		{"18446744073709551615,", 1<<64 - 1, true, false},
		{"18446744073709551616,", 0, false, false},
		{"99999999999999999999999,", 0, false, false},
		{"12 ,", 12, true, false},
		{"12", 12, true, false},
		{"1.0,", 0, false, false},
		{"1e3,", 0, false, false},
		{"-1,", 0, false, false},
		{"-0,", 0, false, false},
		{"01,", 0, false, true},
		{"00,", 0, false, true},
		{"1x,", 0, false, true},
		{"1.,", 0, false, true},
		{"-,", 0, false, true},
	} {
		var c cursor
		c.begin([]byte(test.text))
		if got, ok := c.number(); got != test.want || ok != test.ok || (c.err != nil) != test.bad {
			t.Errorf("%s: %d, %v, %v", test.text, got, ok, c.err)
		}
	}
}
