package actors

import (
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"weir/messages"
	"weir/sources"
)

// slicerSeat is what the slicer's actor keeps over its restarts. It is the slicer's ports.
type slicerSeat struct {
	*cell
	machine *slicer
	clock   Clock
	sources []*sourceSeat
	shards  []*shardSeat
	// computations are by their names.
	computations map[string]*computationSeat
	tier         *cell
	book         *lossBook
	archive      *archiveSeat // nil if there is none
	send         func(to *cell, m any)

	// Only the actor's turn touches these.
	waiting map[order]chan<- struct{} // who waits for an order
	timer   *time.Timer
	turn    uint64 // numbers the timers, so that an old one means nothing
	// failures in a row: after one the round goes on with the message given again, after more it is cut short.
	failures int

	mu     sync.Mutex
	status SlicerStatus
}

// tickSlicer and giveOrder are for the slicer.
type (
	tickSlicer struct{ turn uint64 }
	giveOrder  struct {
		order order
		done  chan<- struct{} // with room for the answer
	}
)

// slicerActor closes slices.
//
// Receives tickSlicer from its timer, giveOrder from a drain, SnapshotTaken, EventsFlushed, Settled and
// sliceDone. Sends takeSnapshot to sources, FlushEvents, CloseSlice and ClockSet to shards, settleBy to
// computations, SealSlice and relabelSlices to the memory tier. Owns nothing: the state machine belongs to the seat.
type slicerActor struct{ seat *slicerSeat }

func (a slicerActor) start(actor.Context) {
	s := a.seat
	now := readClock(s.clock)
	if s.failures > 1 {
		s.machine.resume(now)
	}
	s.machine.tick(now)
	s.after()
}

func (a slicerActor) receive(_ actor.Context, m any) {
	s := a.seat
	now := readClock(s.clock)
	switch m := m.(type) {
	case *tickSlicer:
		if m.turn != s.turn {
			return
		}
		s.machine.tick(now)
	case *giveOrder:
		s.waiting[m.order] = m.done
		s.machine.obey(m.order, now)
	case *messages.SnapshotTaken:
		s.machine.snapshotTaken(m, now)
	case *messages.EventsFlushed:
		s.machine.eventsFlushed(m, now)
	case *messages.Settled:
		s.machine.settled(m, now)
	case *sliceDone:
		s.machine.sliceClosed(m.seq, m.slice, now)
	}
	s.failures = 0
	s.after()
}

// after sets the timer and shows what is.
func (s *slicerSeat) after() {
	s.stopTimer()
	turn := s.turn
	wait := s.machine.next(readClock(s.clock))
	s.timer = later(wait, func(*crash) {}, func() { s.send(s.cell, &tickSlicer{turn: turn}) })
	s.mu.Lock()
	s.status = s.machine.status()
	s.mu.Unlock()
}

func (s *slicerSeat) stopTimer() {
	s.turn++
	if s.timer != nil {
		s.timer.Stop()
	}
}

// giveUp need not do much: the deadline of the round makes up for whatever it was. Only what the memory tier
// has taken must not count as waiting there.
func (a slicerActor) giveUp(m any) {
	if m, ok := m.(*sliceDone); ok {
		a.seat.machine.taken(m.seq)
	}
}

func (a slicerActor) halt() {
	a.seat.failures++
	a.seat.stopTimer()
}

func (a slicerActor) release(actor.Context, bool) { a.seat.stopTimer() }

// snapshotOf is the slicer's status as it was after the last message.
func (s *slicerSeat) snapshotOf() SlicerStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

func (s *slicerSeat) pullers() []string {
	var names []string
	for _, src := range s.sources {
		if src.canBeAsked() {
			names = append(names, src.spec.Name)
		}
	}
	return names
}

func (s *slicerSeat) snapshot(source string, req messages.SnapshotRequest, patience time.Duration) {
	for _, src := range s.sources {
		if src.spec.Name == source {
			s.send(src.cell, &takeSnapshot{req: req, patience: patience})
		}
	}
}

func (s *slicerSeat) flush(shard int, m *messages.FlushEvents) { s.command(shard, m) }

// command posts to a shard. One that takes nothing out of its mailbox gets nothing more, and is late.
func (s *slicerSeat) command(shard int, m any) {
	if sh := s.shards[shard]; sh.gate.command() {
		s.send(sh.cell, m)
	}
}

// settle asks a computation that runs and has answered for all slices before.
func (s *slicerSeat) settle(name string, m *messages.Settle, patience time.Duration) bool {
	c := s.computations[name]
	if c == nil || !c.ready.Load() || !c.asked.CompareAndSwap(0, m.Seq) {
		return false
	}
	s.send(c.cell, &settleBy{Settle: m, patience: patience})
	return true
}

func (s *slicerSeat) untagged(name string) {
	if c := s.computations[name]; c != nil {
		c.counts.late.Add(1)
	}
}

func (s *slicerSeat) closeSlice(shard int, m *messages.CloseSlice) { s.command(shard, m) }

func (s *slicerSeat) accounts() bool { return s.archive != nil && s.archive.rack.wants() }

func (s *slicerSeat) seal(m *messages.SealSlice) { s.send(s.tier, m) }

func (s *slicerSeat) relabel(m *relabelSlices) { s.send(s.tier, m) }

func (s *slicerSeat) clockSet(m messages.ClockSet) {
	for _, sh := range s.shards {
		s.send(sh.cell, &m)
	}
}

func (s *slicerSeat) losses(now time.Time) (all []messages.Loss, down bool) {
	all = s.book.take()
	for _, src := range s.sources {
		loss, lost, isDown := src.presence.take(src.spec.Name, now)
		tags := bringsTagsOnly(src.spec.Config)
		if tags { // No byte is missing without it.
			loss.Kind = messages.LossUntagged
		}
		if lost {
			all = append(all, loss)
		}
		down = down || isDown && !tags
	}
	return all, down
}

// bringsTagsOnly says whether a source says of itself that it does not count.
func bringsTagsOnly(c sources.Config) bool {
	counting, says := c.(sources.Counting)
	return says && counting.CountsBy() == ""
}

func (s *slicerSeat) done(o order) {
	if c := s.waiting[o]; c != nil {
		delete(s.waiting, o)
		c <- struct{}{}
	}
}
