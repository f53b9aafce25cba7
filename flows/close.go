package flows

import (
	"fmt"
	"slices"

	"weir/columns"
	"weir/messages"
)

// Close hands over the rows of the open slice and opens the next one. Should it panic after the rows were
// taken, it hands them over when it is called again, and sweeps with the next slice.
func (t *Table) Close(c *messages.CloseSlice) *messages.SlicePart {
	if t.closed == nil {
		if t.open != c.Seq {
			t.catchUp(c.Seq)
		}
		t.noteSnapshots(c.Snapshots)
		t.noteRestored(c.Snapshots)
		t.closed = &messages.SlicePart{Seq: c.Seq, Shard: t.opt.Shard, Rows: t.takeRows()}
		t.closed.Amendments = t.takeAmendments()
		t.closed.Accounts, t.closed.AllAccounts = t.takeAccounts(c)
		t.open = c.Seq + 1
		t.setBack = max(0, t.setBack-int64(c.Span.End.Sub(c.Span.Start)))
		t.closed.Losses = t.news.losses(t.opt.Shard, c.Span)
		t.sweep()
		t.sweepFolded()
		t.aliases.flush(t)
		t.shrink()
	}
	part := t.closed
	t.closed = nil
	return part
}

func (t *Table) noteSnapshots(done []messages.SnapshotTaken) {
	for _, s := range done {
		src := &t.sources[t.source(s.Source)]
		if s.Complete && s.Seq > src.snapshots[0] {
			copy(src.snapshots[1:], src.snapshots[:])
			src.snapshots[0] = s.Seq
		}
	}
}

// vanished says whether a flow that was told of last in a slice is missing from enough snapshots.
func (t *Table) vanished(source uint8, seen uint16) bool {
	oldest := t.sources[source].snapshots[vanishAfter-1]
	return oldest != 0 && int16(uint16(oldest)-seen) > 0 //nolint:gosec // Wraps on purpose.
}

// takeRows turns the rows of the open slice into columns. An extension's code runs here: while it does,
// closing tells the row, so that Rescue can put the row aside that made it panic.
func (t *Table) takeRows() *messages.Rows {
	b := newRowBuilder(t.rows.used)
	var f columns.Flow
	for i := range uint32(t.rows.used) { //nolint:gosec // Rows are numbered in 32 bits.
		r := t.rows.at(i + 1)
		if r.entry == 0 {
			continue
		}
		t.closing = i + 1
		e := t.arena.at(r.entry)
		t.describe(e, &f)
		if t.careful && !describable(&f) {
			t.owe(r.entry, e)
			t.foldRow(e)
			t.news.reasons = append(t.news.reasons, badRow)
			continue
		}
		b.row(&f, t.tags.get(e.tags), e.localIsA(), e.totals(r))
		if t.opt.Events || t.opt.Accounts {
			b.rows.Flow = append(b.rows.Flow, t.identity(e))
		}
	}
	t.closing = 0
	out := b.finish(t.other)
	for i := range uint32(t.rows.used) { //nolint:gosec // Rows are numbered in 32 bits.
		if n := t.rows.at(i + 1).entry; n != 0 {
			e := t.arena.at(n)
			e.row = 0
			e.told |= toldRow
			t.owe(n, e)
		}
	}
	t.rows.reset()
	t.other, t.careful = messages.Totals{}, false
	return out
}

// describable says whether all columns can be derived without a panic.
func describable(f *columns.Flow) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	var b []byte
	for _, c := range columns.ByIndex() {
		if c.Derived {
			b = c.AppendDerived(b[:0], f)
		}
	}
	return true
}

