package bucket

import (
	"math"
	"slices"
	"time"

	"weir/messages"
	"weir/store"
)

// index is what a reader of ours knows of a file: where everything is, and its checksums.
type index struct {
	tier, program string
	resolution    time.Duration
	bucket        messages.Span
	sources       []string
	fields        []field
	heads         []head
	totals        messages.Totals
	groups        []rowGroup
	// body is the checksum of all that comes before the index in the file.
	body uint32
}

// kind is what a column of the file holds; the numbers are part of the format.
type kind uint8

const (
	// starts is when the slice of a row starts, in nanoseconds since 1970.
	kindStart kind = 1
	// measures are counts; field.measure tells which.
	kindMeasure kind = 2
	// texts are cells as texts.
	kindText kind = 3
	// integers are cells as integers.
	kindInteger kind = 4
)

// field is one column of the file.
type field struct {
	// name is the column's name in Parquet, column that of ours, which several fields may have in common.
	name, column string
	kind         kind
	measure      store.Measure
}

// head is a slice of the file.
type head struct {
	store.Head
	// rows is how many rows say that they start when it does; of two slices that start together the first has
	// them all.
	rows uint64
}

// rowGroup is some rows that were sorted and encoded together.
type rowGroup struct {
	rows int
	// first and last are when the first and the last slice start of which there are rows.
	first, last int64
	// chunks are by field.
	chunks []chunk
}

// encoding says how the values of a page are written; the numbers are part of the format.
type encoding uint8

const (
	// empty pages hold no values: all cells are empty.
	encodingEmpty encoding = 0
	// dictionary: values are numbers of entries of a dictionary, compressed.
	encodingDictionary encoding = 1
	// delta: differences, packed, not compressed.
	encodingDelta encoding = 2
	// plain: eight bytes each, compressed.
	encodingPlain encoding = 3
	encodings     encoding = 4
)

// chunk is one field of a row group.
type chunk struct {
	encoding encoding
	// dictionary has entries values; bloom is where its Bloom filter is.
	dictionary, bloom block
	entries           int
	pages             []page
}

// block is a stretch of the file with its checksum.
type block struct {
	offset int64
	// size is that of the whole stretch, header the part before the payload, and raw how long the payload is when it
	// is not compressed.
	size, header, raw int
	sum               uint32
}

// page is one page of a chunk: pageRows rows, but for the last one.
type page struct {
	block
	rows int
	// levels is how long the levels are that tell which cells are empty, and empty how many are.
	levels, empty int
	// low and high are the least and the greatest number in the dictionary, from 1; low is above high if all cells
	// are empty or there is no dictionary.
	low, high uint32
}

// values is how many cells of a page are not empty.
func (p *page) values() int { return p.rows - p.empty }

// empties says whether some cells of a chunk are empty.
func (c *chunk) empties() bool {
	return slices.ContainsFunc(c.pages, func(p page) bool { return p.empty > 0 })
}

// span is that of all slices.
func (x *index) span() (span messages.Span) {
	for i := range x.heads {
		span = store.Hull(span, x.heads[i].Span)
	}
	return span
}

// info tells what is in the index.
func (x *index) info() Info {
	n := Info{
		Tier: x.tier, Program: x.program, Resolution: x.resolution, Bucket: x.bucket, Span: x.span(),
		First: math.MaxUint64, Slices: uint64(len(x.heads)), Totals: x.totals, Sources: x.sources,
	}
	for i := range x.heads {
		h := &x.heads[i]
		n.First, n.Last = min(n.First, h.Seq), max(n.Last, h.Seq)
		n.Losses = store.MergeLosses(n.Losses, h.Losses)
		n.Other.Add(h.Other)
	}
	if len(x.heads) == 0 {
		n.First = 0
	}
	if n.Bucket == (messages.Span{}) {
		n.Bucket = n.Span
	}
	for i := range x.groups {
		n.Rows += uint64(x.groups[i].rows) //nolint:gosec // A count.
	}
	for _, f := range x.fields {
		if f.column == "" || slices.Contains(n.Columns, f.column) {
			continue
		}
		n.Columns = append(n.Columns, f.column)
		if lookup(f.column) == nil {
			n.Unknown = append(n.Unknown, f.column)
		}
	}
	return n
}
