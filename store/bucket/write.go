package bucket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"weir/columns"
	"weir/internal/disk"
	"weir/store"
)

// Write makes a file of what feed gives to its writer, in any order of heads and blocks; rows had best come in the
// order of time. The file is there as a whole, on the medium, or not at all. The same options, heads and blocks give
// the same bytes.
func Write(ctx context.Context, fs disk.FS, path string, o Options, feed func(w *Writer) error) (Info, error) {
	var info Info
	err := disk.WriteFile(fs, path, func(out io.Writer) error {
		w, err := newWriter(ctx, out, o)
		if err != nil {
			return err
		}
		defer w.done()
		if err := feed(w); err != nil {
			return err
		}
		info, err = w.finish()
		return err
	})
	if err != nil {
		return Info{}, fmt.Errorf("write bucket: %w", err)
	}
	info.Path = path
	return info, nil
}

// Writer takes what goes into a file. It belongs to one goroutine.
type Writer struct {
	ctx     context.Context //nolint:containedctx // It lives as long as one call of Write.
	options Options
	pages   *pages
	rows    rows
	index   index
	// written counts the rows by when their slices start.
	written map[int64]uint64
	wide    []uint64
}

// writers are used again for the next file: their buffers, and the cells that they have put into words.
var writers = sync.Pool{New: func() any { return &Writer{} }} //nolint:gochecknoglobals // A free list.

func newWriter(ctx context.Context, out io.Writer, o Options) (*Writer, error) {
	w := writers.Get().(*Writer) //nolint:forcetypeassert // It holds nothing else.
	if w.pages == nil {
		p, err := newPages()
		if err != nil {
			return nil, err
		}
		w.pages = p
	}
	w.ctx, w.options, w.written = ctx, o, map[int64]uint64{}
	w.rows.reset()
	w.index = index{
		tier: o.Tier, program: o.Program, resolution: o.Resolution, bucket: o.Bucket, sources: o.Sources,
		fields: commonFields(),
	}
	w.pages.told = nil
	w.pages.out.begin(out)
	w.pages.out.write([]byte(magic))
	return w, nil
}

// done lets the next file have what the writer holds.
func (w *Writer) done() {
	w.ctx, w.options, w.index, w.written = nil, Options{}, index{}, nil //nolint:fatcontext // It ends here.
	w.pages.out.begin(nil)
	writers.Put(w)
}

// Head adds a slice. Its rows may come before or after it.
func (w *Writer) Head(h *store.Head) error {
	if !h.Span.Start.Before(h.Span.End) {
		return errors.New("its span is empty")
	}
	own := *h
	own.Losses = slices.Clone(h.Losses)
	w.index.heads = append(w.index.heads, head{Head: own})
	w.index.totals.Add(h.Other)
	return nil
}

// Block adds rows. Nothing of the block is kept.
func (w *Writer) Block(b *store.Block) error {
	if err := check(b); err != nil {
		return err
	}
	for _, c := range b.Cells {
		if w.keeps(c.Column) {
			w.rows.gather(c.Column).begin(&c.Dict)
		}
	}
	for from := 0; from < b.Rows; {
		if w.rows.n == groupRows || w.rows.text() > groupText {
			if err := w.flush(b); err != nil {
				return err
			}
		}
		n := min(b.Rows-from, groupRows-w.rows.n, pageRows)
		if err := w.add(b, from, n); err != nil {
			return err
		}
		from += n
	}
	return nil
}

func (w *Writer) keeps(c *columns.Column) bool {
	return w.options.Columns == nil || slices.Contains(w.options.Columns, c)
}

// check looks whether a block holds together.
func check(b *store.Block) error {
	if b.Starts.Len() != b.Rows {
		return fmt.Errorf("%d starts of slices for %d rows", b.Starts.Len(), b.Rows)
	}
	for m := range b.Measures {
		if n := b.Measures[m].Len(); n != b.Rows {
			return fmt.Errorf("%d counts for %d rows", n, b.Rows)
		}
	}
	for i, c := range b.Cells {
		same := func(o store.PartCells) bool { return o.Column == c.Column }
		if c.Column == nil || slices.ContainsFunc(b.Cells[:i], same) {
			return errors.New("no column, or one twice")
		}
		if n := c.IDs.Len(); n != b.Rows {
			return fmt.Errorf("column %s: %d cells for %d rows", c.Column.Name, n, b.Rows)
		}
	}
	return nil
}

