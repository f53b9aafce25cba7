package tiers

import (
	"context"
	"fmt"
	"slices"

	"weir/messages"
	"weir/store/bucket"
)

// rollNext rolls up the oldest bucket of the finest tier that is ready.
func (s *Store) rollNext(ctx context.Context) (bool, error) {
	for level := 1; level < len(s.options.Levels); level++ {
		span, sources := s.ready(level)
		if len(sources) == 0 {
			continue
		}
		if err := s.rollUp(ctx, level, span, sources); err != nil {
			return false, fmt.Errorf("roll up into tier %s: %w", s.options.Levels[level].Name, err)
		}
		return true, nil
	}
	return false, nil
}

// ready finds a bucket of a level for which all finer files are there, some of which are not in it yet.
func (s *Store) ready(level int) (span messages.Span, sources []*file) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.catalog
	width := s.options.Levels[level].Bucket.Duration
	// Where a finer level waits, or the journal has slices, more is to come.
	open := slices.Clone(c.waiting[level-1])
	for _, g := range s.segments() {
		if g.span != (messages.Span{}) {
			open = append(open, g.span)
		}
	}
	now := s.clock.start
	for _, f := range c.unrolled(level - 1) {
		b := outer(f.info.Bucket, width)
		if len(sources) > 0 && !b.Start.Equal(span.Start) {
			break // Files are in order of time.
		}
		// What lies ahead of the clock waits for it, unless that is so far that the clock must have been wrong.
		ahead := b.End.After(now) && b.Start.Before(now.Add(width))
		if ahead || s.tooOld(level, b) || slices.ContainsFunc(open, b.Overlaps) {
			continue
		}
		span, sources = b, append(sources, f)
	}
	return span, sources
}

// tooOld says that a bucket would be removed soon after it was made. One that is too old for its tier is made all the
// same, since the way to the coarser ones leads through it. It needs mu.
func (s *Store) tooOld(level int, b messages.Span) bool {
	l := &s.options.Levels[level]
	if s.outlived(b, s.clock.now()) {
		return true
	}
	if !b.End.After(s.floor[level]) {
		return true
	}
	files := s.catalog.files[level]
	if len(files) == 0 || b.End.After(files[0].info.Bucket.Start) {
		return false
	}
	tight := func(have, bound uint64) bool { return bound > 0 && have > bound-bound/8 }
	bound := uint64(l.Bytes) //nolint:gosec // Not negative.
	return tight(s.catalog.bytes[level], bound) || tight(s.used(), s.options.Bytes)
}

// rollUp makes a bucket of a level out of files of the one before.
func (s *Store) rollUp(ctx context.Context, level int, span messages.Span, sources []*file) error {
	m := making{level: level, bucket: span, first: sources[0].info.First, keep: s.chain[level]}
	size := uint64(0)
	for _, f := range sources {
		m.first, m.last = min(m.first, f.info.First), max(m.last, f.info.Last)
		m.sources = append(m.sources, source(s.options.Levels[level-1].Name, f.name))
		for _, r := range f.keep.rules {
			m.keep = m.keep.with(r)
		}
		size += f.info.Bytes
	}
	if err := s.makeRoom(size); err != nil {
		return err
	}
	// Making room may have removed what was to be rolled up; then the next step finds what there is.
	for _, f := range sources {
		if !s.has(level-1, f) {
			return nil
		}
	}
	f, err := s.makeFile(ctx, &m, func(w *bucket.Writer) error { return s.rollFiles(ctx, level, sources, w) })
	if err != nil {
		return err
	}
	s.show(level, f)
	return nil
}

// rollFiles rolls files up into a level, in order of time.
func (s *Store) rollFiles(ctx context.Context, level int, sources []*file, w *bucket.Writer) error {
	r := s.newRoll(&s.options.Levels[level])
	for len(sources) > 0 {
		b := sources[0].info.Bucket
		n := 1
		for n < len(sources) && sources[n].info.Bucket.Start.Before(b.End) {
			if e := sources[n].info.Bucket.End; e.After(b.End) {
				b.End = e
			}
			n++
		}
		if err := rollTogether(ctx, r, sources[:n], outer(b, r.slice), w); err != nil {
			return err
		}
		sources = sources[n:]
	}
	return nil
}

// rollTogether rolls up files of one bucket.
func rollTogether(ctx context.Context, r *roll, files []*file, span messages.Span, w rollSink) error {
	together := make([]rollSource, 0, len(files))
	rows := uint64(0)
	for _, f := range files {
		together = append(together, f)
		rows += f.info.Rows
	}
	return r.run(ctx, together, span, rows, w)
}

// has says whether a file is still there.
func (s *Store) has(level int, f *file) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.catalog.files[level], f)
}

// used is what files and journal take. It needs mu.
func (s *Store) used() uint64 {
	sum := s.catalog.total()
	if s.log != nil {
		for _, g := range s.log.segments() {
			sum += g.bytes
		}
	}
	return sum
}
