package actors

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/messages"
)

const testSlice = 10 * time.Second

// rig drives a slicer with a clock of its own and notes what it does.
type rig struct {
	t     *testing.T
	m     *slicer
	now   reading
	ready []string
	busy  []string // computations that cannot be asked
	lost  []messages.Loss
	wants bool
	down  bool

	log      []string
	requests []messages.SnapshotRequest
	closes   []*messages.CloseSlice
	seals    []*messages.SealSlice
	sets     []messages.ClockSet
	relabels []relabelSlices
	orders   []order

	// tierStuck: the memory tier does not answer.
	tierStuck bool
}

func newRig(t *testing.T, at time.Time, o slicerOptions) *rig {
	t.Helper()
	o.slice, o.deadline, o.shards = testSlice, testSlice/2, max(o.shards, 2)
	r := &rig{t: t, now: reading{wall: at, mono: time.Hour}}
	r.m = newSlicer(o, r, r.now)
	return r
}

func (r *rig) say(format string, args ...any) { r.log = append(r.log, fmt.Sprintf(format, args...)) }

func (r *rig) pullers() []string { return slices.Clone(r.ready) }

func (r *rig) snapshot(source string, req messages.SnapshotRequest, _ time.Duration) {
	r.say("ask %s", source)
	r.requests = append(r.requests, req)
}

func (r *rig) flush(shard int, _ *messages.FlushEvents) { r.say("flush %d", shard) }
func (r *rig) accounts() bool                           { return r.wants }
func (r *rig) untagged(name string)                     { r.say("untagged %s", name) }
func (r *rig) relabel(m *relabelSlices)                 { r.relabels = append(r.relabels, *m); r.say("relabel") }
func (r *rig) done(o order)                             { r.orders = append(r.orders, o) }
func (r *rig) clockSet(m messages.ClockSet)             { r.sets = append(r.sets, m); r.say("clock") }
func (r *rig) losses(time.Time) ([]messages.Loss, bool) { l := r.lost; r.lost = nil; return l, r.down }
func (r *rig) settle(name string, _ *messages.Settle, _ time.Duration) bool {
	if slices.Contains(r.busy, name) {
		return false
	}
	r.say("settle %s", name)
	return true
}

func (r *rig) closeSlice(_ int, m *messages.CloseSlice) {
	r.closes = append(r.closes, m)
	r.say("close")
}

func (r *rig) seal(m *messages.SealSlice) {
	r.seals = append(r.seals, m)
	r.say("seal")
}

// pass lets time pass in steps as the slicer asks for, and answers for shards and tier.
func (r *rig) pass(d time.Duration) {
	r.t.Helper()
	for d > 0 {
		step := min(d, r.m.next(r.now))
		r.now.mono += step
		r.now.wall = r.now.wall.Add(step)
		d -= step
		r.m.tick(r.now)
		r.serve()
	}
}

// serve answers for the shards and the tier until they have nothing to say.
func (r *rig) serve() {
	for c := r.m.round; c != nil; c = r.m.round {
		switch {
		case c.phase == flushing && len(c.waiting) > 0:
			for i := range r.m.shards {
				r.m.eventsFlushed(&messages.EventsFlushed{Seq: c.seq, Rank: c.rank, Shard: i}, r.now)
			}
		case c.phase == sealing && len(c.waiting) > 0 && !r.tierStuck:
			r.published(c.seq)
		default:
			return
		}
	}
}

func (r *rig) published(seq uint64) {
	last := r.seals[len(r.seals)-1]
	r.m.sliceClosed(seq, &messages.Slice{Seq: seq, Span: last.Span, Complete: last.Complete}, r.now)
}

func (r *rig) answer(source string, err error) {
	r.m.snapshotTaken(&messages.SnapshotTaken{
		Seq: r.requests[len(r.requests)-1].Seq, Source: source, Complete: true, Err: err,
	}, r.now)
	r.serve()
}

// jump sets the wall clock.
func (r *rig) jump(d time.Duration) { r.now.wall = r.now.wall.Add(d) }

// sealed is the last word on each slice.
func (r *rig) sealed() (all []*messages.SealSlice) {
	for _, s := range r.seals {
		if n := len(all); n > 0 && all[n-1].Seq == s.Seq {
			all[n-1] = s
		} else {
			all = append(all, s)
		}
	}
	return all
}

func kinds(ls []messages.Loss) (all []messages.LossKind) {
	for _, l := range ls {
		all = append(all, l.Kind)
	}
	return all
}

