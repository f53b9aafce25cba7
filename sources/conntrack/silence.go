package conntrack

import (
	"fmt"
	"time"

	"weir/messages"
)

// silence finds out that the ends of flows are no longer told: a kernel module that takes the only hook for
// events (nft-fullcone, NSS) stops them without an error.
//
// No state of flows is needed. Each dump counts the flows that began after the events were joined and before the
// dump. The next dump counts how many flows began in that same stretch: each that is missing has ended,
// and its end must have been heard, for a flow that begins while somebody listens always has one. A flow that the
// kernel lists twice could feign an end, so that a few do not count. It needs the kernel's time stamps.
type silence struct {
	joined  time.Time
	present uint64 // in the last dump
	heard   uint64 // ends, at the last dump
	dumps   int    // with flows missing and no end heard, since the last end was heard
	missing uint64 // in these
}

// How much makes sure.
const (
	silentDumps = 3
	silentFlows = 10
)

// judge is told of a complete dump and of how many ends were heard and dropped up to now. It gives how many flows
// have ended unheard since the dump before, and whether the events are silent.
func (s *silence) judge(c *census, heard uint64) (missing uint64, silent bool) {
	if s.present > c.survivors {
		missing = s.present - c.survivors
	}
	s.present = c.present
	if heard != s.heard {
		s.heard, s.dumps, s.missing = heard, 0, 0
		return 0, false
	}
	if missing > 0 {
		s.dumps++
		s.missing += missing
	}
	return missing, s.dumps >= silentDumps && s.missing >= silentFlows
}

func (s *Source) judgeSilence(c *census, span messages.Span) {
	heard := s.metrics.destroys.Load() + s.metrics.lostEnds.Load() + s.metrics.delayed.Load()
	missing, silent := s.silence.judge(c, heard)
	if !silent {
		s.conditions.clear(eventsSilent)
		return
	}
	if s.conditions.set(eventsSilent, "the kernel no longer tells the ends of flows: nf_conntrack_events is 0, or a "+
		"module took the events (nft-fullcone, NSS: unload it); counting goes on with dumps alone, and what a "+
		"flow moves after the last dump before its end is missing") {
		s.core.Log.Warn().Uint64("ended", s.silence.missing).
			Msg("flows end and no event tells it; going on with dumps alone")
	}
	if missing > 0 {
		s.core.Out.Lost(messages.Loss{
			Source: s.core.Name, Kind: messages.LossUnseen, Count: missing, Span: span,
			Detail: fmt.Sprintf("at least %d flows ended and the kernel did not tell their final counters", missing),
		})
	}
}
