package actors

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"weir/computations"
	"weir/messages"
)

var errNoComputation = errors.New("no computation was made")

// computationSeat is what a computation's actor keeps over its restarts. The computation itself is made anew, and
// told of all flows again.
type computationSeat struct {
	*cell
	spec     ComputationSpec
	clock    Clock
	log      zerolog.Logger
	inlets   inlets
	shards   []*shardSeat
	self     func(m any)
	send     func(to *cell, m any)
	slicer   func(m any) // takes the answers
	book     *lossBook
	room     int           // flows in the view
	patience time.Duration // how long updates of one message may wait for the shards
	state    *stateFile    // nil if nothing is kept
	savedAt  time.Duration // on the monotonic clock, when it was saved last or the program began

	// life ends when the program drains: then nothing waits any more.
	life context.Context //nolint:containedctx // It is the seat's life.
	end  context.CancelFunc

	// Only the actor's turn touches these.
	computation computations.Computation // of the incarnation; nil after a failure
	view        *computations.View
	crew        *crew
	tagger      *tagger
	due         *settleBy // waits until the shards have handed over what they owe
	began       bool      // it is not the first incarnation
	streak      int       // failures since it last settled

	ready     atomic.Bool
	asked     atomic.Uint64 // the slice that it was asked to settle and has not answered
	reporting atomic.Bool   // a reportStats is on its way
	saving    atomic.Bool   // a save is being written
	counts    computationCounts

	mu   sync.Mutex
	last computationReport
}

// computationCounts count over all incarnations.
type computationCounts struct {
	events, facts, givenUp, settled, late atomic.Uint64
	dropped, fileErrors, stateErrors      atomic.Uint64
	files, stateBytes                     atomic.Int64
	lastSettle, saved                     atomic.Int64 // in nanoseconds; the second since 1970
}

// computationReport is what only the actor's turn can tell.
type computationReport struct {
	metrics        []MetricStatus
	flows, refused uint64
}

// settleBy asks a computation's actor to settle; it answers the slicer with Settled.
type settleBy struct {
	*messages.Settle
	patience time.Duration
}

// computationActor runs a computation.
//
// Receives Events, missedNews and settleAgain from the shards, settleBy from the slicer, filesChanged and
// crewFailed from its own goroutines, and reportStats. Sends Settled to the slicer, handOver and retell to the
// shards, and Batch to them as a source does. Owns the computation, its view and its goroutines.
type computationActor struct{ seat *computationSeat }

// start makes the computation anew. One that failed has lost what it knew of the flows, so the shards tell again.
func (a computationActor) start(actor.Context) {
	s := a.seat
	if !s.join(0) { // Release has waited.
		panic(errStillRuns)
	}
	s.crew = newCrew(func(w *crew, c *crash) { s.self(&crewFailed{crew: w, crash: c}) })
	s.saving.Store(false)
	s.view = computations.NewView(s.room)
	c := s.make()
	s.readFiles(c)
	s.computation = c
	s.ready.Store(true)
	if s.began {
		s.askAgain(-1)
	}
	s.began = true
}

// make makes the computation with what the last one has kept.
func (s *computationSeat) make() computations.Computation {
	core := computations.Core{Name: s.spec.Name, Log: s.log}
	c, err := s.spec.Config.New(core)
	if err != nil {
		panic(fmt.Errorf("make computation: %w", err))
	}
	if c == nil {
		panic(errNoComputation)
	}
	if k, keeps := c.(computations.Keeper); keeps && s.state != nil && !s.load(k) {
		// What failed to load may be in any state.
		if c, err = s.spec.Config.New(core); err != nil {
			panic(fmt.Errorf("make computation: %w", err))
		}
	}
	return c
}

func (a computationActor) receive(_ actor.Context, m any) {
	s := a.seat
	switch m := m.(type) {
	case *messages.Events:
		s.handle(m)
	case *settleBy:
		s.due = m
		s.settle()
	case *settleAgain:
		s.settle()
	case *missedNews:
		s.view = computations.NewView(s.room)
		s.askAgain(m.shard)
	case *filesChanged:
		if r, reads := s.computation.(computations.Reader); reads {
			s.take(r, m.files)
		}
		close(m.done)
	case *reportStats:
		s.report()
		m.done <- struct{}{}
	case *crewFailed:
		if m.crew == s.crew {
			panic(m.crash)
		}
	}
}

func (s *computationSeat) handle(m *messages.Events) {
	s.view.Learn(m.Flows)
	s.tagging(s.patience, func(out computations.Out) { s.computation.Handle(m, s.view, out) })
	s.counts.events.Add(uint64(len(m.Flows)))
	s.counts.facts.Add(uint64(len(m.Facts)))
}

// settle settles, unless it is not asked to, or some shard owes news of the slice.
func (s *computationSeat) settle() {
	m := s.due
	if m == nil || s.inlets.owed() {
		return
	}
	began := s.clock.Monotonic()
	s.tagging(m.patience, func(out computations.Out) {
		s.computation.Settle(s.clock.Now().UnixNano(), s.view, out)
	})
	s.due, s.streak = nil, 0
	s.counts.settled.Add(1)
	s.counts.lastSettle.Store(int64(s.clock.Monotonic() - began))
	s.answer(m.Seq)
	s.view.Sweep()
	s.saveSometimes()
}

