package bucket

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/bits"
	"slices"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/bloom"
	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"weir/store"
)

// pages encodes row groups. What it needs for one it uses again for the next.
type pages struct {
	out *sink
	// tight is for texts, quick for all else.
	tight, quick *zstd.Encoder

	protocol thrift.CompactProtocol
	levels   []byte
	ranks    []uint32
	ids      []int32
	values   []int64
	encoded  []byte
	coded    []byte
	packed   []byte
	text     []byte
	// told are by row group and field.
	told [][]told
}

// told is what the footer says of a chunk and the index does not.
type told struct {
	// raw is how long all pages are when they are not compressed, with their headers.
	raw int64
	// low and high are the least and the greatest value as Parquet writes them, nil if that is not told; pages are
	// those of each page.
	low, high []byte
	pages     [][2][]byte
}

// blooms name the columns that have Bloom filters; bloomBits are the bits of a filter for each value.
var blooms = []string{"remote.ip", "remote.name"} //nolint:gochecknoglobals // A constant table.

const bloomBits = 10

func newPages() (*pages, error) {
	tight, err := newEncoder(zstd.SpeedDefault)
	if err != nil {
		return nil, err
	}
	quick, err := newEncoder(zstd.SpeedFastest)
	if err != nil {
		return nil, err
	}
	return &pages{out: newSink(), tight: tight, quick: quick}, nil
}

// group writes the row group of which the rows are, and adds it to the index.
func (p *pages) group(x *index, r *rows) error {
	g := rowGroup{rows: r.n, first: slices.Min(r.starts), last: slices.Max(r.starts)}
	p.told = append(p.told, nil)
	for i := range x.fields {
		c, err := p.chunk(&x.fields[i], r)
		if err != nil {
			return fmt.Errorf("column %s: %w", x.fields[i].name, err)
		}
		g.chunks = append(g.chunks, c)
	}
	x.groups = append(x.groups, g)
	return p.out.err
}

// chunk writes one field of a row group.
func (p *pages) chunk(f *field, r *rows) (chunk, error) {
	t := told{}
	var c chunk
	var err error
	switch f.kind {
	case kindStart:
		c, err = p.starts(r, &t)
	case kindMeasure:
		c, err = p.counts(f.measure, r, &t)
	default:
		if g := r.find(f.column); g != nil && len(g.used) > 0 && g.integers == (f.kind == kindInteger) {
			c, err = p.cells(g, r, &t)
		} else {
			c, err = p.empty(r.n, &t)
		}
	}
	last := len(p.told) - 1
	p.told[last] = append(p.told[last], t)
	return c, err
}

// starts writes when the slices of the rows start.
func (p *pages) starts(r *rows, t *told) (chunk, error) {
	distinct := slices.Clone(r.starts)
	slices.Sort(distinct)
	ranks := make([]uint32, len(r.starts))
	p.text = p.text[:0]
	for _, v := range distinct {
		p.text = binary.LittleEndian.AppendUint64(p.text, uint64(v)) //nolint:gosec // A bit pattern.
	}
	for i, v := range r.starts {
		rank, _ := slices.BinarySearch(distinct, v)
		ranks[i] = uint32(rank + 1) //nolint:gosec // At most groupRows.
	}
	dict := slices.Clone(p.text)
	bound := func(rank uint32) []byte { return dict[8*(rank-1) : 8*rank] }
	t.low, t.high = bound(1), bound(uint32(len(distinct))) //nolint:gosec // Likewise.
	c, err := p.ranked(len(distinct), p.quick, r, false, t, func(row uint32) uint32 { return ranks[r.startIDs[row]] })
	for i := range c.pages {
		t.pages = append(t.pages, [2][]byte{bound(c.pages[i].low), bound(c.pages[i].high)})
	}
	return c, err
}

