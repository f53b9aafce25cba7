package flows

import (
	"testing"
	"time"

	"weir/columns"
	"weir/messages"
)

// again makes a table of what parts brought, as the daemon does after a restart.
func again(t *testing.T, b *bench, change func(*Options), parts ...*messages.SlicePart) *bench {
	t.Helper()
	kept := map[messages.Key]messages.Account{}
	for _, p := range parts {
		for _, a := range p.Accounts {
			kept[a.Key] = a
		}
	}
	n := newBench(t, func(o *Options) {
		o.Accounts, o.FirstSeq, o.Restore = true, b.seq, []messages.Account{}
		for _, a := range kept {
			o.Restore = append(o.Restore, a)
		}
		if change != nil {
			change(o)
		}
	})
	n.seq = b.seq
	return n
}

func accounting(o *Options) { o.Accounts = true }

func TestNoAccountsUnlessWanted(t *testing.T) {
	b := newBench(t, nil)
	b.snapshot(nth(0, 100))
	p := b.tab.Close(&messages.CloseSlice{Seq: 1, Accounts: true})
	if len(p.Accounts) != 0 || p.AllAccounts || p.Rows.Flow != nil || cap(b.tab.books.owing) != 0 {
		t.Errorf("part %+v", p)
	}
}

// Who did something has an account in the part: also one whose baseline was taken, or whose counters another program
// set to zero, and who thus has no row.
func TestAccountsOfFlowsWithoutRow(t *testing.T) {
	b := newBench(t, accounting)
	old := flowOf(client, server, -time.Hour, 1000, 2000)
	b.snapshot(old)
	p := b.close()
	if p.Rows.Len() != 0 || len(p.Accounts) != 1 || p.Accounts[0].Last != old.Counters || p.AllAccounts {
		t.Errorf("baseline: %+v", p.Accounts)
	}
	b.snapshot(old)
	if p := b.close(); len(p.Accounts) != 0 {
		t.Errorf("nothing new: %+v", p.Accounts)
	}
	zeroed := flowOf(client, server, -time.Hour, 0, 0)
	b.snapshot(zeroed)
	if p := b.close(); p.Rows.Len() != 0 || len(p.Accounts) != 1 || p.Accounts[0].Last != zeroed.Counters {
		t.Errorf("zeroed: %+v", p.Accounts)
	}
	b.events(ended(flowOf(client, server, -time.Hour, 10, 0)))
	if p := b.close(); p.Rows.Len() != 1 || len(p.Accounts) != 1 || !p.Accounts[0].Ended ||
		p.Accounts[0].Flow != p.Rows.Flow[0] {
		t.Errorf("ended: %+v", p.Accounts)
	}
}

func TestRestoredFlowGoesOn(t *testing.T) {
	b := newBench(t, accounting)
	b.snapshot(flowOf(client, server, time.Second, 1000, 2000))
	p := b.close()
	n := again(t, b, nil, p)
	n.snapshot(flowOf(client, server, time.Second, 1500, 2700), flowOf("192.168.1.9:1", server, time.Minute, 7, 8))
	want(t, n.close(), 507, 708, 1, 0)
	n.events(ended(flowOf(client, server, time.Second, 1600, 2700)))
	want(t, n.close(), 100, 0, 0, 1)
}

// A flow that ended while nobody listened vanishes, once, and that its last bytes are missing is told.
func TestFlowThatEndedMeanwhile(t *testing.T) {
	b := newBench(t, accounting)
	b.snapshot(flowOf(client, server, time.Second, 1000, 2000))
	p := b.close()
	n := again(t, b, nil, p)
	sum, told := uint64(0), uint64(0)
	var last *messages.SlicePart
	for range vanishAfter + 2 {
		part := n.close()
		sum, told = sum+part.Rows.Totals().Ended, told+loss(part, messages.LossDown)
		if len(part.Accounts) > 0 {
			last = part
		}
	}
	if sum != 1 || told != 1 || last == nil || !last.Accounts[0].Vanished {
		t.Fatalf("ended %d times, %d told, accounts of %+v", sum, told, last)
	}
	m := again(t, n, nil, last)
	for range vanishAfter + 2 {
		want(t, m.close(), 0, 0, 0, 0)
	}
	m.snapshot(flowOf(client, server, time.Second, 1001, 2000)) // It was only hidden.
	want(t, m.close(), 1, 0, 0, 0)
	for range limboSlices + 10 {
		last = m.close()
		for _, a := range last.Accounts {
			sum += uint64(one(a.Ended))
		}
	}
	if sum != 2 { // The end above, and the last account.
		t.Errorf("%d accounts say that it ended", sum-1)
	}
}

// After a reboot the kernel counts from zero again; what has the same key is another incarnation.
func TestRestoreAfterReboot(t *testing.T) {
	b := newBench(t, accounting)
	b.snapshot(flowOf(client, server, time.Second, 1000, 2000))
	p := b.close()
	n := again(t, b, nil, p)
	n.snapshot(flowOf(client, server, time.Minute, 300, 400))
	want(t, n.close(), 300, 400, 1, 0)
	for range vanishAfter + 1 {
		n.snapshot(flowOf(client, server, time.Minute, 300, 400))
		n.close()
	}
	if n.sum.Ended != 1 || n.sum.Up.Bytes != 300 {
		t.Errorf("sum %+v", n.sum)
	}
	m := again(t, b, nil, p)
	m.snapshot(flowOf(client, server, time.Second, 300, 400)) // Zeroed by another program.
	part := m.close()
	want(t, part, 300, 400, 0, 0)
	if loss(part, messages.LossZeroed) != 1 {
		t.Errorf("losses %+v", part.Losses)
	}
}

