package flows

import (
	"testing"
	"time"

	"weir/messages"
)

const (
	client = "192.168.1.2:4000"
	server = "198.51.100.7:443"
)

func TestAFlowCountsOnceOverSlices(t *testing.T) {
	b := newBench(t, nil)
	b.snapshot(flowOf(client, server, time.Second, 1000, 5000))
	want(t, b.close(), 1000, 5000, 1, 0)
	b.snapshot(flowOf(client, server, time.Second, 1000, 5000))
	want(t, b.close(), 0, 0, 0, 0)
	b.snapshot(flowOf(client, server, time.Second, 1500, 5000), flowOf(client, server, time.Second, 1600, 5000))
	want(t, b.close(), 600, 0, 0, 0)
	b.events(ended(flowOf(client, server, time.Second, 2000, 6000)))
	want(t, b.close(), 400, 1000, 0, 1)
}

func TestAStaleRecordAfterTheEndBooksNothing(t *testing.T) {
	b := newBench(t, nil)
	b.events(ended(flowOf(client, server, time.Second, 2000, 6000)))
	b.snapshot(flowOf(client, server, time.Second, 1500, 6000))
	want(t, b.close(), 2000, 6000, 1, 1)
	b.events(ended(flowOf(client, server, time.Second, 2000, 6000)))
	want(t, b.close(), 0, 0, 0, 0)
}

func TestATombstoneGoesAfterTheGrace(t *testing.T) {
	b := newBench(t, nil)
	b.events(ended(flowOf(client, server, time.Second, 2000, 6000)))
	for range graceSlices + 2 {
		b.close()
	}
	if s := b.tab.Stats(); b.tab.arena.used != 0 || s.Ended != 0 {
		t.Errorf("%d entries left, %d ended", b.tab.arena.used, s.Ended)
	}
}

func TestOlderFlowsEnterWithABaseline(t *testing.T) {
	b := newBench(t, nil)
	b.snapshot(flowOf(client, server, -time.Hour, 1_000_000, 9_000_000))
	want(t, b.close(), 0, 0, 0, 0)
	b.snapshot(flowOf(client, server, -time.Hour, 1_000_100, 9_000_200))
	want(t, b.close(), 100, 200, 0, 0)
	b.events(ended(flowOf(client, server, -time.Hour, 1_000_300, 9_000_200)))
	want(t, b.close(), 200, 0, 0, 1)
}

func TestAnOlderFlowThatEndsUnseenIsTold(t *testing.T) {
	b := newBench(t, nil)
	b.events(ended(flowOf(client, server, -time.Hour, 1000, 9000)))
	p := b.close()
	want(t, p, 0, 0, 0, 1)
	if loss(p, messages.LossUnseen) != 1 {
		t.Errorf("losses %v", p.Losses)
	}
}

func TestTheSameTupleAgainInASlice(t *testing.T) {
	b := newBench(t, nil)
	for i := range uint64(5) {
		start := time.Duration(i+1) * time.Second
		b.events(ended(flowOf(client, server, start, 100*(i+1), 0)))
	}
	b.snapshot(flowOf(client, server, 6*time.Second, 50, 0))
	want(t, b.close(), 1550, 0, 6, 5)
}

func TestWithoutStartsTheSameTupleAndIDAgain(t *testing.T) {
	b := newBench(t, nil)
	b.close() // A first snapshot: all older flows are known from here on.
	one := without(flowOf(client, server, 0, 900, 100), 7)
	b.events(ended(one))
	want(t, b.close(), 900, 100, 1, 1)
	again := without(flowOf(client, server, 0, 300, 100), 7)
	b.snapshot(again) // This snapshot began after the end was booked.
	want(t, b.close(), 300, 100, 1, 0)
	b.events(ended(without(flowOf(client, server, 0, 400, 100), 7)))
	want(t, b.close(), 100, 0, 0, 1)
}