// ranked writes a column with a dictionary, which is in p.text and has n entries. rank tells of each row the number of
// its entry, from 1, or 0 for an empty cell.
func (p *pages) ranked(
	n int, codec *zstd.Encoder, r *rows, optional bool, t *told, rank func(row uint32) uint32,
) (chunk, error) {
	c := chunk{encoding: encodingDictionary, entries: n}
	var err error
	if c.dictionary, err = p.dictionary(n, codec, t); err != nil {
		return c, err
	}
	p.ranks = slices.Grow(p.ranks[:0], pageRows)[:pageRows]
	for from := 0; from < r.n; from += pageRows {
		ranks := p.ranks[:min(pageRows, r.n-from)]
		for i, row := range r.order[from : from+len(ranks)] {
			ranks[i] = rank(row)
		}
		page, err := p.idPage(ranks, optional, t)
		if err != nil {
			return c, err
		}
		c.pages = append(c.pages, page)
	}
	return c, nil
}

// fewCounts is how many different counts make a dictionary worth it.
const fewCounts = 256

// counts writes one measure.
func (p *pages) counts(m store.Measure, r *rows, t *told) (chunk, error) {
	values := r.measures[m]
	switch m {
	case store.UpBytes, store.DownBytes: // All queries read them: they are quick to read, not the shortest.
		return p.integers(encodingDelta, r.n, t, func(from, to int) int {
			for _, row := range r.order[from:to] {
				p.values = append(p.values, int64(values[row])) //nolint:gosec // A bit pattern.
			}
			return -1
		})
	case store.Started, store.Ended:
		if slices.Max(values) < fewCounts {
			return p.smallCounts(values, r, t)
		}
	default:
	}
	return p.integers(encodingPlain, r.n, t, func(from, to int) int {
		for _, row := range r.order[from:to] {
			p.values = append(p.values, int64(values[row])) //nolint:gosec // A bit pattern.
		}
		return -1
	})
}

// smallCounts writes counts below fewCounts with a dictionary.
func (p *pages) smallCounts(values []uint64, r *rows, t *told) (chunk, error) {
	var ranks [fewCounts]uint32
	for _, v := range values {
		ranks[v] = 1
	}
	p.text = p.text[:0]
	n := uint32(0)
	for v := range ranks {
		if ranks[v] > 0 {
			n++
			ranks[v] = n
			p.text = binary.LittleEndian.AppendUint64(p.text, uint64(v))
		}
	}
	return p.ranked(int(n), p.quick, r, false, t, func(row uint32) uint32 { return ranks[values[row]%fewCounts] })
}

// cells writes the cells of a column.
func (p *pages) cells(g *gather, r *rows, t *told) (chunk, error) {
	if g.plain {
		return p.integers(encodingPlain, r.n, t, func(from, to int) int {
			p.levels = p.levels[:0]
			for _, row := range r.order[from:to] {
				id := g.ids[row]
				p.levels = append(p.levels, byte(min(id, 1)))
				if id > 0 {
					p.values = append(p.values, g.entries[g.used[id-1]].integer)
				}
			}
			return to - from - len(p.values)
		})
	}
	codec := p.tight
	if g.integers {
		codec = p.quick
	}
	p.text = g.appendDictionary(p.text[:0])
	t.low, t.high = g.bounds(1, uint32(len(g.order))) //nolint:gosec // At most groupRows.
	c, err := p.ranked(len(g.order), codec, r, true, t, func(row uint32) uint32 { return g.ids[row] })
	if err != nil {
		return c, err
	}
	if slices.Contains(localEnds[:], g.column.Name) {
		for i := range c.pages {
			low, high := g.bounds(c.pages[i].low, c.pages[i].high)
			t.pages = append(t.pages, [2][]byte{low, high})
		}
	}
	if slices.Contains(blooms, g.column.Name) && !g.integers {
		c.bloom, err = p.bloom(g)
	}
	return c, err
}

