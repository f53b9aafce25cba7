package tiers

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"weir/columns"
	"weir/messages"
	"weir/store"
)

// Views gives the journal and the tiers as they are now: each alone, and each together with what is not rolled up
// into it yet.
func (s *Store) Views() (views []store.View, done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.catalog
	s.readers[c.generation]++
	v := viewer{store: s, log: s.log, catalog: c, segments: s.segments()}
	return v.views(), sync.OnceFunc(func() { s.release(c.generation) })
}

// viewer makes views of a catalog.
type viewer struct {
	store    *Store
	log      log
	catalog  *catalog
	segments []segment
	// held is what each view asks.
	held []holdings
}

func (v *viewer) views() []store.View {
	levels := v.store.options.Levels
	// Of the journal, and of the files of the first level.
	var waiting []messages.Span
	held := make([]messages.Span, 0, len(v.catalog.files[0]))
	for _, g := range v.segments {
		if g.span != (messages.Span{}) {
			waiting = append(waiting, g.span)
		}
	}
	waiting = union(waiting)
	for _, f := range v.catalog.files[0] {
		held = append(held, f.info.Span)
	}
	views := append(make([]store.View, 0, 1+2*len(levels)), v.journal(union(held)))
	for k := range levels {
		views = append(views, v.level(k, waiting))
	}
	for k := range levels {
		views = append(views, v.mixed(k))
	}
	for i := range views {
		views[i].Earlier = v.store.earlier
	}
	return views
}

// journal is the journal alone: whole where no file has anything.
func (v *viewer) journal(held []messages.Span) store.View {
	start := store.Always().Start
	if n := len(held); n > 0 {
		start = held[n-1].End
	}
	for _, gone := range v.catalog.gone[0] {
		if gone.End.After(start) {
			start = gone.End
		}
	}
	info := store.TierInfo{Name: journalFolder, Resolution: v.store.options.Levels[0].Slice.Duration}
	if len(v.segments) > 0 {
		info.Whole = []messages.Span{{Start: start, End: store.Always().End}}
	}
	return store.View{TierInfo: info, Query: v.query(nil, v.segments)}
}

// level is one tier alone.
func (v *viewer) level(k int, waiting []messages.Span) store.View {
	c := v.catalog
	info := v.info(k)
	whole := store.Always()
	if k > 0 {
		hull := c.hull(k)
		if hull == (messages.Span{}) {
			return store.View{TierInfo: info, Query: v.query(nil, nil)}
		}
		whole.End = hull.End
		if k < len(c.files)-1 {
			whole.Start = hull.Start
		}
	}
	holes := slices.Concat(c.gone[k], c.waiting[k])
	for _, s := range waiting {
		// In the first level a hole runs on into the future: what comes is in the journal.
		holes = append(holes, outer(s, v.store.options.Levels[k].Bucket.Duration))
	}
	info.Whole = without(whole, union(holes))
	return store.View{TierInfo: info, Query: v.query(c.files[k], nil)}
}

// mixed is a tier with all that is in none of its files.
func (v *viewer) mixed(k int) store.View {
	c := v.catalog
	info := v.info(k)
	info.Mixed = true
	info.Whole = without(store.Always(), c.gone[k])
	files := slices.Clone(c.files[k])
	for j := range k {
		files = append(files, c.unrolled(j)...)
		info.Name = v.store.options.Levels[j].Name + "+" + info.Name
	}
	info.Name = journalFolder + "+" + info.Name
	return store.View{TierInfo: info, Query: v.query(files, v.segments)}
}

func (v *viewer) info(k int) store.TierInfo {
	l := &v.store.options.Levels[k]
	info := store.TierInfo{Name: l.Name, Resolution: l.Slice.Duration}
	for _, f := range v.catalog.files[k] {
		info.Resolution = max(info.Resolution, f.info.Resolution)
	}
	if len(v.store.chain[k].rules) > 0 {
		info.Knows = v.store.chain[k].knows
	}
	return info
}

// query asks some files and segments.
func (v *viewer) query(files []*file, segments []segment) func(context.Context, *store.Request, *store.Partial) error {
	v.held = append(v.held, holdings{files: files, segments: segments})
	return func(ctx context.Context, r *store.Request, into *store.Partial) error {
		var asked []*file
		for _, f := range files {
			if f.info.Slices > 0 && f.info.Span.Start.Before(r.Span.End) && r.Span.Start.Before(f.info.Span.End) {
				asked = append(asked, f)
			}
		}
		if err := askFiles(ctx, asked, r, into); err != nil {
			return err
		}
		var ids []uint64
		for _, g := range segments {
			if g.span.Start.Before(r.Span.End) && r.Span.Start.Before(g.span.End) || !g.closed {
				ids = append(ids, g.id)
			}
		}
		if len(ids) == 0 {
			return nil
		}
		return v.log.query(ctx, ids, r, into)
	}
}

// askFiles asks files, several at once.
func askFiles(ctx context.Context, files []*file, r *store.Request, into *store.Partial) error {
	workers := min(runtime.GOMAXPROCS(0), len(files))
	if workers < 2 {
		for _, f := range files {
			if err := f.ask(ctx, r, into); err != nil {
				return err
			}
		}
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sums, errs := make([]*store.Partial, workers), make([]error, workers)
	next := make(chan *file, len(files))
	for _, f := range files {
		next <- f
	}
	close(next)
	var wg sync.WaitGroup
	for w := range workers {
		sums[w] = store.NewPartial(r)
		wg.Go(func() {
			for f := range next {
				if errs[w] = f.ask(ctx, r, sums[w]); errs[w] != nil {
					cancel()
					return
				}
			}
		})
	}
	wg.Wait()
	for w := range workers {
		if errs[w] != nil && (ctx.Err() == nil || !isCancelled(errs[w])) {
			return errs[w]
		}
	}
	for w := range workers {
		if errs[w] != nil {
			return errs[w]
		}
		into.Merge(sums[w])
	}
	return nil
}

// ask asks a file, which may have left out more than its tier does now.
func (f *file) ask(ctx context.Context, r *store.Request, into *store.Partial) error {
	if len(f.keep.rules) == 0 {
		return f.Query(ctx, r, into)
	}
	knows := func(c *columns.Column) store.Filter { return f.keep.knows(c) }
	return store.QueryKnown(ctx, r, into, knows, f.Query)
}

// clock tells how old slices are.
type clock struct {
	slice time.Duration
	// last is the number of the newest slice, start when it starts.
	last  uint64
	start time.Time
	// held is the time that counts until slice number until: the clock has leapt forward.
	held  time.Time
	until uint64
}

const (
	// leap is by how much time may go on from one slice to the next without being doubted, and doubt how long it is.
	leap, doubt = 24 * time.Hour, 24 * time.Hour
)

// begin sets the newest slice that there is.
func (c *clock) begin(last uint64, start time.Time) { c.last, c.start = last, start }

// tick tells of a new slice. If the clock has leapt forward, which would make all that is stored look old, the
// time before counts on for a day of slices.
func (c *clock) tick(seq uint64, start time.Time) {
	if !c.start.IsZero() && start.Sub(c.start) > leap && c.held.IsZero() {
		c.held, c.until = c.start, seq+uint64(doubt/c.slice) //nolint:gosec // Positive.
	}
	if !c.held.IsZero() && (seq >= c.until || start.Sub(c.held) <= leap) {
		c.held = time.Time{}
	}
	c.last, c.start = seq, start
}

// now is the time by which things grow old; zero if it is not known.
func (c *clock) now() time.Time {
	if !c.held.IsZero() {
		return c.held
	}
	return c.start
}
