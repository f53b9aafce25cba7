// Package suricata is the source that learns names from Suricata: it takes the events that its EVE output writes, over
// a unix socket or from a file, and turns them into tags of flows and into facts.
//
// Suricata is the client: it connects to our socket, and connects anew with the next event when the connection is
// gone. It never waits. When its socket is full, it drops events or cuts them in the middle, and nobody is
// told. Therefore the readers do nothing but read and cut into lines, and put these into a bounded queue; one worker
// takes them from there, decodes (package eve) and translates (package translate). When the worker is too slow, whole
// events are dropped at the queue, counted and told. A file needs none of that: its reader waits.
package suricata

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"weir/sources"
)

const (
	// drainFor is how long the worker may take for what is queued when the end is ordered.
	drainFor = 600 * time.Millisecond
	// tellEvery is how often losses are told.
	tellEvery = time.Second
	// guardEvery is how often the names of the sockets are looked at.
	guardEvery = 5 * time.Second
)

// Source is the running source.
type Source struct {
	intake
	cfg   Config
	core  sources.Core
	notes notes
	// handle makes what the worker hands lines to.
	handle func(w sources.Writer) handler
	// guarded is how often the names of the sockets are looked at.
	guarded time.Duration

	ready  atomic.Bool
	worker *worker

	readers []reader // of Run
	sockets []*boundSocket
}

func newSource(cfg Config, core sources.Core) *Source {
	s := &Source{cfg: cfg, core: core, guarded: guardEvery}
	s.intake = intake{
		log: core.Log, queue: newQueue(int(cfg.Queue)), losses: &losses{counting: cfg.Statistics},
		stats: &stats{}, chatter: &chatter{}, maxLine: int(cfg.MaxLine),
	}
	s.handle = func(w sources.Writer) handler { return newDecoding(&s.cfg, w) }
	s.worker = newWorker(s)
	return s
}

// Run listens until ctx is done.
func (s *Source) Run(ctx context.Context, ready func()) error {
	// Deferred calls run in reverse, after a panic too: the readers are told to end, all have ended, what is still
	// queued is told.
	defer s.tellRest()
	defer s.closeReaders()
	var reading, others sources.Crew
	s.start = func(ctx context.Context, name string, f func(context.Context) error) {
		s.core.Go(ctx, name, reading.Member(f))
	}
	if err := s.open(); err != nil {
		return err
	}
	own, end := context.WithCancel(ctx)
	work, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer others.Close()
	defer reading.Close()
	defer abandon()
	defer s.interrupt()
	defer end()

	s.worker.begin(s.handle, s.core.Out.Writer(sources.Wait))
	for _, r := range s.readers {
		s.start(own, "read", r.run)
	}
	s.core.Go(own, "losses", others.Member(s.tellLosses))
	s.core.Go(own, "guard", others.Member(s.guard))
	s.core.Go(own, "end", others.Member(func(ctx context.Context) error {
		<-ctx.Done()
		s.interrupt()
		reading.Close()
		s.queue.close()
		pause(work, drainFor)
		abandon()
		return nil
	}))
	if ctx.Err() != nil {
		return nil // The core may not have started what would end the worker.
	}
	s.ready.Store(true)
	ready()
	err := s.worker.run(work)
	if ctx.Err() != nil && work.Err() != nil {
		return nil // It took too long; what is left is told.
	}
	return err
}

// open opens all ways by which events come.
func (s *Source) open() error {
	if s.cfg.Stream != "" {
		r, err := s.openStreams(&s.cfg)
		if err != nil {
			return err
		}
		s.readers, s.sockets = append(s.readers, r), append(s.sockets, r.socket)
	}
	if s.cfg.Datagram != "" {
		s.judgeQueue(datagramQueue())
		r, err := s.openDatagrams(&s.cfg)
		if err != nil {
			return err
		}
		s.readers, s.sockets = append(s.readers, r), append(s.sockets, r.socket)
	}
	if s.cfg.File != "" {
		s.readers = append(s.readers, s.openFile())
	}
	return nil
}

// judgeQueue tells if the kernel keeps few datagrams. The number holds for sockets that are made after it was set.
func (s *Source) judgeQueue(n int) {
	if n <= 0 || n >= fewDatagrams {
		return
	}
	s.notes.set(smallQueue, fmt.Sprintf("the kernel keeps %d datagrams for weir, so that events are lost in a burst: "+
		"sysctl -w net.unix.max_dgram_qlen=%d and restart weir, or use stream", n, manyDatagrams))
	s.log.Warn().Int("max_dgram_qlen", n).Msg("the kernel keeps so few datagrams that events will be lost in bursts")
}

func (s *Source) interrupt() {
	for _, r := range s.readers {
		r.interrupt()
	}
}

func (s *Source) closeReaders() {
	for _, r := range s.readers {
		if err := r.close(); err != nil {
			s.log.Warn().Err(err).Msg("close what Suricata writes to")
		}
	}
}

// tellLosses tells now and then what was lost.
func (s *Source) tellLosses(ctx context.Context) error {
	t := time.NewTicker(tellEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			s.losses.tell(s.core.Out, s.core.Name)
		}
	}
}

// guard fails when the name of a socket is gone, since nobody can connect any more. The source is made anew then, and
// with it the socket.
func (s *Source) guard(ctx context.Context) error {
	t := time.NewTicker(s.guarded)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		for _, b := range s.sockets {
			if !b.ours() && ctx.Err() == nil {
				return fmt.Errorf("somebody removed or replaced the socket %s", b.path)
			}
		}
	}
}

// tellRest tells all losses, with what the worker did not get to. Nothing runs any more.
func (s *Source) tellRest() {
	s.losses.add(unread, s.worker.rest())
	s.losses.tell(s.core.Out, s.core.Name)
}
