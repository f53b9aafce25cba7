package actors

import (
	"testing"
	"time"
)

func TestSystemClockHasTwoFaces(t *testing.T) {
	c := systemClock()
	a := readClock(c)
	time.Sleep(20 * time.Millisecond)
	b := readClock(c)
	passed := b.mono - a.mono
	if passed < 20*time.Millisecond || (b.wall.Sub(a.wall)-passed).Abs() > 10*time.Millisecond {
		t.Errorf("monotonic %v, wall %v", passed, b.wall.Sub(a.wall))
	}
	if d := time.Since(b.wall); d.Abs() > time.Minute || b.wall.Location() != time.UTC {
		t.Errorf("%v is %v from now", b.wall, d)
	}
}

func TestReadClockLooksAgain(t *testing.T) {
	slow := &steps{steps: []time.Duration{0, 1e9, 1e9, 2e9, 2e9, 2e9}}
	if r := readClock(slow); r.mono != 2*time.Second || slow.next != 6 {
		t.Errorf("read %v after %d looks", r.mono, slow.next)
	}
	never := &steps{steps: []time.Duration{0, 1e9, 2e9, 3e9, 4e9, 5e9, 6e9, 7e9, 8e9, 9e9}}
	if r := readClock(never); r.mono != 9*time.Second {
		t.Errorf("read %v", r.mono)
	}
}

// steps is a clock that goes on by given steps.
type steps struct {
	steps []time.Duration
	next  int
}

func (*steps) Now() time.Time { return noon }

func (c *steps) Monotonic() time.Duration {
	c.next++
	return c.steps[c.next-1]
}