// tagging calls the computation, and posts what it says: within a time, so that a shard that hangs cannot hold it
// for ever, and not after the program has begun to drain.
func (s *computationSeat) tagging(patience time.Duration, f func(out computations.Out)) {
	ctx, cancel := context.WithTimeout(s.life, patience)
	defer cancel()
	dropped := s.tagger.session(ctx, f)
	if dropped == 0 {
		return
	}
	s.counts.dropped.Add(dropped)
	s.lose(dropped, s.spec.Name+" could not hand over its updates in time")
}

// answer tells the slicer that a slice needs not wait any more.
func (s *computationSeat) answer(seq uint64) {
	if s.asked.CompareAndSwap(seq, 0) {
		s.slicer(&messages.Settled{Seq: seq, Computation: s.spec.Name})
	}
}

func (s *computationSeat) lose(count uint64, detail string) {
	now := s.clock.Now()
	s.book.add(messages.Loss{
		Source: s.spec.Name, Kind: messages.LossUntagged, Count: count, Detail: detail,
		Span: messages.Span{Start: now, End: now},
	})
}

// askAgain has the shards tell of all flows again, except for one that does so anyway.
func (s *computationSeat) askAgain(except int) {
	for i, sh := range s.shards {
		// Only one request may be under way, since a shard that waits to be restarted takes none.
		if i != except && !sh.gone() && !sh.retelling.Swap(true) {
			s.send(sh.cell, &retell{})
		}
	}
}

// giveUp counts a message that made the computation fail twice.
func (a computationActor) giveUp(m any) {
	s := a.seat
	switch m := m.(type) {
	case *messages.Events:
		s.counts.givenUp.Add(uint64(len(m.Flows)) + uint64(len(m.Facts)))
	case *filesChanged:
		close(m.done)
	case *settleBy, *settleAgain:
		s.due = nil
	}
}

// halt ends the computation's goroutines at once, and lets no slice wait for it.
func (a computationActor) halt() {
	s := a.seat
	s.ready.Store(false)
	s.computation = nil
	s.streak++
	if s.crew != nil {
		s.crew.cancel()
	}
	if seq := s.asked.Load(); seq != 0 {
		s.counts.late.Add(1)
		s.lose(0, s.spec.Name+" failed")
		s.answer(seq)
	}
}

// release saves what is to be kept if the actor is not restarted.
func (a computationActor) release(_ actor.Context, last bool) {
	s := a.seat
	if !last {
		s.join(joinRestart)
		return
	}
	s.ready.Store(false)
	s.end()
	if !s.join(joinRestart) {
		s.log.Error().Msg("goroutines of the computation do not end")
		return
	}
	s.saveLast()
	s.tagger.discard()
}

// join waits for all goroutines of the incarnation. It may be called again.
func (s *computationSeat) join(patience time.Duration) bool {
	if s.crew != nil && !s.crew.join(patience) {
		return false
	}
	s.crew = nil
	return true
}

// report notes what only the actor's turn can tell. The metrics are foreign code.
func (s *computationSeat) report() {
	defer s.reporting.Store(false)
	r := computationReport{flows: uint64(s.view.Len()), refused: s.view.Refused()} //nolint:gosec // Never negative.
	_ = protect("metrics", func() { r.metrics = metricsOf(s.computation.Metrics()) })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = r
}

// status gives the last known numbers; fresh says that they were just asked for.
func (s *computationSeat) status(fresh bool) ComputationStatus {
	s.mu.Lock()
	r := s.last
	s.mu.Unlock()
	c := &s.counts
	st := ComputationStatus{
		Name: s.spec.Name, Rank: s.spec.Rank, Running: s.ready.Load(), Fresh: fresh,
		Metrics: r.metrics, Flows: r.flows, FlowsRefused: r.refused,
		Events: c.events.Load(), Facts: c.facts.Load(), GivenUp: c.givenUp.Load(),
		Updates: s.tagger.updates(), UpdatesDropped: c.dropped.Load(),
		Settled: c.settled.Load(), Late: c.late.Load(),
		LastSettle: time.Duration(c.lastSettle.Load()).Seconds(),
		Files:      int(c.files.Load()), FileErrors: c.fileErrors.Load(),
		StateBytes: c.stateBytes.Load(), StateSaved: timeOf(c.saved.Load()), StateFailures: c.stateErrors.Load(),
	}
	if st.Metrics == nil {
		st.Metrics = []MetricStatus{}
	}
	for _, i := range s.inlets {
		st.Waiting += int64(i.taken.Load())
		st.Queued += i.queued.Load()
		st.EventsDropped += i.eventsDropped.Load()
		st.FactsDropped += i.factsDropped.Load()
	}
	return st
}

// rankComputations gives the names of computations by rank, the lowest first.
func rankComputations(all []ComputationSpec) [][]string {
	byRank := map[int][]string{}
	for _, c := range all {
		byRank[c.Rank] = append(byRank[c.Rank], c.Name)
	}
	ranks := make([][]string, 0, len(byRank))
	for _, rank := range slices.Sorted(maps.Keys(byRank)) {
		ranks = append(ranks, byRank[rank])
	}
	return ranks
}
