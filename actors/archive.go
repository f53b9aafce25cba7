package actors

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"weir/messages"
	"weir/store"
)

const archiveName = "archive"

const (
	// A slice that the archive refuses is offered again after retryMin, then after twice that, up to retryMax.
	retryMin, retryMax = time.Second, time.Minute
	// stepTime is how long one piece of work in the background may take, stepRest the least time after it; it rests
	// as long as it worked, so that half of a processor and of a disk are free at least.
	stepTime, stepRest = 10 * time.Second, 50 * time.Millisecond
	// lastAppends is how long the archive may take for what waits when the program ends, lastRetry the time between
	// two tries.
	lastAppends, lastRetry = 6 * time.Second, 500 * time.Millisecond
)

// archiveSeat is what the archive's actor keeps over its restarts. The archive itself is not made anew.
type archiveSeat struct {
	*cell
	archive store.Archive
	rack    *rack
	clock   Clock
	log     zerolog.Logger
	self    func(m any)
	work    chan struct{} // with room for one: there may be something to do in the background

	// Only the actor's turn touches it.
	crew *crew // of the incarnation, until it is joined

	mu     sync.Mutex
	status ArchiveStatus
	own    store.ArchiveStatus // the archive's, as it was last
	failed error               // why the last slice was refused
	broken error               // why the last step failed
	// stepping is set while a step runs; crashed counts the steps in a row that panicked.
	stepping bool
	crashed  int
}

func newArchiveSeat(c *cell, a store.Archive, clock Clock, log zerolog.Logger) *archiveSeat {
	return &archiveSeat{
		cell: c, archive: a, rack: newRack(), clock: clock, log: log, work: make(chan struct{}, 1),
		status: ArchiveStatus{On: true},
	}
}

// archiveActor hands closed slices to the archive, and has it do its work in the background.
//
// Receives crewFailed from its own goroutines, and sends nothing: slices come by the rack of its seat, so that
// whoever closes them never waits. Owns its two goroutines, of which one appends and one works.
type archiveActor struct{ seat *archiveSeat }

func (a archiveActor) start(actor.Context) {
	s := a.seat
	if !s.join(0) { // Release has waited.
		panic(errStillRuns)
	}
	s.offered()
	s.stepped()
	w := newCrew(func(w *crew, c *crash) { s.self(&crewFailed{crew: w, crash: c}) })
	s.crew = w
	w.start(w.ctx, "append", s.append)
	w.start(w.ctx, "step", s.step)
}

// offered looks whether a slice has made the last incarnation fail.
func (s *archiveSeat) offered() {
	if seq := s.rack.crashed(); seq != 0 {
		s.log.Error().Uint64("slice", seq).Msg("slice given up: the archive does not take it")
	}
}

// stepped looks whether a step has made the last incarnation fail.
func (s *archiveSeat) stepped() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stepping {
		s.stepping = false
		s.crashed++
		s.status.StepFailures++
	}
}

func (a archiveActor) receive(_ actor.Context, m any) {
	if m, ok := m.(*crewFailed); ok && m.crew == a.seat.crew {
		panic(m.crash)
	}
}

func (archiveActor) giveUp(any) {}

func (a archiveActor) halt() {
	if c := a.seat.crew; c != nil {
		c.cancel()
	}
}

// release hands over what still waits if the program ends.
func (a archiveActor) release(_ actor.Context, last bool) {
	s := a.seat
	if !last {
		s.join(joinRestart)
		return
	}
	began := s.clock.Monotonic()
	if !s.join(lastAppends) {
		s.log.Error().Msg("the archive hangs; the last slices are lost")
		return
	}
	s.offered()
	done := make(chan struct{})
	launch("last slices", func(*crash) {}, func() {
		defer close(done)
		s.rest(began + lastAppends)
	})
	late := time.NewTimer(max(0, began+lastAppends-s.clock.Monotonic()))
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
	}
	if n, _ := s.rack.level(); n > 0 {
		s.log.Error().Uint64("slices", n).Msg("the last slices could not be stored")
	}
}

// rest appends until nothing waits or it is late. Nobody supervises it any more.
func (s *archiveSeat) rest(until time.Duration) {
	for s.clock.Monotonic() < until {
		it := s.rack.next()
		if it == nil {
			return
		}
		err := guarded("append", func() error { return s.offer(it) })
		if err == nil {
			continue
		}
		s.log.Error().Err(err).Msg("cannot store one of the last slices")
		if crashed := it.working; crashed {
			s.offered()
			continue
		}
		time.Sleep(lastRetry)
	}
}

