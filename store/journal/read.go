package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"weir/columns"
	"weir/internal/disk"
	"weir/messages"
	"weir/store"
)

// Which chooses slices. The zero value takes all.
type Which struct {
	// Segment takes those of one segment; 0 of all.
	Segment uint64
	// Span takes those that start in it; the zero span all.
	Span messages.Span
}

func (w *Which) holds(f *frame) bool {
	if f.hidden {
		return false
	}
	if w.Span == (messages.Span{}) {
		return true
	}
	start := f.span().Start
	return !start.Before(w.Span.Start) && start.Before(w.Span.End)
}

// view is what a reader sees: all slices up to an order.
type view struct {
	j        *Journal
	order    uint64
	segments []viewed
}

type viewed struct {
	*segment
	path   string
	frames []frame
}

// view takes hold of the segments that have chosen slices.
func (j *Journal) view(segment uint64, holds func(*frame) bool) *view {
	j.mu.Lock()
	defer j.mu.Unlock()
	v := &view{j: j, order: j.order}
	for _, s := range j.segments {
		if s.parked || segment != 0 && s.id != segment {
			continue
		}
		if slices.ContainsFunc(s.frames, func(f frame) bool { return holds(&f) }) {
			s.readers++
			v.segments = append(v.segments, viewed{segment: s, path: s.path(), frames: s.frames})
		}
	}
	return v
}

// only lets go of all segments but some; nil keeps all.
func (v *view) only(ids []uint64) {
	if ids == nil {
		return
	}
	v.j.mu.Lock()
	defer v.j.mu.Unlock()
	v.segments = slices.DeleteFunc(v.segments, func(s viewed) bool {
		if slices.Contains(ids, s.id) {
			return false
		}
		s.readers--
		return true
	})
}

func (v *view) release() {
	v.j.mu.Lock()
	defer v.j.mu.Unlock()
	for _, s := range v.segments {
		s.readers--
	}
}

// open opens the segment's file, which may have been dropped in the meantime.
func (s *viewed) open(d disk.FS) (disk.File, error) {
	f, err := d.Open(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return d.Open(strings.TrimSuffix(s.path, suffixSegment) + suffixParked)
	}
	return f, err
}

// walk reads chosen slices epoch by epoch.
type walk struct {
	holds func(*frame) bool
	// slice is told of each chosen slice before its rows are read; damage of what cannot be read.
	slice  func(f *frame, h *head) error
	damage func(lost []frame)
	// rows is called now and then, and at the end of each epoch: it takes the rows that the decoder has.
	rows func(d *decoder) error
	want []*columns.Column
	// headsOnly reads no rows.
	headsOnly bool
	bytes     uint64
}

func (v *view) walk(ctx context.Context, w *walk) error {
	for i := range v.segments {
		if err := v.segment(ctx, &v.segments[i], w); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(v.segments[i].path), err)
		}
	}
	return nil
}

func (v *view) segment(ctx context.Context, s *viewed, w *walk) error {
	f, err := s.open(v.j.fs)
	if err != nil {
		return err
	}
	defer f.Close()
	d := newDecoder(s.salt)
	if w.want != nil {
		d.want = func(c *columns.Column) bool { return slices.Contains(w.want, c) }
	}
	d.amend = &amending{from: v.j.amendments, limit: v.order}
	for from := 0; from < len(s.frames); {
		to := epochEnd(s.frames, from)
		epoch := s.frames[from:to]
		from = to
		last := len(epoch)
		for last > 0 && !w.holds(&epoch[last-1]) {
			last--
		}
		if last == 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := v.epoch(f, d, epoch[:last], w); err != nil {
			return err
		}
	}
	return nil
}

