package bucket

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/bitpack"
	"github.com/parquet-go/parquet-go/bloom"

	"weir/columns"
	"weir/store"
)

// padding is what the unpacking of bits may read beyond the end.
const padding = bitpack.PaddingInt64

// reader reads pages of files, one after the other, in one goroutine. What it needs for one it uses again.
type reader struct {
	file    *File
	effort  *store.Effort
	zstd    *zstd.Decoder
	raw     []byte
	plain   []byte
	levels  []uint32
	ids     []uint32
	words   map[wordKey]map[string]columns.Value
	entered int
}

// wordKey names the entries of dictionaries that stand for the same cells.
type wordKey struct {
	column *columns.Column
	kind   kind
}

// readers are used again by the next query.
var readers = sync.Pool{New: func() any { return &reader{} }} //nolint:gochecknoglobals // A free list.

func getReader(effort *store.Effort) (*reader, error) {
	r := readers.Get().(*reader) //nolint:forcetypeassert // It holds nothing else.
	r.effort = effort
	if r.zstd == nil {
		switch d := decoders.Get().(type) {
		case *zstd.Decoder:
			r.zstd = d
		case error:
			return nil, d
		}
	}
	return r, nil
}

func putReader(r *reader) {
	r.file, r.effort = nil, nil
	if r.entered > maxWords {
		r.words, r.entered = nil, 0
	}
	readers.Put(r)
}

// maxWords bounds the cells that a reader remembers.
const maxWords = 1 << 15

// block reads a block and verifies it. What it gives is valid until the next one is read.
func (r *reader) block(b *block) ([]byte, error) {
	r.raw = slices.Grow(r.raw[:0], b.size+padding)[:b.size]
	if err := r.file.readAt(r.raw, b.offset); err != nil {
		return nil, err
	}
	r.effort.BytesRead += uint64(b.size) //nolint:gosec // It is not negative.
	if sumOf(r.raw) != b.sum {
		return nil, damaged("the checksum of a page at %d is another", b.offset)
	}
	return r.raw[b.header:], nil
}

// inflate gives the values of a page or dictionary, with room for padding after them.
func (r *reader) inflate(src []byte, raw int, coded bool) ([]byte, error) {
	if !coded {
		return slices.Grow(src, padding), nil
	}
	r.plain = slices.Grow(r.plain[:0], raw+padding)
	var err error
	if r.plain, err = inflate(r.zstd, r.plain, src, raw); err != nil {
		return nil, err
	}
	r.plain = slices.Grow(r.plain, padding)
	return r.plain, nil
}

// page reads a page: which of its cells are there, if not all are, in r.levels, and what the values are.
func (r *reader) page(p *page, coded bool) ([]byte, error) {
	b, err := r.block(&p.block)
	if err != nil {
		return nil, err
	}
	r.effort.Pages++
	if p.levels > len(b) {
		return nil, damaged("a page whose levels are longer than it is")
	}
	r.levels = slices.Grow(r.levels[:0], p.rows)[:p.rows]
	if p.empty > 0 && p.empty < p.rows {
		if err := unpackHybrid(r.levels, b[:p.levels], 1); err != nil {
			return nil, err
		}
		there := 0
		for _, l := range r.levels {
			there += int(l & 1)
		}
		if there != p.values() {
			return nil, damaged("a page that has %d cells, not %d", there, p.values())
		}
	}
	b = b[p.levels:]
	return r.inflate(b, p.raw, coded && len(b) < p.raw) // What compressing makes no shorter is left as it is.
}

// pageIDs gives the ids of a page of a chunk with a dictionary: 0, or 1 + the number of an entry. dst is reused.
func (r *reader) pageIDs(c *chunk, p *page, dst []uint32) ([]uint32, error) {
	dst = slices.Grow(dst[:0], p.rows+padding)[:p.rows]
	if p.values() == 0 {
		clear(dst)
		return dst, nil
	}
	b, err := r.page(p, true)
	if err != nil {
		return nil, err
	}
	if len(b) == 0 || b[0] > 32 {
		return nil, damaged("a page of ids without a width")
	}
	ids := dst[:p.values()]
	if err := unpackHybrid(ids, b[1:], uint(b[0])); err != nil {
		return nil, err
	}
	low, high := uint32(c.entries), uint32(0) //nolint:gosec // At most groupRows.
	for i, id := range ids {
		low, high = min(low, id), max(high, id)
		ids[i] = id + 1
	}
	if high >= uint32(c.entries) || low+1 < p.low || high+1 > p.high { //nolint:gosec // Likewise.
		return nil, damaged("a page of ids that are not in its dictionary")
	}
	if p.empty > 0 {
		spread(dst, r.levels, ids)
	}
	return dst, nil
}

