package actors

import (
	"context"
	"encoding/binary"
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"weir/messages"
	"weir/sources"
	"weir/store"
	"weir/store/memory"
)

// town is a source with so many flows at a time. With each snapshot some of them end and others begin, so
// that no key comes twice in a day.
type town struct {
	flows int
	churn int
	out   sources.Writer
	clock Clock
	next  uint32 // the number of the youngest flow + 1
	rx    map[uint32]messages.Counter
	born  map[uint32]int64
	moved uint64
}

func (*town) Run(ctx context.Context, ready func()) error { return idle(ctx, ready) }

func (*town) Health() sources.Health { return sources.Health{State: sources.Running} }

func (n *town) Snapshot(ctx context.Context, req messages.SnapshotRequest) (messages.SnapshotTaken, error) {
	n.out.Snapshot(req.Seq)
	now := n.clock.Now().UnixNano()
	oldest, full := n.next-uint32(len(n.rx)), len(n.rx) == n.flows
	for i := oldest; i != n.next; i++ {
		if err := n.tell(ctx, i, now, full && int(i-oldest) < n.churn); err != nil {
			return messages.SnapshotTaken{}, err
		}
	}
	for len(n.rx) < n.flows {
		n.rx[n.next], n.born[n.next] = messages.Counter{}, now
		n.next++
	}
	return messages.SnapshotTaken{Complete: true, Began: n.clock.Now(), Records: uint64(len(n.rx))}, n.out.Flush(ctx)
}

func (n *town) tell(ctx context.Context, i uint32, now int64, ends bool) error {
	c := n.rx[i]
	c.Bytes += uint64(i%1400) + 40
	c.Packets++
	n.moved += uint64(i%1400) + 40
	n.rx[i] = c
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], 10<<24|i%(1<<20))
	k, swapped := messages.MakeKey(6, 0, messages.MakeEnd(netip.AddrFrom4(a), uint16(1024+i>>20)),
		messages.MakeEnd(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 443))
	u := messages.Update{
		Key: k, Kind: messages.Absolute, Flags: messages.Oriented, Start: n.born[i],
		Counters: [2]messages.Counter{c, {}},
	}
	if swapped {
		u.Counters[0], u.Counters[1] = u.Counters[1], u.Counters[0]
		u.Flags |= messages.InitiatorB
	}
	if ends {
		u.Status, u.Stop = messages.Ended, now
		delete(n.rx, i)
		delete(n.born, i)
	}
	return n.out.Add(ctx, &u, nil, nil)
}

// footprint is what the heap holds after everything that can be collected was.
func footprint() (heap uint64, goroutines int) {
	runtime.GC()
	runtime.GC() // What was in a pool goes with the second.
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc, runtime.NumGoroutine()
}

// A day of slices in fake time with the real flow tables and the real memory tier: memory is flat, nothing
// is late, and no byte is missing.
func TestADayOfSlices(t *testing.T) {
	if testing.Short() {
		t.Skip("a day takes a while")
	}
	hours := 24
	if raceEnabled {
		hours = 4 // Ten times as slow.
	}
	synctest.Test(t, func(t *testing.T) {
		clock := noonClock()
		var src *town
		made := config(func(core sources.Core) (sources.Source, error) {
			src = &town{
				flows: 300, churn: 30, out: core.Out.Writer(sources.Wait), clock: clock,
				rx: map[uint32]messages.Counter{}, born: map[uint32]int64{},
			}
			return src, nil
		})
		seen := &sums{Tier: memory.New(memory.Options{Retention: time.Hour})}
		o := options(nil, SourceSpec{"town", made})
		o.Tiers, o.Clock, o.StateDir = []store.Tier{seen}, clock, t.TempDir()
		namer := &memo{keep: "names", thinker: thinker{handle: tagEach(appX)}}
		s := start(t, computing(o, always(namer)))
		rest(2 * time.Hour)
		early, goroutines := footprint()
		rest(time.Duration(hours-2) * time.Hour)
		late, after := footprint()
		t.Logf("heap after 2 h: %d KiB, after %d h: %d KiB; %d and %d goroutines; %d flows",
			early>>10, hours, late>>10, goroutines, after, src.next)
		if late > early+early/10+512<<10 {
			t.Errorf("the heap grew from %d to %d bytes", early, late)
		}
		if after > goroutines+2 {
			t.Errorf("goroutines grew from %d to %d", goroutines, after)
		}
		view, told := s.Status().Computations[0], uint64(src.next)-uint64(src.churn) // The youngest were not sent yet.
		drain(t, s)
		st := s.Status()
		if st.Slicer.Closed != uint64(hours*360+1) || st.Slicer.Incomplete != 0 || st.Losses != 0 {
			t.Errorf("slicer %+v, %d losses", st.Slicer, st.Losses)
		}
		if view.Flows < 300 || view.Flows > 400 || view.FlowsRefused != 0 || view.Updates != told ||
			view.Late != 0 || namer.saved != hours+1 {
			t.Errorf("%d flows, %d saves, computation %+v", told, namer.saved, view)
		}
		if seen.bytes != src.moved {
			t.Errorf("%d bytes in slices, %d moved", seen.bytes, src.moved)
		}
	})
}

// sums counts what goes into a tier.
type sums struct {
	store.Tier
	bytes uint64
}

func (t *sums) Append(s *messages.Slice) error {
	for _, p := range s.Parts {
		sum := p.Totals()
		t.bytes += sum.Up.Bytes + sum.Down.Bytes
	}
	return t.Tier.Append(s)
}
