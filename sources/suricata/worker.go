package suricata

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"weir/sources"
)

// flushEvery is how long an update may wait for others to travel with.
const flushEvery = 50 * time.Millisecond

// handler makes updates and facts of lines. It belongs to the worker.
type handler interface {
	// line takes one line of a connection. The error is that of the writer.
	line(ctx context.Context, conn uint64, raw []byte, received time.Time) error
	// forget says that nothing more comes over a connection, with the same error.
	forget(ctx context.Context, conn uint64) error
	// counts are its numbers, and how many events it found lost since it was asked last.
	counts() (metrics []sources.Metric, glued, bad uint64)
}

// worker takes lines from the queue and hands them to the handler, in the goroutine of Run.
type worker struct {
	queue   *queue
	losses  *losses
	place   *place
	handler handler
	writer  sources.Writer

	// told are the handler's numbers of a moment ago, for any goroutine.
	told atomic.Pointer[[]sources.Metric]

	slab     *slab // in work
	next     int   // the item of slab that comes next or is in work
	gathered time.Time
}

func newWorker(s *Source) *worker {
	return &worker{queue: s.queue, losses: s.losses, place: s.cfg.place}
}

func (w *worker) begin(handle func(sources.Writer) handler, out sources.Writer) {
	w.writer, w.handler = out, handle(out)
	w.count()
}

// run works until the queue is closed and empty. The error is that of the writer, or ctx.Err().
func (w *worker) run(ctx context.Context) error {
	t := time.NewTimer(flushEvery)
	defer t.Stop()
	for {
		s, over := w.queue.take()
		switch {
		case s != nil:
			if err := w.work(ctx, s); err != nil {
				return err
			}
		case over:
			return w.flush(ctx)
		default:
			if err := w.idle(ctx, t); err != nil {
				return err
			}
		}
	}
}

// idle waits for news; what is gathered it flushes in time.
func (w *worker) idle(ctx context.Context, t *time.Timer) error {
	var late <-chan time.Time
	if !w.gathered.IsZero() {
		t.Reset(time.Until(w.gathered.Add(flushEvery)))
		late = t.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-w.queue.ready:
		return nil
	case <-late:
		return w.flush(ctx)
	}
}

// work hands over the lines of a slab.
func (w *worker) work(ctx context.Context, s *slab) error {
	w.slab, w.next = s, 0
	err := s.each(func(it *item, raw []byte) error {
		if err := w.item(ctx, it, raw); err != nil {
			return err
		}
		w.next++
		return nil
	})
	if err != nil {
		return err
	}
	w.slab = nil
	w.queue.release(s)
	return nil
}

func (w *worker) item(ctx context.Context, it *item, raw []byte) error {
	now := time.Now()
	if w.gathered.IsZero() {
		w.gathered = now
	}
	if it.closed {
		if err := w.handler.forget(ctx, it.conn); err != nil {
			return fmt.Errorf("hand over the end of a connection: %w", err)
		}
		return nil
	}
	if it.from != nil {
		// Before the line is looked at: one that makes the decoder fail must not do so again.
		w.place.reach(it.from, it.offset)
	}
	if err := w.handler.line(ctx, it.conn, raw, it.received); err != nil {
		return fmt.Errorf("hand over: %w", err)
	}
	if now.Sub(w.gathered) >= flushEvery {
		return w.flush(ctx)
	}
	return nil
}

func (w *worker) flush(ctx context.Context) error {
	w.gathered = time.Time{}
	w.count()
	if err := w.writer.Flush(ctx); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	return nil
}

// count publishes the handler's numbers.
func (w *worker) count() {
	metrics, cut, unreadable := w.handler.counts()
	w.losses.add(glued, cut)
	w.losses.add(bad, unreadable)
	w.told.Store(&metrics)
}

// rest counts the lines that nobody handled and nobody will. Nothing runs any more.
func (w *worker) rest() uint64 {
	var n uint64
	count := func(items []item) {
		for i := range items {
			if it := &items[i]; !it.closed && (it.from == nil || !w.place.current(it.from)) {
				n++
			}
		}
	}
	if w.slab != nil {
		n++ // It was in work.
		count(w.slab.items[min(w.next+1, len(w.slab.items)):])
	}
	for s, _ := w.queue.take(); s != nil; s, _ = w.queue.take() {
		count(s.items)
	}
	return n
}