func TestRoundGoesThroughItsPhases(t *testing.T) {
	r := newRig(t, noon, slicerOptions{ranks: [][]string{{"a", "b"}, {"c"}}})
	r.ready = []string{"conntrack"}
	r.pass(testSlice)
	want := []string{"ask conntrack"}
	check := func() {
		t.Helper()
		if !slices.Equal(r.log, want) {
			t.Fatalf("did %v, want %v", r.log, want)
		}
	}
	check()
	if q := r.requests[0]; q.Seq != 1 || !q.Deadline.Equal(noon.Add(testSlice+4*time.Second)) {
		t.Errorf("request %+v", q)
	}
	r.answer("conntrack", nil)
	want = append(want, "flush 0", "flush 1", "settle a", "settle b")
	check()
	r.m.settled(&messages.Settled{Seq: 1, Computation: "b"}, r.now)
	r.m.settled(&messages.Settled{Seq: 1, Computation: "a"}, r.now)
	want = append(want, "flush 0", "flush 1") // So that c sees what a and b have said.
	check()
	r.m.eventsFlushed(&messages.EventsFlushed{Seq: 1, Rank: 0, Shard: 0}, r.now) // Of the rank before, twice.
	r.m.eventsFlushed(&messages.EventsFlushed{Seq: 1, Rank: 0, Shard: 1}, r.now)
	check()
	r.serve()
	want = append(want, "settle c")
	check()
	r.m.settled(&messages.Settled{Seq: 1, Computation: "c"}, r.now)
	want = append(want, "close", "close", "seal")
	check()
	if c := r.closes[0]; len(c.Snapshots) != 1 || c.Snapshots[0].Source != "conntrack" || c.Seq != 1 ||
		!c.Span.Start.Equal(noon) || c.Span.Duration() != testSlice {
		t.Errorf("close %+v", c)
	}
	if s := r.seals[0]; !s.Complete || s.Parts != 2 || len(s.Losses) != 0 {
		t.Errorf("seal %+v", s)
	}
	if st := r.m.status(); st.Seq != 2 || !st.Closing || st.Unpublished != 1 {
		t.Errorf("status %+v", st)
	}
	r.serve()
	if st := r.m.status(); st.Closing || st.Unpublished != 0 || st.Closed != 1 {
		t.Errorf("status %+v", st)
	}
}

func TestSlicesFollowEachOther(t *testing.T) {
	r := newRig(t, noon.Add(7*time.Second), slicerOptions{})
	r.pass(time.Hour)
	all := r.sealed()
	if len(all) != 360 {
		t.Fatalf("%d slices in an hour", len(all))
	}
	for i, s := range all {
		begin := noon.Add(max(7*time.Second, time.Duration(i)*testSlice)) // Of the first, when counting begins.
		if s.Seq != uint64(i+1) || !s.Span.Start.Equal(begin) || !s.Complete {
			t.Fatalf("slice %d: %+v", i, s)
		}
	}
}

func TestLateSourceDelaysNobody(t *testing.T) {
	r := newRig(t, noon, slicerOptions{})
	r.ready = []string{"slow", "fast"}
	r.pass(testSlice)
	r.answer("fast", nil)
	r.pass(4 * time.Second)
	all := r.sealed()
	if len(all) != 1 || all[0].Complete || len(all[0].Losses) != 1 {
		t.Fatalf("seals %+v", all)
	}
	if l := all[0].Losses[0]; l.Source != "slow" || l.Kind != messages.LossLate || !l.Span.Start.Equal(noon) {
		t.Errorf("loss %+v", l)
	}
	if n := len(r.closes[0].Snapshots); n != 1 {
		t.Errorf("the slice rests on %d snapshots", n)
	}
	r.answer("slow", nil)
	if st := r.m.status(); st.Late != 1 || st.LateAnswers != 1 {
		t.Errorf("status %+v", st)
	}
	r.ready = nil
	r.pass(testSlice)
	if s := r.sealed()[1]; !s.Complete {
		t.Errorf("the next slice: %+v", s)
	}
}

func TestSnapshotThatFailedIsTold(t *testing.T) {
	r := newRig(t, noon, slicerOptions{})
	r.ready = []string{"conntrack"}
	r.pass(testSlice)
	r.answer("conntrack", errors.New("table is on fire"))
	s := r.sealed()[0]
	if s.Complete || len(s.Losses) != 1 || !strings.Contains(s.Losses[0].Detail, "on fire") {
		t.Errorf("seal %+v", s)
	}
	if len(r.closes[0].Snapshots) != 0 {
		t.Error("a failed snapshot counts")
	}
}

