package actors

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/messages"
	"weir/sources"
)

// A shard that panics while it applies a batch rescues its table and gives the batch back once.
func TestShardRescuesItsTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier, ts := &fakeTier{}, newTables()
		var applies, rescues atomic.Int64
		ts.setup = func(f *fakeTable) {
			f.onApply = func(*messages.Batch) {
				if applies.Add(1) == 2 {
					panic("bad update")
				}
			}
			f.onRescue = func(b *messages.Batch) {
				if b == nil || len(b.Updates) == 0 {
					t.Errorf("rescued with %v", b)
				}
				rescues.Add(1)
			}
		}
		o := options(tier, SourceSpec{"push", sender(10*messages.BatchSize, sources.Wait)})
		o.Shards, o.newTable = 1, ts.make
		s := start(t, o)
		rest(time.Second)
		if rescues.Load() != 1 || applies.Load() != 10 || actorOf(t, s, "shard-0").Failures != 1 {
			t.Errorf("%d rescues, %d batches applied", rescues.Load(), applies.Load())
		}
		drain(t, s)
		if n := tier.totals().Up.Bytes; n != 9*messages.BatchSize {
			t.Errorf("%d bytes", n) // The fake table loses the batch that made it panic.
		}
	})
}

func TestShardWithoutRescueBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier, ts := &fakeTier{}, newTables()
		ts.setup = func(f *fakeTable) {
			if len(ts.all) > 0 {
				return // The second table is sound.
			}
			f.onApply = func(*messages.Batch) { panic("bad update") }
			f.onRescue = func(*messages.Batch) { panic("cannot be saved") }
		}
		o := options(tier, SourceSpec{"push", sender(10*messages.BatchSize, sources.Wait)})
		o.Shards, o.newTable, o.Clock = 1, ts.make, noonClock()
		s := start(t, o)
		rest(12 * time.Second)
		if len(ts.all) != 2 || !ts.all[1].options.CountsSince.After(noon) {
			t.Fatalf("%d tables", len(ts.all))
		}
		found, count, _ := tier.losses(messages.LossRestart)
		if len(found) != 2 || count != messages.BatchSize || found[0].Source != "shard-0" {
			t.Errorf("losses %+v", found)
		}
		if found[1].Span.Start.After(noon) {
			t.Errorf("the loss of the table spans %v", found[1].Span)
		}
		drain(t, s)
		if n := tier.totals().Up.Bytes; n != 9*messages.BatchSize {
			t.Errorf("%d bytes", n)
		}
	})
}

func TestCloseIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier, ts := &fakeTier{}, newTables()
		failures := 0
		ts.setup = func(f *fakeTable) {
			f.onClose = func(c *messages.CloseSlice) {
				if c.Seq == 1 && failures < 1 || c.Seq == 3 && failures < 3 {
					failures++
					panic("bad row")
				}
			}
		}
		o := options(tier, SourceSpec{"push", ticker(new(atomic.Uint64))})
		o.Shards, o.newTable, o.Clock = 1, ts.make, noonClock()
		s := start(t, o)
		rest(45 * time.Second)
		all := tier.all()
		if len(all) != 4 {
			t.Fatalf("%d slices", len(all))
		}
		for i, complete := range []bool{true, true, false, true} {
			if all[i].Complete != complete {
				t.Errorf("slice %d: %+v", i+1, all[i])
			}
		}
		if late, _, _ := tier.losses(messages.LossLate); len(late) != 1 || late[0].Source != "shard-0" {
			t.Errorf("losses %+v", late)
		}
		drain(t, s)
	})
}

// What senders may queue for a shard that waits to be restarted is the window and no more.
func TestShardInBackOffHoldsItsWriters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier, ts := &fakeTier{}, newTables()
		var broken atomic.Bool
		broken.Store(true)
		ts.setup = func(f *fakeTable) {
			f.onApply = func(*messages.Batch) {
				if broken.Load() {
					panic("broken")
				}
			}
		}
		const batches = 300
		var added atomic.Int64
		src := config(func(core sources.Core) (sources.Source, error) {
			return push(func(ctx context.Context, ready func()) error {
				w := core.Out.Writer(sources.Wait)
				ready()
				for i := range uint32(batches * messages.BatchSize) {
					if err := w.Add(ctx, delta(i, 1), nil, nil); err != nil {
						return err
					}
					added.Add(1)
				}
				<-ctx.Done()
				return w.Flush(context.WithoutCancel(ctx))
			}), nil
		})
		o := options(tier, SourceSpec{"push", src})
		o.Shards, o.newTable = 1, ts.make
		s := start(t, o)
		rest(5 * time.Minute)
		failures := actorOf(t, s, "shard-0").Failures
		if limit := int64(gateWindow+1+int(failures)) * messages.BatchSize; added.Load() > limit {
			t.Errorf("%d updates taken after %d failures", added.Load(), failures)
		}
		st := s.Status()
		if sh := st.Shards[0]; sh.Waiting != gateWindow || sh.Waited == 0 || sh.Fresh {
			t.Errorf("shard %+v", sh)
		}
		if a := actorOf(t, s, "shard-0"); a.State != stateBackingOff {
			t.Errorf("actor %+v", a)
		}
		broken.Store(false)
		rest(time.Minute)
		if added.Load() != batches*messages.BatchSize {
			t.Errorf("only %d updates taken after the shard was mended", added.Load())
		}
		drain(t, s)
		if n := tier.totals().Up.Bytes; n != uint64(batches-int(failures))*messages.BatchSize {
			t.Errorf("%d bytes, %d failures", n, failures)
		}
	})
}