// spread moves values to the rows that have one; the others get none. values lie at the beginning of rows.
func spread[T uint32 | uint64](rows []T, levels []uint32, values []T) {
	next := len(values)
	for i := len(rows) - 1; i >= 0; i-- {
		if levels[i]&1 == 0 {
			rows[i] = 0
			continue
		}
		next--
		rows[i] = values[next]
	}
}

// pageIntegers gives the integers of a page without a dictionary; there tells of each row whether it has one, and is
// nil if all have.
// dst is reused.
func (r *reader) pageIntegers(c *chunk, p *page, dst []uint64) (integers []uint64, there []uint32, err error) {
	dst = slices.Grow(dst[:0], p.rows+padding)[:p.rows]
	if p.values() == 0 {
		clear(dst)
		r.levels = slices.Grow(r.levels[:0], p.rows)[:p.rows]
		clear(r.levels)
		return dst, r.levels, nil
	}
	b, err := r.page(p, c.encoding == encodingPlain)
	if err != nil {
		return nil, nil, err
	}
	values := dst[:p.values()]
	if c.encoding == encodingDelta {
		err = unpackDelta(values, b)
	} else {
		err = unpackPlain(values, b)
	}
	if err != nil {
		return nil, nil, err
	}
	if p.empty == 0 {
		return dst, nil, nil
	}
	spread(dst, r.levels, values)
	return dst, r.levels, nil
}

// entries reads a dictionary: back to back, and where each one ends.
func (r *reader) entries(f *field, c *chunk) (text string, ends store.Ints, err error) {
	b, err := r.block(&c.dictionary)
	if err != nil {
		return "", ends, err
	}
	if b, err = r.inflate(b, c.dictionary.raw, true); err != nil {
		return "", ends, err
	}
	places := make([]uint32, c.entries)
	if f.kind != kindText {
		if len(b) != 8*c.entries {
			return "", ends, damaged("a dictionary of another size")
		}
		for i := range places {
			places[i] = uint32(8 * (i + 1)) //nolint:gosec // Bounded by maxBlock.
		}
		return string(b), store.ViewIDs(places), nil
	}
	var all strings.Builder
	all.Grow(max(0, len(b)-4*c.entries))
	for i := range places {
		if len(b) < 4 || int64(len(b)-4) < int64(binary.LittleEndian.Uint32(b)) {
			return "", ends, damaged("a dictionary that is too short")
		}
		n := int(binary.LittleEndian.Uint32(b))
		all.Write(b[4 : 4+n])
		b = b[4+n:]
		places[i] = uint32(all.Len()) //nolint:gosec // Bounded by maxBlock.
	}
	if len(b) > 0 {
		return "", ends, damaged("a dictionary that is too long")
	}
	return all.String(), store.ViewIDs(places), nil
}

// dictionary reads a dictionary of cells.
func (r *reader) dictionary(f *field, c *chunk, column *columns.Column) (store.Dict, error) {
	text, ends, err := r.entries(f, c)
	if err != nil {
		return store.Dict{}, err
	}
	dict := store.NewDict(text, ends, r.cells(f, column))
	if isInteger(column) && f.kind == kindText {
		return dict, nil // Its texts mean something else than those of the field with integers.
	}
	return dict.Shared(), nil
}

// cells gives what makes cells of the entries of a dictionary.
func (r *reader) cells(f *field, column *columns.Column) func(string) columns.Value {
	key := wordKey{column: column, kind: f.kind}
	known := r.words[key]
	if known == nil {
		if r.words == nil {
			r.words = map[wordKey]map[string]columns.Value{}
		}
		known = map[string]columns.Value{}
		r.words[key] = known
	}
	integers := f.kind == kindInteger
	return func(text string) columns.Value {
		if v, ok := known[text]; ok {
			return v
		}
		var v columns.Value
		if integers {
			v = cellOfInteger(column, integerIn(text))
		} else {
			v = cellOf(column, strings.Clone(text))
		}
		if r.entered++; r.entered > maxWords {
			clear(known)
			r.entered = 0
		}
		known[strings.Clone(text)] = v
		return v
	}
}

