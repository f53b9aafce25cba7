package tiers

import (
	"errors"
	"fmt"
	"time"

	"weir/internal/units"
	"weir/messages"
	"weir/store"
)

// intake is what stands between the slices that close and the journal. Its owner holds Store.appending.
type intake struct {
	// waiting are slices that the journal could not take yet, in order; rows counts theirs.
	waiting []*messages.Slice
	rows    int
	// folded counts slices of them that lost their rows, dropped those that were given up.
	folded, dropped uint64
	// stored is the number of the last slice in the journal.
	stored uint64
	// day is when the day of slices began, today what the journal has written since then, before that at its start.
	day           time.Time
	today, before uint64
	spared        uint64
}

// The bounds of what waits in memory: rows of about 200 bytes, and slices.
const (
	maxWaitingRows   = 1 << 16
	maxWaitingSlices = 1 << 12
)

// errOld is what a journal says of a slice that it has already.
var errOld = errors.New("the slice is in the journal already")

// Append keeps a slice. If the disk fails, the slice waits in memory, and [State] says so; an error means that the
// slice is not sound and was not taken.
func (s *Store) Append(sl *messages.Slice) error {
	if !sl.Span.Start.Before(sl.Span.End) {
		return errors.New("append slice: its span is empty")
	}
	s.appending.Lock()
	defer s.appending.Unlock()
	s.tick(sl)
	if len(s.intake.waiting) == 0 {
		err := s.write(sl)
		if err == nil || !isIO(err) && !errors.Is(err, errNotOpen) {
			return err
		}
		if isIO(err) {
			s.report(err)
		}
	} else if _, err := store.Pack(sl.Parts); err != nil {
		return fmt.Errorf("append slice: %w", err)
	}
	s.intake.hold(sl)
	s.flush()
	return nil
}

// errNotOpen: opening has not worked yet.
var errNotOpen = errors.New("the store is not open")

func (s *Store) tick(sl *messages.Slice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock.tick(sl.Seq, sl.Span.Start)
}

// write gives a slice to the journal.
func (s *Store) write(sl *messages.Slice) error {
	s.mu.Lock()
	l := s.log
	s.mu.Unlock()
	if l == nil {
		return errNotOpen
	}
	in := &s.intake
	if in.day.IsZero() || sl.Span.Start.Sub(in.day) >= units.Day || sl.Span.Start.Before(in.day) {
		in.day, in.before = sl.Span.Start, l.written()
	}
	in.today = l.written() - in.before
	if b := s.options.JournalBytesADay; b > 0 && in.today >= b {
		sl = bare(sl)
		in.spared++
	}
	err := l.append(sl)
	if err != nil && !errors.Is(err, errOld) {
		return fmt.Errorf("append slice: %w", err)
	}
	if err == nil {
		in.stored = sl.Seq
	}
	in.today = l.written() - in.before
	return err
}

// bare is a slice without its rows: only what they sum to.
func bare(sl *messages.Slice) *messages.Slice {
	n := *sl
	var sum messages.Totals
	for _, p := range sl.Parts {
		if p != nil {
			sum.Add(p.Totals())
		}
	}
	n.Parts = []*messages.Rows{{Other: sum}}
	return &n
}

// hold keeps a slice that waits. Over the bounds the oldest lose their rows, then the oldest go.
func (in *intake) hold(sl *messages.Slice) {
	in.waiting = append(in.waiting, sl)
	in.rows += rowsOf(sl)
	for i := 0; in.rows > maxWaitingRows && i < len(in.waiting); i++ {
		if n := rowsOf(in.waiting[i]); n > 0 {
			in.waiting[i] = bare(in.waiting[i])
			in.rows -= n
			in.folded++
		}
	}
	if len(in.waiting) > maxWaitingSlices {
		in.drop()
	}
}

// drop gives the oldest slice up; the next one tells of it, and counts what it counted.
func (in *intake) drop() {
	oldest := in.waiting[0]
	next := bare(in.waiting[1])
	in.rows -= rowsOf(oldest) + rowsOf(in.waiting[1])
	for _, p := range bare(oldest).Parts {
		next.Parts[0].Other.Add(p.Other)
	}
	next.Losses = store.MergeLosses(append([]messages.Loss(nil), next.Losses...), oldest.Losses)
	next.Losses = store.MergeLosses(next.Losses, []messages.Loss{{
		Source: "tiers", Kind: messages.LossClock, Count: 1, Span: oldest.Span,
		Detail: "The disk could not be written for so long that earlier slices count in this one.",
	}})
	in.waiting[1] = next
	in.waiting = in.waiting[1:]
	in.dropped++
}

func rowsOf(sl *messages.Slice) (n int) {
	for _, p := range sl.Parts {
		if p != nil {
			n += p.Len()
		}
	}
	return n
}

// relabel moves the times of slices that wait.
func (in *intake) relabel(since uint64, by time.Duration) {
	for i, sl := range in.waiting {
		if sl.Seq >= since {
			n := *sl
			n.Span = messages.Span{Start: sl.Span.Start.Add(by), End: sl.Span.End.Add(by)}
			in.waiting[i] = &n
		}
	}
}

// flush writes what waits, as far as that works. It needs appending.
func (s *Store) flush() {
	for len(s.intake.waiting) > 0 {
		sl := s.intake.waiting[0]
		err := s.write(sl)
		switch {
		case err == nil, errors.Is(err, errOld):
		case isIO(err):
			s.report(err)
			return
		case errors.Is(err, errNotOpen):
			return
		default:
			s.options.Log.Error().Err(err).Uint64("slice", sl.Seq).Msg("tiers: a slice is not sound and was left out")
		}
		s.intake.rows -= rowsOf(sl)
		s.intake.waiting = s.intake.waiting[1:]
	}
	s.intake.waiting = nil
	s.report(nil)
}
