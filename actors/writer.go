package actors

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"weir/columns"
	"weir/flows"
	"weir/messages"
)

// writer gathers updates of one goroutine, one open batch for each shard. An update that Add has taken
// is delivered, or told as loss: an error means that it was not taken.
type writer struct {
	out      *outlet
	snapshot uint64
	lanes    []lane   // by shard
	count    int      // of open batches
	backlog  *backlog // nil in a writer that waits
}

// lane is what a writer has for one shard.
type lane struct {
	open *messages.Batch // nil if there is nothing for the shard
	room int             // how many updates may still be added to open; 0 if it must be posted first
}

// Snapshot marks all that follows. Open batches keep their mark and take no more.
func (w *writer) Snapshot(seq uint64) {
	if seq == w.snapshot {
		return
	}
	w.snapshot = seq
	for i := range w.lanes {
		w.lanes[i].room = 0
	}
}

// Add puts the update into the open batch of its shard.
func (w *writer) Add(ctx context.Context, u *messages.Update, alias *messages.Key, tags []columns.Tag) error {
	hash := u.Key.Hash(w.out.seed)
	s := 0
	if len(w.lanes) > 1 { // With one, the processor need not wait for the hash.
		s = flows.ShardOf(hash, len(w.lanes))
	}
	l := &w.lanes[s]
	if l.room == 0 {
		if err := w.turn(ctx, s); err != nil {
			return err
		}
	}
	l.open.Add(u, alias, tags)
	l.open.Updates[len(l.open.Updates)-1].Hash = hash
	if l.room--; l.room == 0 {
		w.offer(s)
	}
	return nil
}

// Tell puts a fact into the open batch of some shard, the same one for all facts about an address.
func (w *writer) Tell(ctx context.Context, f *messages.Fact) error {
	addr := f.Addr.As16()
	s := flows.ShardOf(xxhash.Sum64(addr[:])^w.out.seed, len(w.lanes))
	if l := &w.lanes[s]; l.room == 0 || len(l.open.Facts) >= messages.BatchSize {
		if err := w.turn(ctx, s); err != nil {
			return err
		}
	}
	w.lanes[s].open.Facts = append(w.lanes[s].open.Facts, *f)
	return nil
}

// Flush posts all open batches. What a writer that waits could not post stays with it.
func (w *writer) Flush(ctx context.Context) error {
	var first error
	for s := range w.lanes {
		if w.lanes[s].open == nil {
			continue
		}
		if err := w.post(ctx, s); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// turn posts the open batch of a shard, if any, and opens the next one.
func (w *writer) turn(ctx context.Context, s int) error {
	if w.lanes[s].open != nil {
		if err := w.post(ctx, s); err != nil {
			return err
		}
	}
	b := messages.NewBatch()
	b.Source, b.Snapshot = w.out.source, w.snapshot
	w.lanes[s] = lane{open: b, room: messages.BatchSize}
	if w.count++; w.count == 1 {
		w.out.hold(w)
	}
	return nil
}

// offer posts a full batch if that needs no waiting. If it does, the next Add waits, whose caller can still be
// told that its update was not taken.
func (w *writer) offer(s int) {
	switch {
	case w.backlog != nil:
		w.shed(s)
	case w.out.ports[s].gate.take():
		w.out.send(s, w.close(s))
	}
}

// post posts the open batch of a shard as the mode says.
func (w *writer) post(ctx context.Context, s int) error {
	if w.backlog != nil {
		w.shed(s)
		return nil
	}
	if err := w.out.ports[s].gate.acquire(ctx); err != nil {
		return err
	}
	w.out.send(s, w.close(s))
	return nil
}

// shed posts without waiting: what finds no credit goes to the backlog, and if that is full, away.
func (w *writer) shed(s int) {
	b := w.close(s)
	switch {
	case w.backlog.idle(s) && w.out.ports[s].gate.try():
		w.out.send(s, b)
	case !w.backlog.put(s, b):
		w.out.drop(s, b, "the shard was too slow and the backlog is full")
	}
}

// close takes the open batch of a shard out of the writer.
func (w *writer) close(s int) *messages.Batch {
	b := w.lanes[s].open
	w.lanes[s] = lane{}
	if w.count--; w.count == 0 {
		w.out.free(w)
	}
	return b
}

// maxBacklog is how many batches a writer that sheds may keep.
const maxBacklog = 64

// backlog keeps batches of a writer that does not wait. For each shard with some, a goroutine of the
// source waits in its place.
type backlog struct {
	out  *outlet
	busy []atomic.Bool // by shard: batches must queue up, so that none overtakes another

	mu    sync.Mutex
	queue [][]*messages.Batch // by shard
	count int
}

func newBacklog(o *outlet) *backlog {
	return &backlog{out: o, busy: make([]atomic.Bool, len(o.ports)), queue: make([][]*messages.Batch, len(o.ports))}
}

// idle says whether nothing waits for the shard. Only the writer makes it busy, so for the writer a yes
// stays true.
func (q *backlog) idle(s int) bool { return !q.busy[s].Load() }

// put queues a batch; false if the backlog is full.
func (q *backlog) put(s int, b *messages.Batch) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.count >= maxBacklog {
		return false
	}
	if q.count++; q.count == 1 {
		q.out.keep(q, true)
	}
	q.out.flux.backlogged.Add(1)
	q.queue[s] = append(q.queue[s], b)
	if !q.busy[s].Swap(true) {
		q.out.crew.start(q.out.crew.ctx, "backlog", func(ctx context.Context) error {
			q.drain(ctx, s)
			return nil
		})
	}
	return true
}

// drain waits for credits and posts until the shard's queue is empty. If the source ends first, the
// outlet delivers the rest.
func (q *backlog) drain(ctx context.Context, s int) {
	for {
		if q.out.ports[s].gate.acquire(ctx) != nil {
			return
		}
		b := q.next(s)
		if b == nil {
			q.out.ports[s].gate.release()
			return
		}
		q.out.send(s, b)
	}
}

// next takes the oldest batch of a shard; with none left the shard is idle.
func (q *backlog) next(s int) *messages.Batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.queue[s]) == 0 {
		q.queue[s] = nil
		q.busy[s].Store(false)
		return nil
	}
	b := q.queue[s][0]
	q.queue[s] = q.queue[s][1:]
	q.out.flux.backlogged.Add(-1)
	if q.count--; q.count == 0 {
		q.out.keep(q, false)
	}
	return b
}

// each hands over what is left, when nobody else uses the backlog any more.
func (q *backlog) each(f func(s int, b *messages.Batch)) {
	for s, queue := range q.queue {
		for _, b := range queue {
			q.out.flux.backlogged.Add(-1)
			f(s, b)
		}
		q.queue[s] = nil
	}
	q.count = 0
}
