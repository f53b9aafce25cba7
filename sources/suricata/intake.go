package suricata

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// intake is what all readers share: they only read, cut into lines and queue. Copies of it work alike.
type intake struct {
	log     zerolog.Logger
	queue   *queue
	losses  *losses
	stats   *stats
	chatter *chatter
	maxLine int
	// start starts a goroutine of the source.
	start func(ctx context.Context, name string, f func(context.Context) error)
}

// reader is one way by which events come.
type reader interface {
	// run reads until it is interrupted.
	run(ctx context.Context) error
	// interrupt makes run end soon, when what was sent before is read.
	interrupt()
	// close gives everything back. Nothing runs any more, except what fails at once.
	close() error
}

// received counts bytes.
func (in *intake) received(n int) {
	if n > 0 {
		in.stats.bytes.Add(uint64(n))
	}
}

// offer queues a line of a socket; if the queue is full, the line is lost.
func (in *intake) offer(conn uint64, raw []byte) {
	in.stats.lines.Add(1)
	if !in.queue.offer(item{conn: conn, received: time.Now()}, raw) {
		in.losses.add(queueFull, 1)
	}
}

// splitter cuts what comes over a connection.
func (in *intake) splitter(conn uint64, a *allowance) *splitter {
	return &splitter{
		max: in.maxLine, allowance: a,
		line: func(raw []byte, _ int64) error {
			in.offer(conn, raw)
			return nil
		},
		oversize: func() { in.losses.add(oversize, 1) },
	}
}

// stats are the numbers of the readers.
type stats struct {
	connections            atomic.Int64
	conns                  atomic.Uint64 // ever
	numbers                atomic.Uint64 // handed out
	refused                atomic.Uint64
	refusedAt              atomic.Int64 // in nanoseconds since 1970; 0: never
	lines, bytes           atomic.Uint64
	datagrams              atomic.Uint64
	rotations, truncations atomic.Uint64
}

// connected counts a connection and gives it a number that no other one has.
func (s *stats) connected() uint64 {
	s.conns.Add(1)
	return s.numbered()
}

func (s *stats) numbered() uint64 { return s.numbers.Add(1) }

// chatterEvery is how often a thing may be logged that happens at the pleasure of others.
const chatterEvery = time.Second

// chatter keeps those who connect over and over from filling the log.
type chatter struct {
	mu   sync.Mutex
	last time.Time
}

// level is that of the next message: one a second is for the user, the others are for whoever debugs.
func (c *chatter) level() zerolog.Level {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Sub(c.last) < chatterEvery {
		return zerolog.DebugLevel
	}
	c.last = now
	return zerolog.InfoLevel
}