// empty writes a column of n empty cells.
func (p *pages) empty(n int, t *told) (chunk, error) {
	c := chunk{encoding: encodingEmpty}
	for from := 0; from < n; from += pageRows {
		rows := min(pageRows, n-from)
		p.levels = append(p.levels[:0], make([]byte, rows)...)
		g, err := p.page(page{rows: rows, empty: rows, low: 1}, true, format.Plain, nil, nil, t)
		if err != nil {
			return c, err
		}
		c.pages = append(c.pages, g)
	}
	return c, nil
}

// integers writes a column of integers without a dictionary. gather puts those of some rows into p.values and, of a
// column with empty cells, which are not into p.levels, and says how many are, or -1.
func (p *pages) integers(e encoding, n int, t *told, gather func(from, to int) int) (chunk, error) {
	c := chunk{encoding: e}
	for from := 0; from < n; from += pageRows {
		to := min(from+pageRows, n)
		p.values = p.values[:0]
		empty := gather(from, to)
		told := format.Plain
		p.encoded = p.encoded[:0]
		var coded []byte
		if e == encodingDelta {
			told = format.DeltaBinaryPacked
			var err error
			if p.encoded, err = new(delta.BinaryPackedEncoding).EncodeInt64(p.encoded, p.values); err != nil {
				return c, err
			}
			coded = p.encoded
		} else {
			for _, v := range p.values {
				p.encoded = binary.LittleEndian.AppendUint64(p.encoded, uint64(v)) //nolint:gosec // A bit pattern.
			}
			coded = p.squeeze(p.quick, p.encoded)
		}
		g := page{rows: to - from, empty: max(empty, 0), low: 1}
		g, err := p.page(g, empty >= 0, told, p.encoded, coded, t)
		if err != nil {
			return c, err
		}
		c.pages = append(c.pages, g)
	}
	return c, nil
}

// squeeze compresses, if that makes it shorter.
func (p *pages) squeeze(codec *zstd.Encoder, b []byte) []byte {
	p.coded = codec.EncodeAll(b, p.coded[:0])
	if len(p.coded) >= len(b) {
		return b
	}
	return p.coded
}

// idPage writes a page of the numbers of entries, which count from 1; 0 is the empty cell of an optional column.
func (p *pages) idPage(ranks []uint32, optional bool, t *told) (page, error) {
	g := page{rows: len(ranks), low: 1}
	p.levels = slices.Grow(p.levels[:0], len(ranks))[:len(ranks)]
	p.ids = slices.Grow(p.ids[:0], len(ranks))[:len(ranks)]
	low, high, n := ^uint32(0), uint32(0), 0
	for i, rank := range ranks {
		there := min(rank, 1)
		p.levels[i] = byte(there)
		p.ids[n] = int32(rank - 1) //nolint:gosec // At most groupRows.
		n += int(there)
		low, high = min(low, rank-1), max(high, rank)
	}
	p.ids = p.ids[:n]
	if high > 0 {
		g.low, g.high = low+1, high
	}
	g.empty = g.rows - n
	width := idWidth(max(high, 1) - 1)
	values, err := (&rle.Encoding{BitWidth: width}).EncodeInt32(p.encoded[:0], p.ids)
	if err != nil {
		return g, err
	}
	p.coded = append(append(p.coded[:0], byte(width)), values...)
	p.encoded, p.coded = p.coded, values
	codec := p.quick
	if width <= 8 { // What is short can be made shorter at little cost.
		codec = p.tight
	}
	return p.page(g, optional, format.RLEDictionary, p.encoded, p.squeeze(codec, p.encoded), t)
}

// idWidth is in how many bits the numbers up to one are written. Whole bytes are longer than they need be and compress
// to a quarter less, since the codec sees what comes again.
func idWidth(top uint32) int {
	width := max(1, bits.Len32(top))
	if width > 4 {
		width = (width + 7) / 8 * 8
	}
	return width
}

