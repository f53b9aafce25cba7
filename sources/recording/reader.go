package recording

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"weir/messages"
	"weir/messages/weirpb"
)

// ErrNoRecording says that a file does not begin like a recording that this build reads.
var ErrNoRecording = errors.New("not a recording")

// Reader reads a recording from front to back. It belongs to one goroutine.
type Reader struct {
	in     *bufio.Reader
	header Header
	// offset is where the next frame begins.
	offset  int64
	payload []byte
	frame   weirpb.RecordingFrame
	// read is what the end frame should say.
	read weirpb.RecordingEnd
	lost uint64
	// err is what Next says from now on.
	err error
}

// Info is what Next tells of a batch.
type Info struct {
	// At is when the batch was sent, since Header.Created. It may be less than that of the batch before.
	At time.Duration
	// LeftOut counts tags that are not in the batch, since this build does not know the column or the
	// value is none of it.
	LeftOut int
	// LeftOutFacts counts facts that are not in the batch, since this build does not know the kind or they are
	// none of it.
	LeftOutFacts int
	// Lost counts batches that the recorder could not take since the batch before.
	Lost uint64
}

// NewReader reads the header. It reads ahead.
func NewReader(in io.Reader) (*Reader, error) {
	r := &Reader{in: bufio.NewReaderSize(in, 64<<10)}
	line, err := r.in.Peek(len(firstLine))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read recording: %w", err)
	}
	if string(line) != firstLine {
		return nil, wrongLine(string(line))
	}
	if _, err := r.in.Discard(len(line)); err != nil {
		return nil, fmt.Errorf("read recording: %w", err)
	}
	r.offset = int64(len(line))
	if err := r.readHeader(); err != nil {
		return nil, err
	}
	return r, nil
}

func wrongLine(line string) error {
	if rest, ok := strings.CutPrefix(line, magic); ok {
		version, _, _ := strings.Cut(rest, "\n")
		return fmt.Errorf("%w of version 1: it says %q", ErrNoRecording, version)
	}
	return fmt.Errorf("%w: the first line is not %q", ErrNoRecording, strings.TrimSpace(firstLine))
}

func (r *Reader) readHeader() error {
	at := r.offset
	if err := r.next(); err != nil {
		return err
	}
	h := r.frame.GetHeader()
	if h == nil {
		return &CorruptError{at, errors.New("it is not the header")}
	}
	if !inTime(h.GetCreatedNs()) || !inTime(h.GetCountsSinceNs()) || h.GetSliceNs() < 0 {
		return &CorruptError{at, errTime}
	}
	r.header = Header{
		Created:     time.Unix(0, h.GetCreatedNs()),
		CountsSince: time.Unix(0, h.GetCountsSinceNs()),
		Slice:       time.Duration(h.GetSliceNs()),
		Version:     h.GetVersion(),
	}
	return nil
}

// Header says what the recording is of.
func (r *Reader) Header() Header { return r.header }

// Offset is how far the recording was read, in bytes.
func (r *Reader) Offset() int64 { return r.offset }

// Next reads the next batch into b, which must be empty. The error is io.EOF after the last batch, where
// Info.Lost tells what was lost behind it, a [TornError] where the recording was cut off, a [CorruptError]
// where it is damaged, or one of the underlying reader; b is of no use then, and the error stays.
func (r *Reader) Next(b *messages.Batch) (Info, error) {
	if r.err != nil {
		return Info{}, r.err
	}
	info, err := r.batch(b)
	r.err = err
	return info, err
}

func (r *Reader) batch(b *messages.Batch) (Info, error) {
	at := r.offset
	if err := r.next(); err != nil {
		return Info{}, err
	}
	if end := r.frame.GetEnd(); end != nil {
		return Info{Lost: r.newlyLost(end.GetLost())}, r.finish(at, end)
	}
	p := r.frame.GetBatch()
	if p == nil {
		return Info{}, &CorruptError{at, errors.New("it is neither a batch nor the end")}
	}
	info := Info{At: time.Duration(p.GetOffsetNs()), Lost: r.newlyLost(p.GetLost())}
	var err error
	if info.LeftOut, err = decodeBatch(p, b); err != nil {
		return Info{}, &CorruptError{at, err}
	}
	if info.LeftOutFacts, err = decodeFacts(p, b); err != nil {
		return Info{}, &CorruptError{at, err}
	}
	r.read.Batches++
	r.read.Updates += uint64(len(b.Updates))
	r.read.Facts += uint64(len(p.GetFacts()))
	return info, nil
}

// newlyLost takes a running count, which a damaged writer may have set back.
func (r *Reader) newlyLost(count uint64) uint64 {
	n := max(count, r.lost) - r.lost
	r.lost += n
	return n
}

// finish checks the end frame at offset at, and that it is the end.
func (r *Reader) finish(at int64, end *weirpb.RecordingEnd) error {
	told := [...]uint64{end.GetBatches(), end.GetUpdates(), end.GetFacts()}
	if read := [...]uint64{r.read.GetBatches(), r.read.GetUpdates(), r.read.GetFacts()}; told != read {
		err := fmt.Errorf("the end speaks of batches, updates and facts %d, there were %d", told, read)
		return &CorruptError{at, err}
	}
	switch _, err := r.in.ReadByte(); {
	case err == nil:
		return &CorruptError{r.offset, errors.New("there is more after the end")}
	case errors.Is(err, io.EOF):
		return io.EOF
	default:
		return fmt.Errorf("read recording at byte %d: %w", r.offset, err)
	}
}

// next reads a frame into r.frame.
func (r *Reader) next() error {
	payload, err := r.nextPayload()
	if err != nil {
		return err
	}
	if err := proto.Unmarshal(payload, &r.frame); err != nil {
		return &CorruptError{r.offset, fmt.Errorf("decode: %w", err)}
	}
	r.offset += int64(headBytes + len(payload))
	return nil
}

// nextPayload gives the bytes of a frame whose sum is right; they are valid until the next call.
func (r *Reader) nextPayload() ([]byte, error) {
	var head [headBytes]byte
	if n, err := io.ReadFull(r.in, head[:]); err != nil {
		return nil, r.torn(n, err)
	}
	length := binary.LittleEndian.Uint32(head[:4])
	if length == 0 || length > maxPayload {
		return nil, &CorruptError{r.offset, fmt.Errorf("a length of %d bytes is not from 1 to %d", length, maxPayload)}
	}
	r.payload = slices.Grow(r.payload[:0], int(length))[:length]
	if n, err := io.ReadFull(r.in, r.payload); err != nil {
		return nil, r.torn(headBytes+n, err)
	}
	if checksum(head[:4], r.payload) != binary.LittleEndian.Uint32(head[4:]) {
		return nil, &CorruptError{r.offset, errors.New("its checksum is wrong")}
	}
	return r.payload, nil
}

// torn tells the end of the file after n bytes of a frame from a failure to read it.
func (r *Reader) torn(n int, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &TornError{Offset: r.offset, Rest: n}
	}
	return fmt.Errorf("read recording at byte %d: %w", r.offset+int64(n), err)
}
