package flows

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"weir/columns"
	"weir/messages"
)

// bomb is a column whose code panics at a chosen port.
var (
	bombPort atomic.Uint32
	_        = columns.Register(func() columns.Spec[string] {
		s := textSpec("flows_test.bomb", false)
		s.Derive = func(f *columns.Flow, _ columns.Side) (string, bool) {
			if p := bombPort.Load(); p != 0 && uint32(f.Local.Port) == p {
				panic("bomb")
			}
			return "", false
		}
		return s
	}())
)

// panics calls f and says whether it panicked.
func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return did
}

// poison makes the table panic when it applies the update: the alias that it names does not exist.
func poison(b *messages.Batch, i int) { b.Updates[i].Alias = 9999 }

func TestRescueSkipsOnlyTheUpdateThatPanicked(t *testing.T) {
	b := newBench(t, nil)
	b.tag(client, server, text.Tag("kept"))
	b.snapshot(nth(0, 100), nth(1, 100))
	m := batch(b.seq, nth(0, 150), nth(1, 150), nth(2, 100), nth(3, 100))
	poison(m, 2)
	if !panics(func() { b.tab.Apply(m) }) {
		t.Fatal("no panic")
	}
	b.tab = b.tab.Rescue(m)
	p := b.close()
	want(t, p, 400, 0, 3, 0)
	if loss(p, messages.LossRestart) != 1 {
		t.Errorf("losses %v", p.Losses)
	}
	b.snapshot(nth(0, 150), nth(1, 150), nth(2, 100), nth(3, 100)) // The next snapshot brings what was lost.
	p = b.close()
	want(t, p, 100, 0, 1, 0)
	if len(p.Losses) != 0 {
		t.Errorf("losses again: %v", p.Losses)
	}
	if s := b.tab.Stats(); s.Rescues != 1 || s.LostUpdates != 1 {
		t.Errorf("rescues %d, lost %d", s.Rescues, s.LostUpdates)
	}
}

func TestRescueSurvivesTwoPoisonedUpdates(t *testing.T) {
	b := newBench(t, nil)
	m := batch(b.seq, nth(0, 100), nth(1, 100), nth(2, 100), nth(3, 100))
	poison(m, 1)
	poison(m, 2)
	if !panics(func() { b.tab.Apply(m) }) || !panics(func() { b.tab = b.tab.Rescue(m) }) {
		t.Fatal("no panic")
	}
	// The rescue panicked itself: what the old table held is still sound.
	b.tab = b.tab.Rescue(nil)
	want(t, b.close(), 100, 0, 1, 0)
}

func TestARowThatCannotBeDescribedCountsInOther(t *testing.T) {
	b := newBench(t, nil)
	b.snapshot(nth(0, 100), nth(5, 70))
	bombPort.Store(4005)
	defer bombPort.Store(0)
	if !panics(func() { b.close() }) {
		t.Fatal("no panic")
	}
	b.tab = b.tab.Rescue(nil)
	b.seq++ // The slice was closed without this shard.
	p := b.close()
	want(t, p, 170, 0, 2, 0)
	if p.Rows.Other.Up.Bytes != 70 || p.Rows.Len() != 1 || loss(p, messages.LossRestart) != 1 {
		t.Errorf("other %+v, %d rows, losses %v", p.Rows.Other, p.Rows.Len(), p.Losses)
	}
}

// However many rows cannot be described, they cost one panic a slice.
func TestManyRowsThatCannotBeDescribed(t *testing.T) {
	b := newBench(t, nil)
	for i := range 6 {
		u := flowOf(fmt.Sprintf("192.168.1.%d:4005", i+10), server, time.Second, 10, 5)
		b.snapshot(u, nth(i, 100))
	}
	bombPort.Store(4005)
	defer bombPort.Store(0)
	if !panics(func() { b.close() }) {
		t.Fatal("no panic")
	}
	b.tab = b.tab.Rescue(nil)
	p := b.close()
	want(t, p, 660, 30, 12, 0)
	if p.Rows.Len() != 5 || p.Rows.Other.Rows != 7 || loss(p, messages.LossRestart) != 1 {
		t.Errorf("%d rows, other %+v, losses %v", p.Rows.Len(), p.Rows.Other, p.Losses)
	}
	bombPort.Store(0)
	b.snapshot(nth(5, 130))
	want(t, b.close(), 30, 0, 0, 0)
}

