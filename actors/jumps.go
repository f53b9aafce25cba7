package actors

import (
	"fmt"
	"time"

	"weir/messages"
)

// A wall clock that is being slewed may differ from the monotonic one by a twelfth of the time that has
// passed; a tenth and a bit more is taken for a jump.
const (
	slewTolerance = 100 * time.Millisecond
	slewShare     = 10
)

// watchClock compares what the two faces of the clock moved since they were last looked at.
func (s *slicer) watchClock(now reading) {
	passed := now.mono - s.clock.mono
	delta := now.wall.Sub(s.clock.wall) - passed
	s.clock = now
	if delta.Abs() <= slewTolerance+max(0, passed)/slewShare {
		return
	}
	s.jumped(delta, now)
}

// jumped acts on a clock that was set. Forward beyond the end of the open slice closes it at once, by being
// due; back by more than a slice closes it too; back by less holds the end until the clock has
// caught up.
func (s *slicer) jumped(delta time.Duration, now reading) {
	s.stats.ClockJumps++
	s.out.clockSet(messages.ClockSet{Delta: delta, Unset: s.unset})
	s.note(messages.Loss{
		Source: "slicer", Kind: messages.LossClock, Span: s.open,
		Detail: fmt.Sprintf("the clock was set by %s while the slice was open", delta.Round(time.Millisecond)),
	})
	behind := s.open.Start.Sub(now.wall)
	if behind > s.slice || behind > 0 && -delta > s.slice {
		s.early = true
	}
	if s.unset {
		s.moved += delta
		s.movedOpen = s.seq
	}
}
