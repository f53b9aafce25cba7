package actors

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"weir/messages"
	"weir/sources"
)

const (
	// joinRestart and joinStop are how long a source's goroutines may take to end before it is made
	// anew, and when the program drains.
	joinRestart = 2 * time.Second
	joinStop    = 4 * time.Second
	// deliverWait is how long what a source left may wait for credits.
	deliverWait = 2 * time.Second
)

var (
	errReturned   = errors.New("source returned though it was not told to")
	errStillRuns  = errors.New("goroutines of the last run have not ended")
	errNoSource   = errors.New("no source was made")
	errBusy       = errors.New("the last snapshot is still being taken")
	errNoSnapshot = errors.New("the snapshot panicked")
	errCannotPull = errors.New("source cannot be asked now")
)

// sourceSeat is what a source's actor keeps over its restarts. The source itself is made anew.
type sourceSeat struct {
	*cell
	spec     SourceSpec
	route    *route
	since    time.Time
	clock    Clock
	log      zerolog.Logger
	flux     flux
	presence *presence
	self     func(m any)
	slicer   func(m any) // takes the answers

	// Only the actor's turn touches these.
	crew   *crew // of the incarnation, until it is joined
	outlet *outlet

	mu     sync.Mutex
	source sources.Source // of the incarnation, for Health
	asking bool           // a snapshot is being taken
}

// takeSnapshot asks a source's actor; it answers the slicer with SnapshotTaken.
type takeSnapshot struct {
	req      messages.SnapshotRequest
	patience time.Duration
}

// crewFailed tells a source's actor that a goroutine of its source has failed.
type crewFailed struct {
	crew  *crew
	crash *crash
}

// sourceActor runs a source.
//
// Receives takeSnapshot from the slicer and crewFailed from its own goroutines. Sends SnapshotTaken to the
// slicer; the source's batches go to the shards from its own goroutines. Owns these goroutines.
type sourceActor struct{ seat *sourceSeat }

// start makes the source anew and runs it.
func (a sourceActor) start(actor.Context) {
	s := a.seat
	if !s.join(0) { // Release has waited.
		panic(errStillRuns)
	}
	w := newCrew(s.crashed)
	s.crew = w
	s.outlet = newOutlet(s.route, s.spec.Name, &s.flux, w, s.log)
	src, err := s.spec.Config.New(sources.Core{
		Name: s.spec.Name, Log: s.log, Out: s.outlet, Go: w.start, CountsSince: s.since,
	})
	if err != nil {
		panic(fmt.Errorf("make source: %w", err))
	}
	if src == nil {
		panic(errNoSource)
	}
	s.mu.Lock()
	s.source, s.asking = src, false
	s.mu.Unlock()
	w.start(w.ctx, "run", func(ctx context.Context) error { return s.run(ctx, w, src) })
}

func (s *sourceSeat) run(ctx context.Context, w *crew, src sources.Source) error {
	err := src.Run(ctx, func() {
		if w.ctx.Err() == nil {
			s.presence.set(true, s.clock.Now())
		}
	})
	switch {
	case ctx.Err() == nil && err == nil:
		return errReturned
	case ctx.Err() != nil && err != nil && !errors.Is(err, ctx.Err()):
		s.log.Warn().Err(err).Msg("source ended badly")
	}
	return err
}

// crashed is called in the goroutine that failed.
func (s *sourceSeat) crashed(w *crew, c *crash) {
	s.presence.set(false, s.clock.Now())
	s.self(&crewFailed{crew: w, crash: c})
}

func (a sourceActor) receive(_ actor.Context, m any) {
	s := a.seat
	switch m := m.(type) {
	case *takeSnapshot:
		s.take(m)
	case *crewFailed:
		if m.crew == s.crew {
			panic(m.crash)
		}
	}
}

// canBeAsked says whether the source is a puller and ready.
func (s *sourceSeat) canBeAsked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.source.(sources.Puller)
	return ok && s.presence.ready()
}

// take takes a snapshot in a goroutine of its own, since nothing may wait here.
func (s *sourceSeat) take(m *takeSnapshot) {
	s.mu.Lock()
	puller, ok := s.source.(sources.Puller)
	busy := s.asking
	s.asking = s.asking || ok
	s.mu.Unlock()
	w := s.crew
	switch {
	case !ok || w == nil || w.ctx.Err() != nil:
		s.answer(m.req, messages.SnapshotTaken{}, errCannotPull)
	case busy:
		s.answer(m.req, messages.SnapshotTaken{}, errBusy)
	default:
		w.start(w.ctx, "snapshot", func(ctx context.Context) error {
			s.ask(ctx, puller, m)
			return nil
		})
	}
}

// ask is the goroutine of one snapshot. An error of a snapshot is told with the slice and does not end the
// source; a panic does, and is answered too.
func (s *sourceSeat) ask(ctx context.Context, p sources.Puller, m *takeSnapshot) {
	ctx, cancel := context.WithTimeout(ctx, m.patience)
	defer cancel()
	taken, err := messages.SnapshotTaken{}, errNoSnapshot
	defer func() {
		s.mu.Lock()
		s.asking = false
		s.mu.Unlock()
		s.answer(m.req, taken, err)
	}()
	taken, err = p.Snapshot(ctx, m.req)
}

func (s *sourceSeat) answer(req messages.SnapshotRequest, taken messages.SnapshotTaken, err error) {
	taken.Seq, taken.Source = req.Seq, s.spec.Name
	if err != nil {
		taken.Err = err
	}
	s.slicer(&taken)
}

// giveUp answers a request that made the actor fail, so that the slice need not wait for it.
func (a sourceActor) giveUp(m any) {
	if m, ok := m.(*takeSnapshot); ok {
		a.seat.answer(m.req, messages.SnapshotTaken{}, errCannotPull)
	}
}

// halt ends the source's goroutines at once, though the actor waits before it makes a new one.
func (a sourceActor) halt() {
	s := a.seat
	s.presence.set(false, s.clock.Now())
	if s.crew != nil {
		s.crew.cancel()
	}
}

func (a sourceActor) release(_ actor.Context, last bool) {
	s := a.seat
	if !last {
		s.join(joinRestart)
		return
	}
	s.presence.end(s.clock.Now())
	if !s.join(joinStop) {
		s.log.Error().Msg("goroutines of the source do not end; what they hold is lost")
	}
}

// join waits for all goroutines of the incarnation and delivers what it left. It may be called again.
func (s *sourceSeat) join(patience time.Duration) bool {
	if s.crew == nil {
		return true
	}
	if !s.crew.join(patience) {
		return false
	}
	s.outlet.deliver(deliverWait)
	s.crew, s.outlet = nil, nil
	return true
}

// status asks the source how it is; it is foreign code.
func (s *sourceSeat) status() SourceStatus {
	s.mu.Lock()
	src := s.source
	s.mu.Unlock()
	h := sources.Health{State: sources.Starting}
	if src != nil {
		if err := protect("health", func() { h = src.Health() }); err != nil {
			h = sources.Health{State: sources.Degraded, Detail: clip(err.Error(), maxErrorText)}
		}
	}
	_, puller := src.(sources.Puller)
	return SourceStatus{
		Name: s.spec.Name, Ready: s.presence.ready(), Pull: puller,
		State: h.State, Detail: h.Detail, Metrics: metricsOf(h.Metrics),
		Batches: s.flux.batches.Load(), Updates: s.flux.updates.Load(),
		ShedBatches: s.flux.shedBatches.Load(), ShedUpdates: s.flux.shed.Load(),
		Backlog: s.flux.backlogged.Load(),
	}
}
