package translate

import (
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	const hour, second = int64(time.Hour), int64(time.Second)
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	var c clock
	for i, s := range []struct{ ts, received, want int64 }{
		{0, now, now},                       // No time.
		{-5, now, now},                      // Nonsense.
		{now - hour, now, now - hour},       // Late, but possible.
		{now + hour, now, now},              // Somebody else's clock.
		{10 * second, now, now},             // No time when the router started: moved by so much,
		{9 * second, now + 5, now - second}, // as are all that follow,
		{12 * second, now + 3*second, now + 2*second},
		{20 * second, now + 4*second, now + 4*second},                // but never into the future,
		{19 * second, now + 4*second, now + 3*second},                // from where the order goes on.
		{30 * second, now + 3*hour, now + 3*hour},                    // Slow replay: never too old.
		{now + 2*hour, now + 3*hour, now + 3*hour},                   // Nearly right again, but not enough
		{now + 3*hour - hour/2, now + 3*hour, now + 3*hour - hour/2}, // to be believed before this.
		{now + 3*hour, now + 3*hour, now + 3*hour},
	} {
		if got := c.at(s.ts, s.received); got != s.want {
			t.Errorf("%d: %d, want %d (%d off)", i, got, s.want, got-s.want)
		}
	}
}

// TestClockOrder replays a capture of a day within a second: what came later is never earlier.
func TestClockOrder(t *testing.T) {
	var c clock
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	last, births := int64(0), map[int64]bool{}
	for i := range int64(1000) {
		ts, received := 1e18+i*86_400_000_000, now+i*1_000_000
		at := c.at(ts, received)
		if at < last || at > received {
			t.Fatalf("event %d: %d after %d", i, at, last)
		}
		last = at
		birth := c.birth(ts-1e12, at, received)
		if births[birth] || birth < now || birth > received+1000 {
			t.Fatalf("event %d: born %d", i, birth-now)
		}
		births[birth] = true
	}
}

func TestClockThen(t *testing.T) {
	var c clock
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	if got := c.then(0, now); got != 0 {
		t.Errorf("no time: %d", got)
	}
	if got := c.then(now+5, now); got != now {
		t.Errorf("the future: %d", got-now)
	}
	c.at(1000, now)
	if got := c.then(400, now); got != now-600 {
		t.Errorf("moved: %d", got-now)
	}
	if got := c.then(1<<62, now); got < 1 || got > now {
		t.Errorf("nonsense: %d", got)
	}
}
