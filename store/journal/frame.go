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

// cutFrame gives the payload of the frame at the start of b, or nil if it is not sound.
func cutFrame(b []byte, s salt) []byte {
	if len(b) < frameHead {
		return nil
	}
	n := binary.LittleEndian.Uint32(b)
	if n == 0 || uint64(n) > uint64(len(b)-frameHead) { //nolint:gosec // Not negative.
		return nil
	}
	payload := b[frameHead : frameHead+int(n)]
	if checksum(s, b[:4], payload) != binary.LittleEndian.Uint32(b[4:]) {
		return nil
	}
	return payload
}

// wire reads the fields of a payload one after the other. After the first that cannot be it reads zeros.
type wire struct {
	b   []byte
	at  int
	bad bool
}

// left is how many bytes follow.
func (w *wire) left() int { return len(w.b) - w.at }

func (w *wire) u() uint64 {
	if w.at < len(w.b) {
		if v := w.b[w.at]; v < 0x80 {
			w.at++
			return uint64(v)
		}
	}
	return w.long()
}

func (w *wire) long() uint64 {
	b := w.b[w.at:]
	if len(b) > 1 && b[1] < 0x80 {
		w.at += 2
		return uint64(b[0]&0x7f) | uint64(b[1])<<7
	}
	v, n := binary.Uvarint(b)
	if n <= 0 {
		w.fail()
		return 0
	}
	w.at += n
	return v
}

func (w *wire) fail() { w.b, w.at, w.bad = nil, 0, true }

func (w *wire) s() int64 {
	v := w.u()
	return int64(v>>1) ^ -int64(v&1) //nolint:gosec // Zigzag.
}

func (w *wire) byte() byte {
	if w.at >= len(w.b) {
		w.fail()
		return 0
	}
	v := w.b[w.at]
	w.at++
	return v
}

func (w *wire) bytes(n uint64) []byte {
	if n > uint64(w.left()) { //nolint:gosec // Not negative.
		w.fail()
		return nil
	}
	v := w.b[w.at : w.at+int(n)] //nolint:gosec // Checked.
	w.at += len(v)
	return v
}

func (w *wire) text() []byte { return w.bytes(w.u()) }

// count reads how many things follow, of which each takes so many bytes or more.
func (w *wire) count(least int) int {
	n := w.u()
	if n > uint64(w.left()/least) { //nolint:gosec // Not negative.
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
