package recording

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"weir/messages"
	"weir/messages/weirpb"
)

// ErrTooLarge says that an update does not fit into a frame, because of its tags, or a fact because of its
// name. It was counted as lost, and the recording goes on.
var ErrTooLarge = errors.New("it does not fit into a frame")

var errClosed = errors.New("the recording is closed")

// Writer writes a recording. It belongs to one goroutine.
type Writer struct {
	out     io.Writer
	created time.Time
	buf     []byte
	// end is what the end frame will say.
	end  weirpb.RecordingEnd
	lost uint64
	// err is the first error of out: there is no way to go on after it.
	err error
}

// NewWriter begins a recording: it writes the first line and the header. Each frame is one Write, so
// that a stream can be flushed after any call.
func NewWriter(out io.Writer, h Header) (*Writer, error) {
	since := h.CountsSince
	if since.IsZero() {
		since = h.Created
	}
	if !inTime(h.Created.UnixNano()) || !inTime(since.UnixNano()) || h.Slice < 0 {
		return nil, fmt.Errorf("write header: %w", errTime)
	}
	w := &Writer{out: out, created: h.Created, buf: append(make([]byte, 0, 64<<10), firstLine...)}
	header := &weirpb.RecordingHeader{
		CreatedNs:     h.Created.UnixNano(),
		CountsSinceNs: since.UnixNano(),
		SliceNs:       int64(h.Slice),
		Version:       strings.ToValidUTF8(h.Version, "?"),
	}
	if err := w.write(&weirpb.RecordingFrame{Content: &weirpb.RecordingFrame_Header{Header: header}}); err != nil {
		return nil, fmt.Errorf("write header: %w", err)
	}
	return w, nil
}

// Batch appends a batch that was sent at the given time. It does not keep the batch. The only error
// after which the recording goes on is [ErrTooLarge].
func (w *Writer) Batch(at time.Time, b *messages.Batch) error {
	offset := min(max(0, at.Sub(w.created)), MaxTime)
	updates, facts := b.Updates, b.Facts
	var errs []error
	for len(updates)+len(facts) > 0 {
		u, f := min(len(updates), messages.BatchSize), min(len(facts), messages.BatchSize)
		if err := w.some(offset, b, updates[:u], facts[:f]); err != nil {
			errs = append(errs, err)
		}
		updates, facts = updates[u:], facts[f:]
	}
	return errors.Join(errs...)
}

// some appends some updates and facts of a batch as one frame, or as several if they do not fit.
func (w *Writer) some(offset time.Duration, b *messages.Batch, us []messages.Update, fs []messages.Fact) error {
	p := batchToProto(b, us, fs)
	p.OffsetNs, p.Lost = int64(offset), w.lost
	frame := &weirpb.RecordingFrame{Content: &weirpb.RecordingFrame_Batch{Batch: p}}
	switch u, f := len(us)/2, len(fs)/2; {
	case proto.Size(frame) <= maxPayload:
		if err := w.write(frame); err != nil {
			return fmt.Errorf("write batch: %w", err)
		}
		w.end.Batches++
		w.end.Updates += uint64(len(us))
		w.end.Facts += uint64(len(fs))
		return nil
	case len(us)+len(fs) == 1:
		w.Lost(1)
		return ErrTooLarge
	case len(us) > 0 && len(fs) > 0:
		return errors.Join(w.some(offset, b, nil, fs), w.some(offset, b, us, nil))
	default:
		return errors.Join(w.some(offset, b, us[:u], fs[:f]), w.some(offset, b, us[u:], fs[f:]))
	}
}

// Lost says that n more batches were sent and could not be recorded.
func (w *Writer) Lost(n uint64) { w.lost += n }

// Close writes the end of the recording. It does not close what it writes to.
func (w *Writer) Close() error {
	w.end.Lost = w.lost
	if err := w.write(&weirpb.RecordingFrame{Content: &weirpb.RecordingFrame_End{End: &w.end}}); err != nil {
		return fmt.Errorf("write end: %w", err)
	}
	w.err = errClosed
	return nil
}

// write appends a frame; w.buf may hold bytes that go before it.
func (w *Writer) write(m *weirpb.RecordingFrame) error {
	if w.err != nil {
		return w.err
	}
	start := len(w.buf)
	buf, err := proto.MarshalOptions{}.MarshalAppend(append(w.buf, make([]byte, headBytes)...), m)
	if err != nil {
		return err
	}
	seal(buf[start:])
	w.buf = buf[:0]
	if _, err := w.out.Write(buf); err != nil {
		w.err = err
	}
	return w.err
}
