package actors

import (
	"fmt"
	"slices"
	"time"

	"weir/messages"
)

// maxUnpublished is how many closed slices may wait in the memory tier. Beyond it the open slice stays open,
// since what waits in a mailbox is bounded by nothing else.
const maxUnpublished = 3

// ports is whom the slicer talks to. Nothing in it waits.
type ports interface {
	// pullers lists the sources that can be asked now.
	pullers() []string
	snapshot(source string, req messages.SnapshotRequest, patience time.Duration)
	flush(shard int, m *messages.FlushEvents)
	// settle says false if the computation cannot be asked: it does not run, or is not done with the last slice.
	settle(computation string, m *messages.Settle, patience time.Duration) bool
	// untagged tells that a computation is missing from a slice.
	untagged(computation string)
	closeSlice(shard int, m *messages.CloseSlice)
	// accounts says whether the archive needs those of all flows.
	accounts() bool
	seal(m *messages.SealSlice)
	// losses hands out what was lost since it was last asked, and whether a source is down.
	losses(now time.Time) (losses []messages.Loss, down bool)
	// clockSet tells all shards.
	clockSet(m messages.ClockSet)
	// relabel tells the memory tier.
	relabel(m *relabelSlices)
	// done tells that a round that a drain asked for is over.
	done(what order)
}

// relabelSlices asks the memory tier to move the labels of slices that closed before the clock was set.
type relabelSlices struct {
	since uint64
	delta time.Duration
}

// order is what the slicer may be told to do besides its routine.
type order uint8

const (
	// routine: close a slice at each boundary.
	routine order = iota
	// lastSnapshots: ask the sources once more, and begin nothing else.
	lastSnapshots
	// lastSlice: close the open slice without asking any source.
	lastSlice
)

// slicerOptions are the parameters of a slicer.
type slicerOptions struct {
	slice    time.Duration
	deadline time.Duration // for a whole round
	shards   int
	ranks    [][]string // the names of the computations, by rank
	first    uint64     // the number of the first slice; 0: 1
}

// slicer is the closing protocol as a state machine: methods take what happened and when, and act through
// ports. It starts nothing, reads no clock and knows no actor.
type slicer struct {
	slicerOptions
	out ports

	seq   uint64        // of the open slice
	open  messages.Span // its label
	notes []messages.Loss
	early bool // the open slice is to be closed before its end

	round    *round
	order    order
	ordered  bool   // the order waits for the round to end
	draining bool   // no more routine
	kept     *round // the last snapshots, for the last slice

	clock     reading // the last one
	unset     bool    // the clock was never set
	firstOdd  uint64  // the first slice that was labelled before the clock was set
	moved     time.Duration
	movedOpen uint64 // the slice that was open when moved changed; labels move once it is closed

	sealed, published uint64

	stats SlicerStatus
}

// round is the closing of one slice.
type round struct {
	order   order
	seq     uint64
	span    messages.Span
	phase   phase
	rank    int
	began   reading
	waiting []string // who has not answered in this phase

	snapshots []messages.SnapshotTaken
	losses    []messages.Loss
	complete  bool
}

type phase uint8

const (
	snapshotting phase = iota
	flushing
	settling
	sealing
)

// share is the part of the deadline at which each phase ends at the latest, in percent. A snapshot may take
// seconds, the rest is quick. Where there are computations, the time between the snapshots and the end of settling is
// divided among the ranks, of which each first needs the shards to flush.
//
//nolint:gochecknoglobals // A constant table.
var share = [...]int{snapshotting: 80, flushing: 90, settling: 95, sealing: 100}

// flushShare is the part of a rank's time in which the shards must have flushed, in percent.
const flushShare = 33

func newSlicer(o slicerOptions, out ports, now reading) *slicer {
	s := &slicer{slicerOptions: o, out: out, seq: max(o.first, 1), clock: now, unset: !now.credible()}
	s.sealed, s.published = s.seq-1, s.seq-1
	s.open = around(now.wall, s.slice)
	s.open.Start = now.wall.UTC() // Nobody counted what was before: the first slice is a short one.
	if s.unset {
		s.firstOdd = s.seq
	}
	return s
}

