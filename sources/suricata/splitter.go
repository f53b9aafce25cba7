package suricata

import (
	"bytes"
	"sync/atomic"
)

// lineBuffer is what a splitter has at hand for nothing; room for longer lines comes out of an allowance.
const lineBuffer = 64 << 10

// splitter cuts a stream of bytes into lines, however the bytes arrive. Whoever reads fills room and tells how
// much with took.
type splitter struct {
	// max is the longest line, without its newline; longer ones are skipped and told to oversize.
	max int
	// allowance bounds what the long lines of all splitters take together.
	allowance *allowance
	// line takes a line without its newline, valid until it returns, and how many bytes of the stream end with it.
	// Empty lines are left out.
	line     func(raw []byte, end int64) error
	oversize func()

	buf      []byte
	n        int   // bytes in buf; no newline among them
	passed   int64 // bytes of the stream before buf
	skipping bool  // up to the next newline
}

// room gives where to put the next bytes; it is never empty.
func (s *splitter) room() []byte {
	if s.buf == nil {
		s.buf = make([]byte, min(lineBuffer, s.max+1))
	}
	if s.n == len(s.buf) && !s.grow() {
		// No newline within max+1 bytes, or no memory for so long a line.
		s.oversize()
		s.skip()
	}
	return s.buf[s.n:]
}

// grow makes the buffer longer; false if it may not be.
func (s *splitter) grow() bool {
	size := min(2*len(s.buf), s.max+1)
	if size == len(s.buf) || !s.allowance.take(size-len(s.buf)) {
		return false
	}
	buf := make([]byte, size)
	copy(buf, s.buf[:s.n])
	s.buf = buf
	return true
}

// shrink gives back what only a long line needed.
func (s *splitter) shrink() {
	if len(s.buf) <= lineBuffer || s.n > lineBuffer/2 {
		return
	}
	buf := make([]byte, lineBuffer)
	copy(buf, s.buf[:s.n])
	s.allowance.give(len(s.buf) - lineBuffer)
	s.buf = buf
}

// skip forgets what there is of a line, and its rest when that comes.
func (s *splitter) skip() {
	s.passed += int64(s.n)
	s.n, s.skipping = 0, true
}

// took says that n bytes were put into room. An error is one of line's; the splitter is of no use after it.
func (s *splitter) took(n int) error {
	fresh := s.n // Before it there is no newline.
	s.n += n
	start := 0
	for {
		i := bytes.IndexByte(s.buf[fresh:s.n], '\n')
		if i < 0 {
			break
		}
		end := fresh + i
		raw := s.buf[start:end]
		start, fresh = end+1, end+1
		if err := s.emit(raw, s.passed+int64(start)); err != nil {
			return err
		}
	}
	s.passed += int64(start)
	s.n = copy(s.buf, s.buf[start:s.n])
	if s.skipping {
		s.skip()
	}
	s.shrink()
	return nil
}

func (s *splitter) emit(raw []byte, end int64) error {
	if s.skipping {
		s.skipping = false
		return nil
	}
	if raw = bytes.TrimSuffix(raw, []byte{'\r'}); len(raw) == 0 {
		return nil
	}
	return s.line(raw, end)
}

// partial says that the bytes so far end within a line that was not skipped.
func (s *splitter) partial() bool { return s.n > 0 }

// close gives the memory back.
func (s *splitter) close() {
	s.allowance.give(max(len(s.buf)-lineBuffer, 0))
	s.buf, s.n = nil, 0
}

// allowance is memory that splitters share.
type allowance struct{ left atomic.Int64 }

func newAllowance(n int) *allowance {
	a := &allowance{}
	a.left.Store(int64(n))
	return a
}

func (a *allowance) take(n int) bool {
	for {
		left := a.left.Load()
		if left < int64(n) {
			return false
		}
		if a.left.CompareAndSwap(left, left-int64(n)) {
			return true
		}
	}
}

func (a *allowance) give(n int) { a.left.Add(int64(n)) }
