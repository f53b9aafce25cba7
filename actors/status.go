package actors

import (
	"context"
	"sync/atomic"
	"time"

	"weir/flows"
	"weir/messages"
	"weir/sources"
	"weir/store"
)

// Status is how everything goes.
type Status struct {
	// Started is when the program began, CountsSince from when on traffic is counted.
	Started     time.Time `json:"started"`
	CountsSince time.Time `json:"counts_since"`
	// Draining is set once the program is about to end.
	Draining     bool                `json:"draining"`
	Actors       []ActorStatus       `json:"actors"`
	Sources      []SourceStatus      `json:"sources"`
	Computations []ComputationStatus `json:"computations"`
	Shards       []ShardStatus       `json:"shards"`
	Slicer       SlicerStatus        `json:"slicer"`
	// Tiers say what they hold.
	Tiers []store.Coverage `json:"tiers"`
	// Archive says how slices are kept beyond memory.
	Archive ArchiveStatus `json:"archive"`
	// DeadLetters counts messages to actors that were gone.
	DeadLetters uint64 `json:"dead_letters_total"`
	// Losses counts the losses that were told, of whatever extent.
	Losses uint64 `json:"losses_total"`
}

// ActorStatus is how one actor is.
type ActorStatus struct {
	Name string `json:"name"`
	// State is starting, running, backing-off, stopping or stopped, since Since.
	State string    `json:"state"`
	Since time.Time `json:"since"`
	// Failures counts since the program began.
	Failures  uint64 `json:"failures_total"`
	LastError string `json:"last_error,omitempty"`
	// LastFailure is when that was; zero if never.
	LastFailure time.Time `json:"last_failure,omitzero"`
}

// SourceStatus is how one source is.
type SourceStatus struct {
	Name string `json:"name"`
	// Ready says that it is able to deliver, Pull that it can be asked for snapshots.
	Ready bool `json:"ready"`
	Pull  bool `json:"pull"`
	// State and Detail are in the source's own words.
	State   sources.State  `json:"state"`
	Detail  string         `json:"detail,omitempty"`
	Metrics []MetricStatus `json:"metrics"`
	// Batches and Updates count what it posted.
	Batches uint64 `json:"batches_total"`
	Updates uint64 `json:"updates_total"`
	// ShedBatches and ShedUpdates count what it dropped for want of credit.
	ShedBatches uint64 `json:"shed_batches_total"`
	ShedUpdates uint64 `json:"shed_updates_total"`
	// Backlog is how many batches wait for credit.
	Backlog int64 `json:"backlog"`
}

// ComputationStatus is how one computation is.
type ComputationStatus struct {
	Name string `json:"name"`
	Rank int    `json:"rank"`
	// Running says that it is able to take news, Fresh that its metrics and Flows are of now.
	Running bool           `json:"running"`
	Fresh   bool           `json:"fresh"`
	Metrics []MetricStatus `json:"metrics"`
	// Flows is how many it can look into, FlowsRefused counts those for which there was no room.
	Flows        uint64 `json:"flows"`
	FlowsRefused uint64 `json:"flows_refused_total"`
	// Events and Facts count what it took up, EventsDropped and FactsDropped what shards dropped before it
	// did, GivenUp what was in messages that made it fail twice.
	Events        uint64 `json:"events_total"`
	Facts         uint64 `json:"facts_total"`
	EventsDropped uint64 `json:"events_dropped_total"`
	FactsDropped  uint64 `json:"facts_dropped_total"`
	GivenUp       uint64 `json:"given_up_total"`
	// Waiting is how many messages wait before it, Queued how many events and facts wait in the shards
	// for room there.
	Waiting int64 `json:"waiting"`
	Queued  int64 `json:"queued"`
	// Updates counts those that went to shards, UpdatesDropped those that found no room in time.
	Updates        uint64 `json:"updates_total"`
	UpdatesDropped uint64 `json:"updates_dropped_total"`
	// Settled counts the slices that it settled, Late those for which it was late or did not run.
	Settled uint64 `json:"settled_total"`
	Late    uint64 `json:"late_total"`
	// LastSettle is how long it took last, in seconds.
	LastSettle float64 `json:"last_settle_seconds"`
	// Files is how many it read, FileErrors counts errors in them or in reading them.
	Files      int    `json:"files"`
	FileErrors uint64 `json:"file_errors_total"`
	// StateBytes is the size of what it keeps over a restart of the program, StateSaved since when that is
	// so (zero: never), StateFailures how often it could not be saved or loaded.
	StateBytes    int64     `json:"state_bytes"`
	StateSaved    time.Time `json:"state_saved,omitzero"`
	StateFailures uint64    `json:"state_failures_total"`
}

