package conntrack

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"weir/messages"
	"weir/sources"
)

const (
	// eventRead is the buffer for one event; the kernel sends each in its own datagram of some hundred bytes.
	eventRead = 16 << 10
	// gather is how long an event may wait for others to travel with.
	gather = 10 * time.Millisecond
	// idle is how long a listener sleeps at most, so that it knows since when its queue was empty.
	idle = time.Second
	// clockEvery is how many events are read between two looks at the clock.
	clockEvery = 64
	// farewell bounds what is done after the end was ordered.
	farewell = 2 * time.Second
)

// listener reads events of one kind and posts them.
type listener struct {
	sock   *socket
	writer sources.Writer
	group  uint32
	want   uint16 // the type of message
	status messages.Status
	// overran is told how many events the kernel dropped within a span; 0 if it does not say.
	overran func(dropped uint64, span messages.Span)
	// unread is told that an event could not be read; nil if that costs nothing.
	unread func()

	heard, malformed *atomic.Uint64
	// drained counts how often the queue was found empty; the watchdog reads it.
	drained atomic.Uint64

	// All below belongs to the goroutine of run.
	rec      record
	builder  builder
	lastGood time.Time // all events up to here were read, or dropped and told
	gathered time.Time // when the oldest event that is not posted was read; zero if there is none
	unclock  int       // reads since the last look at the clock
	dropped  bool      // ENOBUFS was seen and is not told yet
	drops    uint32    // the kernel's counter when it was told last
}

// run reads until ctx is done; then it takes what is still queued, posts it and returns nil.
func (l *listener) run(ctx context.Context) error {
	defer context.AfterFunc(ctx, l.sock.interrupt)()
	// A writer that sheds never waits, so that what was heard is posted even if the end comes meanwhile.
	post := context.WithoutCancel(ctx)
	l.lastGood = time.Now()
	for ctx.Err() == nil {
		b, err := l.next(ctx, post)
		if err == nil {
			err = l.datagram(post, b)
		}
		switch {
		case err == nil, interrupted(err):
		case errors.Is(err, unix.ENOBUFS):
			// From the first drop until its queue is empty, the kernel drops everything.
			l.dropped = true
		default:
			return err
		}
	}
	return l.finish(post)
}

// next gives the next datagram. Before it waits it posts what was gathered long enough ago.
func (l *listener) next(ctx, post context.Context) ([]byte, error) {
	if b, err := l.poll(post); !errors.Is(err, errEmpty) {
		return b, err
	}
	now := time.Now()
	if err := l.onEmpty(post, now); err != nil {
		return nil, err
	}
	wake := now.Add(idle)
	if !l.gathered.IsZero() {
		wake = l.gathered.Add(gather)
	}
	if err := l.sock.wakeAt(wake); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		// The end may have been ordered just before wakeAt, which then undid it.
		l.sock.interrupt()
	}
	b, err := l.sock.receive()
	if err == nil {
		l.lastGood = time.Now()
	}
	return b, err
}

// poll gives a datagram that is queued, or errEmpty. Now and then it looks at the clock, for a queue that is never
// empty.
func (l *listener) poll(post context.Context) ([]byte, error) {
	b, err := l.sock.poll()
	if err != nil {
		return nil, err
	}
	if l.unclock++; l.unclock < clockEvery {
		return b, nil
	}
	l.unclock = 0
	now := time.Now()
	if !l.dropped {
		// After an overrun, what is read was queued before it and says nothing of the time since.
		l.lastGood = now
	}
	return b, l.flush(post, now)
}

// onEmpty is called when nothing was queued a moment ago.
func (l *listener) onEmpty(post context.Context, now time.Time) error {
	l.drained.Add(1)
	if l.dropped {
		if err := l.tellDrops(now); err != nil {
			return err
		}
	}
	l.lastGood, l.unclock = now, 0
	return l.flush(post, now)
}

// flush posts what was gathered long enough ago.
func (l *listener) flush(post context.Context, now time.Time) error {
	if l.gathered.IsZero() || now.Sub(l.gathered) < gather {
		return nil
	}
	l.gathered = time.Time{}
	return l.writer.Flush(post)
}

// tellDrops tells exactly how many events the kernel dropped since it was told last.
func (l *listener) tellDrops(now time.Time) error {
	m, err := l.sock.memInfo()
	if err != nil {
		return err
	}
	n := m.drops - l.drops // The counter wraps.
	l.drops, l.dropped = m.drops, false
	l.overran(uint64(n), messages.Span{Start: l.lastGood, End: now})
	return nil
}

// datagram takes the messages of one datagram.
func (l *listener) datagram(post context.Context, b []byte) error {
	for {
		h, payload, rest, ok, err := nextMessage(b)
		if err != nil {
			l.garbled()
			return nil //nolint:nilerr // It is counted; the next datagram is as good as before.
		}
		if !ok {
			return nil
		}
		if h.typ == l.want {
			if err := l.event(post, payload); err != nil {
				return err
			}
		}
		b = rest
	}
}

func (l *listener) event(post context.Context, payload []byte) error {
	if err := l.rec.decode(payload); err != nil {
		l.garbled()
		return nil //nolint:nilerr // It is counted; the next event is as good as before.
	}
	l.heard.Add(1)
	u, alias, tags := l.builder.build(&l.rec)
	u.Status = l.status
	if l.gathered.IsZero() {
		l.gathered = time.Now()
	}
	if err := l.writer.Add(post, u, alias, tags); err != nil {
		return fmt.Errorf("post event: %w", err)
	}
	return nil
}

// garbled counts what could not be read.
func (l *listener) garbled() {
	l.malformed.Add(1)
	if l.unread != nil {
		l.unread()
	}
}

// finish posts all that was heard until now.
func (l *listener) finish(post context.Context) error {
	// Without the group nothing new comes, so that the queue has an end.
	if err := l.sock.leave(l.group); err != nil {
		return fmt.Errorf("leave group: %w", err)
	}
	ctx, cancel := context.WithTimeout(post, farewell)
	defer cancel()
	for ctx.Err() == nil {
		b, err := l.poll(ctx)
		switch {
		case err == nil:
			err = l.datagram(ctx, b)
		case errors.Is(err, unix.ENOBUFS):
			l.dropped, err = true, nil
		case errors.Is(err, errEmpty):
			if l.dropped {
				if err := l.tellDrops(time.Now()); err != nil {
					return err
				}
			}
			return l.writer.Flush(ctx)
		}
		if err != nil {
			return fmt.Errorf("read the last events: %w", err)
		}
	}
	return fmt.Errorf("read the last events: %w", ctx.Err())
}
