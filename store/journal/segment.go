package journal

import (
	"path/filepath"
	"time"

	"weir/messages"
	"weir/store"
)

// segment is what is known of one file.
type segment struct {
	id     uint64
	salt   salt
	dir    string
	bucket int64
	size   int64
	frames []frame
	// closed says that nothing is appended any more, parked that its rows are not shown.
	closed, parked, damaged bool
	// readers are how many read it now; it is not removed before they are done.
	readers int
}

// frame is a slice in a segment.
type frame struct {
	off  int64
	size int
	seq  uint64
	// start and end are as they are now; what is written may have been relabelled since.
	start, end int64
	rows       int
	folded     uint64
	flags      byte
	// hidden: only its definitions are of use.
	hidden bool
	// order counts slices as they were written, over all segments; session is the one that wrote it.
	order   uint64
	session salt
	// losses are what is told beside the slice's own.
	losses []messages.Loss
}

func (s *segment) path() string {
	suffix := suffixSegment
	if s.parked {
		suffix = suffixParked
	}
	return filepath.Join(s.dir, segmentName(s.id, s.salt)+suffix)
}

// Segment is one file of the journal.
type Segment struct {
	// ID numbers segments in the order in which they were begun.
	ID uint64
	// Name is like that of no other segment, also if the numbers begin anew some day.
	Name string
	// Span runs from the earliest start of a slice to the latest end.
	Span messages.Span
	// First and Last are the numbers of the first and the last slice.
	First, Last uint64
	// Slices, Rows and Bytes are what is in it.
	Slices, Rows, Bytes uint64
	// Closed: nothing is appended any more.
	Closed bool
	// Damaged: some of it cannot be read.
	Damaged bool
}

func (s *segment) tell() Segment {
	t := Segment{
		ID: s.id, Name: segmentName(s.id, s.salt), Closed: s.closed, Damaged: s.damaged,
		Bytes: uint64(s.size), //nolint:gosec // A size.
	}
	for i := range s.frames {
		f := &s.frames[i]
		if f.hidden {
			continue
		}
		if t.Slices == 0 {
			t.First = f.seq
		}
		t.Last = f.seq
		t.Slices++
		t.Rows += uint64(f.rows) //nolint:gosec // A count.
		t.Span = store.Hull(t.Span, f.span())
	}
	return t
}

func (f *frame) span() messages.Span {
	return messages.Span{Start: time.Unix(0, f.start), End: time.Unix(0, f.end)}
}

// shift moves the times of the slices since a number. Readers hold on to the old ones.
func (s *segment) shift(r relabel) {
	frames := append(make([]frame, 0, cap(s.frames)), s.frames...)
	for i := range frames {
		f := &frames[i]
		if f.seq < r.since || f.start+r.shift < earliest || f.end+r.shift > latest {
			continue
		}
		f.start += r.shift
		f.end += r.shift
		f.losses = shiftLosses(f.losses, r.shift)
	}
	s.frames = frames
}

func shiftLosses(list []messages.Loss, by int64) []messages.Loss {
	out := make([]messages.Loss, 0, len(list))
	for _, l := range list {
		if l.Span != (messages.Span{}) {
			l.Span.Start = l.Span.Start.Add(time.Duration(by))
			l.Span.End = l.Span.End.Add(time.Duration(by))
		}
		out = append(out, l)
	}
	return out
}
