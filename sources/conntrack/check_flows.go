package conntrack

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"weir/sources"
)

// sampleSize bounds how many flows a check looks at: a table of a million takes seconds.
const sampleSize = 20000

// sample is what a look at the beginning of the table found.
type sample struct {
	census

	v4, v6 uint64
	// part says that there were more flows than were looked at.
	part bool
	err  error
}

// census looks at the first flows of the table.
func (k *checker) census(ctx context.Context) (s sample) {
	d := dumper{}
	if d.sock, s.err = dial(int(k.cfg.DumpBuffer), new(atomic.Uint64)); s.err != nil {
		return s
	}
	defer d.sock.close()
	defer context.AfterFunc(ctx, d.sock.interrupt)()
	s.err = d.request()
	for s.err == nil {
		var b []byte
		if b, s.err = d.sock.receive(); s.err != nil {
			return s
		}
		done, err := s.datagram(b, d.seq)
		if done || err != nil {
			s.err = err
			return s
		}
	}
	return s
}

func (s *sample) datagram(b []byte, seq uint32) (done bool, err error) {
	var r record
	for {
		h, payload, rest, ok, err := nextMessage(b)
		if err != nil || !ok {
			return false, err
		}
		b = rest
		switch {
		case h.seq != seq:
		case h.typ == unix.NLMSG_DONE || h.typ == unix.NLMSG_ERROR:
			return true, result(payload)
		case h.typ == msgNew && s.records >= sampleSize:
			s.part = true
			return true, nil
		case h.typ == msgNew && r.decode(payload) == nil:
			s.note(&r)
		}
	}
}

func (s *sample) note(r *record) {
	s.add(r, &view{})
	if r.orig.src.IP().Is4() {
		s.v4++
	} else {
		s.v6++
	}
}

// size says how many flows were looked at.
func (s *sample) size() string {
	if s.part {
		return fmt.Sprintf("the first %d flows", s.records)
	}
	return fmt.Sprintf("%d flows", s.records)
}

// checkUncounted tells of flows that began before accounting was on.
func (k *checker) checkUncounted(s sample) {
	const subject = "flows without counters"
	switch {
	case s.err != nil:
		k.unknown(subject, s.err)
	case s.uncounted > 0:
		k.add(sources.Finding{
			Level: sources.Warning, Subject: subject,
			Text: fmt.Sprintf("%d of %s began before accounting was on and can never be counted; "+
				"they disappear with time", s.uncounted, s.size()),
			Cure: "wait until they have ended, or conntrack -F, which breaks connections through NAT",
		})
	case s.records > 0:
		k.add(sources.Finding{Level: sources.Good, Subject: subject, Text: "none of " + s.size()})
	}
}

// checkOffload tells of flows that take a fast path on which nobody counts.
func (k *checker) checkOffload(r ruleset, s sample) {
	const subject = "flow offload"
	bare := r.bareFlowtables()
	switch {
	case len(bare) > 0:
		k.add(sources.Finding{
			Level: sources.Warning, Subject: subject,
			Text: fmt.Sprintf("packets that take the flowtable %s are not counted: it has no counter", bare[0]),
			Cure: fmt.Sprintf("add a line with the word counter to each flowtable of your ruleset "+
				"(flowtable %s { …; counter; }) and load it again", bare[0]),
		})
	case s.offloaded > 0 && len(r.flowtables) == 0:
		k.add(sources.Finding{
			Level: sources.Warning, Subject: subject,
			Text: fmt.Sprintf("%d of %s take a fast path past the kernel, and no flowtable that counts them "+
				"is to be seen", s.offloaded, s.size()),
			Cure: "switch the hardware or vendor acceleration off, or use an nftables flowtable with a counter",
		})
	case len(r.flowtables) > 0:
		k.add(sources.Finding{Level: sources.Good, Subject: subject, Text: "all flowtables count what they forward"})
	}
}