func (v *view) epoch(f disk.File, d *decoder, epoch []frame, w *walk) error {
	d.reset()
	d.amend.reset()
	d.amend.session = epoch[0].session
	e := epochReader{f: f, d: d, frames: epoch, headsOnly: w.headsOnly}
	e.begin = func(fr *frame) { d.amend.order = fr.order }
	var failed error
	err := e.read(func(fr *frame, h *head) {
		if failed == nil && w.holds(fr) {
			failed = w.slice(fr, h)
		}
	}, w.holds, func() error {
		if failed != nil || len(d.rows.defs) < blockRows {
			return failed
		}
		return w.rows(d)
	})
	w.bytes += e.bytes
	if err != nil {
		if !errors.Is(err, errDamaged) {
			return err
		}
		v.j.mu.Lock()
		v.j.state.Damaged++
		v.j.mu.Unlock()
		if w.damage != nil {
			w.damage(slices.DeleteFunc(slices.Clone(epoch[e.done:]), func(f frame) bool { return !w.holds(&f) }))
		}
	}
	if w.rows != nil {
		return w.rows(d)
	}
	return nil
}

// epochReader reads the frames of one epoch.
type epochReader struct {
	f         disk.File
	d         *decoder
	frames    []frame
	headsOnly bool
	// begin is told of each slice before it is read.
	begin func(*frame)
	// done is how many slices were read.
	done  int
	bytes uint64
}

// read reads the rows of the slices that holds chooses, and tells the head of each. An error that is errDamaged
// means that what is left of the epoch cannot be read; the rows before are there.
func (e *epochReader) read(told func(*frame, *head), holds func(*frame) bool, after func() error) error {
	first, last := &e.frames[0], &e.frames[len(e.frames)-1]
	r := reader{f: e.f, size: last.off + int64(last.size), at: first.off}
	for i := range e.frames {
		f := &e.frames[i]
		b, err := r.bytes(f.off, f.size)
		if err != nil {
			return err
		}
		e.bytes += uint64(len(b))
		payload := cutFrame(b, e.d.salt)
		if payload == nil {
			return fmt.Errorf("slice %d: %w", f.seq, errDamaged)
		}
		w := wire{b: payload}
		h := cutHead(&w, e.d.salt)
		if w.bad || h.seq != f.seq {
			return fmt.Errorf("slice %d: %w", f.seq, errDamaged)
		}
		if !e.headsOnly {
			kept := len(e.d.rows.defs)
			if e.begin != nil {
				e.begin(f)
			}
			if err := e.d.slice(&w, &h, f.start, holds(f)); err != nil {
				e.d.truncate(kept)
				return fmt.Errorf("slice %d: %w", f.seq, err)
			}
		}
		told(f, &h)
		e.done = i + 1
		if after != nil {
			if err := after(); err != nil {
				return err
			}
		}
	}
	return nil
}

// truncate takes back rows.
func (d *decoder) truncate(n int) {
	r := &d.rows
	r.defs, r.starts = r.defs[:n], r.starts[:min(n, len(r.starts))]
	for m := range r.measures {
		r.measures[m] = r.measures[m][:min(n, len(r.measures[m]))]
	}
	if d.amend != nil {
		d.amend.seen = min(d.amend.seen, n)
		d.amend.hits = slices.DeleteFunc(d.amend.hits, func(h hit) bool { return h.row >= n })
	}
}

// Blocks hands on the rows of the chosen slices with the chosen columns; nil takes all. A block holds until f
// returns. Rows that cannot be read are left out; Heads tells what is missing.
func (j *Journal) Blocks(
	ctx context.Context, want []*columns.Column, which Which, f func(*store.Block) error,
) error {
	v := j.view(which.Segment, which.holds)
	defer v.release()
	var block store.Block
	err := v.walk(ctx, &walk{
		holds: which.holds, want: want,
		slice: func(*frame, *head) error { return nil },
		rows:  func(d *decoder) error { return d.handOn(&block, f) },
	})
	if err != nil {
		return failure("read", err)
	}
	return nil
}

