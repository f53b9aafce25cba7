package tiers

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"weir/columns"
	"weir/messages"
	"weir/store"
	"weir/store/bucket"
)

func isCancelled(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

const (
	// believed is the year before which no time is believed: segments with such slices wait for the clock to be set.
	believed = 2025
	// relabelling is how many slices after that those before may still be labelled anew.
	relabelling = 60
)

// settled says that the slices of a segment will not be labelled anew.
func (c *clock) settled(g *segment) bool {
	return g.span.Start.Year() >= believed || c.start.Year() >= believed && c.last > g.last+relabelling
}

// Work does all that is to be done in the background, step by step.
func (s *Store) Work(ctx context.Context) error {
	for {
		did, err := s.Step(ctx)
		if err != nil || !did {
			return err
		}
	}
}

// Step does one step of the work in the background: it moves one segment of the journal into files, rolls one
// bucket up, or removes what is too old or too much. did says whether there was anything to do. Whenever it ends
// before its time, by an error, the context or the power, the step is done again, and no row is twice or missing.
func (s *Store) Step(ctx context.Context) (did bool, err error) {
	s.working.Lock()
	defer s.working.Unlock()
	did, err = s.step(ctx)
	s.mu.Lock()
	s.state.Work = ""
	if err != nil && !isCancelled(err) {
		cause, _ := explain(err, s.options.Dir)
		s.state.Work = cause
	}
	s.mu.Unlock()
	return did, err
}

func (s *Store) step(ctx context.Context) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if err := s.recover(); err != nil {
		return false, err
	}
	if err := s.sweep(); err != nil {
		return false, err
	}
	for _, do := range []func(context.Context) (bool, error){s.forgetMoved, s.rollNext, s.moveSegment, s.retain} {
		if did, err := do(ctx); did || err != nil {
			return did, err
		}
	}
	return false, nil
}