// around is the slice that holds t.
func around(t time.Time, slice time.Duration) messages.Span {
	start := t.UTC().Truncate(slice)
	return messages.Span{Start: start, End: start.Add(slice)}
}

// tick looks at the clock and does what is due.
func (s *slicer) tick(now reading) {
	s.watchClock(now)
	s.work(now)
}

// next is how long the slicer can be left alone. The clock is looked at each second.
func (s *slicer) next(now reading) time.Duration {
	wait := time.Second
	switch {
	case s.round != nil:
		wait = min(wait, s.round.began.mono+s.until(s.round)-now.mono)
	case !s.draining:
		wait = min(wait, s.open.End.Sub(now.wall))
	}
	return max(wait, time.Millisecond)
}

// obey takes an order. What it asks for begins when the round at work is over.
func (s *slicer) obey(o order, now reading) {
	s.order, s.ordered, s.draining = o, true, true
	s.tick(now)
}

// resume goes on after the slicer has panicked again and again: what the round at work was waiting for may be
// lost, so it waits for nothing more. What may have been sent already is sent again and means nothing new.
func (s *slicer) resume(now reading) {
	switch {
	case s.round == nil:
	case s.round.phase == sealing:
		if s.seq == s.round.seq {
			s.turn(now)
		}
		s.sendClose()
	case s.round.order == lastSnapshots:
		s.advance(now)
	default:
		s.giveUp(now, s.deadline)
		s.enter(sealing, now)
	}
	s.tick(now)
}

// work moves the round on, or begins one.
func (s *slicer) work(now reading) {
	for s.round != nil {
		if len(s.round.waiting) > 0 && !s.overdue(now) {
			return
		}
		s.advance(now)
	}
	switch {
	case s.ordered:
		s.ordered = false
		s.begin(s.order, now)
	case !s.draining && s.due(now):
		s.begin(routine, now)
	}
}

// due says whether the open slice is to be closed now.
func (s *slicer) due(now reading) bool {
	if now.wall.Before(s.open.End) && !s.early {
		return false
	}
	if s.sealed-s.published < maxUnpublished {
		return true
	}
	s.note(messages.Loss{
		Source: "slicer", Kind: messages.LossLate, Span: messages.Span{Start: s.open.Start, End: now.wall},
		Detail: "the memory tier did not take earlier slices in time, so this one stayed open longer",
	})
	return false
}

// note adds a loss to the open slice, once.
func (s *slicer) note(l messages.Loss) {
	i := slices.IndexFunc(s.notes, func(o messages.Loss) bool { return o.Kind == l.Kind && o.Detail == l.Detail })
	if i < 0 {
		s.notes = append(s.notes, l)
		return
	}
	s.notes[i].Span.End = l.Span.End
}

func (s *slicer) begin(o order, now reading) {
	if o != lastSnapshots && !now.wall.Before(s.open.End.Add(s.slice)) && len(s.notes) == 0 {
		s.note(messages.Loss{
			Source: "slicer", Kind: messages.LossClock, Span: messages.Span{Start: s.open.Start, End: now.wall},
			Detail: "the slice stayed open beyond its end: the machine slept or the program was held up",
		})
	}
	s.round = &round{order: o, seq: s.seq, span: s.open, began: now, complete: true}
	if o == lastSlice {
		if s.kept != nil {
			s.round.snapshots, s.round.complete, s.kept = s.kept.snapshots, s.kept.complete, nil
		}
		s.enter(flushing, now)
	} else {
		s.enter(snapshotting, now)
	}
	s.work(now)
}

// until is when the phase at work ends, counted from the begin of the round.
func (s *slicer) until(r *round) time.Duration {
	part := func(percent int) time.Duration { return s.deadline / 100 * time.Duration(percent) }
	if len(s.ranks) == 0 || r.phase != flushing && r.phase != settling {
		return part(share[r.phase])
	}
	first := part(share[snapshotting])
	each := (part(share[settling]) - first) / time.Duration(len(s.ranks))
	begin := first + each*time.Duration(r.rank)
	if r.phase == flushing {
		return begin + each*flushShare/100
	}
	return begin + each
}

func (s *slicer) overdue(now reading) bool { return now.mono-s.round.began.mono >= s.until(s.round) }