func TestWithoutStartsARecordFromBeforeTheEnd(t *testing.T) {
	b := newBench(t, nil)
	b.close()
	b.events(ended(without(flowOf(client, server, 0, 900, 100), 7)))
	b.snapshot(without(flowOf(client, server, 0, 800, 100), 7)) // Read before the end, arrives after it.
	b.events(ended(without(flowOf(client, server, 0, 900, 100), 7)))
	want(t, b.close(), 900, 100, 1, 1)
}

// The kernel gives a new flow the id of the old one at once. A record of the old one that was read before its end
// must not count for the new one.
func TestWithoutStartsARecordOfTheOneBefore(t *testing.T) {
	b := newBench(t, nil)
	b.close()
	b.snapshot(without(flowOf(client, server, 0, 600, 100), 7))
	want(t, b.close(), 600, 100, 1, 0)
	b.events(ended(without(flowOf(client, server, 0, 900, 100), 7)))
	b.events(announced(without(flowOf(client, server, 0, 0, 0), 7)))
	b.snapshot(without(flowOf(client, server, 0, 900, 100), 7))
	b.events(ended(without(flowOf(client, server, 0, 500, 50), 7)))
	b.snapshot(without(flowOf(client, server, 0, 900, 100), 7))
	part := b.close()
	if up := part.Rows.Totals().Up.Bytes; up != 300+500 {
		t.Errorf("%d bytes up, want 800", up)
	}
}

// A record of the new flow may come before the end of the old one.
func TestWithoutStartsARecordOfTheOneAfter(t *testing.T) {
	b := newBench(t, nil)
	b.close()
	b.snapshot(without(flowOf(client, server, 0, 600, 100), 7))
	want(t, b.close(), 600, 100, 1, 0)
	b.snapshot(without(flowOf(client, server, 0, 500, 50), 7))
	b.events(ended(without(flowOf(client, server, 0, 900, 100), 7)))
	b.events(ended(without(flowOf(client, server, 0, 500, 50), 7)))
	want(t, b.close(), 300+500, 50, 1, 2)
}

// Likewise, if the old flow was known by its announcement alone and the new one is the larger.
func TestWithoutStartsARecordOfALargerOneAfter(t *testing.T) {
	b := newBench(t, nil)
	b.close()
	b.events(announced(without(flowOf(client, server, 0, 0, 0), 7)))
	b.snapshot(without(flowOf(client, server, 0, 900, 90), 7))
	b.events(ended(without(flowOf(client, server, 0, 500, 50), 7)))
	want(t, b.close(), 900+500, 90+50, 2, 1)
	b.events(ended(without(flowOf(client, server, 0, 1000, 90), 7)))
	want(t, b.close(), 100, 0, 0, 1)
}

// If no end comes, the next snapshot shows that it is another flow, or the same one counting from zero.
func TestWithoutStartsAndWithoutEnds(t *testing.T) {
	b := newBench(t, nil)
	b.close()
	b.snapshot(without(flowOf(client, server, 0, 600, 100), 7))
	want(t, b.close(), 600, 100, 1, 0)
	b.snapshot(without(flowOf(client, server, 0, 400, 40), 7))
	want(t, b.close(), 0, 0, 0, 0)
	b.snapshot(without(flowOf(client, server, 0, 500, 50), 7))
	want(t, b.close(), 500, 50, 0, 0)
}

func TestWithoutStartsTheFirstSnapshotIsTheBaseline(t *testing.T) {
	b := newBench(t, nil)
	b.snapshot(without(flowOf(client, server, 0, 900, 100), 7))
	want(t, b.close(), 0, 0, 0, 0)
	b.snapshot(without(flowOf(client, server, 0, 950, 100), 7), without(flowOf(client, server, 0, 30, 0), 8))
	want(t, b.close(), 80, 0, 1, 0)
}

