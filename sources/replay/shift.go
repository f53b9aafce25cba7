package replay

import (
	"weir/messages"
	"weir/sources/recording"
)

// maxShift bounds what passes add to times, so that sums of times do not overflow.
const maxShift = 1 << 61

// shift moves the flows of a pass to their new time, and keeps those of different passes apart.
type shift struct {
	// since is the time since which the recording counts, and delta leads from there to the core's.
	since, delta int64
	pass, behind int64
	// snapshot is the newest number of a snapshot seen, and snapshots counts them.
	snapshot  uint64
	snapshots int
}

func newShift(h *recording.Header, at *place) shift {
	s := shift{since: h.CountsSince.UnixNano(), pass: at.pass, behind: int64(at.shift)}
	if !at.since.IsZero() {
		s.delta = at.since.UnixNano() - s.since
	}
	return s
}

// see learns from a batch how far the recording is.
func (s *shift) see(b *messages.Batch) {
	if b.Snapshot > s.snapshot {
		s.snapshot = b.Snapshot
		s.snapshots++
	}
}

// retime moves one update. In a later pass a flow must be another incarnation, or its counters would have
// gone back; and one that is older than the recording must stay so, or it would count in full.
func (s *shift) retime(u *messages.Update) {
	if u.Stop != 0 {
		u.Stop = moved(u.Stop, s.delta, s.behind)
	}
	switch {
	case u.Start == 0 && u.ID == 0 && u.Kind == messages.NoCounters:
		// Tags name no incarnation: they belong to the one that lived at Stop.
	case u.Start == 0:
		u.ID += uint32(s.pass) * 0x9e3779b1 //nolint:gosec // Any other number will do.
		s.settle(u)
	case u.Start < s.since:
		u.Start = moved(u.Start, s.delta, -s.pass)
	default:
		u.Start = moved(u.Start, s.delta, s.behind)
	}
}

// retimeFact moves one fact.
func (s *shift) retimeFact(f *messages.Fact) {
	if f.Time != 0 {
		f.Time = moved(f.Time, s.delta, s.behind)
	}
}

// settle does for a recording what a complete snapshot does for a live source: a flow without a start
// that turns up later is new. When the third snapshot begins, one of the two before it was whole, even
// if the recording began in the middle of the first.
func (s *shift) settle(u *messages.Update) {
	if s.snapshots > 2 {
		u.Flags &^= messages.Baseline
	}
}

// moved stays in the range of times, in which 0 means that there is none.
func moved(ns, delta, behind int64) int64 {
	ns = min(max(1, ns+delta), recording.MaxTime)
	return min(max(1, ns+behind), recording.MaxTime)
}