// advance leaves a phase that is complete or overdue.
func (s *slicer) advance(now reading) {
	r := s.round
	if r.phase == sealing {
		s.finish(now)
		return
	}
	s.giveUp(now, s.until(r))
	switch {
	case r.phase == snapshotting && r.order == lastSnapshots:
		s.kept, s.round = r, nil
		s.out.done(lastSnapshots)
	case r.phase == snapshotting:
		s.enter(flushing, now)
	case r.phase == settling && r.rank+1 < len(s.ranks):
		r.rank++ // What the last rank said is to be seen by this one.
		s.enter(flushing, now)
	case r.phase == flushing && len(s.ranks) > 0:
		s.enter(settling, now)
	default:
		s.enter(sealing, now)
	}
}

// giveUp notes who has not answered.
func (s *slicer) giveUp(now reading, after time.Duration) {
	r := s.round
	for _, name := range r.waiting {
		if r.phase == settling {
			s.stats.Late++
			s.untagged(name, fmt.Sprintf("%s had not settled after %s", name,
				after.Round(time.Millisecond)), now)
			continue
		}
		s.late(name, fmt.Sprintf("%s did not answer within %s; its data are in a later slice", name,
			after.Round(time.Millisecond)), now)
	}
	r.waiting = nil
}

// late notes that a participant is missing from the round.
func (s *slicer) late(name, detail string, now reading) {
	r := s.round
	s.stats.Late++
	r.complete = false
	if r.order == lastSnapshots {
		s.note(messages.Loss{Source: name, Kind: messages.LossLate, Span: r.span, Detail: detail})
		return
	}
	r.lose(name, messages.LossLate, detail, now)
}

// untagged notes that a computation is missing from the round. The slice is complete without it: nothing of what it
// counts is missing.
func (s *slicer) untagged(name, detail string, now reading) {
	s.round.lose(name, messages.LossUntagged, detail, now)
	s.out.untagged(name)
}

// lose tells a loss of the slice, once for each who is missing.
func (r *round) lose(name string, kind messages.LossKind, detail string, now reading) {
	told := func(l messages.Loss) bool { return l.Source == name && l.Kind == kind }
	if slices.ContainsFunc(r.losses, told) {
		return
	}
	span := r.span
	if now.wall.After(span.End) {
		span.End = now.wall
	}
	r.losses = append(r.losses, messages.Loss{Source: name, Kind: kind, Span: span, Detail: detail})
}

// enter begins a phase: it asks everybody and notes who has to answer.
func (s *slicer) enter(p phase, now reading) {
	r := s.round
	r.phase = p
	switch p {
	case snapshotting:
		r.waiting = s.out.pullers()
		patience := s.until(r)
		req := messages.SnapshotRequest{Seq: r.seq, Deadline: now.wall.Add(patience)}
		for _, name := range slices.Clone(r.waiting) {
			s.out.snapshot(name, req, patience)
		}
	case flushing:
		for i := range s.shards {
			r.waiting = append(r.waiting, shardName(i))
			s.out.flush(i, &messages.FlushEvents{Seq: r.seq, Rank: r.rank})
		}
	case settling:
		s.askToSettle(now)
	case sealing:
		s.turn(now)
		s.sendClose()
	}
}

// askToSettle asks the computations of a rank.
func (s *slicer) askToSettle(now reading) {
	r := s.round
	patience := max(0, r.began.mono+s.until(r)-now.mono)
	r.waiting = nil
	for _, name := range s.ranks[r.rank] {
		if s.out.settle(name, &messages.Settle{Seq: r.seq, Rank: r.rank}, patience) {
			r.waiting = append(r.waiting, name)
		} else {
			s.untagged(name, name+" does not run or is still busy with an earlier slice", now)
		}
	}
}

// turn makes the next slice the open one. What was noted so far belongs to the one that closes.
func (s *slicer) turn(now reading) {
	r := s.round
	losses, down := s.out.losses(now.wall)
	r.losses = append(append(r.losses, s.notes...), losses...)
	r.complete = r.complete && !down
	r.waiting = []string{"memory"}
	s.notes, s.early = nil, false
	s.open = around(now.wall, s.slice)
	if back := r.span.End.Sub(s.open.Start); back > 0 && back <= s.slice {
		s.open = messages.Span{Start: r.span.End, End: r.span.End.Add(s.slice)} // The clock catches up.
	}
	s.seq = r.seq + 1 // Last, so that resume knows whether this was done.
	if !s.unset && !now.credible() {
		s.unset, s.firstOdd = true, s.seq
	}
}

