package bucket

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"

	"weir/messages"
	"weir/store"
)

// Snapshot is a tier as it was at some moment: later changes of the tier do not touch it.
type Snapshot struct {
	tier  *Tier
	files []*member
	lost  []lost
	once  sync.Once
}

// Snapshot gives the tier as it is. Done must be called when nobody asks it any more.
func (t *Tier) Snapshot() *Snapshot {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &Snapshot{tier: t, files: t.files, lost: t.lost}
	for _, e := range s.files {
		e.pins++
	}
	return s
}

// Done lets go of the files.
func (s *Snapshot) Done() {
	s.once.Do(func() {
		s.tier.mu.Lock()
		defer s.tier.mu.Unlock()
		for _, e := range s.files {
			if e.pins--; e.pins == 0 && e.gone {
				s.tier.close(e)
			}
		}
	})
}

// Query adds what the tier knows about the request into the answer.
func (t *Tier) Query(ctx context.Context, r *store.Request, into *store.Partial) error {
	s := t.Snapshot()
	defer s.Done()
	return s.Query(ctx, r, into)
}

// fewRows is how many rows are not worth a second goroutine.
const fewRows = 200_000

// Query adds what the tier knew about the request into the answer. The functions of its filter may be called by several
// goroutines at once.
func (s *Snapshot) Query(ctx context.Context, r *store.Request, into *store.Partial) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("query tier: %w", err)
	}
	for i := range s.lost {
		if l := &s.lost[i]; l.bucket == (messages.Span{}) || overlap(l.bucket, r.Span) {
			into.Losses = store.MergeLosses(into.Losses, []messages.Loss{l.loss})
		}
	}
	var files []*member
	rows := uint64(0)
	for _, e := range s.files {
		if overlap(e.info.Span, r.Span) {
			files = append(files, e)
			rows += e.info.Rows
		}
	}
	readers := min(s.tier.options.Readers, len(files), int(1+rows/fewRows)) //nolint:gosec // Small.
	if readers < 2 {
		return s.tier.ask(ctx, r, into, files)
	}
	return s.askTogether(ctx, r, into, share(files, readers, rows))
}

// overlap says whether a slice that starts in one span may be in the other.
func overlap(a, b messages.Span) bool { return a.Start.Before(b.End) && b.Start.Before(a.End) }

// share cuts a list of files in pieces of about as many rows each.
func share(files []*member, pieces int, rows uint64) [][]*member {
	var all [][]*member
	from, sum := 0, uint64(0)
	for i, e := range files {
		sum += e.info.Rows
		if sum*uint64(pieces) >= rows*uint64(len(all)+1) || i == len(files)-1 { //nolint:gosec // Counts.
			all = append(all, files[from:i+1])
			from = i + 1
		}
	}
	return all
}

// askTogether lets each goroutine ask some of the files.
func (s *Snapshot) askTogether(ctx context.Context, r *store.Request, into *store.Partial, files [][]*member) error {
	sums := make([]*store.Partial, len(files))
	errs := make([]error, len(files))
	var wg sync.WaitGroup
	for i := range files {
		sums[i] = into
		if i > 0 {
			sums[i] = store.NewPartial(r)
		}
		wg.Go(func() {
			errs[i] = recovered(func() error { return s.tier.ask(ctx, r, sums[i], files[i]) })
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, sum := range sums[1:] {
		into.Merge(sum)
	}
	return nil
}

// recovered turns a panic into an error: in a goroutine of its own it would end the program.
func recovered(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("query tier: panic: %v", r)
		}
	}()
	return f()
}

// ask asks files, one after the other.
func (t *Tier) ask(ctx context.Context, r *store.Request, into *store.Partial, files []*member) error {
	a, err := newAsker(r, into)
	if err != nil {
		return err
	}
	defer a.done()
	for _, e := range files {
		if err := t.askFile(ctx, a, e); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tier) askFile(ctx context.Context, a *asker, e *member) error {
	f, err := t.use(e)
	if err == nil {
		err = a.file(ctx, f)
		if errors.Is(err, ErrDamaged) {
			// What is wrong may be the program: the file decides.
			if sound := f.Verify(ctx); sound == nil {
				t.unuse(e)
				return fmt.Errorf("query tier: a sound file cannot be read: %s", err.Error())
			}
		}
		t.unuse(e)
	}
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return fmt.Errorf("query tier: %w", ctx.Err())
	case errors.Is(err, ErrDamaged):
		a.into.Losses = store.MergeLosses(a.into.Losses, []messages.Loss{t.setAside(e, err)})
	default:
		l := e.lose("It cannot be read.")
		a.into.Losses = store.MergeLosses(a.into.Losses, []messages.Loss{l.loss})
		t.options.Log.Error().Str("tier", t.options.Name).Str("file", filepath.Base(e.info.Path)).Err(err).
			Msg("A bucket file cannot be read.")
	}
	return nil
}

// use opens a file, unless it is open.
func (t *Tier) use(e *member) (*File, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.file == nil {
		f, err := Open(t.disk, e.info.Path)
		if err != nil {
			return nil, err
		}
		e.file = f
	}
	if e.users == 0 {
		t.idle = slices.DeleteFunc(t.idle, func(o *member) bool { return o == e })
	}
	e.users++
	return e.file, nil
}

// unuse lets go of a file. Those that were used last stay open.
func (t *Tier) unuse(e *member) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.users--; e.users > 0 {
		return
	}
	if e.gone {
		return // Done closes it, when nobody pins it.
	}
	t.idle = append(t.idle, e)
	for len(t.idle) > t.options.OpenFiles {
		t.close(t.idle[0])
	}
}