// Where starts are unknown, a flow that nobody has an account of began after the earlier process ended.
func TestRestoreWithoutStarts(t *testing.T) {
	b := newBench(t, accounting)
	b.snapshot(without(flowOf(client, server, 0, 1000, 2000), 5))
	p := b.close()
	want(t, p, 0, 0, 0, 0)
	n := again(t, b, nil, p)
	n.snapshot(without(flowOf(client, server, 0, 1200, 2300), 5), without(flowOf("192.168.1.9:1", server, 0, 7, 8), 6))
	want(t, n.close(), 207, 308, 1, 0)
}

// Tags come back with their flow on the end that they were on, whichever end is local now, and computations hear of
// both.
func TestRestoredTags(t *testing.T) {
	b := newBench(t, accounting)
	u := flowOf(client, server, time.Second, 1000, 2000)
	b.snapshot(u)
	side, wantCell := columns.EndA, "flows_test.end"
	m := batch(0)
	tagged := messages.Update{Key: u.Key, Hash: u.Key.Hash(seed)}
	m.Add(&tagged, nil, []columns.Tag{text.Tag("kept"), textEnd.Tag(side, "here")})
	b.tab.Apply(m)
	p := b.close()
	before := ""
	for _, end := range []string{"local.", "remote."} {
		if cell(t, p, end+wantCell) == "here" {
			before = end
		}
	}
	n := again(t, b, func(o *Options) { o.Events = true }, p)
	if es := n.tab.TakeEvents(10); len(es) != 1 || len(es[0].Tags) != 2 || es[0].Change != messages.FlowStarted {
		t.Errorf("events %+v", es)
	}
	n.snapshot(flowOf(client, server, time.Second, 1001, 2000))
	p = n.close()
	if cell(t, p, "flows_test.text") != "kept" || before == "" || cell(t, p, before+wantCell) != "here" {
		t.Errorf("cells %q, %q", cell(t, p, "flows_test.text"), cell(t, p, before+wantCell))
	}
}

// Tags that come without bytes leave with an account too.
func TestAccountOfATaggedFlow(t *testing.T) {
	for _, events := range []bool{false, true} {
		b := newBench(t, func(o *Options) { o.Accounts, o.Events = true, events })
		u := flowOf(client, server, time.Second, 1000, 2000)
		b.snapshot(u)
		b.close()
		m := batch(0)
		m.Add(&messages.Update{Key: u.Key, Hash: u.Key.Hash(seed)}, nil, []columns.Tag{text.Tag("late")})
		b.tab.Apply(m)
		if p := b.close(); p.Rows.Len() != 0 || len(p.Accounts) != 1 || len(p.Accounts[0].Tags) != 1 {
			t.Errorf("accounts %+v", p.Accounts)
		}
	}
}

// Each shard takes its own; what does not fit is folded, and counts once nevertheless.
func TestRestoreIntoShardsAndLittleRoom(t *testing.T) {
	b := newBench(t, accounting)
	const many = 2000
	var us, more []messages.Update
	for i := range many {
		us, more = append(us, nth(i, 100)), append(more, nth(i, 130))
	}
	for at := 0; at < many; at += messages.BatchSize {
		b.snapshot(us[at:min(many, at+messages.BatchSize)]...)
	}
	p := b.tab.Close(&messages.CloseSlice{Seq: 1, Accounts: true})
	if len(p.Accounts) != many || !p.AllAccounts {
		t.Fatalf("%d accounts", len(p.Accounts))
	}
	up, used := uint64(0), 0
	for shard := range 2 {
		n := again(t, &bench{seq: 70_000}, func(o *Options) {
			o.Shard, o.Shards, o.Budget = shard, 2, 64<<10
		}, p)
		used += n.tab.arena.used + n.tab.folded.used()
		if n.tab.folded.used() == 0 {
			t.Error("nothing is folded")
		}
		for i := range more {
			if ShardOf(more[i].Key.Hash(seed), 2) == shard {
				n.snapshot(more[i])
			}
		}
		up += n.close().Rows.Totals().Up.Bytes
	}
	if up != 30*many || used != many {
		t.Errorf("counted %d of %d flows", up, used)
	}
}

// A row that cannot be described loses its columns, and not the account.
func TestAccountsAreRescued(t *testing.T) {
	b := newBench(t, accounting)
	b.snapshot(nth(0, 100), nth(1, 100))
	b.tab = b.tab.Rescue(nil)
	b.tab.closing = 1 // As if the first row had made it panic.
	b.tab = b.tab.Rescue(nil)
	if p := b.close(); len(p.Accounts) != 2 || p.Rows.Len() != 1 || p.Rows.Totals().Up.Bytes != 200 {
		t.Errorf("%d accounts, %d rows", len(p.Accounts), p.Rows.Len())
	}
}