// MetricStatus is a number of a source's or a computation's own.
type MetricStatus struct {
	Name  string  `json:"name"`
	Help  string  `json:"help"`
	Gauge bool    `json:"gauge"`
	Value float64 `json:"value"`
}

func metricsOf(ms []sources.Metric) []MetricStatus {
	out := make([]MetricStatus, 0, len(ms))
	for _, m := range ms {
		out = append(out, MetricStatus(m))
	}
	return out
}

// ShardStatus is how one shard is.
type ShardStatus struct {
	Shard int `json:"shard"`
	// Flows are the numbers of its table; Fresh says that they are of now.
	Flows flows.Stats `json:"flows"`
	Fresh bool        `json:"fresh"`
	// Waiting is how many batches wait before it, of at most Window.
	Waiting int `json:"waiting"`
	Window  int `json:"window"`
	// Waited counts how often somebody had to wait for credit, Refused how often somebody got none.
	Waited  uint64 `json:"waited_total"`
	Refused uint64 `json:"refused_total"`
}

// SlicerStatus is how the closing of slices goes.
type SlicerStatus struct {
	// Seq is the number of the open slice and Open its label.
	Seq  uint64 `json:"seq"`
	Open Period `json:"open"`
	// Closing is set while a slice is being closed.
	Closing bool `json:"closing"`
	// LastClosed is the label of the slice that was published last, LastRound how many seconds the closing
	// of a slice took last.
	LastClosed Period  `json:"last_closed,omitzero"`
	LastRound  float64 `json:"last_round_seconds"`
	// Closed counts published slices, Incomplete those without some participant, Failed those that the
	// memory tier could not take.
	Closed     uint64 `json:"closed_total"`
	Incomplete uint64 `json:"incomplete_total"`
	Failed     uint64 `json:"failed_total"`
	// Late counts participants that missed a deadline, LateAnswers answers that came after it.
	Late        uint64 `json:"late_total"`
	LateAnswers uint64 `json:"late_answers_total"`
	// Unpublished is how many closed slices the memory tier has not taken yet.
	Unpublished uint64 `json:"unpublished"`
	// ClockJumps counts how often the wall clock was set; ClockUnset says that it never was right yet.
	ClockJumps uint64 `json:"clock_jumps_total"`
	ClockUnset bool   `json:"clock_unset"`
}

// Period is a span of time, from Start until before End.
type Period struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

func periodOf(s messages.Span) Period { return Period(s) }

// statusPatience is how long a status waits for fresh numbers of the shards.
const statusPatience = 100 * time.Millisecond

// Status tells how everything goes. It may be called from any goroutine, at any time.
func (s *System) Status() Status {
	st := Status{
		Draining: s.draining.Load(), Actors: s.board.list(), Losses: s.losses.count(),
		Sources: []SourceStatus{}, Computations: []ComputationStatus{}, Shards: []ShardStatus{},
		Tiers: []store.Coverage{},
	}
	for _, t := range s.opt.Tiers {
		_ = protect("coverage", func() { st.Tiers = append(st.Tiers, t.Coverage()) })
	}
	if !s.running.Load() {
		return st
	}
	st.Started, st.CountsSince, st.DeadLetters = s.started, s.counts, s.lib.deadLetters.Load()
	st.Slicer, st.Archive = s.slicer.snapshotOf(), s.archive.tell()
	for _, src := range s.sources {
		st.Sources = append(st.Sources, src.status())
	}
	shards, computed := s.refresh()
	for i, sh := range s.shards {
		st.Shards = append(st.Shards, sh.status(shards[i]))
	}
	for i, c := range s.computations {
		st.Computations = append(st.Computations, c.status(computed[i]))
	}
	return st
}

// refresh asks all shards and computations for their numbers and waits for them a moment.
func (s *System) refresh() (shards, computed []bool) {
	ctx, cancel := context.WithTimeout(context.Background(), statusPatience)
	defer cancel()
	answers := make([]<-chan struct{}, 0, len(s.shards)+len(s.computations))
	for _, sh := range s.shards {
		answers = append(answers, s.inquire(sh.cell, &sh.asked))
	}
	for _, c := range s.computations {
		answers = append(answers, s.inquire(c.cell, &c.reporting))
	}
	fresh := make([]bool, len(answers))
	for i, c := range answers {
		if c == nil {
			continue
		}
		select {
		case <-c:
			fresh[i] = true
		case <-ctx.Done():
		}
	}
	return fresh[:len(s.shards)], fresh[len(s.shards):]
}

// inquire asks an actor for its numbers. Only one question may be under way, since an actor that waits to be
// restarted answers none; then there is no answer to wait for.
func (s *System) inquire(c *cell, asked *atomic.Bool) <-chan struct{} {
	if c.gone() || asked.Swap(true) {
		return nil
	}
	done := make(chan struct{}, 1)
	s.send(c, &reportStats{done: done})
	return done
}
