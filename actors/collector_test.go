package actors

import (
	"maps"
	"testing"
	"time"

	"weir/messages"
)

func partOf(seq uint64, shard int, bytes uint64) *messages.SlicePart {
	return &messages.SlicePart{Seq: seq, Shard: shard, Rows: &messages.Rows{
		Other: messages.Totals{Up: messages.Counter{Bytes: bytes}, Rows: 1},
	}}
}

func sealOf(seq uint64, now bool) *messages.SealSlice {
	start := noon.Add(time.Duration(seq) * testSlice)
	return &messages.SealSlice{
		Seq: seq, Span: messages.Span{Start: start, End: start.Add(testSlice)}, Parts: 2, Complete: true, Now: now,
	}
}

// put gives the collector a message and appends what that makes ready.
func put(t *testing.T, c *collector, m any) {
	t.Helper()
	var seq uint64
	ready := false
	switch m := m.(type) {
	case *messages.SlicePart:
		seq, ready = m.Seq, c.part(m)
	case *messages.SealSlice:
		seq, ready = m.Seq, c.seal(m)
	}
	if ready {
		c.assemble(seq)
		if _, err := c.flush(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCollectorPublishesWhenAllIsThere(t *testing.T) {
	tier := &fakeTier{}
	c := newCollector(tier)
	put(t, c, partOf(1, 1, 10))
	put(t, c, sealOf(1, false))
	if len(tier.all()) != 0 {
		t.Fatal("published without a part")
	}
	put(t, c, partOf(1, 0, 1))
	put(t, c, sealOf(1, false)) // Again, after a restart of the slicer.
	put(t, c, sealOf(1, true))
	all := tier.all()
	if len(all) != 1 || !all[0].Complete || len(all[0].Parts) != 2 || tier.totals().Up.Bytes != 11 {
		t.Errorf("slices %+v", all)
	}
}

func TestLatePartsGoIntoTheNextSlice(t *testing.T) {
	tier := &fakeTier{}
	c := newCollector(tier)
	put(t, c, partOf(1, 0, 1))
	put(t, c, sealOf(1, true))
	put(t, c, partOf(1, 1, 10))
	put(t, c, partOf(2, 1, 100))
	put(t, c, sealOf(2, false))
	put(t, c, partOf(2, 0, 1000))
	all := tier.all()
	if len(all) != 2 {
		t.Fatalf("%d slices", len(all))
	}
	if s := all[0]; s.Complete || len(s.Losses) != 1 || s.Losses[0].Source != "shard-1" {
		t.Errorf("first %+v", s)
	}
	if s := all[1]; len(s.Parts) != 3 || !s.Complete || len(s.Losses) != 1 || s.Losses[0].Kind != messages.LossLate {
		t.Errorf("second %+v", s)
	}
	if n := tier.totals().Up.Bytes; n != 1111 {
		t.Errorf("%d bytes", n)
	}
}

func TestLastPartsMakeOneMoreSlice(t *testing.T) {
	tier := &fakeTier{}
	c := newCollector(tier)
	put(t, c, sealOf(1, true))
	put(t, c, partOf(1, 0, 5))
	put(t, c, partOf(2, 1, 6))
	if !c.leftover(messages.Span{}) {
		t.Fatal("nothing left over")
	}
	if _, err := c.flush(); err != nil {
		t.Fatal(err)
	}
	if s := tier.all()[1]; s.Seq != 3 || s.Span != sealOf(1, true).Span || s.Complete || tier.totals().Up.Bytes != 11 {
		t.Errorf("%+v", s)
	}
	if c.leftover(messages.Span{}) {
		t.Error("left over twice")
	}
}

func TestGivenUpSliceIsToldInTheNext(t *testing.T) {
	tier := &fakeTier{onAppend: func(s *messages.Slice) error {
		if s.Seq == 1 {
			return errGiven
		}
		return nil
	}}
	c := newCollector(tier)
	c.part(partOf(1, 0, 7))
	c.part(partOf(1, 1, 8))
	c.seal(sealOf(1, false))
	c.assemble(1)
	for range maxAppends {
		if c.exhausted() {
			t.Fatal("exhausted early")
		}
		if _, err := c.flush(); err == nil {
			t.Fatal("no error")
		}
	}
	if !c.exhausted() || c.giveUp() != 1 {
		t.Fatal("not exhausted")
	}
	c.losePart(partOf(1, 1, 9))
	put(t, c, sealOf(2, true))
	found, count, bytes := tier.losses(messages.LossRestart)
	if len(found) != 2 || count != 3 || bytes != 24 || found[0].Span != sealOf(1, false).Span {
		t.Errorf("losses %+v", found)
	}
	for range 10 * maxLosses {
		c.losePart(partOf(2, 0, 1))
	}
	if len(c.carried) != maxLosses {
		t.Errorf("%d losses carried", len(c.carried))
	}
	put(t, c, sealOf(3, true))
	if _, _, bytes = tier.losses(messages.LossRestart); bytes != 24+10*maxLosses {
		t.Errorf("%d bytes told as lost", bytes)
	}
}

// Of amendments of one flow in several parts, those of the later slice come last, and count.
func TestAmendmentsGoWithTheirSlice(t *testing.T) {
	tier := &fakeTier{}
	c := newCollector(tier)
	for _, m := range []struct {
		seq   uint64
		shard int
		flow  uint64
	}{{2, 0, 1}, {2, 1, 2}, {1, 0, 3}} {
		p := partOf(m.seq, m.shard, 1)
		p.Amendments = []messages.Amendment{{Flow: m.flow}}
		put(t, c, p)
	}
	put(t, c, sealOf(2, false))
	all := tier.all()
	if len(all) != 1 || len(all[0].Amendments) != 3 || all[0].Amendments[0].Flow != 3 {
		t.Errorf("slices %+v", all)
	}
}

// Accounts of parts that come late, or of a slice that the tier does not take, go with the next slice, each flow's
// once.
func TestNoAccountIsLost(t *testing.T) {
	tier := &fakeTier{}
	c := newCollector(tier)
	account := func(p *messages.SlicePart, flow, last uint64) *messages.SlicePart {
		p.Accounts = append(p.Accounts, messages.Account{Flow: flow, Last: [2]messages.Counter{{Bytes: last}}})
		p.AllAccounts = true
		return p
	}
	put(t, c, account(partOf(1, 0, 1), 1, 10))
	put(t, c, sealOf(1, true))
	put(t, c, account(partOf(1, 1, 1), 2, 20)) // Late.
	put(t, c, account(partOf(2, 0, 1), 1, 11))
	put(t, c, account(partOf(2, 1, 1), 2, 21))
	put(t, c, sealOf(2, false))
	tier.onAppend = func(*messages.Slice) error { return errGiven }
	c.part(account(partOf(3, 0, 1), 3, 30))
	c.part(account(partOf(3, 1, 1), 4, 40))
	c.seal(sealOf(3, false))
	c.assemble(3)
	if _, err := c.flush(); err == nil {
		t.Fatal("the tier has taken it")
	}
	c.giveUp()
	tier.onAppend = nil
	c.losePart(account(partOf(4, 0, 1), 3, 31))
	put(t, c, partOf(4, 1, 1))
	put(t, c, sealOf(4, true))
	want := []map[uint64]uint64{{1: 10}, {1: 11, 2: 21}, {3: 31, 4: 40}}
	for i, s := range tier.all() {
		got := map[uint64]uint64{}
		for _, a := range s.Accounts {
			got[a.Flow] = a.Last[0].Bytes
		}
		if len(s.Accounts) != len(want[i]) || !maps.Equal(got, want[i]) || s.AllAccounts != (i == 1) {
			t.Errorf("slice %d brings %v, all: %v", s.Seq, got, s.AllAccounts)
		}
	}
}
