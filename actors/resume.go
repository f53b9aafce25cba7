package actors

import (
	"context"
	"fmt"
	"time"

	"weir/messages"
)

// What a start has to do with an earlier process.

// countsSince is when counting began. A clock that was wrong then tells a time that has not come yet: what
// was counted before the last slice is in the accounts, and all else began later.
func (s *System) countsSince() time.Time {
	switch since := s.opt.CountsSince; {
	case since.IsZero():
		return s.started
	case since.After(s.started) && !s.opt.LastSpan.End.IsZero() && s.opt.LastSpan.Start.Before(s.started):
		return s.opt.LastSpan.Start
	default:
		return since
	}
}

// noteDowntime has the first slice tell what is missing from before it.
func (s *System) noteDowntime() {
	last := s.opt.LastSpan.End
	if last.IsZero() {
		return
	}
	if last.After(s.started) {
		last = s.started // It was closed before its end.
	}
	what := "what moved until counting began anew is missing"
	if s.opt.Restore != nil {
		what = "what flows moved meanwhile counts in this slice, but the last bytes of those that ended " +
			"meanwhile are missing"
	}
	s.slicer.machine.note(messages.Loss{
		Source: "weir", Kind: messages.LossDown, Span: messages.Span{Start: last, End: s.started},
		Detail: fmt.Sprintf("nothing was kept for %s, since Weir was stopped or ended: %s",
			s.started.Sub(last).Round(time.Second), what),
	})
}

// buildArchive makes the archive's seat, if there is one.
func (s *System) buildArchive() {
	if s.opt.Archive == nil {
		return
	}
	c := s.cell(archiveName)
	s.archive = newArchiveSeat(c, s.opt.Archive, s.opt.Clock, s.logOf(c))
	s.archive.self = s.answerTo(c)
	s.tier.archive = s.archive
}

func (s *System) spawnArchive(ctx context.Context) error {
	if s.archive == nil {
		return nil
	}
	return s.spawn(ctx, s.archive.cell, props(s.archive.cell, func() behaviour { return archiveActor{s.archive} }))
}

// stopArchive has the archive take what waits. What it does not take is told.
func (s *System) stopArchive(ctx context.Context) error {
	if s.archive == nil {
		return nil
	}
	if err := s.poisonAll(ctx, drainArchive, s.archive.cell); err != nil {
		return err
	}
	if n, _ := s.archive.rack.level(); n > 0 {
		return fmt.Errorf("%d slices were not stored", n) //nolint:err113 // Nobody acts on it.
	}
	return nil
}
