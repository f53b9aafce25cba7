package journal

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"

	"weir/internal/disk"
)

// The ends of names.
const (
	suffixSegment = ".journal"
	suffixParked  = ".parked"
	suffixDamaged = ".damaged"
	lockName      = "lock"
)

// segmentName is the name of a segment without its end.
func segmentName(id uint64, s salt) string {
	return fmt.Sprintf("%016x-%s", id, hex.EncodeToString(s[:]))
}

// parseName reads the name of a segment.
func parseName(name string) (id uint64, s salt, parked, ok bool) {
	base, isSegment := strings.CutSuffix(name, suffixSegment)
	if !isSegment {
		if base, parked = strings.CutSuffix(name, suffixParked); !parked {
			return 0, s, false, false
		}
	}
	number, mark, found := strings.Cut(base, "-")
	id, err := strconv.ParseUint(number, 16, 64)
	if !found || err != nil || len(number) != 16 || len(mark) != 2*len(s) {
		return 0, s, false, false
	}
	if _, err = hex.Decode(s[:], []byte(mark)); err != nil {
		return 0, s, false, false
	}
	return id, s, parked, segmentName(id, s) == base
}

// reader reads a file by pieces and keeps the last one.
type reader struct {
	f    disk.File
	size int64
	buf  []byte
	at   int64
}

// piece is how much is read at once, at least.
const piece = 256 << 10

// bytes gives n bytes from an offset on, or as many as there are.
func (r *reader) bytes(off int64, n int) ([]byte, error) {
	n = int(min(int64(n), r.size-off))
	if n <= 0 {
		return nil, nil
	}
	if off < r.at || off+int64(n) > r.at+int64(len(r.buf)) {
		want := int(min(int64(max(n, piece)), r.size-off))
		if cap(r.buf) < want {
			r.buf = make([]byte, want)
		}
		r.buf, r.at = r.buf[:want], off
		got, err := r.f.ReadAt(r.buf, off)
		if err != nil && !errors.Is(err, io.EOF) {
			r.buf = r.buf[:0]
			return nil, fmt.Errorf("read: %w", err)
		}
		r.buf = r.buf[:got]
	}
	b := r.buf[off-r.at:]
	return b[:min(n, len(b))], nil
}

// frame gives the payload of the frame at an offset; nil if there is none that is sound. size is how long it says
// that it is, 0 if that cannot be.
func (r *reader) frame(off int64, s salt) (payload []byte, size int, err error) {
	b, err := r.bytes(off, frameHead)
	if err != nil || len(b) < frameHead {
		return nil, 0, err
	}
	n := binary.LittleEndian.Uint32(b)
	if n == 0 || n > maxPayload {
		return nil, 0, nil
	}
	size = frameHead + int(n)
	if off+int64(size) > r.size {
		return nil, size, nil
	}
	if b, err = r.bytes(off, size); err != nil {
		return nil, size, err
	}
	return cutFrame(b, s), size, nil
}

// The versions that a first line can tell.
const (
	versionOurs = 1 + iota
	versionOther
	versionUnknown
)

// version reads the first line.
func (r *reader) version() (int, error) {
	b, err := r.bytes(0, lineSize)
	if err != nil {
		return 0, err
	}
	end := bytes.IndexByte(b, '\n') + 1
	if end == 0 || len(b) < end+4 || !bytes.HasPrefix(b, []byte(lineMagic)) ||
		crc32.Checksum(b[:end], castagnoli) != binary.LittleEndian.Uint32(b[end:]) {
		return versionUnknown, nil
	}
	if string(b[:end]) == line {
		return versionOurs, nil
	}
	return versionOther, nil
}

// next finds where sound frames go on after damage at an offset, which is the end of the file if they do not.
func (r *reader) next(off int64, s salt) (int64, error) {
	_, size, err := r.frame(off, s)
	if err != nil {
		return 0, err
	}
	if at := off + int64(size); size > 0 && at < r.size {
		if payload, _, err := r.frame(at, s); err != nil || payload != nil {
			return at, err
		}
	}
	const step = 64 << 10
	for at := off + 1; at < r.size; at += step {
		b, err := r.bytes(at, step+len(s))
		if err != nil {
			return 0, err
		}
		b = bytes.Clone(b)
		for from := 0; ; {
			i := bytes.Index(b[from:], s[:])
			if i < 0 {
				break
			}
			from += i + 1
			if begin, ok, err := r.marked(at+int64(from-1), off, s); ok || err != nil {
				return begin, err
			}
		}
	}
	return r.size, nil
}

// marked tells whether the salt at an offset belongs to a sound frame that begins after another offset.
func (r *reader) marked(at, after int64, s salt) (begin int64, ok bool, err error) {
	for _, before := range []int64{frameHead + 1, frameHead + 2} {
		begin = at - before
		if begin <= after {
			continue
		}
		payload, _, err := r.frame(begin, s)
		if err != nil {
			return 0, false, err
		}
		if len(payload) > 2 && (before == frameHead+1) == (kind(payload[0]) != kindSlice) {
			return begin, true, nil
		}
	}
	return 0, false, nil
}
