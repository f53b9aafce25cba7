package tiers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weir/columns"
	"weir/messages"
	"weir/store"
	"weir/store/journal"
)

// journalLog is the journal of package journal.
type journalLog struct{ *journal.Journal }

// openJournal opens it.
func (s *Store) openJournal(dir string) (log, error) {
	o := s.options.Journal
	o.Slice, o.Segment = s.options.Levels[0].Slice.Duration, s.options.Levels[0].Bucket.Duration
	j, report, err := journal.Open(s.options.FS, dir, o)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.journalReport = report
	s.mu.Unlock()
	return &journalLog{j}, nil
}

// JournalReport says what was found when the journal was opened.
func (s *Store) JournalReport() journal.Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.journalReport
}

// Restore is what a daemon goes on from; ok is false if the journal could not be opened. Slices that are in files
// only are known too, so that no number is given twice.
func (s *Store) Restore() (r journal.Restore, ok bool) {
	j := s.journal()
	if j == nil {
		return r, false
	}
	r = j.Restore()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, files := range s.catalog.files {
		for _, f := range files {
			if f.info.Slices > 0 && (!r.Found || f.info.Last > r.Seq) {
				r.Found, r.Seq, r.Span = true, f.info.Last, f.info.Span
			}
		}
	}
	return r, true
}

// NeedsAccounts says that the next slice should bring the accounts of all live flows.
func (s *Store) NeedsAccounts() bool {
	j := s.journal()
	return j != nil && j.NeedsAccounts()
}

// JournalState says how the journal does; ok is false if it could not be opened.
func (s *Store) JournalState() (st journal.State, ok bool) {
	if j := s.journal(); j != nil {
		return j.State(), true
	}
	return st, false
}

func (s *Store) journal() *journal.Journal {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l, ok := s.log.(*journalLog); ok {
		return l.Journal
	}
	return nil
}

func (l *journalLog) append(s *messages.Slice) error {
	err := l.Append(s)
	switch {
	case errors.Is(err, journal.ErrOld):
		return fmt.Errorf("%w: %w", errOld, err)
	case errors.Is(err, journal.ErrBudget):
		return fmt.Errorf("%w: %w", errBusy, err)
	}
	return err
}

func (l *journalLog) relabel(since uint64, by int64) error {
	return l.Relabel(since, time.Duration(by))
}

func (l *journalLog) segments() []segment {
	list := l.Segments()
	out := make([]segment, 0, len(list))
	for _, g := range list {
		out = append(out, segment{
			name: g.Name, id: g.ID, span: g.Span, first: g.First, last: g.Last, closed: g.Closed,
			slices: g.Slices, rows: g.Rows, bytes: g.Bytes,
		})
	}
	if len(out) > 0 {
		out[0].folded = l.Coverage().Folded
	}
	return out
}

func (l *journalLog) heads(id uint64) ([]store.Head, error) {
	heads, _, err := l.Heads(context.Background(), journal.Which{Segment: id})
	return heads, err
}

func (l *journalLog) blocks(
	ctx context.Context, id uint64, want []*columns.Column, f func(*store.Block) error,
) error {
	return l.Blocks(ctx, want, journal.Which{Segment: id}, f)
}

func (l *journalLog) query(ctx context.Context, ids []uint64, r *store.Request, into *store.Partial) error {
	return l.QuerySegments(ctx, ids, r, into)
}

func (l *journalLog) drop(id uint64) error { return l.Drop(id) }

func (l *journalLog) written() uint64 { return l.State().Written }

func (l *journalLog) close() error { return l.Close() }

func (l *journalLog) rotate() error { return l.Rotate() }