func TestEveryPhaseHasADeadline(t *testing.T) {
	r := newRig(t, noon, slicerOptions{ranks: [][]string{{"c"}}})
	r.ready, r.tierStuck = []string{"s"}, true
	for now := time.Duration(0); now < testSlice+testSlice/2; now += 100 * time.Millisecond {
		r.now.mono += 100 * time.Millisecond
		r.now.wall = r.now.wall.Add(100 * time.Millisecond)
		r.m.tick(r.now) // Nobody answers at all.
	}
	if r.m.round != nil {
		t.Fatal("the round is not over after its deadline")
	}
	last := r.sealed()[0]
	if !last.Now || last.Complete {
		t.Errorf("seal %+v", last)
	}
	var late []string
	for _, l := range last.Losses {
		late = append(late, l.Source)
	}
	if !slices.Equal(late, []string{"s", "shard-0", "shard-1", "c"}) {
		t.Errorf("late: %v", late)
	}
}

// Nothing of what a slice counts is missing if a computation is.
func TestLateComputationLeavesTheSliceComplete(t *testing.T) {
	r := newRig(t, noon, slicerOptions{ranks: [][]string{{"slow", "fast"}, {"gone"}, {"last"}}})
	r.busy = []string{"gone"}
	r.pass(testSlice)
	r.m.settled(&messages.Settled{Seq: 1, Computation: "fast"}, r.now)
	r.pass(2 * time.Second)
	if len(r.seals) != 0 {
		t.Fatal("does not wait for a computation")
	}
	r.pass(2400 * time.Millisecond) // The first rank has until 80 % and a third of the rest.
	want := []string{
		"flush 0", "flush 1", "settle slow", "settle fast", "untagged slow", "flush 0", "flush 1", "untagged gone",
		"flush 0", "flush 1", "settle last",
	}
	if !slices.Equal(r.log, want) {
		t.Errorf("did %v", r.log)
	}
	r.m.settled(&messages.Settled{Seq: 1, Computation: "last"}, r.now)
	r.serve()
	s := r.sealed()
	if len(s) != 1 || !s[0].Complete || len(s[0].Losses) != 2 {
		t.Fatalf("seals %+v", s)
	}
	for i, name := range []string{"slow", "gone"} {
		if l := s[0].Losses[i]; l.Source != name || l.Kind != messages.LossUntagged || l.Count != 0 {
			t.Errorf("loss %+v", l)
		}
	}
	r.m.settled(&messages.Settled{Seq: 1, Computation: "slow"}, r.now)
	if st := r.m.status(); st.Late != 1 || st.LateAnswers != 1 || st.Incomplete != 0 {
		t.Errorf("status %+v", st)
	}
}

func TestDeadlinesOfRanksGrow(t *testing.T) {
	r := newRig(t, noon, slicerOptions{ranks: [][]string{{"a"}, {"b"}}})
	var last time.Duration
	for rank := range 2 {
		for _, p := range []phase{flushing, settling} {
			now := r.m.until(&round{phase: p, rank: rank})
			if now <= last || now > testSlice/2*95/100 {
				t.Errorf("rank %d, phase %d ends after %v", rank, p, now)
			}
			last = now
		}
	}
	if last != testSlice/2*95/100 {
		t.Errorf("the last rank has until %v", last)
	}
}

func TestDownSourcesAndLossesAreTold(t *testing.T) {
	r := newRig(t, noon, slicerOptions{})
	r.lost, r.down = []messages.Loss{{Source: "x", Kind: messages.LossOverrun}}, true
	r.pass(testSlice)
	r.down = false
	r.pass(testSlice)
	all := r.sealed()
	if s := all[0]; s.Complete || !slices.Equal(kinds(s.Losses), []messages.LossKind{messages.LossOverrun}) {
		t.Errorf("first %+v", s)
	}
	if s := all[1]; !s.Complete || len(s.Losses) != 0 {
		t.Errorf("second %+v", s)
	}
}

// A tier that takes nothing must not make its mailbox grow for ever.
func TestOpenSliceWaitsForTheTier(t *testing.T) {
	r := newRig(t, noon, slicerOptions{})
	r.tierStuck = true
	r.pass(time.Hour)
	if n := len(r.sealed()); n != maxUnpublished {
		t.Fatalf("%d slices sent to a tier that is stuck", n)
	}
	r.tierStuck = false
	r.published(maxUnpublished)
	r.pass(20 * time.Second)
	all := r.sealed()
	s := all[maxUnpublished]
	if !s.Span.Start.Equal(noon.Add(3*testSlice)) || s.Span.Duration() != testSlice {
		t.Errorf("label %v", s.Span)
	}
	if len(s.Losses) != 1 || s.Losses[0].Kind != messages.LossLate || s.Losses[0].Span.Duration() < 50*time.Minute {
		t.Errorf("losses %+v", s.Losses)
	}
	if next := all[maxUnpublished+1]; next.Span.Start.Before(noon.Add(time.Hour)) || len(next.Losses) != 0 {
		t.Errorf("next %+v", next)
	}
}

