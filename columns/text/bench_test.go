package text_test

import (
	"testing"

	"weir/columns/text"
)

// BenchmarkGlob is what a filter with a star costs for each row whose dictionary entry is new.
func BenchmarkGlob(b *testing.B) {
	match, _ := small.Column.Pattern("*.cdn.*.example.org")
	v := small.Value("edge-17.cdn.prague.example.org")
	b.ReportAllocs()
	for b.Loop() {
		if !match(v) {
			b.Fatal("no match")
		}
	}
}

// BenchmarkClean is what a source pays for each text that needs no cleaning, and for one that does.
func BenchmarkClean(b *testing.B) {
	for name, raw := range map[string]string{
		"good": "www.example.org", "hostile": "\x1b[2Jwww\u202e\xff.example.org\x00",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				text.Clean(raw, 253)
			}
		})
	}
}