// handOn hands on all rows that were read, in blocks.
func (d *decoder) handOn(b *store.Block, f func(*store.Block) error) error {
	for from := 0; from < len(d.rows.defs); from += blockRows {
		d.block(b, from, min(blockRows, len(d.rows.defs)-from))
		if err := f(b); err != nil {
			return err
		}
	}
	d.clearRows()
	d.amend.clearRows()
	return nil
}

// Heads tells of the chosen slices what is known beside their rows, in the order in which they were written, with
// the rows that each has. A slice that cannot be read has a loss, and no rows.
func (j *Journal) Heads(ctx context.Context, which Which) (heads []store.Head, rows []int, err error) {
	v := j.view(which.Segment, which.holds)
	defer v.release()
	err = v.walk(ctx, &walk{
		holds: which.holds,
		slice: func(f *frame, h *head) error {
			heads, rows = append(heads, f.head(h)), append(rows, f.rows)
			return nil
		},
		damage: func(lost []frame) {
			for i := range lost {
				h := store.Head{Seq: lost[i].seq, Span: lost[i].span(), Losses: lost[i].lost()}
				heads, rows = append(heads, h), append(rows, 0)
			}
		},
		rows: func(d *decoder) error {
			d.clearRows()
			d.amend.clearRows()
			return nil
		},
		want: []*columns.Column{},
	})
	if err != nil {
		return nil, nil, failure("read", err)
	}
	return heads, rows, nil
}

// head gives the head of a slice as it is now.
func (f *frame) head(h *head) store.Head {
	out := h.storeHead(f.start - h.start)
	out.Losses = append(out.Losses, f.losses...)
	return out
}

// lost is the loss of a slice that cannot be read.
func (f *frame) lost() []messages.Loss {
	return append(slices.Clone(f.losses), messages.Loss{
		Source: "journal", Kind: messages.LossDamaged, Count: 1, Span: f.span(),
		Detail: "The slice cannot be read any more.",
	})
}

// Query adds what the journal knows about the request into the answer.
func (j *Journal) Query(ctx context.Context, r *store.Request, into *store.Partial) error {
	return j.QuerySegments(ctx, nil, r, into)
}

// QuerySegments is Query for some segments alone; nil asks all.
func (j *Journal) QuerySegments(ctx context.Context, ids []uint64, r *store.Request, into *store.Partial) error {
	if err := ctx.Err(); err != nil {
		return failure("query", err)
	}
	which := Which{Span: r.Span}
	if r.Span == (messages.Span{}) {
		return nil
	}
	v := j.view(0, which.holds)
	defer v.release()
	v.only(ids)
	scan := store.NewScan(r, into)
	var block store.Block
	w := &walk{holds: which.holds, want: columnsOf(r)}
	w.slice = func(f *frame, h *head) error {
		head := f.head(h)
		into.AddSlice(head.Span, head.Losses, head.Complete)
		into.AddOther(r.StepOf(head.Span.Start), head.Other)
		return nil
	}
	w.damage = func(lost []frame) {
		for i := range lost {
			into.Losses = store.MergeLosses(into.Losses, lost[i].lost())
		}
	}
	w.rows = func(d *decoder) error {
		return d.handOn(&block, func(b *store.Block) error {
			scan.AddBlock(b)
			return ctx.Err()
		})
	}
	if err := v.walk(ctx, w); err != nil {
		return failure("query", err)
	}
	into.Effort.Files += uint64(len(v.segments))
	into.Effort.BytesRead += w.bytes
	return nil
}

// columnsOf are the columns that a request looks at.
func columnsOf(r *store.Request) []*columns.Column {
	out := slices.Clone(r.By)
	if out == nil {
		out = []*columns.Column{}
	}
	var filter func(store.Filter)
	filter = func(f store.Filter) {
		switch f := f.(type) {
		case store.Match:
			out = append(out, f.Column)
		case store.Not:
			filter(f.Filter)
		case store.And:
			for _, part := range f {
				filter(part)
			}
		case store.Or:
			for _, part := range f {
				filter(part)
			}
		}
	}
	filter(r.Filter)
	return out
}
