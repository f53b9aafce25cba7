package actors

import "time"

// Clock tells the time. Tests bring their own.
type Clock interface {
	// Now is the wall clock, which may be set at any moment.
	Now() time.Time
	// Monotonic only grows, also while the machine sleeps, however the wall clock is set.
	Monotonic() time.Duration
}

// firstCredible is before any build of this program: a clock that shows less was never set.
var firstCredible = time.Date(2025, time.January, 1, 0, 0, 0, 0, time.UTC) //nolint:gochecknoglobals // A constant.

// reading is what both faces of a clock showed at one moment.
type reading struct {
	wall time.Time
	mono time.Duration
}

// credible says whether the clock had ever been set.
func (r reading) credible() bool { return !r.wall.Before(firstCredible) }

// readClock reads both faces so close together that the difference of two readings tells a jump. A process
// that is held up between the two would see one where there is none, so it looks again.
func readClock(c Clock) reading {
	const near, tries = time.Millisecond, 5
	var r reading
	for range tries {
		before := c.Monotonic()
		r = reading{wall: c.Now(), mono: c.Monotonic()}
		if r.mono-before <= near {
			break
		}
	}
	return r
}

// wallOf strips what Go's time knows of the monotonic clock: it would hide that the wall clock was set.
func wallOf(t time.Time) time.Time { return t.Round(0).UTC() }

// runtimeClock is the clock of the Go runtime. Its monotonic face stands still while the machine sleeps,
// so that sleep looks like a clock that was set forward.
type runtimeClock struct{ began time.Time }

func newRuntimeClock() runtimeClock { return runtimeClock{began: time.Now()} }

func (runtimeClock) Now() time.Time { return wallOf(time.Now()) }

func (c runtimeClock) Monotonic() time.Duration { return time.Since(c.began) }