// sendClose tells the shards and the tier to close the slice.
func (s *slicer) sendClose() {
	r := s.round
	var complete []messages.SnapshotTaken
	for _, t := range r.snapshots {
		if t.Complete && t.Err == nil {
			complete = append(complete, t)
		}
	}
	all := s.out.accounts()
	for i := range s.shards {
		s.out.closeSlice(i, &messages.CloseSlice{Seq: r.seq, Span: r.span, Snapshots: complete, Accounts: all})
	}
	s.sealed = max(s.sealed, r.seq)
	s.sendSeal(false)
}

func (s *slicer) sendSeal(now bool) {
	r := s.round
	s.out.seal(&messages.SealSlice{
		Seq: r.seq, Span: r.span, Parts: s.shards, Losses: slices.Clone(r.losses), Complete: r.complete, Now: now,
	})
}

// finish ends a round: the slice is published, or the tier is told to go on without what is missing.
func (s *slicer) finish(now reading) {
	r := s.round
	if len(r.waiting) > 0 {
		s.sendSeal(true)
	}
	s.round = nil
	s.stats.LastRound = (now.mono - r.began.mono).Seconds()
	if s.moved != 0 && r.seq >= s.movedOpen {
		s.out.relabel(&relabelSlices{since: s.firstOdd, delta: s.moved})
		s.moved = 0
		s.unset = !now.credible()
	}
	if r.order == lastSlice {
		s.out.done(lastSlice)
	}
}

// snapshotTaken takes the answer of a source.
func (s *slicer) snapshotTaken(m *messages.SnapshotTaken, now reading) {
	r := s.round
	if r == nil || r.phase != snapshotting || r.seq != m.Seq || !s.answered(m.Source) {
		s.stats.LateAnswers++
		return
	}
	if m.Err != nil {
		s.late(m.Source, fmt.Sprintf("%s has no snapshot: %v", m.Source, m.Err), now)
	} else {
		r.snapshots = append(r.snapshots, *m)
	}
	s.tick(now)
}

// eventsFlushed takes the answer of a shard.
func (s *slicer) eventsFlushed(m *messages.EventsFlushed, now reading) {
	r := s.round
	if r == nil || r.phase != flushing || r.seq != m.Seq || r.rank != m.Rank || !s.answered(shardName(m.Shard)) {
		s.stats.LateAnswers++
		return
	}
	s.tick(now)
}

// settled takes the answer of a computation.
func (s *slicer) settled(m *messages.Settled, now reading) {
	r := s.round
	if r == nil || r.phase != settling || r.seq != m.Seq || !s.answered(m.Computation) {
		s.stats.LateAnswers++
		return
	}
	s.tick(now)
}

// answered strikes a participant from those who have not answered; false if it was not among them.
func (s *slicer) answered(name string) bool {
	i := slices.Index(s.round.waiting, name)
	if i < 0 {
		return false
	}
	s.round.waiting = slices.Delete(s.round.waiting, i, i+1)
	return true
}

// sliceClosed takes the answer of the memory tier; slice is nil if it had to give the slice up.
func (s *slicer) sliceClosed(seq uint64, slice *messages.Slice, now reading) {
	s.taken(seq)
	switch {
	case slice == nil:
		s.stats.Failed++
	case slice.Complete:
		s.stats.Closed++
	default:
		s.stats.Closed++
		s.stats.Incomplete++
	}
	if slice != nil {
		s.stats.LastClosed = periodOf(slice.Span)
	}
	if r := s.round; r != nil && r.phase == sealing && seq >= r.seq {
		r.waiting = nil
	}
	s.tick(now)
}

// taken notes that the memory tier has done with all slices up to a number.
func (s *slicer) taken(seq uint64) { s.published = max(s.published, min(seq, s.sealed)) }

// status tells how it goes.
func (s *slicer) status() SlicerStatus {
	st := s.stats
	st.Seq, st.Open = s.seq, periodOf(s.open)
	st.Unpublished = s.sealed - s.published
	st.Closing = s.round != nil
	st.ClockUnset = s.unset
	return st
}
