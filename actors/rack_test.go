package actors

import (
	"testing"

	"weir/messages"
)

func sliceOf(seq uint64, rows int, accounts ...uint64) *messages.Slice {
	n := make([]uint64, rows)
	p := &messages.Rows{
		UpBytes: n, UpPackets: n, DownBytes: n, DownPackets: n,
		Started: make([]uint32, rows), Ended: make([]uint32, rows),
		Other: messages.Totals{Up: messages.Counter{Bytes: 100}},
	}
	s := &messages.Slice{Seq: seq, Parts: []*messages.Rows{p}}
	for _, flow := range accounts {
		s.Accounts = append(s.Accounts, messages.Account{Flow: flow, Last: [2]messages.Counter{{Bytes: seq}}})
	}
	return s
}

// One slice may always wait, however large; of several the oldest goes, but for the one at work.
func TestRackIsBoundedByRows(t *testing.T) {
	r := newRack()
	r.put(sliceOf(1, 2*maxRackedRows))
	if n, dropped := r.level(); n != 1 || dropped != 0 {
		t.Fatalf("%d wait, %d dropped", n, dropped)
	}
	first := r.next()
	r.put(sliceOf(2, maxRackedRows/2))
	r.put(sliceOf(3, maxRackedRows/2))
	if n, dropped := r.level(); n != 2 || dropped != 1 {
		t.Errorf("%d wait, %d dropped", n, dropped)
	}
	r.done(first, false)
	if it := r.next(); it.slice.Seq != 3 || len(it.slice.Losses) != 1 || it.slice.Losses[0].Bytes != 100 {
		t.Errorf("slice %+v", it.slice)
	}
	if r.rows != maxRackedRows/2 {
		t.Errorf("%d rows", r.rows)
	}
}

// What is left of a slice that was given up with nothing behind it goes with the next one.
func TestRackCarries(t *testing.T) {
	r := newRack()
	s := sliceOf(1, 1, 1, 2)
	s.AllAccounts, s.Losses = true, []messages.Loss{{Source: "x", Count: 3}}
	s.Amendments = []messages.Amendment{{Flow: 1}}
	r.put(s)
	for range maxCrashes {
		r.next()
		if seq := r.crashed(); (seq != 0) != (r.dropped == 1) {
			t.Errorf("given up: %d", seq)
		}
	}
	if r.next() != nil || r.crashed() != 0 || !r.wants() {
		t.Error("something is left")
	}
	next := sliceOf(2, 1, 2, 3)
	r.put(next)
	got := r.next().slice
	if len(got.Accounts) != 3 || got.Accounts[1].Last[0].Bytes != 2 || !got.AllAccounts || len(got.Amendments) != 1 ||
		len(got.Losses) != 2 || r.wants() {
		t.Errorf("slice %+v", got)
	}
	if len(next.Accounts) != 2 || len(next.Losses) != 0 {
		t.Error("a slice was changed")
	}
}

func TestLossesOfDroppedSlicesAreBounded(t *testing.T) {
	var list []messages.Loss
	for i := range uint64(3 * maxLosses) {
		l := messages.Loss{Source: "a", Kind: messages.LossShed, Detail: string(rune('a' + i)), Count: 1}
		list = addLoss(list, &l)
	}
	sum := uint64(0)
	for _, l := range list {
		sum += l.Count
	}
	if len(list) != maxLosses || sum != 3*maxLosses {
		t.Errorf("%d losses of %d", len(list), sum)
	}
	list = addLoss(list, &messages.Loss{Source: "b", Count: 1})
	if len(list) != maxLosses || list[maxLosses-1].Count != 2 {
		t.Errorf("%d losses", len(list))
	}
}
