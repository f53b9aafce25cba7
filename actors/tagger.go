package actors

import (
	"context"

	"github.com/rs/zerolog"

	"weir/columns"
	"weir/computations"
	"weir/messages"
	"weir/sources"
)

// tagger is the way from a computation to the shards. It outlives the incarnations of the computation. Only the
// actor's turn uses it, but for updates.
type tagger struct {
	out     *outlet
	writer  *writer
	ctx     context.Context //nolint:containedctx // Of the session, which Tag cannot be given.
	dropped uint64          // in the session
}

// newTagger makes a way of its own: taps hear sources only, since a recording that is played again must make
// computations say the same again, not twice.
func newTagger(r *route, name string, log zerolog.Logger) *tagger {
	own := *r
	own.taps = newTaps()
	o := newOutlet(&own, name, &flux{}, nil, log)
	return &tagger{out: o, writer: o.Writer(sources.Wait).(*writer)}
}

var _ computations.Out = (*tagger)(nil)

// session calls f, posts what it has tagged, and gives how many updates were dropped because ctx was done before
// the shards took them.
func (t *tagger) session(ctx context.Context, f func(out computations.Out)) (dropped uint64) {
	t.ctx, t.dropped = ctx, 0
	f(t)
	// What cannot be posted now waits in the writer until the next session.
	_ = t.writer.Flush(ctx)
	return t.dropped
}

// Tag posts tags for the flow of an event.
func (t *tagger) Tag(e *messages.Event, tags []columns.Tag) {
	if len(tags) == 0 {
		return
	}
	u := messages.Update{Key: e.Key, Start: e.Start, Kind: messages.NoCounters, Flags: messages.Derived}
	if t.writer.Add(t.ctx, &u, nil, tags) != nil {
		t.dropped++
	}
}

// updates counts those that were posted.
func (t *tagger) updates() uint64 { return t.out.flux.updates.Load() }

// discard drops what was never posted: the last slice is closed.
func (t *tagger) discard() {
	for s := range t.writer.lanes {
		if t.writer.lanes[s].open != nil {
			t.writer.close(s).Release()
		}
	}
}