func (s *archiveSeat) join(patience time.Duration) bool {
	if s.crew != nil && !s.crew.join(patience) {
		return false
	}
	s.crew = nil
	return true
}

// append hands slices over as they come.
func (s *archiveSeat) append(ctx context.Context) error {
	wait := time.Duration(0)
	for ctx.Err() == nil {
		it := s.rack.next()
		if it == nil {
			select {
			case <-s.rack.wake:
			case <-ctx.Done():
			}
			continue
		}
		if err := s.offer(it); err != nil {
			wait = min(cmp.Or(2*wait, retryMin), retryMax)
			pause(ctx, wait)
			continue
		}
		wait = 0
	}
	return nil
}

// pause waits a while, or until ctx is done.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// offer offers one slice. If the archive panics, so does it.
func (s *archiveSeat) offer(it *racked) error {
	if it.relabel != nil {
		return s.settle(it, s.archive.Relabel(it.relabel.since, it.relabel.delta))
	}
	return s.settle(it, s.archive.Append(it.slice))
}

// settle notes what came of it.
func (s *archiveSeat) settle(it *racked, err error) error {
	if err != nil {
		s.rack.failed(it)
		err = fmt.Errorf("store slice: %w", err)
		s.refused(err)
	} else {
		s.rack.done(it, s.archive.NeedsAccounts())
		s.kept(it.slice)
	}
	s.look()
	return err
}

func (s *archiveSeat) refused(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Failures++
	s.status.LastError = clip(err.Error(), maxErrorText)
	if s.failed == nil {
		s.log.Error().Err(err).Msg("slices are not stored; they wait in memory")
	}
	s.failed = err
}

func (s *archiveSeat) kept(m *messages.Slice) {
	if m != nil {
		select {
		case s.work <- struct{}{}:
		default:
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		s.log.Info().Msg("slices are stored again")
	}
	s.failed = nil
	if m != nil {
		s.status.Kept++
		s.status.LastSeq, s.status.LastKept = m.Seq, periodOf(m.Span)
	}
}

// look asks the archive how it does. Only its goroutines do: it may hang.
func (s *archiveSeat) look() {
	own := s.archive.Status()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.own = own
}

// step has the archive do its work in the background, after each slice until there is none left.
func (s *archiveSeat) step(ctx context.Context) error {
	wait := time.Duration(0)
	s.mu.Lock()
	crashed := s.crashed
	s.mu.Unlock()
	if crashed > 0 { // So that slices are appended, though it may panic each time.
		pause(ctx, min(retryMin<<min(crashed, 10), retryMax))
	}
	for ctx.Err() == nil {
		began := s.clock.Monotonic()
		more, err := s.oneStep(ctx)
		took := s.clock.Monotonic() - began
		switch {
		case ctx.Err() != nil:
		case err != nil:
			wait = min(cmp.Or(2*wait, retryMin), retryMax)
			pause(ctx, wait)
		case more:
			wait = 0
			pause(ctx, max(took, stepRest))
		default:
			wait = 0
			select {
			case <-s.work:
			case <-ctx.Done():
			}
		}
	}
	return nil
}

func (s *archiveSeat) oneStep(ctx context.Context) (more bool, err error) {
	bounded, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	s.mu.Lock()
	s.stepping = true
	s.mu.Unlock()
	more, err = s.archive.Step(bounded)
	if err != nil && ctx.Err() == nil && bounded.Err() != nil {
		more, err = true, nil // It did not end in its time; it goes on later.
	}
	s.mu.Lock()
	s.status.Steps++
	s.stepping, s.crashed = false, 0
	if err != nil && ctx.Err() == nil {
		s.status.StepFailures++
		s.status.LastError = clip(err.Error(), maxErrorText)
	}
	s.status.Busy = more
	s.broken = err
	s.mu.Unlock()
	s.look()
	return more, err
}

// ask has the next slice bring all accounts; it does nothing without an archive.
func (s *archiveSeat) ask() {
	if s != nil {
		s.rack.ask()
	}
}

// take takes a slice that has closed.
func (s *archiveSeat) take(m *messages.Slice) {
	if s != nil {
		s.rack.put(m)
	}
}
