package flows

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"weir/columns"
	"weir/messages"
)

const seed = 42

// born is when counting began in these tests; flows that start later count in full.
var born = time.Unix(1_800_000_000, 0)

var home = NewHome(
	[]netip.Prefix{netip.MustParsePrefix("192.168.1.0/24"), netip.MustParsePrefix("fd00::/64")},
	[]netip.Addr{netip.MustParseAddr("192.168.1.1"), netip.MustParseAddr("203.0.113.1")},
)

func end(addrPort string) messages.End {
	ap := netip.MustParseAddrPort(addrPort)
	return messages.MakeEnd(ap.Addr(), ap.Port())
}

// flowOf is an update as conntrack sends it: up is what the initiator sent, down what it got.
func flowOf(initiator, responder string, start time.Duration, up, down uint64) messages.Update {
	k, swapped := messages.MakeKey(6, 0, end(initiator), end(responder))
	u := messages.Update{
		Key: k, Start: born.Add(start).UnixNano(), ID: 7, Kind: messages.Absolute,
		Flags: messages.Oriented,
		Counters: [2]messages.Counter{
			{Packets: up / 100, Bytes: up}, {Packets: down / 100, Bytes: down},
		},
	}
	if swapped {
		u.Flags |= messages.InitiatorB
		u.Counters[0], u.Counters[1] = u.Counters[1], u.Counters[0]
	}
	return u
}

func ended(u messages.Update) messages.Update {
	u.Status = messages.Ended
	return u
}

func announced(u messages.Update) messages.Update {
	u.Status, u.Kind, u.Start, u.Counters = messages.Started, messages.NoCounters, 0, [2]messages.Counter{}
	return u
}

func without(u messages.Update, id uint32) messages.Update {
	u.Start, u.ID = 0, id
	u.Flags |= messages.Baseline
	return u
}

// bench drives one table through slices.
type bench struct {
	t   *testing.T
	tab *Table
	seq uint64
	sum messages.Totals
}

func newBench(t *testing.T, change func(*Options)) *bench {
	t.Helper()
	o := Options{Shards: 1, Seed: seed, Home: home, CountsSince: born}
	if change != nil {
		change(&o)
	}
	return &bench{t: t, tab: NewTable(o), seq: 1}
}

// events applies updates that belong to no snapshot.
func (b *bench) events(us ...messages.Update) { b.tab.Apply(batch(0, us...)) }

// snapshot applies updates of the snapshot of the open slice.
func (b *bench) snapshot(us ...messages.Update) { b.tab.Apply(batch(b.seq, us...)) }

func batch(snapshot uint64, us ...messages.Update) *messages.Batch {
	m := messages.NewBatch()
	m.Source, m.Snapshot = "conntrack", snapshot
	for i := range us {
		us[i].Hash = us[i].Key.Hash(seed)
		m.Add(&us[i], nil, nil)
	}
	return m
}

// close closes the open slice with a complete snapshot.
func (b *bench) close() *messages.SlicePart {
	return b.closeWith(messages.SnapshotTaken{Seq: b.seq, Source: "conntrack", Complete: true})
}

func (b *bench) closeWith(s ...messages.SnapshotTaken) *messages.SlicePart {
	start := born.Add(time.Duration(b.seq) * 10 * time.Second)
	p := b.tab.Close(&messages.CloseSlice{
		Seq: b.seq, Span: messages.Span{Start: start, End: start.Add(10 * time.Second)}, Snapshots: s,
	})
	b.seq++
	b.sum.Add(p.Rows.Totals())
	return p
}

// want checks bytes up and down and flows started and ended of a part.
func want(t *testing.T, p *messages.SlicePart, up, down, started, ended uint64) {
	t.Helper()
	got := p.Rows.Totals()
	if got.Up.Bytes != up || got.Down.Bytes != down || got.Started != started || got.Ended != ended {
		t.Errorf("slice %d: up %d down %d started %d ended %d, want %d %d %d %d", p.Seq,
			got.Up.Bytes, got.Down.Bytes, got.Started, got.Ended, up, down, started, ended)
	}
}

func loss(p *messages.SlicePart, k messages.LossKind) uint64 {
	for _, l := range p.Losses {
		if l.Kind == k {
			return l.Count
		}
	}
	return 0
}

// cell gives the text of a column in the only row of a part.
func cell(t *testing.T, p *messages.SlicePart, column string) string {
	t.Helper()
	if p.Rows.Len() != 1 {
		t.Fatalf("%d rows, want 1", p.Rows.Len())
	}
	for _, c := range p.Rows.Cells {
		if c.Column.Name == column {
			return c.Column.FormatCell(c.Dict[c.IDs[0]])
		}
	}
	return ""
}

var text = columns.Register(textSpec("flows_test.text", false))

var textEnd = columns.RegisterEndpoint(textSpec("flows_test.end", true))

var otherEnd = columns.RegisterEndpoint(textSpec("flows_test.other", true))

// fault says what does not hold together in a table, or nothing.
func (t *Table) fault() string {
	refs, queued, waiting, amends, waits := map[uint32]uint32{}, map[uint32]int{}, 0, 0, 0
	for _, n := range t.queue.numbers {
		queued[n]++
	}
	for n := uint32(1); n <= t.arena.high; n++ {
		e := t.arena.at(n)
		refs[e.tags]++
		switch {
		case e.told&toldQueued != 0 && (queued[n] == 0 || !e.is(flagUsed) || e.is(flagAnnounced)):
			return fmt.Sprintf("entry %d is not in the queue, or should not be", n)
		case e.told&toldQueued != 0:
			waiting++
		}
		if e.told&amending != 0 {
			amends++
		}
		if e.is(flagUsed) && e.onlyTags() {
			waits++
		}
	}
	if waits != t.waits {
		return fmt.Sprintf("%d flows wait that only tags announced, not %d", waits, t.waits)
	}
	for _, a := range t.amends {
		refs[a.was]++
	}
	for i := range t.tags.sets {
		if n := uint32(i + 1); t.tags.sets[i].refs != refs[n] {
			return fmt.Sprintf("tag set %d is counted %d times, not %d", n, t.tags.sets[i].refs, refs[n])
		}
	}
	if waiting != t.queue.waiting || amends > len(t.amends) {
		return fmt.Sprintf("%d of %d wait in the queue, %d of %d to be amended",
			t.queue.waiting, waiting, len(t.amends), amends)
	}
	return ""
}