// A table that is rescued at random moments counts every byte once.
func TestRescueAtRandomCountsEveryByteOnce(t *testing.T) {
	b := newBench(t, nil)
	r := rand.New(rand.NewPCG(5, 6))
	up := make([]uint64, 300)
	for range 30 {
		for at := 0; at < len(up); at += 50 {
			var us []messages.Update
			for i := at; i < at+50; i++ {
				up[i] += uint64(r.IntN(500))
				us = append(us, nth(i, up[i]))
			}
			m := batch(b.seq, us...)
			bad := r.IntN(100)
			if bad < len(us) {
				poison(m, bad)
			}
			if panics(func() { b.tab.Apply(m) }) != (bad < len(us)) {
				t.Fatal("the poison did not act, or something else did")
			}
			if bad < len(us) {
				b.tab = b.tab.Rescue(m)
			}
		}
		b.close()
	}
	var sum uint64
	for i := range up {
		b.events(ended(nth(i, up[i])))
		sum += up[i]
	}
	b.close()
	if b.sum.Up.Bytes != sum || b.sum.Ended != uint64(len(up)) || b.sum.Started != uint64(len(up)) {
		t.Errorf("in all %+v, want %d up in %d flows", b.sum, sum, len(up))
	}
}

func TestABurstIsForgotten(t *testing.T) {
	b := newBench(t, nil)
	for i := range 200_000 {
		u := numbered(i)
		u.Status, u.Counters[0] = messages.Ended, messages.Counter{Packets: 1, Bytes: 10}
		b.tab.Apply(batch(0, u))
	}
	high := b.tab.Stats().Bytes
	for range graceSlices + 12 {
		b.close()
	}
	if low := b.tab.Stats().Bytes; low > high/50 {
		t.Errorf("%d bytes of %d are kept after a burst", low, high)
	}
	if total := b.sum.Up.Bytes + b.sum.Down.Bytes; total != 2_000_000 {
		t.Errorf("%d bytes, want 2000000", total)
	}
}

// A rescue that panicked itself has changed nothing of the old table, not even of its folded flows.
func TestRescueSurvivesTwoPoisonedUpdatesAmongFoldedFlows(t *testing.T) {
	b := newBench(t, nil)
	b.snapshot(nth(0, 100), nth(1, 100), nth(2, 100))
	b.tab.fold(1)
	m := batch(b.seq, nth(1, 150), nth(0, 500), nth(2, 150), nth(3, 70))
	poison(m, 0)
	poison(m, 2)
	if !panics(func() { b.tab.Apply(m) }) || !panics(func() { b.tab = b.tab.Rescue(m) }) {
		t.Fatal("no panic")
	}
	b.tab = b.tab.Rescue(nil)
	b.snapshot(nth(0, 500), nth(1, 150), nth(2, 150), nth(3, 70))
	want(t, b.close(), 500+150+150+70, 0, 4, 0)
}

func TestAPanicWhileAFlowIsFoldedLeavesOneOfIt(t *testing.T) {
	b := newBench(t, nil)
	b.snapshot(nth(0, 100))
	e := *b.tab.arena.at(1)
	b.tab.foldRow(b.tab.arena.at(1))
	b.tab.folded.put(foldedFlow{
		hash: incarnationHash(e.key.Hash(seed), e.start, e.id), last: e.last, flags: e.flags, seen: e.seen,
	})
	b.tab = b.tab.Rescue(nil) // As if it had panicked before the entry was removed.
	b.snapshot(nth(0, 300))
	b.tab.fold(1)
	b.snapshot(nth(0, 400))
	want(t, b.close(), 400, 0, 1, 0)
}

// A panic before the first update of a batch loses that update at most.
func TestRescueBeginsWithTheFirstUpdate(t *testing.T) {
	b := newBench(t, nil)
	b.snapshot(nth(0, 100), nth(1, 100), nth(2, 100))
	m := batch(b.seq, nth(3, 100), nth(4, 100), nth(5, 100), nth(6, 100))
	b.tab.index.insert(m.Updates[0].Hash, 1<<30) // Nowhere: the look ahead panics.
	if !panics(func() { b.tab.Apply(m) }) {
		t.Fatal("no panic")
	}
	b.tab = b.tab.Rescue(m)
	want(t, b.close(), 700, 0, 7, 0)
}

// A panic after the rows of a slice were taken loses none of them.
func TestAPanicAfterTheRowsWereTaken(t *testing.T) {
	broken := true
	b := newBench(t, func(o *Options) {
		o.Shards = 2
		o.Send = func(int, any) bool {
			if broken {
				panic("send")
			}
			return true
		}
	})
	b.snapshot(nth(0, 100))
	b.tab.aliases.learn[1] = &messages.LearnAliases{Shard: 1, Aliases: make([]messages.Alias, 1)}
	if !panics(func() { b.close() }) {
		t.Fatal("no panic")
	}
	b.tab, broken = b.tab.Rescue(nil), false
	want(t, b.close(), 100, 0, 1, 0)
	b.snapshot(nth(0, 130))
	want(t, b.close(), 30, 0, 0, 0)
}
