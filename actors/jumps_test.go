package actors

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"weir/messages"
)

var clockOnly = []messages.LossKind{messages.LossClock}

func TestSlewIsNoJump(t *testing.T) {
	r := newRig(t, noon, slicerOptions{})
	for range 600 {
		r.now.mono += time.Second
		r.now.wall = r.now.wall.Add(time.Second + 83*time.Millisecond) // The fastest that a time daemon slews.
		r.m.tick(r.now)
		r.serve()
	}
	if st := r.m.status(); st.ClockJumps != 0 || len(r.sets) != 0 {
		t.Errorf("%d jumps", st.ClockJumps)
	}
}

func TestForwardJumpInsideTheSlice(t *testing.T) {
	r := newRig(t, noon, slicerOptions{})
	r.pass(2 * time.Second)
	r.jump(3 * time.Second)
	r.pass(time.Second)
	if len(r.seals) != 0 || len(r.sets) != 1 || r.sets[0] != (messages.ClockSet{Delta: 3 * time.Second}) {
		t.Fatalf("seals %v, sets %v", r.seals, r.sets)
	}
	r.pass(4 * time.Second)
	s := r.sealed()
	if len(s) != 1 || !slices.Equal(kinds(s[0].Losses), clockOnly) || !s[0].Complete {
		t.Errorf("seals %+v", s)
	}
}

func TestForwardJumpBeyondTheSlice(t *testing.T) {
	for _, d := range []time.Duration{9 * time.Second, time.Minute, 365 * 24 * time.Hour} {
		r := newRig(t, noon, slicerOptions{})
		r.ready = []string{"s"}
		r.pass(2 * time.Second)
		r.jump(d)
		r.pass(time.Second)
		if !slices.Equal(r.log, []string{"clock", "ask s"}) {
			t.Fatalf("%v: did %v: the shards must know before the snapshot", d, r.log)
		}
		r.answer("s", nil)
		s := r.sealed()
		if len(s) != 1 || !s[0].Span.Start.Equal(noon) || !slices.Equal(kinds(s[0].Losses), clockOnly) {
			t.Fatalf("%v: seals %+v", d, s)
		}
		if open := r.m.open; open != around(r.now.wall, testSlice) {
			t.Errorf("%v: at %v the open slice is %v", d, r.now.wall, open)
		}
		r.ready = nil
		r.pass(testSlice)
		if s := r.sealed(); len(s) != 2 || len(s[1].Losses) != 0 {
			t.Errorf("%v: the next slice: %+v", d, s[1])
		}
	}
}

func TestSmallStepBackHoldsTheBoundary(t *testing.T) {
	r := newRig(t, noon, slicerOptions{})
	r.pass(testSlice + 2*time.Second)
	r.jump(-testSlice)
	r.pass(17 * time.Second)
	if n := len(r.sealed()); n != 1 {
		t.Fatalf("%d slices before the clock caught up", n)
	}
	r.pass(time.Second)
	s := r.sealed()
	if len(s) != 2 || !s[1].Span.Start.Equal(noon.Add(testSlice)) || !slices.Equal(kinds(s[1].Losses), clockOnly) {
		t.Errorf("seals %+v", s)
	}
	r.pass(testSlice)
	if s := r.sealed(); len(s) != 3 || !s[2].Span.Start.Equal(noon.Add(2*testSlice)) || len(s[2].Losses) != 0 {
		t.Errorf("seals %+v", s)
	}
}

func TestLargeStepBackClosesAtOnce(t *testing.T) {
	r := newRig(t, noon, slicerOptions{})
	r.pass(2 * time.Second)
	r.jump(-time.Hour)
	r.pass(time.Second)
	s := r.sealed()
	if len(s) != 1 || !s[0].Span.Start.Equal(noon) || !slices.Equal(kinds(s[0].Losses), clockOnly) {
		t.Fatalf("seals %+v", s)
	}
	r.pass(testSlice)
	if s = r.sealed(); len(s) != 2 || s[1].Seq != 2 || !s[1].Span.Start.Equal(noon.Add(-time.Hour)) {
		t.Errorf("seals %+v", s)
	}
}

func TestManySmallStepsBackDoNotHoldForEver(t *testing.T) {
	r := newRig(t, noon, slicerOptions{})
	for range 20 {
		r.pass(time.Second)
		r.jump(-8 * time.Second)
	}
	if len(r.sealed()) == 0 {
		t.Error("no slice closed while the clock went back again and again")
	}
}

func TestJumpDuringARound(t *testing.T) {
	r := newRig(t, noon, slicerOptions{})
	r.ready = []string{"s"}
	r.pass(testSlice)
	r.jump(-time.Hour)
	r.pass(time.Second)
	r.answer("s", nil)
	r.ready = nil
	r.pass(testSlice)
	s := r.sealed()
	if len(s) != 2 || !s[0].Span.Start.Equal(noon) || s[1].Span.Start.After(noon.Add(-time.Hour+testSlice)) {
		t.Errorf("seals %+v", s)
	}
}