// page writes a page of values that are encoded as raw and, mostly shorter, as coded.
func (p *pages) page(g page, optional bool, e format.Encoding, raw, coded []byte, t *told) (page, error) {
	p.packed = p.packed[:0]
	if optional {
		levels := rle.Encoding{BitWidth: 1}
		var err error
		if p.packed, err = levels.EncodeLevels(p.packed, p.levels); err != nil {
			return g, err
		}
	}
	g.levels, g.raw = len(p.packed), len(raw)
	p.packed = append(p.packed, coded...)
	h := format.PageHeader{
		Type:                 format.DataPageV2,
		UncompressedPageSize: int32(g.levels + len(raw)), //nolint:gosec // Checked in put.
		DataPageHeaderV2: thrift.New(format.DataPageHeaderV2{
			NumValues: int32(g.rows), NumRows: int32(g.rows), NumNulls: int32(g.empty), //nolint:gosec // Small.
			Encoding: e, DefinitionLevelsByteLength: int32(g.levels), //nolint:gosec // Small.
			IsCompressed: thrift.New(len(raw) > 0 && len(coded) < len(raw)),
		}),
	}
	var err error
	g.block, err = p.put(&h, p.packed, t)
	g.raw = len(raw)
	return g, err
}

// dictionary writes the n entries in p.text.
func (p *pages) dictionary(n int, codec *zstd.Encoder, t *told) (block, error) {
	h := format.PageHeader{
		Type: format.DictionaryPage, UncompressedPageSize: int32(len(p.text)), //nolint:gosec // Checked in put.
		DictionaryPageHeader: thrift.New(format.DictionaryPageHeader{
			NumValues: int32(n), Encoding: format.Plain, //nolint:gosec // At most groupRows.
		}),
	}
	raw := len(p.text)
	p.packed = codec.EncodeAll(p.text, p.packed[:0]) // A dictionary cannot say that it is not compressed.
	b, err := p.put(&h, p.packed, t)
	b.raw = raw
	return b, err
}

// put writes a header and what it is the header of.
func (p *pages) put(h *format.PageHeader, payload []byte, t *told) (block, error) {
	if max(len(payload), int(h.UncompressedPageSize)) > maxBlock || h.UncompressedPageSize < 0 {
		return block{}, fmt.Errorf("%d bytes are too many for a page", h.UncompressedPageSize)
	}
	h.CompressedPageSize = int32(len(payload)) //nolint:gosec // Checked.
	h.CRC = int32(crc32.ChecksumIEEE(payload)) //nolint:gosec // A bit pattern.
	header, err := thrift.Marshal(&p.protocol, h)
	if err != nil {
		return block{}, err
	}
	t.raw += int64(len(header)) + int64(h.UncompressedPageSize)
	return p.block(header, payload), nil
}

// block writes two things one after the other, under one checksum.
func (p *pages) block(header, payload []byte) block {
	sum := sumOf(header)
	b := block{
		offset: p.out.offset, size: len(header) + len(payload), header: len(header),
		sum: updateSum(sum, payload),
	}
	p.out.write(header)
	p.out.write(payload)
	return b
}

// bloom writes the Bloom filter of a dictionary of texts.
func (p *pages) bloom(g *gather) (block, error) {
	filter := make(bloom.SplitBlockFilter, bloom.NumSplitBlocksOf(int64(len(g.order)), bloomBits))
	for _, number := range g.order {
		filter.Insert(bloom.XXH64{}.Sum64([]byte(g.entries[number].text)))
	}
	raw := filter.Bytes()
	header, err := thrift.Marshal(&p.protocol, &format.BloomFilterHeader{
		NumBytes:    int32(len(raw)), //nolint:gosec // At most groupRows values.
		Algorithm:   format.BloomFilterAlgorithm{Value: &format.SplitBlockAlgorithm{}},
		Hash:        format.BloomFilterHash{Value: &format.XxHash{}},
		Compression: format.BloomFilterCompression{Value: &format.BloomFilterUncompressed{}},
	})
	if err != nil {
		return block{}, err
	}
	b := p.block(header, raw)
	b.raw = len(raw)
	return b, nil
}