// integers reads the dictionary of a chunk of counts or times.
func (r *reader) integers(f *field, c *chunk) ([]uint64, error) {
	text, _, err := r.entries(f, c)
	if err != nil {
		return nil, err
	}
	values := make([]uint64, c.entries)
	for i := range values {
		values[i] = uint64(integerIn(text[8*i : 8*i+8])) //nolint:gosec // A bit pattern.
	}
	return values, nil
}

// bloom says whether a text may be among those of a chunk.
func (r *reader) bloom(c *chunk, texts []string) (bool, error) {
	b, err := r.block(&c.bloom)
	if err != nil {
		return false, err
	}
	if len(b) == 0 || len(b)%bloom.BlockSize != 0 {
		return false, damaged("a Bloom filter of %d bytes", len(b))
	}
	filter := bloom.MakeSplitBlockFilter(slices.Clone(b))
	for _, text := range texts {
		if filter.Check(bloom.XXH64{}.Sum64([]byte(text))) {
			return true, nil
		}
	}
	return false, nil
}

var errHybrid = errors.New("run of ids")

// unpackHybrid reads numbers of so many bits that come as runs of the same one or packed. Behind src is room for
// padding.
func unpackHybrid(dst []uint32, src []byte, width uint) error {
	for len(dst) > 0 {
		u, w := binary.Uvarint(src)
		if w <= 0 {
			return damaged("%v", errHybrid)
		}
		src = src[w:]
		n := u >> 1
		if u&1 == 0 {
			size := int(width+7) / 8 //nolint:gosec // At most 4.
			if n == 0 || n > uint64(len(dst)) || size > len(src) {
				return damaged("%v", errHybrid)
			}
			v := uint32(0)
			for i := range size {
				v |= uint32(src[i]) << (8 * i)
			}
			for i := range dst[:n] {
				dst[i] = v
			}
			dst, src = dst[n:], src[size:]
			continue
		}
		if n == 0 || n > uint64(len(src)) || n*uint64(width) > uint64(len(src)) {
			return damaged("%v", errHybrid)
		}
		count := min(int(8*n), len(dst)) //nolint:gosec // Below the length of src.
		bitpack.Unpack(dst[:count], src[:cap(src)], width)
		dst, src = dst[count:], src[int(n)*int(width):] //nolint:gosec // Likewise.
	}
	return nil
}

// unpackPlain reads integers of eight bytes each.
func unpackPlain(dst []uint64, src []byte) error {
	if len(src) != 8*len(dst) {
		return damaged("%d bytes for %d integers", len(src), len(dst))
	}
	for i := range dst {
		dst[i] = binary.LittleEndian.Uint64(src[8*i:])
	}
	return nil
}

// unpackDelta reads integers that come as packed differences. Behind src is room for padding.
func unpackDelta(dst []uint64, src []byte) error {
	var header [3]uint64
	for i := range header {
		v, w := binary.Uvarint(src)
		if w <= 0 {
			return damaged("header of differences")
		}
		header[i], src = v, src[w:]
	}
	first, w := binary.Varint(src)
	const blockSize, miniBlocks = 128, 4
	if w <= 0 || header != [3]uint64{blockSize, miniBlocks, uint64(len(dst))} || len(dst) == 0 {
		return damaged("header of differences")
	}
	src = src[w:]
	last := uint64(first) //nolint:gosec // A bit pattern.
	dst[0] = last
	for dst = dst[1:]; len(dst) > 0; {
		least, w := binary.Varint(src)
		if w <= 0 || len(src) < w+miniBlocks {
			return damaged("block of differences")
		}
		widths := src[w : w+miniBlocks]
		src = src[w+miniBlocks:]
		for i := 0; i < miniBlocks && len(dst) > 0; i++ {
			width := uint(widths[i])
			size := int(width) * (blockSize / miniBlocks) / 8
			if width > 64 || size > len(src) {
				return damaged("block of differences")
			}
			mini := dst[:min(blockSize/miniBlocks, len(dst))]
			bitpack.Unpack(mini, src[:cap(src)], width)
			for k, v := range mini {
				last += v + uint64(least) //nolint:gosec // A bit pattern.
				mini[k] = last
			}
			dst, src = dst[len(mini):], src[size:]
		}
	}
	return nil
}
