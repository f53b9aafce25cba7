package recording

import (
	"errors"
	"io"

	"weir/messages"
)

// Copied says what Copy copied.
type Copied struct {
	// Batches, Updates and Facts came with it; Lost is how many batches the recorder could not take.
	Batches, Updates, Facts, Lost uint64
	// Bytes were written.
	Bytes int64
}

// Copy copies a recording that comes as a stream, each frame as it comes, and closes it: should the stream
// be cut off, since the client wants no more or the daemon has ended, the copy still has its end frame.
//
// The error is nil if the stream had its own end. If it is of the stream (a [TornError], a [CorruptError],
// one of in), the copy is whole as far as it goes.
func Copy(out io.Writer, in io.Reader) (Copied, error) {
	r, err := NewReader(in)
	if err != nil {
		return Copied{}, err
	}
	c := &copier{reader: r}
	c.out = &counting{out: out, bytes: &c.done.Bytes}
	if err := c.write([]byte(firstLine), r.payload); err != nil {
		return c.done, err
	}
	cut, err := c.batches()
	if err != nil {
		return c.done, err
	}
	if err := c.end(); err != nil {
		return c.done, err
	}
	if errors.Is(cut, io.EOF) {
		return c.done, nil
	}
	return c.done, cut
}

// copier is a copy under way.
type copier struct {
	reader *Reader
	out    io.Writer
	done   Copied
	buf    []byte
}

// batches copies batches until the stream gives no more, and says why; err is of out.
func (c *copier) batches() (cut, err error) {
	for {
		b := messages.NewBatch()
		info, cut := c.reader.Next(b)
		n := len(b.Updates)
		facts := len(b.Facts) + info.LeftOutFacts
		b.Release()
		c.done.Lost += info.Lost
		if cut != nil {
			return cut, nil
		}
		if err := c.write(nil, c.reader.payload); err != nil {
			return nil, err
		}
		c.done.Batches++
		c.done.Updates += uint64(n)
		c.done.Facts += uint64(facts) //nolint:gosec // Counts.
	}
}

// end writes the end frame of what was copied.
func (c *copier) end() error {
	w := Writer{out: c.out, lost: c.done.Lost}
	w.end.Batches, w.end.Updates, w.end.Facts = c.done.Batches, c.done.Updates, c.done.Facts
	return w.Close()
}

// write writes a frame with what goes before it, at once.
func (c *copier) write(before, payload []byte) error {
	c.buf = append(append(c.buf[:0], before...), make([]byte, headBytes)...)
	c.buf = append(c.buf, payload...)
	seal(c.buf[len(before):])
	_, err := c.out.Write(c.buf)
	return err
}

// counting counts what is written.
type counting struct {
	out   io.Writer
	bytes *int64
}

// Write writes and counts.
func (c *counting) Write(b []byte) (int, error) {
	n, err := c.out.Write(b)
	*c.bytes += int64(n)
	return n, err
}
