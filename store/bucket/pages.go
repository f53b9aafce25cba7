package bucket

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
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
	out  *sink
	zstd *zstd.Encoder

	protocol thrift.CompactProtocol
	levels   []byte
	ranks    []uint32
	ids      []int32
	values   []int64
	encoded  []byte
	coded    []byte
	packed   []byte
	text     []byte
	distinct map[uint64]uint32
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

func newPages(out *sink) (*pages, error) {
	e, err := newEncoder()
	if err != nil {
		return nil, err
	}
	return &pages{out: out, zstd: e, distinct: map[uint64]uint32{}}, nil
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
	distinct = slices.Compact(distinct)
	clear(p.distinct)
	p.text = p.text[:0]
	for rank, v := range distinct {
		p.distinct[uint64(v)] = uint32(rank)                         //nolint:gosec // A bit pattern; at most groupRows.
		p.text = binary.LittleEndian.AppendUint64(p.text, uint64(v)) //nolint:gosec // Likewise.
	}
	t.low, t.high = p.text[:8:8], p.text[len(p.text)-8:]
	t.low, t.high = slices.Clone(t.low), slices.Clone(t.high)
	c := chunk{encoding: encodingDictionary, entries: len(distinct)}
	var err error
	if c.dictionary, err = p.dictionary(len(distinct), t); err != nil {
		return c, err
	}
	dict := slices.Clone(p.text)
	for from := 0; from < r.n; from += pageRows {
		p.ranks = p.ranks[:0]
		for _, row := range r.order[from:min(from+pageRows, r.n)] {
			p.ranks = append(p.ranks, p.distinct[uint64(r.starts[row])]+1) //nolint:gosec // A bit pattern.
		}
		g, err := p.idPage(false, t)
		if err != nil {
			return c, err
		}
		t.pages = append(t.pages, [2][]byte{dict[8*(g.low-1) : 8*g.low], dict[8*(g.high-1) : 8*g.high]})
		c.pages = append(c.pages, g)
	}
	return c, nil
}

// counts writes one measure. Few different counts make a dictionary.
func (p *pages) counts(m store.Measure, r *rows, t *told) (chunk, error) {
	e := encodingDelta
	if m != store.UpBytes && m != store.DownBytes {
		if p.countDistinct(r.measures[m], r.n/4) {
			return p.fewCounts(r.measures[m], r, t)
		}
		e = encodingPackedDelta
	}
	return p.deltas(e, r.n, t, func(from, to int) int {
		for _, row := range r.order[from:to] {
			p.values = append(p.values, int64(r.measures[m][row])) //nolint:gosec // A bit pattern.
		}
		return -1
	})
}

// countDistinct gathers different values in p.distinct, and says whether they are at most so many.
func (p *pages) countDistinct(values []uint64, most int) bool {
	clear(p.distinct)
	for _, v := range values {
		if _, ok := p.distinct[v]; !ok {
			if len(p.distinct) > most {
				return false
			}
			p.distinct[v] = 0
		}
	}
	return true
}

// fewCounts writes a measure of which p.distinct holds the different values, with a dictionary.
func (p *pages) fewCounts(values []uint64, r *rows, t *told) (chunk, error) {
	p.text = p.text[:0]
	ordered := make([]uint64, 0, len(p.distinct))
	for v := range p.distinct {
		ordered = append(ordered, v)
	}
	slices.Sort(ordered)
	for rank, v := range ordered {
		p.distinct[v] = uint32(rank) //nolint:gosec // At most groupRows.
		p.text = binary.LittleEndian.AppendUint64(p.text, v)
	}
	c := chunk{encoding: encodingDictionary, entries: len(ordered)}
	var err error
	if c.dictionary, err = p.dictionary(len(ordered), t); err != nil {
		return c, err
	}
	for from := 0; from < r.n; from += pageRows {
		p.ranks = p.ranks[:0]
		for _, row := range r.order[from:min(from+pageRows, r.n)] {
			p.ranks = append(p.ranks, p.distinct[values[row]]+1)
		}
		g, err := p.idPage(false, t)
		if err != nil {
			return c, err
		}
		c.pages = append(c.pages, g)
	}
	return c, nil
}

