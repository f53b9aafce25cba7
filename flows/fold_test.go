package flows

import (
	"math/rand/v2"
	"testing"
	"time"

	"weir/messages"
)

// A table with room for few flows must give the same totals as one with room for all, or tell how many bytes
// are missing.
func TestFoldingKeepsTotals(t *testing.T) {
	for name, budget := range map[string]int64{"folds": 70_000, "refuses too": 12_000} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(o *Options) { o.Budget = budget })
			r := rand.New(rand.NewPCG(3, 4))
			up := make([]uint64, 500)
			var sum, flows, told uint64
			closeSlice := func() {
				for _, l := range b.close().Losses {
					told += l.Bytes
				}
			}
			for range 20 {
				for i := range up {
					if r.IntN(3) == 0 {
						up[i] += uint64(r.IntN(1000))
					}
					b.snapshot(nth(i, up[i]))
				}
				closeSlice()
			}
			for i := range up {
				b.events(ended(nth(i, up[i])), ended(nth(i, up[i])))
				sum += up[i]
				flows++
			}
			closeSlice()
			if b.sum.Up.Bytes+told/2 != sum || b.sum.Ended > flows || b.sum.Started > flows {
				t.Errorf("in all %+v, %d told, want %d up in %d flows", b.sum, told, sum, flows)
			}
			if all := b.sum.Ended == flows && b.sum.Started == flows && told == 0; all != (name == "folds") {
				t.Errorf("%d of %d flows ended, %d bytes told", b.sum.Ended, flows, told)
			}
			s := b.tab.Stats()
			if s.FoldedTotal == 0 {
				t.Error("nothing was folded")
			}
			if (name == "refuses too") != (s.Refused > 0) {
				t.Errorf("%d updates refused", s.Refused)
			}
			if b.tab.cost() > budget {
				t.Errorf("cost %d over the budget of %d", b.tab.cost(), budget)
			}
			for range graceSlices + 2 {
				b.close()
			}
			if b.tab.folded.used() != 0 {
				t.Errorf("%d folded flows are never forgotten", b.tab.folded.used())
			}
		})
	}
}

func nth(i int, up uint64) messages.Update {
	u := flowOf(client, server, time.Second, up, 0)
	if u.Key.A.Port == 4000 {
		u.Key.A.Port += uint16(i)
	} else {
		u.Key.B.Port += uint16(i)
	}
	return u
}

func TestVanishedFoldedFlowsEndOnce(t *testing.T) {
	b := newBench(t, nil)
	b.snapshot(nth(0, 100))
	b.tab.fold(1)
	for range vanishAfter + limboSlices + 5 {
		b.close()
	}
	if b.sum.Up.Bytes != 100 || b.sum.Started != 1 || b.sum.Ended != 1 {
		t.Errorf("in all %+v", b.sum)
	}
	if s := b.tab.Stats(); s.Forgotten != 1 || s.Folded != 0 {
		t.Errorf("forgotten %d, folded %d", s.Forgotten, s.Folded)
	}
}

// A folded flow that is announced late, or tagged, goes on from where it was once a record of it comes.
func TestAFoldedFlowComesBack(t *testing.T) {
	for name, announce := range map[string]func(b *bench){
		"announced": func(b *bench) { b.events(announced(flowOf(client, server, time.Second, 0, 0))) },
		"tagged":    func(b *bench) { b.tag(client, server, text.Tag("x")) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			b.snapshot(flowOf(client, server, time.Second, 1000, 0))
			b.tab.fold(1)
			announce(b)
			b.snapshot(flowOf(client, server, time.Second, 1100, 0))
			want(t, b.close(), 1100, 0, 1, 0)
			b.events(ended(flowOf(client, server, time.Second, 1200, 0)))
			want(t, b.close(), 100, 0, 0, 1)
			if s := b.tab.Stats(); s.Folded != 0 {
				t.Errorf("%d folded, want 0", s.Folded)
			}
		})
	}
}

func TestAFoldedTombstoneWithoutAStartIsNoFlowForAnother(t *testing.T) {
	b := newBench(t, nil)
	b.close()
	b.events(ended(without(flowOf(client, server, 0, 900, 0), 7)))
	b.tab.fold(1)
	want(t, b.close(), 900, 0, 1, 1)
	b.snapshot(without(flowOf(client, server, 0, 300, 0), 7))
	want(t, b.close(), 300, 0, 1, 0)
}

// An end for which there was no room is booked once, or told.
func TestARefusedEndCountsOnce(t *testing.T) {
	for budget, booked := range map[int64]uint64{1000: 1000, 10: 0} {
		b := newBench(t, func(o *Options) { o.Budget = budget })
		for i := 1; b.tab.makeRoom(); i++ {
			b.events(nth(i, 0))
		}
		u := flowOf(client, server, time.Second, 1000, 0)
		b.events(ended(u), u)
		p := b.close()
		if got := p.Rows.Totals().Up.Bytes; got != booked || loss(p, messages.LossShed) != (1000-booked)/1000 {
			t.Errorf("budget %d: %d bytes, losses %v", budget, got, p.Losses)
		}
		b.snapshot(u) // It was read before the end.
		b.events(ended(u))
		b.close()
		if b.sum.Up.Bytes != booked {
			t.Errorf("budget %d: %d bytes in all, want %d", budget, b.sum.Up.Bytes, booked)
		}
	}
}

func TestWhatIsRefusedForGoodIsTold(t *testing.T) {
	delta, older := flowOf(client, server, time.Second, 70, 30), flowOf(client, server, -time.Hour, 70, 30)
	delta.Kind = messages.Delta
	for name, u := range map[string]messages.Update{"delta": delta, "older than counting": older} {
		b := newBench(t, func(o *Options) { o.Budget = 10 })
		b.events(u)
		p := b.close()
		if loss(p, messages.LossShed) != 1 || (u.Kind == messages.Delta) != (p.Losses[0].Bytes == 100) {
			t.Errorf("%s: losses %v", name, p.Losses)
		}
	}
}
