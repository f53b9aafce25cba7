package store

import (
	"encoding/binary"
	"slices"
)

// Ints is a column of unsigned integers, each in the fewest bytes that hold the largest of them: 1, 2, 4
// or 8, or none if all are the same. It is a view: whoever made it owns the bytes.
type Ints struct {
	raw   []byte
	same  uint64
	n     int
	width uint8
	// ids and longs are the integers themselves where width says so.
	ids   []uint32
	longs []uint64
}

// Widths of integers that are not in raw.
const (
	widthIDs   = 254
	widthLongs = 255
)

// SameInts gives n integers that are all the same.
func SameInts(v uint64, n int) Ints { return Ints{same: v, n: n} }

// IntsOf gives integers as a column; buf is reused for them if it is large enough.
func IntsOf[T uint32 | uint64](buf []byte, values []T) Ints {
	size := 4
	if uint64(^T(0)) > 1<<32 {
		size = 8
	}
	buf = slices.Grow(buf[:0], size*len(values))[:size*len(values)]
	v := Ints{raw: buf, n: len(values), width: uint8(size)} //nolint:gosec // 4 or 8.
	if size == 4 {
		for _, value := range values {
			binary.LittleEndian.PutUint32(buf, uint32(value))
			buf = buf[4:]
		}
		return v
	}
	for _, value := range values {
		binary.LittleEndian.PutUint64(buf, uint64(value))
		buf = buf[8:]
	}
	return v
}

// ViewIDs gives integers as a column without copying them: they must not change while it is read.
func ViewIDs(values []uint32) Ints { return Ints{ids: values, n: len(values), width: widthIDs} }

// ViewLongs does the same for longer integers.
func ViewLongs(values []uint64) Ints { return Ints{longs: values, n: len(values), width: widthLongs} }

// Bytes is the memory of the integers, for [IntsOf] to use again once nobody reads them.
func (v *Ints) Bytes() []byte { return v.raw }

// Len is how many integers there are.
func (v *Ints) Len() int { return v.n }

// At gives the i-th integer.
func (v *Ints) At(i int) uint64 {
	switch v.width {
	case 0:
		return v.same
	case 1:
		return uint64(v.raw[i])
	case 2:
		return uint64(binary.LittleEndian.Uint16(v.raw[2*i:]))
	case 4:
		return uint64(binary.LittleEndian.Uint32(v.raw[4*i:]))
	case widthIDs:
		return uint64(v.ids[i])
	case widthLongs:
		return v.longs[i]
	default:
		return binary.LittleEndian.Uint64(v.raw[8*i:])
	}
}

// Load fills dst with the integers from place from on.
func (v *Ints) Load(dst []uint64, from int) {
	if v.width == widthLongs {
		copy(dst, v.longs[from:])
		return
	}
	load(v, dst, from)
}

// LoadIDs fills dst with the integers from place from on, which are known to fit.
func (v *Ints) LoadIDs(dst []uint32, from int) {
	if v.width == widthIDs {
		copy(dst, v.ids[from:])
		return
	}
	load(v, dst, from)
}

func load[T uint32 | uint64](v *Ints, dst []T, from int) {
	if v.width >= widthIDs {
		for i := range dst {
			dst[i] = T(v.At(from + i))
		}
		return
	}
	raw := v.raw[from*int(v.width):]
	switch v.width {
	case 0:
		for i := range dst {
			dst[i] = T(v.same)
		}
	case 1:
		raw = raw[:len(dst)]
		for i := range dst {
			dst[i] = T(raw[i])
		}
	case 2:
		for i := range dst {
			dst[i] = T(binary.LittleEndian.Uint16(raw[:2]))
			raw = raw[2:]
		}
	case 4:
		for i := range dst {
			dst[i] = T(binary.LittleEndian.Uint32(raw[:4]))
			raw = raw[4:]
		}
	default:
		for i := range dst {
			dst[i] = T(binary.LittleEndian.Uint64(raw[:8]))
			raw = raw[8:]
		}
	}
}

// width says in how many bytes each of the values goes; 0 if they are all equal.
func width[T uint32 | uint64](values []T) uint8 {
	var top, differ T
	for _, v := range values {
		top = max(top, v)
		differ |= v ^ values[0]
	}
	switch t := uint64(top); {
	case differ == 0:
		return 0
	case t < 1<<8:
		return 1
	case t < 1<<16:
		return 2
	case t < 1<<32:
		return 4
	}
	return 8
}

// appendInts writes a column as its width, then the one value that all have, or all values. How many
// there are is known from elsewhere.
func appendInts[T uint32 | uint64](dst []byte, values []T) []byte {
	w := width(values)
	dst = append(dst, w)
	if w == 0 {
		var same T
		if len(values) > 0 {
			same = values[0]
		}
		return binary.AppendUvarint(dst, uint64(same))
	}
	for _, v := range values {
		for range w {
			dst = append(dst, byte(v))
			v >>= 8
		}
	}
	return dst
}

// cutInts gives a view of the n integers at the start of b and what follows them.
func cutInts(b []byte, n int) (v Ints, rest []byte) {
	v = Ints{n: n, width: b[0]}
	b = b[1:]
	if v.width == 0 {
		same, w := binary.Uvarint(b)
		v.same = same
		return v, b[w:]
	}
	size := n * int(v.width)
	v.raw = b[:size:size]
	return v, b[size:]
}
