package flows

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"weir/columns"
	"weir/messages"
)

// kernel is a naive model of a connection table: what it says of a flow is always true when it says it.
type kernel struct {
	now   time.Duration
	live  map[int]*connection
	truth messages.Totals
}

type connection struct {
	start    time.Duration
	up, down uint64
}

func (k *kernel) record(i int, c *connection) messages.Update {
	u := nth(i, 0)
	k0 := flowOf(client, server, c.start, c.up, c.down)
	u.Start, u.Counters = k0.Start, k0.Counters
	if !sameOrder(u, k0) {
		u.Counters[0], u.Counters[1] = u.Counters[1], u.Counters[0]
	}
	return u
}

func sameOrder(a, b messages.Update) bool {
	return a.Flags&messages.InitiatorB == b.Flags&messages.InitiatorB
}

var steps = []string{
	"move", "end", "dump", "read", "apply", "close", "repeat", "announce", "tag", "fold", "rescue", "again", "hold",
	"hear",
}

// Every byte once: whatever is announced, repeated, late or in another order, the sum over all slices is
// what the kernel moved since counting began.
func TestEveryByteOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newBench(t, func(o *Options) { o.Events = rapid.Bool().Draw(rt, "events") })
		k := kernel{live: map[int]*connection{}}
		older := rapid.IntRange(0, 3).Draw(rt, "older")
		for i := range older {
			k.live[i] = &connection{start: -time.Hour, up: 10_000, down: 20_000}
		}
		b.snapshot(k.all()...)
		b.close()
		late := make([]messages.Update, 0, 100) // Records that were read and not applied yet.
		ends := make([]messages.Update, 0, 10)  // They may come again, as long as there are tombstones.
		end := func(i int) {
			c := k.live[i]
			if c == nil {
				return
			}
			ends = append(ends, ended(k.record(i, c)))
			b.events(ends[len(ends)-1])
			delete(k.live, i)
			if c.start >= 0 {
				k.truth.Started++
			}
			k.truth.Ended++
		}
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			i := rapid.IntRange(0, 9).Draw(rt, "flow")
			k.now += time.Second
			c, step := k.live[i], rapid.SampledFrom(steps).Draw(rt, "step")
			switch step {
			case "move":
				k.move(i, uint64(rapid.IntRange(1, 500).Draw(rt, "bytes")))
			case "end":
				end(i)
			case "announce":
				if c != nil {
					b.events(announced(k.record(i, c)))
				}
			case "tag":
				u := messages.Update{Key: nth(i, 0).Key}
				if rapid.Bool().Draw(rt, "seen") {
					u.Stop = born.Add(k.now).UnixNano()
				}
				u.Hash = u.Key.Hash(seed)
				m := messages.NewBatch()
				m.Add(&u, nil, []columns.Tag{text.Tag(rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "text"))})
				b.tab.Apply(m)
			case "fold":
				if n := b.tab.coldest(); n != 0 {
					b.tab.fold(n)
				}
			case "rescue":
				b.tab = b.tab.Rescue(nil)
			case "hear":
				b.tab.TakeEvents(rapid.IntRange(1, 20).Draw(rt, "most"))
			case "again":
				b.events(ends...)
			case "hold":
				b.snapshot(late...)
				late, ends = late[:0], ends[:0]
				held := batch(b.seq, k.all()...)
				for range rapid.IntRange(1, graceSlices+4).Draw(rt, "slices") {
					end(rapid.IntRange(0, 9).Draw(rt, "other flow"))
					b.closeWith()
				}
				b.tab.Apply(held)
				ends = ends[:0]
			case "dump":
				b.snapshot(late...) // One writer brings all records of live flows: they stay in order.
				late = late[:0]
				b.snapshot(k.all()...)
			case "read":
				late = append(late, k.all()...)
			case "apply":
				b.snapshot(late...)
				late = late[:0]
			case "repeat":
				if c != nil {
					b.snapshot(late...)
					late = late[:0]
					b.snapshot(k.record(i, c), k.record(i, c))
				}
			case "close":
				b.snapshot(late...)
				late = late[:0]
				b.snapshot(k.all()...)
				b.close()
				ends = ends[:0]
			}
			if fault := b.tab.fault(); fault != "" {
				rt.Fatalf("after %s: %s", step, fault)
			}
		}
		b.snapshot(late...)
		b.snapshot(k.all()...)
		for _, c := range k.live {
			if c.start >= 0 {
				k.truth.Started++
			}
		}
		b.close()
		b.sum.Rows = 0
		if b.sum.Up.Bytes != k.truth.Up.Bytes || b.sum.Down.Bytes != k.truth.Down.Bytes ||
			b.sum.Started != k.truth.Started || b.sum.Ended != k.truth.Ended {
			rt.Fatalf("counted %+v\nmoved   %+v", b.sum, k.truth)
		}
	})
}

func (k *kernel) move(i int, n uint64) {
	c := k.live[i]
	if c == nil {
		c = &connection{start: k.now}
		k.live[i] = c
	}
	c.up, c.down = c.up+n, c.down+3*n
	k.truth.Up.Bytes += n
	k.truth.Down.Bytes += 3 * n
}

func (k *kernel) all() []messages.Update {
	var us []messages.Update
	for i := range 10 {
		if c := k.live[i]; c != nil {
			us = append(us, k.record(i, c))
		}
	}
	return us
}
