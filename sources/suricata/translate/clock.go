package translate

import "time"

const (
	// wrongBy is how far the clock of a Suricata may differ from ours before its times are not believed:
	// it replays a capture, or the router had no time when it started. Back at half of it they are again.
	wrongBy = int64(time.Hour)
)

// clock turns the times of one connection into ours. Times that are far off are moved by what the first of
// them was off, so that they stay as far from each other as they were; where a replay is faster than the
// traffic was, they become as old as it needs that none is later than now. The zero clock is ready.
type clock struct {
	offset  int64
	shifted bool
	// base is when the first moved time was received, and born the last start that had to be made up.
	base, born int64
}

// at gives the time of an event that was received at a time. Without a time of its own it is that.
func (c *clock) at(ts, received int64) int64 {
	if ts <= 0 {
		return received
	}
	limit := wrongBy
	if c.shifted {
		limit /= 2
	}
	if d := received - ts; -limit <= d && d <= limit {
		c.shifted = false
		return min(ts, received) // Nothing is received before it happened.
	}
	if !c.shifted {
		c.shifted, c.base = true, received
		c.offset = received - ts
	}
	moved := ts + c.offset
	if moved > received || moved < received-wrongBy {
		c.offset = received - ts
		moved = received
	}
	return moved
}

// then gives the time of something that an event tells of, such as the start of its flow; 0 if it has none.
func (c *clock) then(ts, received int64) int64 {
	switch {
	case ts <= 0:
		return 0
	case c.shifted:
		ts += c.offset
	}
	return max(1, min(ts, received))
}

// birth is like then for the start of a flow, which is never 0 and in moved times never before the first of
// them. Starts that were made up differ from each other, as those of flows with the same key must.
func (c *clock) birth(ts, now, received int64) int64 {
	start := c.then(ts, received)
	if start == 0 {
		start = now
	}
	if c.shifted && start <= max(c.base, c.born) {
		c.born = max(c.base, c.born+1)
		start = c.born
	}
	return start
}
