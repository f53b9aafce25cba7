// Package bucket keeps slices in files that never change: one file for each bucket of time, written as a whole.
//
// A file is Apache Parquet, readable by any tool; docs/formats/bucket.md draws it. The encodings, the metadata and the
// Bloom filters are those of the library parquet-go. Pages are put together and taken apart here, since rows come
// and go as numbers of cells, and a library that takes values would look up each text again. A part of the file that
// other readers do not look at, the index, tells for each page where it is, what it holds and its checksum: nothing
// is decoded that was not verified.
//
// [Write] writes a file, [Open] opens one, and a [Tier] answers queries from a directory of them.
package bucket

import (
	"errors"
	"fmt"
	"time"

	"weir/columns"
	"weir/messages"
)

const (
	// groupRows is how many rows are sorted and encoded together.
	groupRows = 65_536
	// pageRows is how many rows a page holds, in every column the same ones.
	pageRows = 8_192
	// groupText bounds the texts of the cells of a row group, in bytes: it is cut short when they are more.
	groupText = 8 << 20
)

// ErrDamaged says that the bytes of a file are not those that were written.
var ErrDamaged = errors.New("damaged file")

// damaged makes an error of which ErrDamaged is a part.
func damaged(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, a...))
}

// Options say what a file is about.
type Options struct {
	// Tier is the name of the tier that the file is of.
	Tier string
	// Resolution is the length of its slices.
	Resolution time.Duration
	// Bucket is the span of time that the file is for; zero if it is just for the slices in it.
	Bucket messages.Span
	// Columns are the columns that are kept; nil keeps those that the rows have.
	Columns []*columns.Column
	// Sources name what was rolled up into the file.
	Sources []string
	// Program is the version of the program that writes it.
	Program string
}

// Info is what a file tells about itself.
type Info struct {
	// Path is where it is.
	Path       string
	Tier       string
	Program    string
	Resolution time.Duration
	// Bucket is the span that it is for, Span that of the slices in it.
	Bucket, Span messages.Span
	// First and Last are the least and the greatest number of a slice.
	First, Last uint64
	Slices      uint64
	Rows        uint64
	// Bytes is how long it is.
	Bytes uint64
	// Totals sum all rows, also those without columns, and Other these alone.
	Totals, Other messages.Totals
	Sources       []string
	// Columns name the columns that have cells in it, Unknown those of them that this build lacks.
	Columns, Unknown []string
	// Losses are those of all slices.
	Losses []messages.Loss
}
