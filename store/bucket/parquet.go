package bucket

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// magic begins and ends a Parquet file.
const magic = "PAR1"

// sealMagic ends the seal, which stands between the index and the footer.
const sealMagic = "WEIR"

// A seal: the length of what it covers before it, the length of the index, which is the last part of that, the
// checksum, and sealMagic.
const sealSize = 16

// finish writes what is left of a file: the chunks of fields that turned up late, and the tail. That is Parquet's
// indexes of pages, our index, the seal, and the footer.
func (p *pages) finish(x *index) error {
	for i := range x.groups {
		g := &x.groups[i]
		for len(g.chunks) < len(x.fields) {
			var t told
			c, err := p.empty(g.rows, &t)
			if err != nil {
				return err
			}
			g.chunks, p.told[i] = append(g.chunks, c), append(p.told[i], t)
		}
	}
	x.body = p.out.take()
	tail := p.out.offset
	groups, err := p.tellGroups(x)
	if err != nil {
		return err
	}
	packed := x.pack()
	p.out.write(packed)
	footer, err := thrift.Marshal(&p.protocol, x.footer(groups))
	if err != nil {
		return fmt.Errorf("footer: %w", err)
	}
	footer = binary.LittleEndian.AppendUint32(footer, uint32(len(footer))) //nolint:gosec // Far below.
	footer = append(footer, magic...)
	seal := binary.LittleEndian.AppendUint32(nil, uint32(p.out.offset-tail)) //nolint:gosec // Far below.
	seal = binary.LittleEndian.AppendUint32(seal, uint32(len(packed)))       //nolint:gosec // Likewise.
	sum := updateSum(updateSum(p.out.take(), seal), footer)
	seal = binary.LittleEndian.AppendUint32(seal, sum)
	p.out.write(append(seal, sealMagic...))
	p.out.write(footer)
	return p.out.flush()
}

// tellGroups writes Parquet's indexes of pages, and gives what the footer says of row groups.
func (p *pages) tellGroups(x *index) ([]format.RowGroup, error) {
	groups := make([]format.RowGroup, len(x.groups))
	for i := range x.groups {
		groups[i] = p.tellGroup(x, i)
	}
	// Some readers want all indexes of one sort together.
	for i := range groups {
		for k := range groups[i].Columns {
			c := &groups[i].Columns[k]
			if columnIndex := p.told[i][k].columnIndex(&x.groups[i].chunks[k]); columnIndex != nil {
				b, err := thrift.Marshal(&p.protocol, columnIndex)
				if err != nil {
					return nil, fmt.Errorf("column index: %w", err)
				}
				c.ColumnIndexOffset, c.ColumnIndexLength = p.out.offset, int32(len(b)) //nolint:gosec // Small.
				p.out.write(b)
			}
		}
	}
	for i := range groups {
		for k := range groups[i].Columns {
			c := &groups[i].Columns[k]
			b, err := thrift.Marshal(&p.protocol, x.groups[i].chunks[k].offsetIndex())
			if err != nil {
				return nil, fmt.Errorf("offset index: %w", err)
			}
			c.OffsetIndexOffset, c.OffsetIndexLength = p.out.offset, int32(len(b)) //nolint:gosec // Small.
			p.out.write(b)
		}
	}
	return groups, nil
}

// tellGroup gives what the footer says of a row group.
func (p *pages) tellGroup(x *index, i int) format.RowGroup {
	g := &x.groups[i]
	told := format.RowGroup{NumRows: int64(g.rows), Ordinal: int16(i)} //nolint:gosec // Only a hint.
	for k := range g.chunks {
		c := g.chunks[k].tell(&x.fields[k], &p.told[i][k], int64(g.rows))
		told.TotalByteSize += c.MetaData.TotalUncompressedSize
		told.TotalCompressedSize += c.MetaData.TotalCompressedSize
		told.Columns = append(told.Columns, c)
	}
	told.FileOffset = g.chunks[0].offset()
	return told
}

// offset is where a chunk begins.
func (c *chunk) offset() int64 {
	if c.encoding == encodingDictionary {
		return c.dictionary.offset
	}
	return c.pages[0].offset
}

// tell gives what the footer says of a chunk.
func (c *chunk) tell(f *field, t *told, rows int64) format.ColumnChunk {
	m := format.ColumnMetaData{
		Type: f.physical(), PathInSchema: []string{f.name}, Codec: format.Zstd, NumValues: rows,
		TotalUncompressedSize: t.raw, DataPageOffset: c.pages[0].offset,
		Statistics: format.Statistics{MinValue: t.low, MaxValue: t.high},
	}
	used := format.Plain
	switch c.encoding {
	case encodingDictionary:
		used = format.RLEDictionary
		m.Encoding = append(m.Encoding, format.Plain)
		m.DictionaryPageOffset = c.dictionary.offset
		m.TotalCompressedSize = int64(c.dictionary.size)
		m.EncodingStats = append(m.EncodingStats,
			format.PageEncodingStats{PageType: format.DictionaryPage, Encoding: format.Plain, Count: 1})
	case encodingDelta:
		used, m.Codec = format.DeltaBinaryPacked, format.Uncompressed
	default:
	}
	m.Encoding = append(m.Encoding, used, format.RLE)
	m.EncodingStats = append(m.EncodingStats, format.PageEncodingStats{
		PageType: format.DataPageV2, Encoding: used, Count: int32(len(c.pages)), //nolint:gosec // Few.
	})
	for i := range c.pages {
		m.TotalCompressedSize += int64(c.pages[i].size)
		m.Statistics.NullCount += int64(c.pages[i].empty)
	}
	if c.bloom.size > 0 {
		m.BloomFilterOffset, m.BloomFilterLength = c.bloom.offset, int32(c.bloom.size) //nolint:gosec // Bounded.
	}
	return format.ColumnChunk{MetaData: m}
}

