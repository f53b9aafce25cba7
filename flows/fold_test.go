package flows

import (
	"math/rand/v2"
	"testing"
	"time"

	"weir/messages"
)

// A table with room for few flows must give the same totals as one with room for all.
func TestFoldingKeepsTotals(t *testing.T) {
	for name, budget := range map[string]int64{"folds": 70_000, "refuses too": 12_000} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(o *Options) { o.Budget = budget })
			r := rand.New(rand.NewPCG(3, 4))
			up := make([]uint64, 500)
			var sum, flows uint64
			for range 20 {
				for i := range up {
					if r.IntN(3) == 0 {
						up[i] += uint64(r.IntN(1000))
					}
					b.snapshot(nth(i, up[i]))
				}
				b.close()
			}
			for i := range up {
				b.events(ended(nth(i, up[i])))
				sum += up[i]
				flows++
			}
			b.close()
			if b.sum.Up.Bytes != sum || b.sum.Ended != flows || b.sum.Started != flows {
				t.Errorf("in all %+v, want %d up in %d flows", b.sum, sum, flows)
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