// recover opens what could not be opened, and looks again at the files if a change of them failed.
func (s *Store) recover() error {
	s.appending.Lock()
	defer s.appending.Unlock()
	if err := s.open(); err != nil {
		return err
	}
	s.flush()
	s.mu.Lock()
	stale := s.stale
	s.mu.Unlock()
	if !stale {
		return nil
	}
	files, err := s.loadFiles()
	if err != nil {
		return err
	}
	if files[0], err = s.removeParts(files[0], s.log); err != nil {
		return errors.Join(err, closeAll(files))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.catalog
	for k := range files {
		files[k] = slices.DeleteFunc(files[k], s.condemned)
	}
	s.replace(files)
	s.discard("", func() error { return closeAll(old.files) })
	s.stale = false
	return nil
}

// condemned says that a file is on disk only until nobody reads it any more. It needs mu.
func (s *Store) condemned(f *file) bool {
	if !slices.ContainsFunc(s.garbage, func(g garbage) bool { return g.path == f.info.Path }) {
		return false
	}
	_ = f.Close() // It was only read.
	return true
}

func closeAll(files [][]*file) (err error) {
	for _, level := range files {
		for _, f := range level {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}

// discard does something once nobody reads what is not in the catalog any more. It needs mu.
func (s *Store) discard(path string, remove func() error) {
	s.garbage = append(s.garbage, garbage{generation: s.catalog.generation, path: path, remove: remove})
}

// sweep removes what nobody reads any more.
func (s *Store) sweep() error {
	s.mu.Lock()
	oldest := s.catalog.generation
	for g := range s.readers {
		oldest = min(oldest, g)
	}
	var due []garbage
	s.garbage = slices.DeleteFunc(s.garbage, func(g garbage) bool {
		if g.generation > oldest {
			return false
		}
		due = append(due, g)
		return true
	})
	s.mu.Unlock()
	for i, g := range due {
		if err := g.remove(); err != nil {
			s.mu.Lock()
			s.garbage = append(s.garbage, due[i:]...)
			s.mu.Unlock()
			return err
		}
	}
	return nil
}

// forgetMoved drops a segment whose rows are in files, as after a crash between the two.
func (s *Store) forgetMoved(context.Context) (bool, error) {
	s.mu.Lock()
	c, l := s.catalog, s.log
	oldest := c.generation
	for g := range s.readers {
		oldest = min(oldest, g)
	}
	s.mu.Unlock()
	if oldest < c.generation {
		return false, nil // Somebody may still read it. It is asked for again with the next step.
	}
	for _, g := range l.segments() {
		if c.moved[g.name] && g.closed {
			if err := l.drop(g.id); err != nil {
				return false, fmt.Errorf("drop segment: %w", err)
			}
			return true, nil
		}
	}
	return false, nil
}

// moveSegment puts the rows of the oldest closed segment into files of the first tier.
func (s *Store) moveSegment(ctx context.Context) (bool, error) {
	s.mu.Lock()
	l, segments, now := s.log, s.segments(), s.clock
	s.mu.Unlock()
	at := slices.IndexFunc(segments, func(g segment) bool { return g.closed && (g.slices == 0 || now.settled(&g)) })
	if at < 0 {
		return false, nil
	}
	g := segments[at]
	heads, err := l.heads(g.id)
	if err != nil {
		return false, fmt.Errorf("move segment: %w", err)
	}
	if len(heads) == 0 {
		if err := l.drop(g.id); err != nil {
			return false, fmt.Errorf("drop segment: %w", err)
		}
		return true, nil
	}
	parts := s.split(heads)
	if err := s.makeRoom(g.bytes); err != nil {
		return false, fmt.Errorf("move segment: %w", err)
	}
	made := make([]*file, 0, len(parts))
	for _, p := range parts {
		f, err := s.movePart(ctx, &g, &p, len(parts))
		if err != nil {
			// The parts that are there are removed before the next attempt.
			return false, errors.Join(fmt.Errorf("move segment: %w", err), closeAll([][]*file{made}))
		}
		made = append(made, f)
	}
	s.show(0, made...)
	return true, nil
}

// show adds files to what those read who begin now.
func (s *Store) show(level int, made ...*file) {
	s.mu.Lock()
	defer s.mu.Unlock()
	files := slices.Clone(s.catalog.files)
	files[level] = append(slices.Clone(files[level]), made...)
	s.replace(files)
}

// part is what of a segment goes into one file.
type part struct {
	bucket messages.Span
	heads  []store.Head
}

// split shares the slices of a segment out to buckets. Mostly it is one; after the clock was set it may be more.
func (s *Store) split(heads []store.Head) []part {
	width := s.options.Levels[0].Bucket.Duration
	var parts []part
	for _, h := range heads {
		start := h.Span.Start.Truncate(width)
		at := slices.IndexFunc(parts, func(p part) bool { return p.bucket.Start.Equal(start) })
		if at < 0 {
			at = len(parts)
			parts = append(parts, part{bucket: messages.Span{Start: start, End: start.Add(width)}})
		}
		parts[at].heads = append(parts[at].heads, h)
	}
	return parts
}

// movePart writes one file of a segment.
func (s *Store) movePart(ctx context.Context, g *segment, p *part, of int) (*file, error) {
	first, end := p.heads[0].Seq, p.heads[0].Seq
	for _, h := range p.heads {
		first, end = min(first, h.Seq), max(end, h.Seq)
	}
	source := &segmentSource{log: s.log, id: g.id, slots: p.heads}
	m := making{
		level: 0, bucket: p.bucket, first: first, last: end, keep: s.chain[0],
		sources: []string{partSource(g.name, of)},
	}
	return s.makeFile(ctx, &m, func(w *bucket.Writer) error {
		l := &s.options.Levels[0]
		if r := ruleOf(l); !r.all() || l.TopK > 0 || l.MinBytes > 0 {
			return s.newRoll(l).run(ctx, []rollSource{only(source, p.bucket, of)}, p.bucket, g.rows, w)
		}
		for i := range p.heads {
			if err := w.Head(&p.heads[i]); err != nil {
				return err
			}
		}
		return only(source, p.bucket, of).Blocks(ctx, nil, func(b *store.Block) error {
			if err := s.pace(ctx, b.Rows); err != nil {
				return err
			}
			return w.Block(b)
		})
	})
}

// making says what file is to be made.
type making struct {
	level       int
	bucket      messages.Span
	first, last uint64
	sources     []string
	keep        keep
	// name is that of the file that it takes the place of, or empty.
	name string
}

// makeFile writes a file and opens it.
func (s *Store) makeFile(ctx context.Context, m *making, feed func(w *bucket.Writer) error) (*file, error) {
	l := &s.options.Levels[m.level]
	if m.name == "" {
		m.name = fileName(m.bucket.Start, m.first, m.last)
	}
	path := filepath.Join(s.folder(m.level), m.name)
	o := bucket.Options{
		Tier: l.Name, Resolution: l.Slice.Duration, Bucket: m.bucket,
		Sources: append(m.keep.texts(), m.sources...), Program: s.options.Program,
	}
	f, err := s.writeAndOpen(ctx, path, o, feed)
	if err != nil {
		s.mu.Lock()
		s.stale = true // The file may be there or not, now or after a power cut.
		s.mu.Unlock()
	}
	return f, err
}

func (s *Store) writeAndOpen(
	ctx context.Context, path string, o bucket.Options, feed func(w *bucket.Writer) error,
) (*file, error) {
	if err := s.options.FS.MkdirAll(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if _, err := bucket.Write(ctx, s.options.FS, path, o, feed); err != nil {
		return nil, err
	}
	f, err := bucket.Open(s.options.FS, path)
	if err != nil {
		return nil, err
	}
	return newFile(f), nil
}

// only are the rows of a source in a span; of a source that has no others it is the source.
func only(s rollSource, span messages.Span, of int) rollSource {
	if of == 1 {
		return s
	}
	return &rowsIn{rollSource: s, span: span}
}

// rowsIn are the rows of a source whose slices start in a span.
type rowsIn struct {
	rollSource
	span messages.Span
}

// Blocks hands on the rows.
func (r *rowsIn) Blocks(ctx context.Context, want []*columns.Column, f func(*store.Block) error) error {
	return r.rollSource.Blocks(ctx, want, func(b *store.Block) error {
		rows := make([]int, 0, b.Rows)
		for i := range b.Rows {
			at := time.Unix(0, int64(b.Starts.At(i))) //nolint:gosec // It was one.
			if !at.Before(r.span.Start) && at.Before(r.span.End) {
				rows = append(rows, i)
			}
		}
		switch len(rows) {
		case 0:
			return nil
		case b.Rows:
			return f(b)
		}
		return f(pick(b, rows))
	})
}

// pick gives some rows of a block as one of their own.
func pick(b *store.Block, rows []int) *store.Block {
	n := &store.Block{Part: store.Part{Rows: len(rows)}}
	wide := make([]uint64, len(rows))
	take := func(from *store.Ints) store.Ints {
		for i, row := range rows {
			wide[i] = from.At(row)
		}
		return store.IntsOf(nil, wide)
	}
	n.Starts = take(&b.Starts)
	for m := range b.Measures {
		n.Measures[m] = take(&b.Measures[m])
	}
	for i := range b.Cells {
		c := b.Cells[i]
		c.IDs = take(&c.IDs)
		n.Cells = append(n.Cells, c)
	}
	return n
}

// newRoll makes a roll at the pace of the store.
func (s *Store) newRoll(l *Level) *roll {
	r := newRoll(l, ruleOf(l))
	r.pace = s.pace
	return r
}

// pace waits as long as so many rows may take.
func (s *Store) pace(ctx context.Context, rows int) error {
	if s.options.Rate <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(time.Duration(rows) * time.Second / time.Duration(s.options.Rate))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
