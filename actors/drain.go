package actors

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// The deadlines of a drain's phases. That of a closing round comes from the options.
const (
	drainSources = joinRestart + joinStop + 2*deliverWait + time.Second // A restart may be under way.
	drainShards  = 5 * time.Second
	drainSettled = 10 * time.Second // Computations have to write what they keep, and a busy disk takes its time.
	drainTiers   = 10 * time.Second
	drainArchive = lastAppends + 2*time.Second
	drainRoot    = 2 * time.Second
	drainRest    = time.Second
	drainMargin  = time.Second
	hardStop     = 500 * time.Millisecond
)

// Drain ends everything in order, so that nothing that a source has posted is lost: the pull sources are
// asked once more; the sources end and what they hold is posted; the open slice is closed; the computations
// save what they keep; then shards, tiers, the archive and the root stop. A phase that misses its deadline
// is told in the error and the next one begins. When ctx is done, no phase waits any more.
func (s *System) Drain(ctx context.Context) error {
	s.drainOnce.Do(func() { s.drainErr = s.drain(ctx) })
	return s.drainErr
}

func (s *System) drain(ctx context.Context) error {
	if !s.running.Load() {
		return nil
	}
	s.draining.Store(true)
	s.supervisor.hurry()
	round := 2*s.opt.Deadline + drainMargin // A round may be at work already.
	phases := []struct {
		name string
		run  func() error
	}{
		{"last snapshots", func() error { return s.order(ctx, lastSnapshots, round) }},
		{"sources", func() error { return s.stopSources(ctx) }},
		{"last slice", func() error { return s.order(ctx, lastSlice, round) }},
		{"slicer", func() error { return s.stopAll(ctx, drainMargin, s.slicer.cell) }},
		{"computations", func() error { return s.stopComputations(ctx) }},
		{"shards", func() error { return s.stopShards(ctx) }},
		{"tiers", func() error { return s.poisonAll(ctx, drainTiers, s.tier.cell) }},
		{"archive", func() error { return s.stopArchive(ctx) }},
		{"root", func() error { return s.stopRoot(ctx) }},
	}
	var errs []error
	for _, p := range phases {
		began := s.opt.Clock.Monotonic()
		if err := p.run(); err != nil {
			errs = append(errs, fmt.Errorf("drain %s: %w", p.name, err))
		}
		s.opt.Log.Debug().Str("phase", p.name).Dur("took", s.opt.Clock.Monotonic()-began).Msg("drained")
	}
	s.finish()
	return errors.Join(errs...)
}

// order gives the slicer an order and waits until it is done.
func (s *System) order(ctx context.Context, o order, patience time.Duration) error {
	done := make(chan struct{}, 1)
	s.send(s.slicer.cell, &giveOrder{order: o, done: done})
	return s.await(ctx, patience, done)
}

// await waits for a phase.
func (s *System) await(ctx context.Context, patience time.Duration, done <-chan struct{}) error {
	select {
	case <-done: // Even if the others are late, too.
		return nil
	default:
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-done:
		return nil
	case <-s.root.stopped:
		return errRootEnded
	case <-ctx.Done():
		return ctx.Err()
	case <-late.C:
		return context.DeadlineExceeded
	}
}

// stopSources stops all at once: a stop reaches also an actor that waits to be restarted, and nothing in
// its mailbox matters.
func (s *System) stopSources(ctx context.Context) error {
	cells := make([]*cell, len(s.sources))
	for i, src := range s.sources {
		cells[i] = src.cell
	}
	return s.stopAll(ctx, drainSources, cells...)
}

// stopComputations stops all at once, since the last slice is closed and what they would still say is of no use.
// Nothing waits for shards any more.
func (s *System) stopComputations(ctx context.Context) error {
	cells := make([]*cell, len(s.computations))
	for i, c := range s.computations {
		c.end()
		cells[i] = c.cell
	}
	return s.stopAll(ctx, drainSettled, cells...)
}

// stopShards lets the shards work off what waits for them. What then is left is told.
func (s *System) stopShards(ctx context.Context) error {
	cells := make([]*cell, len(s.shards))
	for i, sh := range s.shards {
		cells[i] = sh.cell
	}
	err := s.poisonAll(ctx, drainShards, cells...)
	for _, sh := range s.shards {
		sh.gate.close()
		if n := sh.gate.level(); n > 0 {
			err = errors.Join(err, fmt.Errorf("%s: %d batches lost", sh.name, n)) //nolint:err113 // Nobody acts on it.
		}
	}
	return err
}

// poisonAll stops actors behind all that waits in their mailboxes. Those that miss the deadline are
// stopped before it.
func (s *System) poisonAll(ctx context.Context, patience time.Duration, cells ...*cell) error {
	for _, c := range cells {
		if pid := c.pid.Load(); pid != nil {
			s.lib.Root.Poison(pid)
		}
	}
	err := s.awaitAll(ctx, patience, cells)
	if err != nil {
		return errors.Join(err, s.stopAll(context.WithoutCancel(ctx), hardStop, cells...))
	}
	return nil
}

// stopAll stops actors at once.
func (s *System) stopAll(ctx context.Context, patience time.Duration, cells ...*cell) error {
	for _, c := range cells {
		s.supervisor.leave(c.name)
		if pid := c.pid.Load(); pid != nil {
			s.lib.Root.Stop(pid)
		}
	}
	return s.awaitAll(ctx, patience, cells)
}

func (s *System) awaitAll(ctx context.Context, patience time.Duration, cells []*cell) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var errs []error
	for _, c := range cells {
		if c.pid.Load() == nil {
			continue
		}
		if err := s.await(ctx, patience, c.buried); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.name, err))
		}
	}
	return errors.Join(errs...)
}

// stopRoot stops the root and with it all that still runs.
func (s *System) stopRoot(ctx context.Context) error {
	pid := s.root.pid.Load()
	if pid == nil {
		return nil
	}
	s.supervisor.close()
	s.lib.Root.Stop(pid)
	ctx, cancel := context.WithTimeout(ctx, drainRoot)
	defer cancel()
	select {
	case <-s.root.stopped:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// finish ends what is beside the tree. It waits for that, but not for ever: an actor that is stuck keeps
// its worker, and f of a tap may be.
func (s *System) finish() {
	s.subs.close()
	s.taps.close()
	s.pool.close()
	ended := make(chan struct{})
	launch("finish", s.giveUp, func() {
		defer close(ended)
		s.taps.ended.Wait()
		s.pool.ended.Wait()
	})
	late := time.NewTimer(drainRest)
	defer late.Stop()
	select {
	case <-ended:
	case <-late.C:
		s.opt.Log.Warn().Msg("a tap or a shard does not end")
	}
	s.lib.Shutdown()
}

var _ actor.SupervisorStrategy = (*supervisor)(nil)
