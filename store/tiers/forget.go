package tiers

import (
	"context"
	"fmt"
	"slices"

	"weir/columns"
	"weir/messages"
	"weir/store"
	"weir/store/bucket"
)

// Forgotten proves what was forgotten, tier by tier.
type Forgotten struct {
	Tier string
	// Files were written anew, of so many.
	Files, Of int
	// Removed sums the rows that are gone, Left those that pass the filter still, which must be nothing.
	Removed, Left messages.Totals
	// Untold sums the rows of which cannot be told whether they pass, since the tier has dropped columns of the
	// filter or folded them.
	Untold messages.Totals
}

// Forget removes all rows that pass a filter from journal and files: what the journal holds is moved into files
// first, and files with such rows are written anew. What coarser tiers cannot tell is rolled up anew from finer
// ones where those still have it; the rest is told. If it ends before its time, it is to be done again.
func (s *Store) Forget(ctx context.Context, filter store.Filter, progress Progress) ([]Forgotten, error) {
	s.mu.Lock()
	l := s.log
	s.mu.Unlock()
	if l == nil {
		return nil, errNotOpen
	}
	if err := l.rotate(); err != nil {
		return nil, fmt.Errorf("forget: %w", err)
	}
	if err := s.Work(ctx); err != nil {
		return nil, fmt.Errorf("forget: %w", err)
	}
	s.working.Lock()
	defer s.working.Unlock()
	f := forgetting{store: s, filter: filter, progress: progress, changed: map[string]bool{}}
	for k := range s.options.Levels {
		if err := f.level(ctx, k); err != nil {
			return f.proof, fmt.Errorf("forget in tier %s: %w", s.options.Levels[k].Name, err)
		}
	}
	return f.proof, s.sweep()
}

// forgetting is the work of Forget.
type forgetting struct {
	store    *Store
	filter   store.Filter
	progress Progress
	proof    []Forgotten
	// changed names the files that were written anew, as sources.
	changed    map[string]bool
	done, size uint64
}

func (f *forgetting) level(ctx context.Context, level int) error {
	s := f.store
	s.mu.Lock()
	files := slices.Clone(s.catalog.files[level])
	f.size = s.catalog.total()
	s.mu.Unlock()
	p := Forgotten{Tier: s.options.Levels[level].Name, Of: len(files)}
	for _, old := range files {
		if err := f.file(ctx, level, old, &p); err != nil {
			return err
		}
		f.done += old.info.Bytes
		if f.progress != nil {
			f.progress(f.done, f.size)
		}
	}
	f.proof = append(f.proof, p)
	return nil
}

// sums gives the rows of a file that pass, and those of which that cannot be told.
func (f *forgetting) sums(ctx context.Context, x *file) (pass, untold messages.Totals, err error) {
	r := &store.Request{Span: store.Always(), Filter: f.filter}
	sum := store.NewPartial(r)
	if err := x.ask(ctx, r, sum); err != nil {
		return pass, untold, err
	}
	for _, t := range sum.Groups() {
		pass.Add(t)
	}
	for _, t := range sum.Other {
		untold.Add(t)
	}
	return pass, untold, nil
}

// file writes one file anew if it has rows to forget.
func (f *forgetting) file(ctx context.Context, level int, old *file, p *Forgotten) error {
	pass, untold, err := f.sums(ctx, old)
	if err != nil {
		return err
	}
	sources := f.sources(level, old)
	again := untold != (messages.Totals{}) && sources != nil &&
		slices.ContainsFunc(old.sources, func(name string) bool { return f.changed[name] })
	if pass == (messages.Totals{}) && !again {
		p.Untold.Add(untold)
		return nil
	}
	made, err := f.rewrite(ctx, level, old, sources, again)
	if err != nil {
		return err
	}
	left, untold, err := f.sums(ctx, made)
	if err != nil {
		return err
	}
	p.Files++
	p.Removed.Add(gone(old.info.Totals, made.info.Totals))
	p.Left.Add(left)
	p.Untold.Add(untold)
	f.changed[source(f.store.options.Levels[level].Name, old.name)] = true
	return nil
}

// gone is what is less. Rows that were rolled up anew may be more, since others were folded with them before.
func gone(before, after messages.Totals) messages.Totals {
	less := func(a, b messages.Counter) messages.Counter {
		return messages.Counter{Bytes: a.Bytes - b.Bytes, Packets: a.Packets - b.Packets}
	}
	t := messages.Totals{
		Up: less(before.Up, after.Up), Down: less(before.Down, after.Down),
		Started: before.Started - after.Started, Ended: before.Ended - after.Ended,
	}
	if before.Rows > after.Rows {
		t.Rows = before.Rows - after.Rows
	}
	return t
}

// sources are the files that a file was rolled up from; nil if some are not there any more.
func (f *forgetting) sources(level int, of *file) (sources []*file) {
	if level == 0 {
		return nil
	}
	s := f.store
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.catalog.files[level-1] {
		if slices.Contains(of.sources, source(s.options.Levels[level-1].Name, x.name)) {
			sources = append(sources, x)
		}
	}
	if len(sources) < len(of.sources) {
		return nil
	}
	return sources
}

// rewrite writes a file anew under its name.
func (f *forgetting) rewrite(ctx context.Context, level int, old *file, sources []*file, again bool) (*file, error) {
	s := f.store
	m := making{
		level: level, bucket: old.info.Bucket, first: old.info.First, last: old.info.Last, name: old.name,
		sources: old.sources, keep: old.keep,
	}
	made, err := s.makeFile(ctx, &m, func(w *bucket.Writer) error {
		if again {
			return s.rollFiles(ctx, level, sources, w)
		}
		return f.copy(ctx, old, w)
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	files := slices.Clone(s.catalog.files)
	files[level] = slices.Clone(files[level])
	files[level][slices.Index(files[level], old)] = made
	s.replace(files)
	s.discard("", old.Close)
	return made, nil
}

// copy copies the rows that do not pass the filter for sure.
func (f *forgetting) copy(ctx context.Context, old *file, w *bucket.Writer) error {
	heads := old.Heads()
	for i := range heads {
		if err := w.Head(&heads[i]); err != nil {
			return err
		}
	}
	filter := store.Surely(f.filter, old.keep.knows)
	return old.Blocks(ctx, nil, func(b *store.Block) error {
		if err := f.store.pace(ctx, b.Rows); err != nil {
			return err
		}
		row := 0
		cell := func(c *columns.Column) columns.Value {
			if cells := b.Find(c); cells != nil {
				return cells.Dict.At(int(cells.IDs.At(row))) //nolint:gosec // Checked when it was read.
			}
			return ""
		}
		rows := make([]int, 0, b.Rows)
		for ; row < b.Rows; row++ {
			if !store.Passes(filter, cell) {
				rows = append(rows, row)
			}
		}
		if len(rows) == 0 {
			return nil
		}
		return w.Block(pick(b, rows))
	})
}