// add takes n rows of a block.
func (w *Writer) add(b *store.Block, from, n int) error {
	r := &w.rows
	w.wide = slices.Grow(w.wide[:0], n)[:n]
	b.Starts.Load(w.wide, from)
	for i := 0; i < n; {
		start, from := w.wide[i], i
		id := r.start(int64(start)) //nolint:gosec // It was one.
		for ; i < n && w.wide[i] == start; i++ {
			r.startIDs = append(r.startIDs, id)
		}
		w.written[int64(start)] += uint64(i - from) //nolint:gosec // Likewise.
	}
	for m := range b.Measures {
		at := len(r.measures[m])
		r.measures[m] = slices.Grow(r.measures[m], n)[:at+n]
		b.Measures[m].Load(r.measures[m][at:], from)
	}
	w.count(r.n)
	for i := range b.Cells {
		c := &b.Cells[i]
		if !w.keeps(c.Column) {
			continue
		}
		g := r.gather(c.Column)
		g.pad(r.n)
		if !g.add(c, from, n, r.group) {
			return fmt.Errorf("column %s: a cell that is not in its dictionary", c.Column.Name)
		}
	}
	r.n += n
	for _, g := range r.columns {
		g.pad(r.n)
	}
	return nil
}

// count adds the rows from one on to the totals.
func (w *Writer) count(from int) {
	m := &w.rows.measures
	t := &w.index.totals
	for i := from; i < len(m[0]); i++ {
		t.Up.Bytes += m[store.UpBytes][i]
		t.Up.Packets += m[store.UpPackets][i]
		t.Down.Bytes += m[store.DownBytes][i]
		t.Down.Packets += m[store.DownPackets][i]
		t.Started += m[store.Started][i]
		t.Ended += m[store.Ended][i]
	}
	t.Rows += uint64(len(m[0]) - from) //nolint:gosec // A count.
}

// flush writes the row group. next is the block that is being added, if any: its cells have no ids any more.
func (w *Writer) flush(next *store.Block) error {
	r := &w.rows
	if r.n == 0 {
		return nil
	}
	if err := w.ctx.Err(); err != nil {
		return err
	}
	for _, g := range r.columns {
		g.rank(r.n)
	}
	r.sort()
	for _, g := range r.columns {
		if len(g.used) > 0 {
			w.index.field(g)
		}
	}
	if err := w.pages.group(&w.index, r); err != nil {
		return err
	}
	r.reset()
	if next != nil {
		for _, c := range next.Cells {
			if w.keeps(c.Column) {
				r.gather(c.Column).again()
			}
		}
	}
	return nil
}

// finish writes what is left, and the ends of the file.
func (w *Writer) finish() (Info, error) {
	if err := w.flush(nil); err != nil {
		return Info{}, err
	}
	if err := w.assign(); err != nil {
		return Info{}, err
	}
	if err := w.pages.finish(&w.index); err != nil {
		return Info{}, err
	}
	info := w.index.info()
	info.Bytes = uint64(w.pages.out.offset) //nolint:gosec // It is not negative.
	return info, nil
}

// assign tells the slices their rows, and puts the slices in order.
func (w *Writer) assign() error {
	slices.SortStableFunc(w.index.heads, func(a, b head) int {
		return cmp.Compare(a.Seq, b.Seq)
	})
	for i := range w.index.heads {
		h := &w.index.heads[i]
		start := h.Span.Start.UnixNano()
		h.rows = w.written[start]
		delete(w.written, start)
	}
	for start, n := range w.written {
		if n > 0 {
			return fmt.Errorf("%d rows of a slice that starts at %d, of which there is no head", n, start)
		}
	}
	return nil
}

// commonFields are the columns that each file has.
func commonFields() []field {
	fields := make([]field, 0, 32)
	fields = append(fields, field{name: startName, kind: kindStart})
	for m, name := range measureNames {
		fields = append(fields, field{name: name, kind: kindMeasure, measure: store.Measure(m)})
	}
	return fields
}

// field adds the column that the cells of a gatherer go to, if it is not there yet.
func (x *index) field(g *gather) {
	f := field{name: g.column.Name, column: g.column.Name, kind: kindText}
	switch {
	case g.integers:
		f.kind = kindInteger
	case isInteger(g.column):
		f.name += textSuffix
	}
	if f.name == startName || slices.Contains(measureNames[:], f.name) {
		f.name += columnSuffix
	}
	if !slices.Contains(x.fields, f) {
		x.fields = append(x.fields, f)
	}
}

// startName is the column that says when the slice of a row starts; measureNames are those of its counts, as answers
// call them.
const startName = "start"

//nolint:gochecknoglobals // A constant table.
var measureNames = [store.Measures]string{
	store.UpBytes: "bytes.up", store.UpPackets: "packets.up", store.DownBytes: "bytes.down",
	store.DownPackets: "packets.down", store.Started: "flows.started", store.Ended: "flows.ended",
}

// textSuffix is added to the name of a column of integers for row groups in which not all cells are integers.
const textSuffix = "~text"

// columnSuffix is added to the name of a column of ours that is called as one that each file has.
const columnSuffix = "~column"