// A machine that sleeps: nothing was set, but the slice is overdue.
func TestSuspendClosesTheSlice(t *testing.T) {
	r := newRig(t, noon, slicerOptions{})
	r.pass(2 * time.Second)
	r.now.mono += 8 * time.Hour
	r.now.wall = r.now.wall.Add(8 * time.Hour)
	r.m.tick(r.now)
	r.serve()
	s := r.sealed()
	if len(r.sets) != 0 || len(s) != 1 || !s[0].Span.Start.Equal(noon) || !slices.Equal(kinds(s[0].Losses), clockOnly) {
		t.Fatalf("sets %v, seals %+v", r.sets, s)
	}
	if l := s[0].Losses[0]; l.Span.Duration() < 8*time.Hour {
		t.Errorf("the loss spans %v", l.Span)
	}
	r.pass(testSlice)
	if s := r.sealed(); len(s) != 2 || !s[1].Span.Start.Equal(noon.Add(8*time.Hour)) || len(s[1].Losses) != 0 {
		t.Errorf("seals %+v", s)
	}
}

func TestClockThatWasNeverSet(t *testing.T) {
	boot := time.Date(1970, time.January, 1, 0, 0, 40, 0, time.UTC)
	r := newRig(t, boot, slicerOptions{})
	r.pass(25 * time.Second)
	if s := r.sealed(); len(s) != 2 || !s[0].Span.Start.Equal(boot) || !r.m.status().ClockUnset {
		t.Fatalf("seals %+v", s)
	}
	delta := noon.Sub(r.now.wall)
	r.tierStuck = true
	r.jump(delta)
	r.pass(time.Second)
	if !slices.Equal(r.sets, []messages.ClockSet{{Delta: delta, Unset: true}}) || len(r.relabels) != 0 {
		t.Fatalf("sets %v, relabels %v: the open slice is not in the tier yet", r.sets, r.relabels)
	}
	r.tierStuck = false
	r.serve()
	if !slices.Equal(r.relabels, []relabelSlices{{since: 1, delta: delta}}) || r.m.status().ClockUnset {
		t.Errorf("relabels %v", r.relabels)
	}
	if s := r.sealed(); len(s) != 3 || s[2].Span.Start.Year() != 1970 {
		t.Errorf("seals %+v", s)
	}
	r.jump(-2 * time.Second)
	r.pass(30 * time.Second)
	if len(r.relabels) != 1 || r.sets[1].Unset {
		t.Errorf("relabels %v, sets %v", r.relabels, r.sets)
	}
	if s := r.sealed(); s[3].Span.Start.Before(noon.Add(-testSlice)) {
		t.Errorf("seals %+v", s[3])
	}
}

// A clock that loses its time while we run is as good as never set.
func TestClockThatLosesItsTime(t *testing.T) {
	r := newRig(t, noon, slicerOptions{})
	r.pass(2 * time.Second)
	back := time.Unix(100, 0).UTC().Sub(r.now.wall)
	r.jump(back)
	r.pass(20 * time.Second)
	if !r.m.status().ClockUnset || len(r.relabels) != 0 {
		t.Fatalf("relabels %v", r.relabels)
	}
	r.jump(-back)
	r.pass(2 * time.Second)
	if !slices.Equal(r.relabels, []relabelSlices{{since: 2, delta: -back}}) || r.m.status().ClockUnset {
		t.Errorf("relabels %v", r.relabels)
	}
}

// Whatever the clock and the participants do, slices go on: numbers without gaps, labels of one length
// and aligned, each closed by all shards before it is sealed, and none stuck.
func TestSlicerAlwaysGoesOn(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t, noon.Add(time.Duration(rapid.IntRange(-3, 9).Draw(rt, "start"))*time.Second), slicerOptions{})
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			switch rapid.IntRange(0, 6).Draw(rt, "do") {
			case 0:
				r.jump(time.Duration(rapid.IntRange(-40_000, 40_000).Draw(rt, "jump")) * time.Millisecond)
			case 1:
				r.tierStuck = !r.tierStuck
				if n := len(r.seals); n > 0 && !r.tierStuck {
					r.published(r.seals[n-1].Seq)
				}
			case 2:
				r.ready = []string{"s"}
			case 3:
				r.ready = nil
			case 4:
				if len(r.requests) > 0 {
					r.answer("s", nil)
				}
			case 5:
				r.m.resume(r.now)
			default:
				r.pass(time.Duration(rapid.IntRange(1, 15_000).Draw(rt, "pass")) * time.Millisecond)
			}
		}
		before := len(r.sealed())
		if r.tierStuck {
			r.tierStuck = false
			if r.m.sealed > 0 {
				r.published(r.m.sealed)
			}
		}
		r.ready = nil
		r.pass(2 * time.Minute)
		all := r.sealed()
		if len(all) < before+5 {
			rt.Fatalf("%d slices, then %d two minutes later", before, len(all))
		}
		for i, s := range all {
			want := around(s.Span.Start, testSlice)
			if i == 0 {
				want.Start = s.Span.Start // It begins when counting does.
			}
			if s.Seq != uint64(i+1) || s.Span != want {
				rt.Fatalf("slice %d: %+v", i+1, s)
			}
			closed := 0
			for _, c := range r.closes {
				if c.Seq == s.Seq {
					closed++
				}
			}
			if closed < 2 {
				rt.Fatalf("slice %d was closed by %d shards", s.Seq, closed)
			}
		}
	})
}