func TestAnAnnouncedFlowCountsInFull(t *testing.T) {
	b := newBench(t, nil)
	b.events(announced(without(flowOf(client, server, 0, 0, 0), 7)))
	b.snapshot(without(flowOf(client, server, 0, 900, 100), 7)) // Before the first snapshot is complete.
	want(t, b.close(), 900, 100, 1, 0)
}

func TestAnAnnouncementIsAdoptedByItsRecord(t *testing.T) {
	b := newBench(t, nil)
	b.events(announced(flowOf(client, server, time.Second, 0, 0)))
	b.snapshot(flowOf(client, server, time.Second, 10, 0))
	want(t, b.close(), 10, 0, 1, 0)
	if b.tab.arena.used != 1 {
		t.Errorf("%d entries, want 1", b.tab.arena.used)
	}
	b.events(ended(flowOf(client, server, time.Second, 10, 0)), announced(flowOf(client, server, time.Second, 0, 0)))
	want(t, b.close(), 0, 0, 0, 1) // The announcement came late: no new flow.
}

func TestAnAnnouncementThatNothingConfirmsGoes(t *testing.T) {
	b := newBench(t, nil)
	b.events(announced(flowOf(client, server, time.Second, 0, 0)))
	for range announcedSlices + 2 {
		want(t, b.close(), 0, 0, 0, 0)
	}
	if s := b.tab.Stats(); s.NeverSeen != 1 || b.tab.arena.used != 0 {
		t.Errorf("never seen %d, %d entries", s.NeverSeen, b.tab.arena.used)
	}
}

func TestZeroedCountersCountFromZero(t *testing.T) {
	b := newBench(t, nil)
	b.snapshot(flowOf(client, server, time.Second, 1000, 1000))
	b.close()
	b.snapshot(flowOf(client, server, time.Second, 300, 200))
	p := b.close()
	want(t, p, 300, 200, 0, 0)
	if loss(p, messages.LossZeroed) != 1 {
		t.Errorf("losses %v", p.Losses)
	}
}

func TestLimboGoesOnFromWhereItWas(t *testing.T) {
	for name, back := range map[string]func(messages.Update) messages.Update{
		"record": func(u messages.Update) messages.Update { return u },
		"end":    ended,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			b.snapshot(flowOf(client, server, time.Second, 1000, 1000))
			for range vanishAfter + 2 {
				b.close()
			}
			if s := b.tab.Stats(); s.Limbo != 1 || s.Vanished != 1 {
				t.Fatalf("limbo %d, vanished %d", s.Limbo, s.Vanished)
			}
			b.events(back(flowOf(client, server, time.Second, 1100, 1000)))
			b.close()
			if b.sum.Up.Bytes != 1100 || b.sum.Started != 1 || b.sum.Ended != 1 {
				t.Errorf("in all %+v", b.sum)
			}
		})
	}
}

func TestIncompleteSnapshotsMakeNothingVanish(t *testing.T) {
	b := newBench(t, nil)
	b.snapshot(flowOf(client, server, time.Second, 1000, 1000))
	for range 10 {
		b.closeWith(messages.SnapshotTaken{Seq: b.seq, Source: "conntrack"})
	}
	if s := b.tab.Stats(); s.Live != 1 {
		t.Errorf("live %d, want 1", s.Live)
	}
}

func TestTheClockSetBackKeepsNewFlowsNew(t *testing.T) {
	b := newBench(t, nil)
	b.tab.ClockSet(messages.ClockSet{Delta: -time.Hour})
	b.snapshot(flowOf(client, server, -30*time.Minute, 1000, 0))
	want(t, b.close(), 1000, 0, 1, 0)
	b.tab.ClockSet(messages.ClockSet{Delta: 2 * time.Hour})
	b.snapshot(flowOf(client, "198.51.100.8:443", -30*time.Minute, 70, 0))
	want(t, b.close(), 70, 0, 1, 0)
}

