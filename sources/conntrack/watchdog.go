package conntrack

import (
	"context"
	"time"
)

// How the watchdog of reliable delivery judges, in ticks.
const (
	watchEvery  = time.Second
	lagLimit    = 5
	steadyLimit = 60
)

// watchdog takes reliable delivery back while the reader lags: the kernel keeps ended flows in the table as long as it
// cannot deliver their ends, and a table full of them makes the router refuse new connections.
type watchdog struct {
	off     bool
	lagging int // ticks in a row
	steady  int // ticks in a row, while off
	drained uint64
}

// tick is told how often the reader has found its queue empty and how full the queue is. change says that
// reliable delivery is now to be switched to on.
func (w *watchdog) tick(drained uint64, m memInfo) (change, on bool) {
	lags := drained == w.drained && m.queued > m.limit/2
	w.drained = drained
	if lags {
		w.lagging++
		w.steady = 0
	} else {
		w.lagging = 0
		w.steady++
	}
	switch {
	case !w.off && w.lagging >= lagLimit:
		w.off, w.steady = true, 0
		return true, false
	case w.off && w.steady >= steadyLimit:
		w.off = false
		return true, true
	}
	return false, false
}

// watch runs the watchdog.
func (s *Source) watch(ctx context.Context) error {
	var w watchdog
	t := time.NewTicker(watchEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		m, err := s.ends.sock.memInfo()
		if err != nil {
			return err
		}
		if change, on := w.tick(s.ends.drained.Load(), m); change {
			if err := s.switchReliable(on); err != nil {
				return err
			}
		}
	}
}

func (s *Source) switchReliable(on bool) error {
	if err := s.ends.sock.setReliable(on); err != nil {
		return err
	}
	if on {
		s.metrics.reliable.Store(1)
		s.conditions.clear(reliableOff)
		s.core.Log.Info().Msg("the reader keeps up again: reliable delivery is on")
		return nil
	}
	s.metrics.reliable.Store(0)
	s.conditions.set(reliableOff, "reliable delivery is off for the time being: ends of flows are read too slowly "+
		"and would fill the connection table")
	s.core.Log.Warn().Msg("the reader lags: reliable delivery is off, so that ended flows do not fill the table")
	return nil
}
