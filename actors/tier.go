package actors

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"weir/messages"
)

// tierSeat is what the memory tier's actor keeps over its restarts.
type tierSeat struct {
	*cell
	collector *collector
	label     func() messages.Span // the slice that holds the present
	subs      *subscribers
	losses    *lossBook
	log       zerolog.Logger
	slicer    func(m any)  // is told of each closed slice
	archive   *archiveSeat // takes it; nil if there is none
}

// sliceDone tells the slicer that the tier has done with a slice; Slice is nil if it was given up.
type sliceDone struct {
	seq   uint64
	slice *messages.Slice
}

// memoryTier is the actor that writes the memory tier, alone.
//
// Receives SlicePart from the shards, SealSlice and relabelSlices from the slicer. Sends sliceDone to
// the slicer and SliceClosed to subscribers, and puts the slice onto the rack of the archive. Owns the writing side
// of the tier; queries read beside it.
type memoryTier struct{ seat *tierSeat }

func (a memoryTier) start(actor.Context) {
	if c := a.seat.collector; c.pending != nil {
		if c.exhausted() {
			a.seat.drop()
		} else {
			a.seat.append()
		}
	}
}

func (a memoryTier) receive(_ actor.Context, m any) {
	s := a.seat
	switch m := m.(type) {
	case *messages.SlicePart:
		ready := s.collector.part(m)
		s.settled() // The part is in the collector: given again it would count twice.
		s.publish(m.Seq, ready)
	case *messages.SealSlice:
		ready := s.collector.seal(m)
		s.publish(m.Seq, ready)
	case *relabelSlices:
		if err := s.collector.tier.Relabel(m.since, m.delta); err != nil {
			panic(fmt.Errorf("relabel since slice %d: %w", m.since, err))
		}
		if s.archive != nil {
			s.archive.rack.relabel(m)
		}
	}
}

func (s *tierSeat) publish(seq uint64, ready bool) {
	if ready {
		s.collector.assemble(seq)
		s.settled()
		s.append()
	}
}

// append puts the pending slice into the tier. If that fails the actor does, and tries again later.
func (s *tierSeat) append() {
	slice, err := s.collector.flush()
	if err != nil {
		panic(err)
	}
	s.archive.take(slice)
	s.slicer(&sliceDone{seq: slice.Seq, slice: slice})
	s.subs.tell(&messages.SliceClosed{Slice: slice})
}

func (s *tierSeat) drop() {
	seq := s.collector.giveUp()
	s.log.Error().Uint64("slice", seq).Msg("slice given up: the tier does not take it")
	s.slicer(&sliceDone{seq: seq})
}

func (a memoryTier) giveUp(m any) {
	s := a.seat
	switch m := m.(type) {
	case *messages.SlicePart:
		s.collector.losePart(m)
	case *messages.SealSlice:
		s.slicer(&sliceDone{seq: m.Seq}) // Its parts go into the next one.
	case *relabelSlices:
		s.log.Error().Uint64("since", m.since).Dur("delta", m.delta).Msg("slices keep their wrong times")
	}
}

func (memoryTier) halt() {}

// release appends what came after the last slice: when the tier stops, all shards have.
func (a memoryTier) release(_ actor.Context, last bool) {
	s := a.seat
	if !last {
		return
	}
	s.collector.carried = append(s.collector.carried, s.losses.take()...)
	for s.collector.pending != nil || s.collector.leftover(s.label()) {
		err := protect(s.name, s.append)
		if err != nil && s.collector.exhausted() {
			s.log.Error().Err(err).Msg("the last slice is lost")
			s.collector.giveUp()
			return
		}
	}
}

// subscribers are told of each closed slice.
type subscribers struct {
	mu   sync.Mutex
	all  map[*Subscription]struct{}
	done bool
}

func newSubscribers() *subscribers { return &subscribers{all: map[*Subscription]struct{}{}} }

// Subscription gets closed slices.
type Subscription struct {
	// C gives the slices as they close. It is closed with the subscription and when the system ends.
	C <-chan *messages.Slice

	c       chan *messages.Slice
	dropped atomic.Uint64
	of      *subscribers
}

// Dropped counts slices for which there was no room.
func (n *Subscription) Dropped() uint64 { return n.dropped.Load() }

// Close ends the subscription.
func (n *Subscription) Close() {
	n.of.mu.Lock()
	defer n.of.mu.Unlock()
	if _, ok := n.of.all[n]; ok {
		delete(n.of.all, n)
		close(n.c)
	}
}

func (s *subscribers) add(room int) *Subscription {
	c := make(chan *messages.Slice, max(room, 1))
	n := &Subscription{C: c, c: c, of: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		close(c)
	} else {
		s.all[n] = struct{}{}
	}
	return n
}

// tell never waits.
func (s *subscribers) tell(m *messages.SliceClosed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := range s.all {
		select {
		case n.c <- m.Slice:
		default:
			n.dropped.Add(1)
		}
	}
}

func (s *subscribers) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = true
	for n := range s.all {
		delete(s.all, n)
		close(n.c)
	}
}
