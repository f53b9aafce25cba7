package translate

import (
	"context"

	"weir/columns"
	"weir/messages"
	"weir/sources"
)

// tagFlow sends what an event says of its flow.
func (t *Translator) tagFlow(ctx context.Context, k kind, x *work, w sources.Writer) (Reason, error) {
	g := &t.tags
	g.begin()
	t.collect(k, x)
	t.counts.excess.Add(g.excess)
	if g.none() && k != kindRecord && k != kindStart {
		return Empty, nil
	}
	t.place(k, x)
	if t.opt.Statistics && x.FlowID != 0 {
		return t.live(ctx, k, x, w)
	}
	if g.none() {
		return Empty, nil
	}
	f := t.remember(k, x)
	seen := x.seen(k, f)
	if f != nil && !f.news(g.tags, x.received) {
		return Repeated, nil
	}
	t.update = messages.Update{Key: x.key, Stop: seen}
	return used, t.send(ctx, w, g.set())
}

func (t *Translator) send(ctx context.Context, w sources.Writer, tags []columns.Tag) error {
	t.counts.updates.Add(1)
	t.counts.tags.Add(uint64(len(tags)))
	return w.Add(ctx, &t.update, nil, tags)
}