// cells writes the cells of a column. Integers of which hardly any come twice, as the ports of clients, are written
// as differences, since a dictionary would take more room than it saves.
func (p *pages) cells(g *gather, r *rows, t *told) (chunk, error) {
	if g.integers && len(g.used) > r.n/8 {
		return p.deltas(encodingPackedDelta, r.n, t, func(from, to int) int {
			p.levels = p.levels[:0]
			for _, row := range r.order[from:to] {
				id := g.ids[row]
				p.levels = append(p.levels, byte(min(id, 1))) //nolint:gosec // 0 or 1.
				if id > 0 {
					p.values = append(p.values, g.entries[g.used[id-1]].integer)
				}
			}
			return to - from - len(p.values)
		})
	}
	p.text = g.appendDictionary(p.text[:0])
	t.low, t.high = g.bounds(1, uint32(len(g.order))) //nolint:gosec // At most groupRows.
	c := chunk{encoding: encodingDictionary, entries: len(g.order)}
	var err error
	if c.dictionary, err = p.dictionary(c.entries, t); err != nil {
		return c, err
	}
	for from := 0; from < r.n; from += pageRows {
		p.ranks = p.ranks[:0]
		for _, row := range r.order[from:min(from+pageRows, r.n)] {
			p.ranks = append(p.ranks, g.ranks[g.ids[row]])
		}
		page, err := p.idPage(true, t)
		if err != nil {
			return c, err
		}
		c.pages = append(c.pages, page)
		if slices.Contains(localEnds, g.column.Name) {
			low, high := g.bounds(page.low, page.high)
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

// deltas writes a column of integers as differences. gather puts those of some rows into p.values and, of a column
// with empty cells, which are not into p.levels, and says how many are, or -1.
func (p *pages) deltas(e encoding, n int, t *told, gather func(from, to int) int) (chunk, error) {
	c := chunk{encoding: e}
	var d delta.BinaryPackedEncoding
	for from := 0; from < n; from += pageRows {
		to := min(from+pageRows, n)
		p.values = p.values[:0]
		empty := gather(from, to)
		var err error
		if p.encoded, err = d.EncodeInt64(p.encoded[:0], p.values); err != nil {
			return c, err
		}
		coded := p.encoded
		if e == encodingPackedDelta {
			coded = p.squeeze(p.encoded)
		}
		g, err := p.page(page{rows: to - from, empty: max(empty, 0), low: 1}, empty >= 0, format.DeltaBinaryPacked,
			p.encoded, coded, t)
		if err != nil {
			return c, err
		}
		c.pages = append(c.pages, g)
	}
	return c, nil
}

// squeeze compresses, if that makes it shorter.
func (p *pages) squeeze(b []byte) []byte {
	p.coded = p.zstd.EncodeAll(b, p.coded[:0])
	if len(p.coded) >= len(b) {
		return b
	}
	return p.coded
}

// idPage writes a page of the numbers in p.ranks, which count from 1; 0 is the empty cell of an optional column.
func (p *pages) idPage(optional bool, t *told) (page, error) {
	g := page{rows: len(p.ranks), low: 1}
	p.levels, p.ids = p.levels[:0], p.ids[:0]
	low, high := ^uint32(0), uint32(0)
	for _, rank := range p.ranks {
		if rank == 0 {
			p.levels = append(p.levels, 0)
			continue
		}
		p.levels = append(p.levels, 1)
		low, high = min(low, rank), max(high, rank)
		p.ids = append(p.ids, int32(rank-1)) //nolint:gosec // At most groupRows.
	}
	if high > 0 {
		g.low, g.high = low, high
	}
	g.empty = g.rows - len(p.ids)
	var err error
	var e rle.DictionaryEncoding
	if p.encoded, err = e.EncodeInt32(p.encoded[:0], p.ids); err != nil {
		return g, err
	}
	return p.page(g, optional, format.RLEDictionary, p.encoded, p.squeeze(p.encoded), t)
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
			NumValues: int32(g.rows), NumNulls: int32(g.empty), NumRows: int32(g.rows), //nolint:gosec // At most pageRows.
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
func (p *pages) dictionary(n int, t *told) (block, error) {
	h := format.PageHeader{
		Type: format.DictionaryPage, UncompressedPageSize: int32(len(p.text)), //nolint:gosec // Checked in put.
		DictionaryPageHeader: thrift.New(format.DictionaryPageHeader{
			NumValues: int32(n), Encoding: format.Plain, //nolint:gosec // At most groupRows.
		}),
	}
	raw := len(p.text)
	p.packed = p.zstd.EncodeAll(p.text, p.packed[:0]) // A dictionary cannot say that it is not compressed.
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
	bits := filter.Bytes()
	header, err := thrift.Marshal(&p.protocol, &format.BloomFilterHeader{
		NumBytes:    int32(len(bits)), //nolint:gosec // At most groupRows values.
		Algorithm:   format.BloomFilterAlgorithm{Value: &format.SplitBlockAlgorithm{}},
		Hash:        format.BloomFilterHash{Value: &format.XxHash{}},
		Compression: format.BloomFilterCompression{Value: &format.BloomFilterUncompressed{}},
	})
	if err != nil {
		return block{}, err
	}
	b := p.block(header, bits)
	b.raw = len(bits)
	return b, nil
}
