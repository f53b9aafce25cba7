package tiers

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/columns"
	"weir/internal/disk"
	"weir/messages"
	"weir/store"
	"weir/store/bucket"
)

// holdings are what a view asks, for those who want rows.
type holdings struct {
	files    []*file
	segments []segment
}

// sourcesIn are the files and segments of a view that have slices in a span.
func (h *holdings) sourcesIn(l log, span messages.Span) (sources []rollSource, rows uint64, err error) {
	for _, f := range h.files {
		if f.info.Slices > 0 && f.info.Span.Overlaps(span) {
			sources, rows = append(sources, f), rows+f.info.Rows
		}
	}
	for _, g := range h.segments {
		if g.slices == 0 || !g.span.Overlaps(span) {
			continue
		}
		heads, err := l.heads(g.id)
		if err != nil {
			return nil, 0, err
		}
		sources, rows = append(sources, &segmentSource{log: l, id: g.id, slots: heads}), rows+g.rows
	}
	return sources, rows, nil
}

// rows hands on all slices that start in a span with their rows, of each instant the finest that there is: heads
// before rows. What is told of a slice is told once.
func (s *Store) rows(ctx context.Context, span messages.Span, into rollSink, progress Progress) error {
	s.mu.Lock()
	c := s.catalog
	s.readers[c.generation]++
	v := viewer{store: s, log: s.log, catalog: c, segments: s.segments()}
	views := v.views()
	s.mu.Unlock()
	defer s.release(c.generation)
	infos := make([]store.TierInfo, len(views))
	for i := range views {
		infos[i] = views[i].TierInfo
	}
	done, of := uint64(0), uint64(0)
	slice := s.options.Levels[0].Slice.Duration
	finest := &store.Request{Span: span, By: columns.All(), Origin: span.Start.Truncate(slice), Step: slice}
	for _, p := range store.Plan(infos, finest) {
		sources, rows, err := v.held[p.Tier].sourcesIn(v.log, p.Span)
		if err != nil {
			return err
		}
		of += rows
		for _, source := range sources {
			err := copyRows(ctx, source, p.Read, into, func(rows int) {
				if done += uint64(rows); progress != nil { //nolint:gosec // A count.
					progress(done, of)
				}
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// copyRows hands on what of a source starts in a span.
func copyRows(ctx context.Context, from rollSource, span messages.Span, into rollSink, read func(rows int)) error {
	for _, h := range from.Heads() {
		if !h.Span.Start.Before(span.Start) && h.Span.Start.Before(span.End) {
			if err := into.Head(&h); err != nil {
				return err
			}
		}
	}
	return (&rowsIn{rollSource: from, span: span}).Blocks(ctx, nil, func(b *store.Block) error {
		read(b.Rows)
		return into.Block(b)
	})
}

// Export writes all slices that start in a span, of each instant the finest there is, into one Parquet file at a
// path that any tool can read and [Store.Import] takes back.
func (s *Store) Export(
	ctx context.Context, fs disk.FS, path string, span messages.Span, progress Progress,
) (bucket.Info, error) {
	o := bucket.Options{
		Tier: "export", Resolution: s.options.Levels[0].Slice.Duration, Program: s.options.Program,
		Sources: []string{"export"},
	}
	info, err := bucket.Write(ctx, fs, path, o, func(w *bucket.Writer) error { return s.rows(ctx, span, w, progress) })
	if err != nil {
		return info, fmt.Errorf("export: %w", err)
	}
	return info, nil
}

// ExportCSV writes the same as text: a line for each row with the start of its slice, its cells, and its counts.
// Sets are JSON arrays. A line of which the column other says yes sums rows that have no columns.
func (s *Store) ExportCSV(ctx context.Context, w io.Writer, span messages.Span, progress Progress) error {
	out := &csvSink{w: csv.NewWriter(w), columns: columns.All()}
	out.line = append(out.line, "start", "other")
	for _, c := range out.columns {
		out.line = append(out.line, c.Name)
	}
	out.line = append(out.line, "up.bytes", "up.packets", "down.bytes", "down.packets", "started", "ended")
	if err := out.w.Write(out.line); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	if err := s.rows(ctx, span, out, progress); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	out.w.Flush()
	if err := out.w.Error(); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}

// csvSink writes rows as text.
type csvSink struct {
	w       *csv.Writer
	columns []*columns.Column
	line    []string
}

// Head writes what of a slice has no columns.
func (c *csvSink) Head(h *store.Head) error {
	if h.Other == (messages.Totals{}) {
		return nil
	}
	c.line = append(c.line[:0], h.Span.Start.UTC().Format(time.RFC3339Nano), "yes")
	for range c.columns {
		c.line = append(c.line, "")
	}
	t := &h.Other
	for _, n := range []uint64{t.Up.Bytes, t.Up.Packets, t.Down.Bytes, t.Down.Packets, t.Started, t.Ended} {
		c.line = append(c.line, strconv.FormatUint(n, 10))
	}
	return c.w.Write(c.line)
}

// Block writes rows.
func (c *csvSink) Block(b *store.Block) error {
	cells := make([]*store.PartCells, len(c.columns))
	for i, column := range c.columns {
		cells[i] = b.Find(column)
	}
	for row := range b.Rows {
		start := time.Unix(0, int64(b.Starts.At(row))) //nolint:gosec // It was one.
		c.line = append(c.line[:0], start.UTC().Format(time.RFC3339Nano), "")
		for i, column := range c.columns {
			text := ""
			if cells[i] != nil {
				id := int(cells[i].IDs.At(row)) //nolint:gosec // Checked when it was read.
				text = cellText(column, cells[i].Dict.At(id))
			}
			c.line = append(c.line, text)
		}
		for m := range b.Measures {
			c.line = append(c.line, strconv.FormatUint(b.Measures[m].At(row), 10))
		}
		if err := c.w.Write(c.line); err != nil {
			return err
		}
	}
	return nil
}

func cellText(c *columns.Column, v columns.Value) string {
	switch {
	case v == "":
		return ""
	case c.Set:
		text, err := json.Marshal(c.FormatSet(v))
		if err != nil {
			return ""
		}
		return string(text)
	}
	return c.Format(v)
}

// Imported says what of a file was taken.
type Imported struct {
	// Slices and Rows were taken, into so many files.
	Slices, Rows uint64
	Files        int
	// Skipped counts slices of buckets in which there is something already: nothing is counted twice.
	Skipped uint64
}

// ErrNotExport is what a file is that Export has not written.
var ErrNotExport = errors.New("no file that was exported")

// Import takes a file back that [Store.Export] wrote. Its slices go into the finest tier whose slices are as long
// or longer.
func (s *Store) Import(ctx context.Context, fs disk.FS, path string, progress Progress) (done Imported, err error) {
	x, err := bucket.Open(fs, path)
	if err != nil {
		return done, fmt.Errorf("import: %w", err)
	}
	defer x.Close() //nolint:errcheck // It was only read.
	if err := x.Verify(ctx); err != nil {
		return done, fmt.Errorf("import: %w", err)
	}
	if !slices.Contains(x.Info().Sources, "export") {
		return done, fmt.Errorf("import %s: %w", filepath.Base(path), ErrNotExport)
	}
	s.working.Lock()
	defer s.working.Unlock()
	parts := s.splitImport(x.Heads())
	for i, p := range parts {
		if err := s.importPart(ctx, x, &p, &done); err != nil {
			return done, fmt.Errorf("import: %w", err)
		}
		if progress != nil {
			progress(uint64(i)+1, uint64(len(parts))) //nolint:gosec // Counts.
		}
	}
	return done, nil
}

// importPart is what of an imported file goes into one file.
type importPart struct {
	level int
	part
}

// splitImport shares slices out to levels and buckets.
func (s *Store) splitImport(heads []store.Head) []importPart {
	// Rows know their slice by its start alone: those that start together go together.
	longest := map[int64]time.Duration{}
	for _, h := range heads {
		longest[h.Span.Start.UnixNano()] = max(longest[h.Span.Start.UnixNano()], h.Span.Duration())
	}
	var parts []importPart
	for _, h := range heads {
		level, length := 0, longest[h.Span.Start.UnixNano()]
		for level < len(s.options.Levels)-1 && length > s.options.Levels[level].Slice.Duration {
			level++
		}
		width := s.options.Levels[level].Bucket.Duration
		start := h.Span.Start.Truncate(width)
		same := func(p importPart) bool { return p.level == level && p.bucket.Start.Equal(start) }
		at := slices.IndexFunc(parts, same)
		if at < 0 {
			at = len(parts)
			span := messages.Span{Start: start, End: start.Add(width)}
			parts = append(parts, importPart{level: level, part: part{bucket: span}})
		}
		parts[at].heads = append(parts[at].heads, h)
	}
	return parts
}

func (s *Store) importPart(ctx context.Context, x *bucket.File, p *importPart, done *Imported) error {
	var span messages.Span
	for _, h := range p.heads {
		span = store.Hull(span, h.Span)
	}
	if s.holds(span) {
		done.Skipped += uint64(len(p.heads))
		return nil
	}
	m := making{
		level: p.level, bucket: p.bucket, keep: s.chain[p.level],
		sources: []string{importSource + strings.ReplaceAll(filepath.Base(x.Info().Path), "|", "_")},
	}
	m.first, m.last = p.heads[0].Seq, p.heads[0].Seq
	starts := map[int64]bool{}
	for _, h := range p.heads {
		m.first, m.last = min(m.first, h.Seq), max(m.last, h.Seq)
		starts[h.Span.Start.UnixNano()] = true
	}
	from := &chosen{File: x, heads: p.heads, starts: starts}
	f, err := s.makeFile(ctx, &m, func(w *bucket.Writer) error {
		return s.newRoll(&s.options.Levels[p.level]).run(ctx, []rollSource{from}, p.bucket, x.Info().Rows, w)
	})
	if err != nil {
		return err
	}
	s.show(p.level, f)
	done.Files++
	done.Slices += f.info.Slices
	done.Rows += f.info.Rows
	return nil
}

// holds says whether there is any slice in a span.
func (s *Store) holds(b messages.Span) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, files := range s.catalog.files {
		for _, f := range files {
			if f.info.Slices > 0 && f.info.Span.Overlaps(b) {
				return true
			}
		}
	}
	return slices.ContainsFunc(s.segments(), func(g segment) bool { return g.slices > 0 && g.span.Overlaps(b) })
}

// chosen are some slices of a file.
type chosen struct {
	*bucket.File
	heads  []store.Head
	starts map[int64]bool
}

// Columns names the columns that have cells.
func (c *chosen) Columns() []string { return c.Info().Columns }

// Heads are the chosen slices.
func (c *chosen) Heads() []store.Head { return c.heads }

// Blocks hands on their rows.
func (c *chosen) Blocks(ctx context.Context, want []*columns.Column, f func(*store.Block) error) error {
	return c.File.Blocks(ctx, want, func(b *store.Block) error {
		rows := make([]int, 0, b.Rows)
		for i := range b.Rows {
			if c.starts[int64(b.Starts.At(i))] { //nolint:gosec // It was one.
				rows = append(rows, i)
			}
		}
		if len(rows) == 0 {
			return nil
		}
		return f(pick(b, rows))
	})
}