func TestUncountedFlowsCountAsFlowsOnly(t *testing.T) {
	b := newBench(t, nil)
	u := flowOf(client, server, time.Second, 0, 0)
	u.Kind = messages.NoCounters
	b.snapshot(u)
	want(t, b.close(), 0, 0, 1, 0)
	b.events(ended(u))
	want(t, b.close(), 0, 0, 0, 1)
}

func TestDeltasAddUp(t *testing.T) {
	b := newBench(t, nil)
	u := flowOf(client, server, time.Second, 100, 10)
	u.Kind = messages.Delta
	b.events(u, u)
	want(t, b.close(), 200, 20, 1, 0)
	b.events(ended(u))
	want(t, b.close(), 100, 10, 0, 1)
}

func TestARecordOfAnOlderSnapshotTakesNothingBack(t *testing.T) {
	b := newBench(t, nil)
	old := batch(b.seq, flowOf(client, server, time.Second, 500, 0)) // Read now, posted late.
	b.close()
	b.snapshot(flowOf(client, server, time.Second, 1000, 0))
	b.tab.Apply(old)
	p := b.close()
	want(t, p, 1000, 0, 1, 0)
	b.snapshot(flowOf(client, server, time.Second, 1100, 0))
	want(t, b.close(), 100, 0, 0, 0)
	if len(p.Losses) != 0 {
		t.Errorf("losses %v", p.Losses)
	}
}

// A writer may hold records back until the tombstones of their flows are gone.
func TestARecordThatIsOlderThanAnyTombstoneBooksNothing(t *testing.T) {
	for slices := range graceSlices + 3 {
		b := newBench(t, nil)
		held := batch(b.seq, flowOf(client, server, time.Second, 900, 0), flowOf(client, server, -time.Hour, 900, 0))
		b.events(ended(flowOf(client, server, time.Second, 1000, 0)))
		for range slices {
			b.closeWith()
		}
		b.events(announced(flowOf(client, server, time.Second, 0, 0)))
		b.tab.Apply(held)
		b.close()
		b.sum.Rows = 0
		if b.sum.Up.Bytes != 1000 || b.sum.Started != 1 || b.sum.Ended != 1 {
			t.Errorf("after %d slices: %+v", slices, b.sum)
		}
		if s := b.tab.Stats(); s.Baselined+s.TooOld == 0 {
			t.Errorf("after %d slices the other flow was neither admitted nor passed over", slices)
		}
	}
}

// Who announces a flow may never tell that it is gone; who counts it does.
func TestAFlowThatAnotherSourceAnnouncedVanishes(t *testing.T) {
	b := newBench(t, nil)
	b.tag(client, server, text.Tag("x"))
	b.snapshot(flowOf(client, server, time.Second, 1000, 0))
	for range vanishAfter + limboSlices + 3 {
		b.close()
	}
	if b.tab.arena.used != 0 || b.sum.Ended != 1 || b.sum.Up.Bytes != 1000 {
		t.Errorf("%d entries are left, in all %+v", b.tab.arena.used, b.sum)
	}
}

// Slices may close without a table that is stuck, or before it was made. Its tombstones stay as long as others.
func TestSlicesThatCloseWithoutATableDoNotAgeItsTombstones(t *testing.T) {
	for _, folded := range []bool{false, true} {
		b := newBench(t, nil)
		b.seq = 5000
		b.events(ended(flowOf(client, server, time.Second, 1000, 0)))
		if folded {
			b.tab.fold(1)
		}
		held := batch(b.seq, flowOf(client, server, time.Second, 900, 0)) // Read before the end.
		for range graceSlices {
			b.close()
		}
		b.tab.Apply(held)
		b.close()
		if b.sum.Up.Bytes != 1000 {
			t.Errorf("folded %t: %d bytes, want 1000", folded, b.sum.Up.Bytes)
		}
		for range graceSlices + 1 {
			b.close()
		}
		if b.tab.arena.used+b.tab.folded.used() != 0 {
			t.Errorf("folded %t: the tombstone stays", folded)
		}
	}
}
