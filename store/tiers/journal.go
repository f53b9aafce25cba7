package tiers

import (
	"context"

	"weir/columns"
	"weir/messages"
	"weir/store"
)

// segment is one file of the journal.
type segment struct {
	// name is like that of no other segment there ever was; id is how the journal calls it.
	name string
	id   uint64
	// span runs from the earliest start of a slice to the latest end.
	span                messages.Span
	first, last         uint64
	slices, rows, bytes uint64
	// folded counts rows without columns.
	folded uint64
	// closed: nothing is appended any more.
	closed bool
}

// log is the journal as the manager needs it.
type log interface {
	// append keeps a slice; when it returns nil the slice is as safe as was asked for.
	append(s *messages.Slice) error
	relabel(since uint64, by int64) error
	// segments lists what there is, without what was dropped, in the order in which they were begun.
	segments() []segment
	heads(id uint64) ([]store.Head, error)
	blocks(ctx context.Context, id uint64, want []*columns.Column, f func(*store.Block) error) error
	// query asks some segments.
	query(ctx context.Context, ids []uint64, r *store.Request, into *store.Partial) error
	// drop forgets the rows of a segment, which are in bucket files now.
	drop(id uint64) error
	// written counts the bytes that were written so far.
	written() uint64
	// rotate closes the segment that is being written.
	rotate() error
	close() error
}

// segmentSource is a segment as something to roll up.
type segmentSource struct {
	log   log
	id    uint64
	slots []store.Head
}

// Heads are the slices of the segment.
func (s *segmentSource) Heads() []store.Head { return s.slots }

// Blocks hands on its rows.
func (s *segmentSource) Blocks(ctx context.Context, want []*columns.Column, f func(*store.Block) error) error {
	return s.log.blocks(ctx, s.id, want, f)
}
