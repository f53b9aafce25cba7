package conntrack

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weir/messages"
)

const (
	// redumpEvery is the shortest time between two dumps that follow from overruns.
	redumpEvery = 10 * time.Second
	// redumpWithin bounds such a dump, so that a shard that takes nothing does not hold it for ever.
	redumpWithin = 30 * time.Second
	// patience is how many dumps may fail in a row before the source fails.
	patience = 3
)

var errNotRunning = errors.New("conntrack: not running")

// Snapshot dumps the table.
func (s *Source) Snapshot(ctx context.Context, req messages.SnapshotRequest) (messages.SnapshotTaken, error) {
	taken := messages.SnapshotTaken{Seq: req.Seq, Source: s.core.Name, Began: time.Now()}
	c, err := s.snapshot(ctx, req.Seq)
	if err != nil {
		taken.Err = err
		return taken, err
	}
	taken.Began, taken.Records, taken.Complete = c.began, c.records, c.whole()
	return taken, nil
}

func (s *Source) snapshot(ctx context.Context, seq uint64) (census, error) {
	s.mu.Lock()
	life, stop := s.life, s.stopRedump
	s.mu.Unlock()
	if life == nil {
		return census{}, errNotRunning
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(life, cancel)()
	if stop != nil {
		// This dump replaces the one that follows from an overrun.
		stop()
	}
	if err := s.takeDump(ctx); err != nil {
		return census{}, err
	}
	defer s.giveDump()
	last := s.began
	s.asked = seq
	c, err := s.dump(ctx, seq)
	if err != nil {
		return c, err
	}
	s.afterSnapshot(&c, last)
	return c, nil
}

func (s *Source) takeDump(ctx context.Context) error {
	select {
	case <-s.dumping:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Source) giveDump() { s.dumping <- struct{}{} }

// dump runs one dump; the caller has the token. A dump that fails costs the dumper.
func (s *Source) dump(ctx context.Context, seq uint64) (census, error) {
	c, err := s.tryDump(ctx, seq)
	if err == nil {
		s.failedDumps = 0
		s.began = c.began
		s.conditions.clear(dumpsFail)
		c.note(&s.metrics)
		return c, nil
	}
	s.metrics.failedDumps.Add(1)
	if s.dumper != nil {
		s.dumper.sock.close()
		s.dumper = nil
	}
	if ctx.Err() != nil {
		return c, err // The deadline, or the end: not the kernel's fault.
	}
	s.core.Log.Warn().Err(err).Uint64("slice", seq).Msg("dump failed")
	s.conditions.set(dumpsFail, "the last dump failed: "+err.Error())
	if s.failedDumps++; s.failedDumps >= patience {
		s.fail(fmt.Errorf("%d dumps failed in a row: %w", s.failedDumps, err))
	}
	return c, err
}

func (s *Source) tryDump(ctx context.Context, seq uint64) (census, error) {
	if s.dumper == nil {
		err := inNetNS(s.cfg.netnsPath(), func() (err error) {
			s.dumper, err = s.newDumper()
			return err
		})
		if err != nil {
			return census{}, err
		}
	}
	s.dumped.Snapshot(seq)
	defer s.dumped.Snapshot(0)
	c, err := s.dumper.dump(ctx, s.silence.joined, s.began)
	if err != nil {
		// What was gathered grows old: a record that is posted long after its flow's end could be taken for a new
		// flow. Without credit and time the error is the same as before.
		_ = s.dumped.Flush(ctx)
	}
	return c, err
}

// afterSnapshot draws conclusions from a dump; last is when the one before it began.
func (s *Source) afterSnapshot(c *census, last time.Time) {
	if last.IsZero() {
		last = c.began
	}
	span := messages.Span{Start: last, End: c.ended}
	s.judgeCounters(c, span)
	s.judgeSilence(c, span)
	s.judgeTracking(c)
	s.readKernelStats()
}

// judgeCounters tells of flows that nobody counts.
func (s *Source) judgeCounters(c *census, span messages.Span) {
	if c.uncounted == 0 {
		s.conditions.clear(noCounters)
		return
	}
	text := fmt.Sprintf("%d of %d flows have no counters: they began before accounting was on; they go with time, "+
		"or with: conntrack -F (which breaks connections behind NAT)", c.uncounted, c.records)
	s.conditions.set(noCounters, text)
	s.core.Out.Lost(messages.Loss{
		Source: s.core.Name, Kind: messages.LossUncounted, Count: c.uncounted, Span: span, Detail: text,
	})
}

// untracked is how many empty dumps in a row say that the kernel does not track.
const untracked = 3

func (s *Source) judgeTracking(c *census) {
	if c.records > 0 {
		s.metrics.emptyDumps.Store(0)
		s.conditions.clear(noTracking)
		return
	}
	if s.metrics.emptyDumps.Add(1) >= untracked {
		s.conditions.set(noTracking, "the kernel tracks no connection here: no rule of this network namespace uses "+
			"connection tracking (ct state, masquerade), or nothing passes; weir check says more")
	}
}

// onOverrun is told by the listener how many ends of flows the kernel dropped.
func (s *Source) onOverrun(dropped uint64, span messages.Span) {
	s.metrics.overruns.Add(1)
	if s.metrics.reliable.Load() == 1 {
		// They are in the kernel's keeping and come again.
		s.metrics.delayed.Add(dropped)
		return
	}
	s.metrics.lostEnds.Add(dropped)
	s.warnOverrun(dropped, span.End)
	s.core.Out.Lost(messages.Loss{
		Source: s.core.Name, Kind: messages.LossOverrun, Count: dropped, Span: span,
		Detail: "ends of flows that came faster than they were read: what those flows moved since the dump before " +
			"is not counted",
	})
	s.overranAt.Store(span.End.UnixNano())
	select {
	case s.overran <- struct{}{}:
	default: // It is awake already.
	}
}

// onUnread is told that the end of a flow could not be read.
func (s *Source) onUnread() {
	s.core.Out.Lost(messages.Loss{
		Source: s.core.Name, Kind: messages.LossUnseen, Count: 1,
		Detail: "the ends of flows could not be read: what those flows moved since the dump before is not counted",
	})
}

// warnEvery is the shortest time between two log lines about overruns.
const warnEvery = 10 * time.Second

func (s *Source) warnOverrun(dropped uint64, now time.Time) {
	s.unwarned += dropped
	if now.Sub(s.warned) < warnEvery {
		return
	}
	s.core.Log.Warn().Uint64("events", s.unwarned).
		Msg("the kernel dropped ends of flows: events_buffer is too small, or reliable would help")
	s.warned, s.unwarned = now, 0
}

// redumps dumps once after an overrun, at once but not more often than redumpEvery, so that what the lost
// events left behind is known as soon as possible. It begins with a dump that nobody asked for: a flow that
// is older than counting must be known before it ends, or its last bytes could not be told from the first.
func (s *Source) redumps(ctx context.Context) error {
	if err := s.firstDump(ctx); err != nil && ctx.Err() == nil {
		s.core.Log.Warn().Err(err).Msg("first dump ended early; the next snapshot makes up for it")
	}
	var last time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.overran:
		}
		if !sleep(ctx, time.Until(last.Add(redumpEvery))) {
			return nil
		}
		last = time.Now()
		if err := s.redump(ctx); err != nil && ctx.Err() == nil {
			s.core.Log.Warn().Err(err).Msg("dump after an overrun ended early; the next snapshot makes up for it")
		}
	}
}

// firstDump dumps unless a snapshot came first.
func (s *Source) firstDump(ctx context.Context) error {
	return s.unasked(ctx, func(ctx context.Context) error {
		if !s.began.IsZero() {
			return nil
		}
		_, err := s.dump(ctx, 0)
		return err
	})
}

// redump dumps unless a snapshot came since the overrun.
func (s *Source) redump(ctx context.Context) error {
	return s.unasked(ctx, func(ctx context.Context) error {
		if s.began.UnixNano() > s.overranAt.Load() {
			return nil
		}
		s.metrics.redumps.Add(1)
		_, err := s.dump(ctx, s.asked) // Younger than that snapshot, and no older than it to whom that matters.
		return err
	})
}

// unasked runs a dump that a snapshot may break off, since that would do the same.
func (s *Source) unasked(ctx context.Context, dump func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, redumpWithin)
	defer cancel()
	s.mu.Lock()
	s.stopRedump = cancel
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.stopRedump = nil
		s.mu.Unlock()
	}()
	if err := s.takeDump(ctx); err != nil {
		return err
	}
	defer s.giveDump()
	return dump(ctx)
}

// sleep waits; it is false if ctx was done first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
