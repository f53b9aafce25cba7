package actors

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"weir/messages"
	"weir/sources"
)

// port is the way into a shard.
type port struct {
	gate *gate
	// post puts a message into the shard's mailbox. It does not wait; the credit was taken before.
	post func(m any)
}

// flux counts what one source posted, over all its incarnations.
type flux struct {
	batches, updates  atomic.Uint64
	shedBatches, shed atomic.Uint64
	backlogged        atomic.Int64 // batches that wait in backlogs now
}

// route is what all outlets share.
type route struct {
	ports  []port
	seed   uint64
	taps   *taps
	losses *lossBook
	clock  Clock
}

// outlet is the way from one incarnation of a source to the shards. It knows which of its writers hold
// something, so that nothing that was added is forgotten when the source ends.
type outlet struct {
	*route
	source string
	flux   *flux
	crew   *crew // runs what drains backlogs
	log    zerolog.Logger

	mu       sync.Mutex
	holding  map[*writer]struct{}
	backlogs map[*backlog]struct{}
}

func newOutlet(r *route, source string, f *flux, w *crew, log zerolog.Logger) *outlet {
	return &outlet{
		route: r, source: source, flux: f, crew: w, log: log,
		holding: map[*writer]struct{}{}, backlogs: map[*backlog]struct{}{},
	}
}

// Writer makes a writer for one goroutine.
func (o *outlet) Writer(m sources.Mode) sources.Writer {
	w := &writer{out: o, lanes: make([]lane, len(o.ports))}
	if m == sources.Shed {
		w.backlog = newBacklog(o)
	}
	return w
}

// Lost records a loss in the slice that closes next.
func (o *outlet) Lost(l messages.Loss) {
	if l.Source == "" {
		l.Source = o.source
	}
	if l.Span.End.IsZero() {
		now := o.clock.Now()
		l.Span = messages.Span{Start: now, End: now}
	}
	o.losses.add(l)
}

// send posts a batch for which a credit was taken. From now on it belongs to the shard.
func (o *outlet) send(s int, b *messages.Batch) {
	o.flux.batches.Add(1)
	o.flux.updates.Add(uint64(len(b.Updates)))
	o.taps.offer(b)
	o.ports[s].post(b)
}

// drop counts and tells a batch for which there is no room.
func (o *outlet) drop(s int, b *messages.Batch, why string) {
	n := uint64(len(b.Updates))
	o.flux.shedBatches.Add(1)
	o.flux.shed.Add(n)
	o.Lost(messages.Loss{
		Kind: messages.LossShed, Count: n,
		Detail: fmt.Sprintf("%s dropped updates: %s", shardName(s), why),
	})
	b.Release()
}

func (o *outlet) hold(w *writer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.holding[w] = struct{}{}
}

func (o *outlet) free(w *writer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.holding, w)
}

func (o *outlet) keep(b *backlog, waiting bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if waiting {
		o.backlogs[b] = struct{}{}
	} else {
		delete(o.backlogs, b)
	}
}

// deliver posts what writers still hold after all goroutines of the source have ended: it was added, so
// it counts. What finds no credit in time is dropped and told.
func (o *outlet) deliver(patience time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	o.mu.Lock()
	defer o.mu.Unlock()
	for b := range o.backlogs { // Before the open batches, which are younger.
		b.each(func(s int, batch *messages.Batch) { o.deliverOne(ctx, s, batch) })
	}
	for w := range o.holding {
		for s := range w.lanes {
			if batch := w.lanes[s].open; batch != nil {
				o.deliverOne(ctx, s, batch)
			}
		}
	}
	clear(o.backlogs)
	clear(o.holding)
}

func (o *outlet) deliverOne(ctx context.Context, s int, b *messages.Batch) {
	if err := o.ports[s].gate.acquire(ctx); err != nil {
		o.log.Warn().Err(err).Int("updates", len(b.Updates)).Msg("drop what a source left")
		o.drop(s, b, "the source ended and they found no room in time")
		return
	}
	o.send(s, b)
}

func shardName(i int) string { return fmt.Sprintf("shard-%d", i) }
