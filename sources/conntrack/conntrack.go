// Package conntrack is the source that counts flows: it reads the connection tracking of the Linux kernel
// over netlink.
//
// It keeps no state of flows. It sends what the kernel says, absolute counters with the time at which
// the incarnation began, and the shards turn that into bytes that are counted once. Three sockets do the work, and
// none is used for two things: one hears the ends of flows with their final counters, one dumps the whole table when a
// snapshot is asked for, and one, which may lose, hears of starts. Counters are read and never reset: the kernel
// resets a counter before it knows whether the message fits, and then loses it.
package conntrack

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"weir/messages"
	"weir/sources"
)

// Source is the running source.
type Source struct {
	cfg  Config
	core sources.Core

	// ends hears DESTROY events, starts hears NEW events; starts is nil unless announced.
	ends, starts *listener
	kernel       *kernelStats

	// dumping holds a token while nobody dumps; who took it owns all up to asked.
	dumping     chan struct{}
	dumper      *dumper        // nil after a dump that did not end well
	dumped      sources.Writer // takes the dumps
	silence     silence
	began       time.Time // of the last complete dump
	failedDumps int       // in a row
	asked       uint64    // the number of the last snapshot that was asked for; 0: none

	// overran wakes the goroutine that dumps after an overrun; overranAt says when, in Unix nanoseconds.
	overran   chan struct{}
	overranAt atomic.Int64

	// warned is when an overrun was logged last, and unwarned what the kernel dropped since; both belong to ends.
	warned   time.Time
	unwarned uint64

	mu         sync.Mutex
	fail       context.CancelCauseFunc // ends Run with an error; nil before Run
	life       context.Context         // of Run
	stopRedump context.CancelFunc      // of a dump after an overrun; nil if there is none
	metrics    metrics
	conditions conditions
}

func newSource(cfg Config, core sources.Core) *Source {
	s := &Source{cfg: cfg, core: core, dumping: make(chan struct{}, 1), overran: make(chan struct{}, 1)}
	s.dumping <- struct{}{}
	return s
}

// Run opens the sockets and hears the ends of flows until ctx is done.
func (s *Source) Run(ctx context.Context, ready func()) error {
	if err := s.open(); err != nil {
		return err
	}
	// Deferred calls run in reverse: all are told to end, they have ended, then the sockets go.
	defer s.closeSockets()
	defer s.awaitDump()
	var others sources.Crew
	defer others.Close()
	own, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	s.mu.Lock()
	s.life, s.fail = own, fail
	s.mu.Unlock()

	s.core.Go(own, "redump", others.Member(s.redumps))
	if s.starts != nil {
		s.core.Go(own, "starts", others.Member(s.starts.run))
	}
	if s.cfg.Reliable {
		s.core.Go(own, "watchdog", others.Member(s.watch))
	}
	s.metrics.ready.Store(true)
	ready()
	if err := s.ends.run(own); err != nil {
		return fmt.Errorf("read ends of flows: %w", err)
	}
	if ctx.Err() == nil {
		return context.Cause(own)
	}
	return nil
}

// open opens everything in the namespace to watch. The order is what makes every flow's end heard: the
// kernel gives a flow counters, times and events only if they are on when the flow begins.
func (s *Source) open() error {
	err := inNetNS(s.cfg.netnsPath(), func() error {
		k, err := openKernelStats()
		if err != nil {
			return explain(err)
		}
		s.kernel = k
		if err := s.prepareSysctls(sysctlDir); err != nil {
			return err
		}
		if err := s.openEnds(); err != nil {
			return explain(err)
		}
		if s.cfg.Announce {
			if err := s.openStarts(); err != nil {
				return explain(err)
			}
		}
		s.silence.joined = time.Now()
		s.dumped = s.core.Out.Writer(sources.Wait)
		s.dumper, err = s.newDumper()
		return explain(err)
	})
	if err != nil {
		s.closeSockets()
	}
	return err
}

func (s *Source) openEnds() error {
	sock, err := dial(eventRead, &s.metrics.foreign)
	if err != nil {
		return err
	}
	s.ends = &listener{
		sock: sock, writer: s.core.Out.Writer(sources.Shed),
		group: unix.NFNLGRP_CONNTRACK_DESTROY, want: msgDelete, status: messages.Ended,
		heard: &s.metrics.destroys, malformed: &s.metrics.malformed, overran: s.onOverrun, unread: s.onUnread,
	}
	if err := s.growBuffer(sock); err != nil {
		return err
	}
	if s.cfg.Reliable {
		if err := sock.setReliable(true); err != nil {
			return err
		}
		s.metrics.reliable.Store(1)
	}
	return sock.join(s.ends.group)
}

func (s *Source) openStarts() error {
	sock, err := dial(eventRead, &s.metrics.foreign)
	if err != nil {
		return err
	}
	s.starts = &listener{
		sock: sock, writer: s.core.Out.Writer(sources.Shed),
		group: unix.NFNLGRP_CONNTRACK_NEW, want: msgNew, status: messages.Started,
		heard: &s.metrics.starts, malformed: &s.metrics.malformed,
		// The end of the flow or the next dump tells all that is missed here.
		overran: func(dropped uint64, _ messages.Span) { s.metrics.lostStarts.Add(dropped) },
	}
	return sock.join(s.starts.group)
}

// growBuffer asks for the configured buffer and says what the kernel gave.
func (s *Source) growBuffer(sock *socket) error {
	want := int(s.cfg.EventsBuffer)
	got, err := sock.setBuffer(want)
	if err != nil {
		return err
	}
	s.metrics.eventsBuffer.Store(uint64(got)) //nolint:gosec // A size.
	if got >= want {
		return nil
	}
	s.conditions.set(bufferCapped, fmt.Sprintf("events_buffer is %d bytes, asked for %d: the kernel caps it without "+
		"CAP_NET_ADMIN in the first user namespace; sysctl -w net.core.rmem_max=%d", got, want, want))
	s.core.Log.Warn().Int("asked", want).Int("got", got).Msg("the kernel capped the buffer for events")
	return nil
}

// closeSockets closes what is open. Nobody else uses the sockets any more, or they fail at once.
func (s *Source) closeSockets() {
	for _, l := range []*listener{s.ends, s.starts} {
		if l != nil {
			l.sock.close()
		}
	}
	if s.kernel != nil {
		s.kernel.close()
	}
	if s.dumper != nil {
		s.dumper.sock.close()
	}
}

// awaitDump takes the dump's token for good, so that no dump runs or begins.
func (s *Source) awaitDump() { <-s.dumping }

// Sever closes the event sockets underneath the running source, as if they had died. It is a fault for tests
// of recovery: Run then returns an error.
func (s *Source) Sever() {
	s.mu.Lock()
	running := s.life != nil
	s.mu.Unlock()
	if !running {
		return
	}
	s.ends.sock.close()
	if s.starts != nil {
		s.starts.sock.close()
	}
}

// explain adds the cure to the errors that a user can do something about.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("conntrack: need CAP_NET_ADMIN (systemd: AmbientCapabilities=CAP_NET_ADMIN): %w", err)
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.EINVAL),
		errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EAFNOSUPPORT):
		return fmt.Errorf("conntrack: kernel without ctnetlink (modprobe nf_conntrack_netlink): %w", err)
	}
	return fmt.Errorf("conntrack: %w", err)
}
