package actors

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"weir/flows"
	"weir/messages"
)

// table is what a shard needs of its flow table.
type table interface {
	Apply(b *messages.Batch)
	LearnAliases(m *messages.LearnAliases)
	Close(c *messages.CloseSlice) *messages.SlicePart
	ClockSet(m messages.ClockSet)
	SetHome(h *flows.Home)
	Stats() flows.Stats
	events
	// rescue makes a sound table of one that has panicked while it applied b, or did something else if
	// b is nil.
	rescue(b *messages.Batch) table
}

// flowTable is the real one.
type flowTable struct{ *flows.Table }

func (t flowTable) rescue(b *messages.Batch) table { return flowTable{t.Rescue(b)} }

func newFlowTable(o flows.Options) table { return flowTable{flows.NewTable(o)} }

// shardSeat is what a shard keeps over its restarts: the table lies here, and the actor only comes and
// goes.
type shardSeat struct {
	*cell
	index  int
	gate   *gate
	make   func(since time.Time, first uint64, restore []messages.Account) table
	clock  Clock
	log    zerolog.Logger
	losses *lossBook
	// slicer and tier take the shard's answers.
	slicer, tier func(m any)
	// archive needs all accounts after the table was lost; nil if there is none.
	archive *archiveSeat
	// herald tells the computations; nil if there are none. Only the actor's turn touches it.
	herald *herald

	// Only the actor's turn touches these.
	table  table
	began  time.Time       // when the table began to count
	batch  *messages.Batch // being applied right now
	closed uint64          // the last slice that was closed
	dirty  bool            // something was applied since
	failed bool            // the table has panicked and was not rescued yet
	// unheard is how many events the table had lost, because nobody took them, when the computations had to
	// begin anew for that.
	unheard uint64

	asked     atomic.Bool // a reportStats is on its way
	retelling atomic.Bool // a retell is on its way
	mu        sync.Mutex
	stats     flows.Stats // the last known
}

// manyLost is after how many lost events of a table, each of which may have been the end of a flow, the
// computations begin anew: otherwise they would keep these flows for ever.
const manyLost = 1024

// setHome and reportStats are for shards.
type (
	setHome     struct{ home *flows.Home }
	reportStats struct{ done chan<- struct{} } // with room for the answer
)

// shard is the actor that owns a part of the live flows.
//
// Receives Batch and LearnAliases, which cost a credit, FlushEvents, CloseSlice, ClockSet, setHome,
// reportStats, handOver and retell. Sends EventsFlushed to the slicer, SlicePart to the memory tier, Events,
// missedNews and settleAgain to the computations, and through its table LearnAliases and Batch to other
// shards. Owns the batches it receives; the table belongs to the seat.
type shard struct{ seat *shardSeat }

func (a shard) start(actor.Context) {
	if a.seat.failed {
		a.seat.mend()
	}
}

func (a shard) receive(_ actor.Context, m any) {
	s := a.seat
	switch m := m.(type) {
	case *messages.Batch:
		s.apply(m)
	case *messages.LearnAliases:
		s.table.LearnAliases(m)
	case *messages.FlushEvents:
		s.flush(m)
	case *messages.CloseSlice:
		s.close(m)
	case *messages.ClockSet:
		s.table.ClockSet(*m)
	case *setHome:
		s.table.SetHome(m.home)
	case *reportStats:
		s.report(m)
	case *handOver:
		s.herald.work(s.table)
	case *retell:
		s.retelling.Store(false)
		s.table.Retell()
		s.herald.work(s.table)
	}
}

func (s *shardSeat) apply(b *messages.Batch) {
	s.dirty = s.dirty || counts(b)
	s.batch = b
	s.table.Apply(b)
	s.batch = nil
	s.settled() // Whoever gets the batch next may write into it.
	if s.herald != nil {
		s.herald.heard(b, s.table)
	}
	b.Release()
}

// counts says whether a batch can change what a slice sums. All that a computation sends is tags, to rows that are
// there for another reason.
func counts(b *messages.Batch) bool {
	return len(b.Updates) > 0 && b.Updates[0].Flags&messages.Derived == 0
}

// flush hands the computations what they can take; nobody waits for them here.
func (s *shardSeat) flush(m *messages.FlushEvents) {
	if s.herald != nil {
		if lost := s.table.Stats().EventsLost; lost >= s.unheard+manyLost {
			s.unheard = lost
			s.herald.lost(s.table)
		}
		s.herald.flush(s.table)
	}
	s.slicer(&messages.EventsFlushed{Seq: m.Seq, Rank: m.Rank, Shard: s.index})
}

