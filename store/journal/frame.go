package journal

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// line is how every segment begins; its checksum follows.
const (
	lineMagic = "weir journal "
	line      = lineMagic + "1\n"
	lineSize  = len(line) + 4
	frameHead = 8
	// maxPayload bounds a frame.
	maxPayload = 64 << 20
)

// salt tells the frames of one segment from all other bytes.
type salt [8]byte

// kind is the first byte of a payload.
type kind byte

const (
	kindHeader kind = 1 + iota
	kindSession
	kindSlice
	kindRelabel
	kindEnd
)

// errDamaged says that bytes are not what was written.
var errDamaged = errors.New("damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli) //nolint:gochecknoglobals // A constant table.

// appendLine begins a segment.
func appendLine(dst []byte) []byte {
	dst = append(dst, line...)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum([]byte(line), castagnoli))
}

// beginFrame makes room for the head of a frame; finishFrame fills it in.
func beginFrame(dst []byte) []byte { return append(dst, make([]byte, frameHead)...) }

// finishFrame completes the frame that begins at from and runs to the end.
func finishFrame(b []byte, from int, s salt) {
	payload := b[from+frameHead:]
	binary.LittleEndian.PutUint32(b[from:], uint32(len(payload))) //nolint:gosec // Bounded by the caller.
	binary.LittleEndian.PutUint32(b[from+4:], checksum(s, b[from:from+4], payload))
}

func checksum(s salt, length, payload []byte) uint32 {
	sum := crc32.Update(0, castagnoli, s[:])
	sum = crc32.Update(sum, castagnoli, length)
	return crc32.Update(sum, castagnoli, payload)
}

// cutFrame gives the payload of the frame at the start of b. short says that b ends before the frame does.
func cutFrame(b []byte, s salt) (payload []byte, size int, short bool) {
	if len(b) < frameHead {
		return nil, 0, true
	}
	n := binary.LittleEndian.Uint32(b)
	if n == 0 || n > maxPayload {
		return nil, 0, false
	}
	size = frameHead + int(n)
	if len(b) < size {
		return nil, size, true
	}
	payload = b[frameHead:size]
	if checksum(s, b[:4], payload) != binary.LittleEndian.Uint32(b[4:]) {
		return nil, 0, false
	}
	return payload, size, false
}

// wire reads the fields of a payload one after the other. After the first that cannot be it reads zeros.
type wire struct {
	b   []byte
	bad bool
}

func (w *wire) u() uint64 {
	if len(w.b) > 0 && w.b[0] < 0x80 {
		v := w.b[0]
		w.b = w.b[1:]
		return uint64(v)
	}
	return w.long()
}

func (w *wire) long() uint64 {
	v, n := binary.Uvarint(w.b)
	if n <= 0 {
		w.fail()
		return 0
	}
	w.b = w.b[n:]
	return v
}

func (w *wire) fail() { w.b, w.bad = nil, true }

func (w *wire) s() int64 {
	v := w.u()
	return int64(v>>1) ^ -int64(v&1) //nolint:gosec // Zigzag.
}

func (w *wire) byte() byte {
	if len(w.b) == 0 {
		w.fail()
		return 0
	}
	v := w.b[0]
	w.b = w.b[1:]
	return v
}

func (w *wire) bytes(n uint64) []byte {
	if n > uint64(len(w.b)) {
		w.fail()
		return nil
	}
	v := w.b[:n]
	w.b = w.b[n:]
	return v
}

func (w *wire) text() []byte { return w.bytes(w.u()) }

// count reads how many things follow, of which each takes so many bytes or more.
func (w *wire) count(least int) int {
	n := w.u()
	if n > uint64(len(w.b)/least) {
		w.fail()
		return 0
	}
	return int(n) //nolint:gosec // Less than a frame.
}

func (w *wire) u16() uint16 {
	if b := w.bytes(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (w *wire) u32() uint32 {
	if b := w.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func appendS(dst []byte, v int64) []byte {
	return binary.AppendUvarint(dst, uint64(v)<<1^uint64(v>>63)) //nolint:gosec // Zigzag.
}

func appendText[T ~string | ~[]byte](dst []byte, v T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(v)))
	return append(dst, v...)
}
