package suricata

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
)

// split gives the lines of a stream that comes in chunks, in parentheses what else a splitter tells.
func split(data []byte, limit int, next func(left int) int) []string {
	var got []string
	s := &splitter{
		max: limit, allowance: newAllowance(1 << 30),
		line:     func(raw []byte, _ int64) error { got = append(got, string(raw)); return nil },
		oversize: func() { got = append(got, "(oversize)") },
	}
	for len(data) > 0 {
		room := s.room()
		n := copy(room, data[:min(max(next(len(data)), 1), len(data))])
		data = data[n:]
		if err := s.took(n); err != nil {
			panic(err)
		}
	}
	if s.partial() {
		got = append(got, "(partial)")
	}
	s.close()
	return got
}

// expect is what split should give, by the plainest means.
func expect(data []byte, limit int) []string {
	var want []string
	for line := range bytes.Lines(data) {
		raw, whole := bytes.CutSuffix(line, []byte("\n"))
		short := bytes.TrimSuffix(raw, []byte("\r"))
		switch {
		case whole && len(raw) > limit, len(raw) > limit+1:
			want = append(want, "(oversize)")
		case whole && len(short) > 0:
			want = append(want, string(short))
		case !whole && len(raw) > 0:
			want = append(want, "(partial)")
		}
	}
	return want
}

func TestSplitter(t *testing.T) {
	text := "{1}\n\n\r\n{2}\r\n" + strings.Repeat("x", 11) + "\n{3}\n" + strings.Repeat("y", 10) + "\n{4"
	want := []string{"{1}", "{2}", "(oversize)", "{3}", "yyyyyyyyyy", "(partial)"}
	for size := 1; size <= len(text); size++ {
		if got := split([]byte(text), 10, func(int) int { return size }); !slices.Equal(got, want) {
			t.Errorf("chunks of %d: %q", size, got)
		}
	}
}

func TestSplitterGrowsAndShrinks(t *testing.T) {
	const limit = 1 << 20
	a := newAllowance(limit)
	var got []int
	s := &splitter{
		max: limit, allowance: a,
		line:     func(raw []byte, _ int64) error { got = append(got, len(raw)); return nil },
		oversize: func() { got = append(got, -1) },
	}
	feed := func(b []byte) {
		for len(b) > 0 {
			n := copy(s.room(), b)
			b = b[n:]
			if err := s.took(n); err != nil {
				t.Fatal(err)
			}
			if len(s.buf) > limit+1 {
				t.Fatalf("a buffer of %d bytes", len(s.buf))
			}
		}
	}
	long := bytes.Repeat([]byte{'x'}, limit)
	feed(long)
	if s.room(); a.left.Load() != limit-int64(len(s.buf)-lineBuffer) || len(s.buf) != limit+1 {
		t.Errorf("buffer %d, allowance left %d", len(s.buf), a.left.Load())
	}
	feed([]byte("\nshort\n"))
	if len(s.buf) != lineBuffer || a.left.Load() != limit {
		t.Errorf("buffer %d, allowance left %d", len(s.buf), a.left.Load())
	}
	// Ten times the longest line, then one that is fine.
	for range 10 {
		feed(long)
	}
	feed([]byte("y\nlast\n"))
	// Without an allowance the line is skipped as if it were too long, and only that line.
	a.take(limit)
	feed(long[:lineBuffer+1])
	feed([]byte("\nafter\n"))
	if want := []int{limit, 5, -1, 4, -1, 5}; !slices.Equal(got, want) {
		t.Errorf("got %d, want %d", got, want)
	}
	a.give(limit)
	feed(long)
	s.close()
	if a.left.Load() != limit {
		t.Errorf("%d bytes were not given back", limit-a.left.Load())
	}
}

// FuzzSplitter says that the lines do not depend on how the bytes arrive.
func FuzzSplitter(f *testing.F) {
	f.Add([]byte("{\"a\":1}\n{\"b\"\n\n"), []byte{1, 2, 3}, uint16(20))
	f.Add([]byte("{\"timestamp\":\"x\"}\r\n{\"rrname\":\"cut{\"timestamp\":\"y\"}\n{}"), []byte{7}, uint16(4096))
	events, err := os.ReadFile("testdata/eve.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(events, []byte{200, 13}, uint16(8000))
	f.Add(append(events[:700:700], events...), []byte{255}, uint16(600))
	f.Add([]byte("0123456789\n01234567890\n01234567890"), []byte{255, 1}, uint16(10))
	f.Fuzz(func(t *testing.T, data, chunks []byte, limit uint16) {
		n, at := int(limit)%8192+1, 0
		got := split(data, n, func(left int) int {
			if len(chunks) == 0 {
				return left
			}
			at++
			return int(chunks[at%len(chunks)])
		})
		if want := expect(data, n); !slices.Equal(got, want) {
			t.Errorf("limit %d, chunks %d:\ngot  %q\nwant %q", n, chunks, got, want)
		}
	})
}
