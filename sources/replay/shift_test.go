package replay

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"weir/messages"
	"weir/sources/recording"
)

// TestRetime: whatever the times, each flow stays on its side of the beginning of counting, and a time
// stays a time.
func TestRetime(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		since := rapid.Int64Range(0, recording.MaxTime).Draw(rt, "since")
		core := rapid.Int64Range(1, recording.MaxTime).Draw(rt, "core")
		at := &place{
			since: time.Unix(0, core),
			pass:  rapid.Int64Range(0, 1<<40).Draw(rt, "pass"),
			shift: time.Duration(rapid.Int64Range(0, maxShift).Draw(rt, "shift")),
		}
		s := newShift(&recording.Header{CountsSince: time.Unix(0, since)}, at)
		start := rapid.Int64Range(1, recording.MaxTime).Draw(rt, "start")
		u := messages.Update{Start: start, Stop: start}
		s.retime(&u)
		if u.Start <= 0 || u.Start > recording.MaxTime || u.Stop <= 0 || u.Stop > recording.MaxTime {
			rt.Fatalf("%d became %d to %d", start, u.Start, u.Stop)
		}
		if got, want := u.Start < core, start < since; got != want && u.Start > 1 && u.Start < recording.MaxTime {
			rt.Fatalf("%d is older: %v; it became %d, which is older: %v", start, want, u.Start, got)
		}
	})
}

func TestScale(t *testing.T) {
	for _, c := range []struct {
		d     time.Duration
		speed float64
		want  time.Duration
	}{
		{time.Minute, 1, time.Minute},
		{time.Minute, 60, time.Second},
		{time.Minute, 0.5, 2 * time.Minute},
		{time.Minute, 0, 0},
		{recording.MaxTime, 1e-300, recording.MaxTime},
		{0, 1e-300, 0},
	} {
		if got := scale(c.d, c.speed); got != c.want {
			t.Errorf("%v at speed %v: %v, want %v", c.d, c.speed, got, c.want)
		}
	}
}

// A pass cannot move times out of their range, however often it is repeated.
func TestPassesStayInTime(t *testing.T) {
	p := place{}
	for range 100 {
		p.next(recording.MaxTime, 0)
	}
	if p.pass != 100 || p.shift != maxShift {
		t.Errorf("got %+v", p)
	}
}