// catchUp makes up for slices that were closed without this table, or before it was made: what it took for
// the open one has lasted until now, so that a tombstone of that time is a young one.
func (t *Table) catchUp(seq uint64) {
	was, now := uint16(t.open), uint16(seq) //nolint:gosec // Wraps on purpose.
	t.open = seq
	for n := uint32(1); n <= t.arena.high; n++ {
		if e := t.arena.at(n); e.seen == was {
			e.seen = now
		}
	}
	for i := range t.folded.flows {
		if f := &t.folded.flows[i]; f.seen == was {
			f.seen = now
		}
	}
}

// sweep forgets what is over and finds what has vanished. It books into the slice that has just opened.
func (t *Table) sweep() {
	live, limbo, ended, announced := uint64(0), uint64(0), uint64(0), uint64(0)
	for n := uint32(1); n <= t.arena.high; n++ {
		e := t.arena.at(n)
		if !e.is(flagUsed) {
			continue
		}
		age := since(uint16(t.open), e.seen) //nolint:gosec // Wraps on purpose.
		switch {
		case e.is(flagEnded):
			if age > graceSlices {
				t.remove(n)
				continue
			}
			ended++
		case e.is(flagAnnounced):
			if age > announcedSlices {
				t.unclaimed(e)
				t.remove(n)
				t.stats.NeverSeen++
				continue
			}
			announced++
		case e.is(flagLimbo):
			if age > limboSlices {
				t.leaveAccount(e, true)
				t.remove(n)
				t.stats.Forgotten++
				continue
			}
			limbo++
		case t.vanished(e.source, e.seen):
			t.vanish(n, e)
			limbo++
		default:
			live++
		}
	}
	t.stats.Live, t.stats.Limbo, t.stats.Ended, t.stats.Announced = live, limbo, ended, announced
}

// vanish puts a flow into limbo, which counts as its end.
func (t *Table) vanish(n uint32, e *entry) {
	e.flags |= flagLimbo
	t.stats.Vanished++
	t.news.gone += uint64(one(e.source == t.before))
	t.owe(n, e)
	if !e.is(flagEndTold) {
		e.flags |= flagEndTold
		t.rowOf(n, e).ended++
	}
	t.note(n, e, 0)
}

// shrink rebuilds the table in less memory once it uses little of what a burst has left behind.
func (t *Table) shrink() {
	const keep = 64 * chunkSize
	if t.arena.high > keep && int(t.arena.high) > 4*t.arena.used {
		t.rebuild()
	}
}

// news gathers what the table has to tell as loss.
type news struct {
	unseen, zeroed, shed  uint64
	untagged              uint64
	refused, refusedBytes uint64
	restart               uint64
	gone                  uint64 // flows that were restored and never seen again
	reasons               []string
}

// losses turns the news of a slice into losses.
func (w *news) losses(shard int, span messages.Span) []messages.Loss {
	source := fmt.Sprintf("shard-%d", shard)
	var ls []messages.Loss
	add := func(kind messages.LossKind, n uint64, detail string) {
		if n > 0 {
			ls = append(ls, messages.Loss{Source: source, Kind: kind, Count: n, Span: span, Detail: detail})
		}
	}
	add(messages.LossUnseen, w.unseen, "flows from before counting began ended before their counters were known; "+
		"what they moved since then is missing")
	add(messages.LossZeroed, w.zeroed, "another program set counters back to zero; "+
		"what flows moved just before that is missing")
	add(messages.LossShed, w.shed, "updates under a NAT alias did not reach their flow")
	add(messages.LossUntagged, w.untagged, "tags under a NAT alias did not reach their flow")
	add(messages.LossDown, w.gone, "flows ended while Weir did not run; what they moved last is missing")
	if w.refused > 0 {
		ls = append(ls, messages.Loss{
			Source: source, Kind: messages.LossShed, Count: w.refused, Bytes: w.refusedBytes, Span: span,
			Detail: "updates of flows for which there was no room: memory.flows is too small",
		})
	}
	for _, r := range slices.Compact(w.reasons) {
		add(messages.LossRestart, max(w.restart, 1), r)
	}
	*w = news{}
	return ls
}