// A drain does not wait out a long back-off.
func TestDrainHurriesRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier, ts := &fakeTier{}, newTables()
		var broken atomic.Bool
		var sent atomic.Uint64
		o := options(tier, SourceSpec{"push", ticker(&sent)})
		o.newTable = ts.make
		o.disturb = func(name string, _ any) {
			if broken.Load() && (name == "shard-0" || name == "tier/memory") {
				panic("broken")
			}
		}
		s := start(t, o)
		rest(5 * time.Second)
		for range 20 {
			_ = s.Inject("shard-0", "again")
			_ = s.Inject("tier/memory", "again")
			rest(31 * time.Second / 20)
		}
		began := time.Now()
		drain(t, s)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("the drain took %v", took)
		}
		if n := tier.totals().Up.Bytes; n != sent.Load() {
			t.Errorf("%d bytes in the tier, %d sent", n, sent.Load())
		}
	})
}

// What comes after the last slice is handed over when the shard stops.
func TestShardHandsOverTheRest(t *testing.T) {
	var parts []*messages.SlicePart
	s := &shardSeat{
		cell: newCell("shard-0", newBoard(newRuntimeClock()), nil), gate: newGate(), clock: noonClock(),
		tier: func(m any) { parts = append(parts, m.(*messages.SlicePart)) }, table: &fakeTable{},
	}
	a := shard{s}
	batch := func() *messages.Batch {
		b := messages.NewBatch()
		b.Add(delta(1, 5), nil, nil)
		return b
	}
	a.receive(nil, batch())
	a.receive(nil, &messages.CloseSlice{Seq: 7})
	a.receive(nil, &messages.CloseSlice{Seq: 7}) // Again, by a slicer that was restarted.
	a.receive(nil, batch())
	a.release(nil, false)
	a.release(nil, true)
	a.release(nil, true)
	if len(parts) != 2 || parts[0].Seq != 7 || parts[1].Seq != 8 || parts[1].Rows.Totals().Up.Bytes != 5 {
		t.Errorf("parts %+v", parts)
	}
}

func TestForwardingNeverWaits(t *testing.T) {
	_, ms := testOutlet(t, 2)
	ports := []port{{gate: ms[0].gate, post: ms[0].post}, {gate: ms[1].gate, post: ms[1].post}}
	if !forward(ports, 1, messages.NewBatch()) || len(ms[1].got) != 1 {
		t.Error("not forwarded")
	}
	ms[1].fill()
	if forward(ports, 1, messages.NewBatch()) || forward(ports, 2, nil) || forward(ports, -1, nil) {
		t.Error("forwarded to nobody")
	}
}

// A shard whose table cannot close the last slice either hands its rows over or tells that they are lost.
func TestLastRowsThatCannotBeHandedOverAreTold(t *testing.T) {
	for _, failures := range []int{3, 100} {
		synctest.Test(t, func(t *testing.T) {
			tier, ts, left := &fakeTier{}, newTables(), failures
			ts.setup = func(f *fakeTable) {
				f.onClose = func(*messages.CloseSlice) {
					if left--; left >= 0 {
						panic("bad row")
					}
				}
			}
			o := options(tier, SourceSpec{"push", sender(100, sources.Wait)})
			o.Shards, o.newTable, o.Clock = 1, ts.make, noonClock()
			s := start(t, o)
			rest(time.Second)
			drain(t, s)
			lost, _, _ := tier.losses(messages.LossRestart)
			if n := tier.totals().Up.Bytes; n != 100 && (len(lost) == 0 || failures == 3) {
				t.Errorf("%d bytes, losses %+v", n, lost)
			}
		})
	}
}
