package bucket

import (
	"hash/crc32"
	"io"
)

// castagnoli is the polynomial of the checksums, for which processors have an instruction.
var castagnoli = crc32.MakeTable(crc32.Castagnoli) //nolint:gochecknoglobals // A constant table.

func sumOf(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

func updateSum(sum uint32, b []byte) uint32 { return crc32.Update(sum, castagnoli, b) }

// sink is the file as it grows.
type sink struct {
	w      io.Writer
	buffer []byte
	offset int64
	// sum is that of all that was written since it was last taken.
	sum uint32
	err error
}

const sinkBuffer = 256 << 10

func newSink() *sink { return &sink{buffer: make([]byte, 0, sinkBuffer)} }

// begin makes ready for another file.
func (s *sink) begin(w io.Writer) { *s = sink{w: w, buffer: s.buffer[:0]} }

// write appends to the file. After an error it does nothing: flush tells it.
func (s *sink) write(b []byte) {
	s.sum = updateSum(s.sum, b)
	s.offset += int64(len(b))
	for len(b) > 0 && s.err == nil {
		n := min(len(b), cap(s.buffer)-len(s.buffer))
		s.buffer = append(s.buffer, b[:n]...)
		b = b[n:]
		if len(s.buffer) == cap(s.buffer) {
			s.err = s.flush()
		}
	}
}

// take gives the checksum and begins a new one.
func (s *sink) take() uint32 {
	sum := s.sum
	s.sum = 0
	return sum
}

// flush hands over what is in the buffer, and tells the first error.
func (s *sink) flush() error {
	if s.err == nil && len(s.buffer) > 0 {
		_, s.err = s.w.Write(s.buffer)
		s.buffer = s.buffer[:0]
	}
	return s.err
}