// columnIndex tells the bounds of pages, or nil if they are not known.
func (t *told) columnIndex(c *chunk) *format.ColumnIndex {
	if len(t.pages) == 0 {
		return nil
	}
	x := &format.ColumnIndex{BoundaryOrder: format.Unordered}
	for i, b := range t.pages {
		null := c.pages[i].values() == 0
		if b[0] == nil && !null {
			return nil
		}
		x.NullPages = append(x.NullPages, null)
		x.MinValues = append(x.MinValues, append([]byte{}, b[0]...))
		x.MaxValues = append(x.MaxValues, append([]byte{}, b[1]...))
		x.NullCounts = append(x.NullCounts, int64(c.pages[i].empty))
	}
	return x
}

// offsetIndex tells where the pages are.
func (c *chunk) offsetIndex() *format.OffsetIndex {
	x := &format.OffsetIndex{}
	row := int64(0)
	for i := range c.pages {
		p := &c.pages[i]
		x.PageLocations = append(x.PageLocations, format.PageLocation{
			Offset: p.offset, FirstRowIndex: row,
			CompressedPageSize: int32(p.size), //nolint:gosec // Bounded by maxBlock.
		})
		row += int64(p.rows)
	}
	return x
}

func (f *field) physical() format.Type {
	if f.kind == kindText {
		return format.ByteArray
	}
	return format.Int64
}

// footer gives Parquet's metadata.
func (x *index) footer(groups []format.RowGroup) *format.FileMetaData {
	m := &format.FileMetaData{
		Version: 2, RowGroups: groups, CreatedBy: "weir " + x.program,
		Schema: []format.SchemaElement{{
			Name: "slices", NumChildren: thrift.New(int32(len(x.fields))), //nolint:gosec // Few.
		}},
		KeyValueMetadata: x.metadata(),
	}
	for i := range groups {
		m.NumRows += groups[i].NumRows
	}
	for i := range x.fields {
		m.Schema = append(m.Schema, x.fields[i].element())
		m.ColumnOrders = append(m.ColumnOrders, format.ColumnOrder{Value: &format.TypeDefinedOrder{}})
	}
	return m
}

// element gives what the schema says of a field.
func (f *field) element() format.SchemaElement {
	e := format.SchemaElement{
		Name: f.name, Type: thrift.New(f.physical()), RepetitionType: thrift.New(format.Optional),
	}
	switch f.kind {
	case kindStart:
		e.RepetitionType = thrift.New(format.Required)
		e.LogicalType.Value = &format.TimestampType{
			IsAdjustedToUTC: true, Unit: format.TimeUnit{Value: &format.NanoSeconds{}},
		}
	case kindMeasure:
		e.RepetitionType = thrift.New(format.Required)
		e.ConvertedType = thrift.New(deprecated.Uint64)
		e.LogicalType.Value = &format.IntType{BitWidth: 64}
	case kindText:
		e.ConvertedType = thrift.New(deprecated.UTF8)
		e.LogicalType.Value = &format.StringType{}
	default:
		e.LogicalType.Value = &format.IntType{BitWidth: 64, IsSigned: true}
		e.ConvertedType = thrift.New(deprecated.Int64)
	}
	return e
}

// columnDoc is what the metadata tells of a column.
type columnDoc struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Unit string `json:"unit,omitempty"`
	Set  bool   `json:"set,omitempty"`
	Doc  string `json:"doc,omitempty"`
}

// metadata tells other readers what the file is.
func (x *index) metadata() []format.KeyValue {
	n := x.info()
	docs := make([]columnDoc, 0, len(x.fields))
	for _, f := range x.fields {
		d := columnDoc{Name: f.name, Type: "integer"}
		switch f.kind {
		case kindStart:
			d.Type, d.Unit, d.Doc = "time", "nanoseconds since 1970", "When the slice of the row starts."
		case kindMeasure:
			d.Unit, d.Doc = measureUnits[f.measure], measureDocs[f.measure]
		default:
			if c := lookup(f.column); c != nil {
				d.Type, d.Unit, d.Set, d.Doc = c.Type, c.Unit, c.Set, c.Doc
			}
		}
		docs = append(docs, d)
	}
	told, err := json.Marshal(docs)
	if err != nil {
		told = []byte("[]") // Texts and flags can always be told.
	}
	const layout = "2006-01-02T15:04:05.999999999Z"
	return []format.KeyValue{
		{Key: "weir.columns", Value: string(told)},
		{Key: "weir.format", Value: "1"},
		{Key: "weir.from", Value: n.Span.Start.UTC().Format(layout)},
		{Key: "weir.resolution", Value: x.resolution.String()},
		{Key: "weir.tier", Value: x.tier},
		{Key: "weir.to", Value: n.Span.End.UTC().Format(layout)},
	}
}

//nolint:gochecknoglobals // Constant tables.
var (
	measureUnits = [...]string{"bytes", "packets", "bytes", "packets", "flows", "flows"}
	measureDocs  = [...]string{
		"Bytes that the local end sent, as lengths of IP packets.", "Packets that the local end sent.",
		"Bytes that the remote end sent, as lengths of IP packets.", "Packets that the remote end sent.",
		"Flows that began in the slice.", "Flows that ended in the slice.",
	}
)