// close closes a slice once, however often it is asked to.
func (s *shardSeat) close(m *messages.CloseSlice) {
	if m.Seq <= s.closed {
		return
	}
	part := s.table.Close(m)
	s.closed, s.dirty = m.Seq, false
	s.tier(part)
}

func (s *shardSeat) report(m *reportStats) {
	st := s.table.Stats()
	s.mu.Lock()
	s.stats = st
	s.mu.Unlock()
	s.asked.Store(false)
	m.done <- struct{}{}
}

// mend makes a sound table after a panic. What cannot be saved is told.
func (s *shardSeat) mend() {
	b := s.batch
	s.batch, s.failed = nil, false
	if b != nil {
		s.settled()
		defer b.Release()
	}
	err := s.rescue(b)
	if err == nil {
		s.tellAgain()
		return
	}
	s.log.Error().Err(err).Msg("the rest of a batch is lost")
	if b != nil {
		s.lose(uint64(len(b.Updates)), "updates could not be applied; see the log", s.clock.Now())
		if err = s.rescue(nil); err == nil {
			s.tellAgain()
			return
		}
	}
	s.log.Error().Err(err).Msg("the flow table is lost")
	now := s.clock.Now()
	s.lose(0, "the flow table was lost; what live flows moved since the last slice is missing", s.began)
	s.table, s.began, s.unheard = s.make(now, s.closed+1, nil), now, 0
	s.archive.ask()
	if s.herald != nil {
		s.herald.lost(s.table)
	}
}

// tellAgain tells the computations of all flows of a table that was rescued: events may have gone with the old one.
func (s *shardSeat) tellAgain() {
	if s.herald == nil {
		return
	}
	if err := protect("retell", s.table.Retell); err != nil {
		s.log.Error().Err(err).Msg("the computations are not told of all flows again")
	}
}

func (s *shardSeat) rescue(b *messages.Batch) error {
	return protect("rescue", func() { s.table = s.table.rescue(b) })
}

func (s *shardSeat) lose(count uint64, detail string, since time.Time) {
	s.losses.add(messages.Loss{
		Source: s.name, Kind: messages.LossRestart, Count: count, Detail: detail,
		Span: messages.Span{Start: since, End: s.clock.Now()},
	})
}

// giveUp tells what is lost with a message that could not be handled.
func (a shard) giveUp(m any) {
	s := a.seat
	switch m := m.(type) {
	case *messages.Batch:
		s.lose(uint64(len(m.Updates)), "updates could not be applied; see the log", s.clock.Now())
		s.batch = nil
	case *messages.CloseSlice:
		s.dirty = true // The rows stay in the table for the next slice, or for the end.
	}
}

func (a shard) halt() { a.seat.failed = true }

// release hands over what was applied after the last slice, before the memory tier stops.
func (a shard) release(_ actor.Context, last bool) {
	s := a.seat
	if !last {
		return
	}
	s.gate.close()
	if s.failed {
		s.mend()
	}
	for range maxTries {
		if !s.dirty || s.closeRest() == nil {
			return
		}
		s.mend() // It puts aside what made the table panic.
	}
	s.lose(0, "what came after the last slice could not be handed over; see the log", s.began)
}

// closeRest hands over what was applied since the last slice.
func (s *shardSeat) closeRest() error {
	now := s.clock.Now()
	err := protect("last rows", func() {
		part := s.table.Close(&messages.CloseSlice{Seq: s.closed + 1, Span: messages.Span{Start: now, End: now}})
		s.closed, s.dirty = part.Seq, false
		s.tier(part)
	})
	if err != nil {
		s.log.Error().Err(err).Msg("cannot hand over the last rows")
	}
	return err
}

// status gives the last known numbers, after it has waited a moment for newer ones.
func (s *shardSeat) status(fresh bool) ShardStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return ShardStatus{
		Shard: s.index, Fresh: fresh, Flows: s.stats, Waiting: s.gate.level(), Window: gateWindow,
		Waited: s.gate.waited.Load(), Refused: s.gate.refused.Load(),
	}
}

// forward is how a table sends to other shards: it must not wait, or two shards could wait for each
// other.
func forward(ports []port, to int, m any) bool {
	if to < 0 || to >= len(ports) || !ports[to].gate.try() {
		return false
	}
	ports[to].post(m)
	return true
}