func TestGivenUpSliceFreesTheSlicer(t *testing.T) {
	r := newRig(t, noon, slicerOptions{})
	r.tierStuck = true
	r.pass(testSlice)
	r.m.sliceClosed(1, nil, r.now)
	if st := r.m.status(); st.Failed != 1 || st.Unpublished != 0 || st.Closing {
		t.Errorf("status %+v", st)
	}
}

// A panic in any phase must neither stop the slices nor make one twice.
func TestResumeEndsTheRound(t *testing.T) {
	for _, phase := range []phase{snapshotting, flushing, settling, sealing} {
		r := newRig(t, noon, slicerOptions{ranks: [][]string{{"c"}}})
		r.ready, r.tierStuck = []string{"s"}, true
		r.pass(testSlice)
		if phase > snapshotting {
			r.m.snapshotTaken(&messages.SnapshotTaken{Seq: 1, Source: "s", Complete: true}, r.now)
		}
		if phase > flushing {
			r.serve()
		}
		if phase > settling {
			r.m.settled(&messages.Settled{Seq: 1, Computation: "c"}, r.now)
		}
		if r.m.round.phase != phase {
			t.Fatalf("in phase %d, want %d", r.m.round.phase, phase)
		}
		if phase == sealing {
			r.m.note(messages.Loss{Kind: messages.LossClock}) // Of the slice that is open now.
		}
		r.m.resume(r.now)
		r.tierStuck, r.ready = false, nil
		r.serve()
		if s := r.sealed(); len(s) != 1 || s[0].Seq != 1 || s[0].Complete != (phase >= settling) {
			t.Errorf("after phase %d: %+v", phase, s)
		}
		r.m.resume(r.now)
		r.m.ranks = nil
		r.pass(testSlice)
		s := r.sealed()
		if len(s) != 2 || s[1].Seq != 2 || !s[1].Complete {
			t.Errorf("the slice after: %+v", s)
		}
		if phase == settling && !slices.Equal(kinds(s[0].Losses), []messages.LossKind{messages.LossUntagged}) {
			t.Errorf("losses %+v", s[0].Losses)
		}
		if clock := len(s[1].Losses) == 1; clock != (phase == sealing) || len(s[0].Losses) > 0 == clock {
			t.Errorf("losses %+v, then %+v", s[0].Losses, s[1].Losses)
		}
	}
}

func TestDrainTakesLastSnapshotsThenTheLastSlice(t *testing.T) {
	r := newRig(t, noon, slicerOptions{})
	r.ready = []string{"s", "late"}
	r.pass(3 * time.Second)
	r.m.obey(lastSnapshots, r.now)
	r.answer("s", nil)
	if len(r.orders) != 0 {
		t.Fatal("done before all have answered")
	}
	r.pass(4 * time.Second)
	if !slices.Equal(r.orders, []order{lastSnapshots}) || len(r.seals) != 0 {
		t.Fatalf("orders %v, seals %v", r.orders, r.seals)
	}
	r.pass(time.Minute) // Sources take long to end: no slice closes meanwhile.
	if len(r.seals) != 0 {
		t.Fatal("a slice closed while the sources were being stopped")
	}
	r.ready = nil
	r.m.obey(lastSlice, r.now)
	r.serve()
	all := r.sealed()
	if len(all) != 1 || len(r.closes[0].Snapshots) != 1 || all[0].Complete {
		t.Errorf("seals %+v", all)
	}
	if !slices.Equal(r.orders, []order{lastSnapshots, lastSlice}) {
		t.Errorf("orders %v", r.orders)
	}
	r.pass(time.Minute)
	if len(r.sealed()) != 1 {
		t.Error("goes on after the last slice")
	}
}

func TestDrainWaitsForTheRoundAtWork(t *testing.T) {
	r := newRig(t, noon, slicerOptions{})
	r.ready = []string{"s"}
	r.pass(testSlice)
	r.m.obey(lastSnapshots, r.now)
	if len(r.requests) != 1 {
		t.Fatal("asked twice at once")
	}
	r.answer("s", nil)
	if len(r.requests) != 2 || r.requests[1].Seq != 2 || len(r.sealed()) != 1 {
		t.Fatalf("requests %v, seals %v", r.requests, r.seals)
	}
	r.m.resume(r.now) // Even a panic now ends the last snapshots.
	if !slices.Equal(r.orders, []order{lastSnapshots}) {
		t.Errorf("orders %v", r.orders)
	}
}
