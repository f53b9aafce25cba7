package actors

import (
	"slices"
	"sync"

	"weir/messages"
)

const (
	// maxRacked and maxRackedRows bound what waits for the archive, at about 200 bytes a row. One slice
	// may always wait.
	maxRacked, maxRackedRows = 64, 1 << 16
	// maxCrashes is how often a slice may make the archive panic.
	maxCrashes = 2
)

const (
	lostLagging = "slices could not be stored: the archive was too slow or failed too long; they were only in memory"
	lostCrash   = "slices could not be stored: each of them made the archive fail twice; they were only in memory"
)

// rack holds the slices that are closed and not in the archive yet, in order. The memory tier's actor puts them
// there, a goroutine of the archive's actor takes them; neither waits for the other.
type rack struct {
	mu    sync.Mutex
	items []*racked
	rows  int
	wake  chan struct{} // with room for one

	// carried is what the next slice must bring of slices that were dropped with nothing behind them; or nil.
	carried *messages.Slice
	// wanted: the next slice must bring all accounts.
	wanted  bool
	dropped uint64
}

// racked is a slice, or the news that labels move.
type racked struct {
	slice   *messages.Slice
	relabel *relabelSlices
	rows    int
	working bool // it is being handed over
	crashes int
}

func newRack() *rack { return &rack{wake: make(chan struct{}, 1), wanted: true} }

// put adds a slice. If there are too many, the oldest is dropped: what a restart needs of it goes with the next.
func (s *rack) put(m *messages.Slice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.carried != nil {
		m, s.carried = inherit(s.carried, m), nil
	}
	n := &racked{slice: m}
	for _, p := range m.Parts {
		n.rows += p.Len()
	}
	s.rows += n.rows
	s.items = append(s.items, n)
	for s.rows > maxRackedRows || len(s.items) > maxRacked {
		i := slices.IndexFunc(s.items, func(o *racked) bool { return o.slice != nil && !o.working })
		if i < 0 || s.items[i] == n {
			break
		}
		s.drop(i, lostLagging)
	}
	s.nudge()
}

func (s *rack) relabel(m *relabelSlices) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.items = append(s.items, &racked{relabel: m})
	s.nudge()
}

func (s *rack) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// drop gives up a slice. The lock is held.
func (s *rack) drop(i int, why string) {
	it := s.items[i]
	s.items = slices.Delete(s.items, i, i+1)
	s.rows -= it.rows
	s.dropped++
	s.wanted = true
	left := *it.slice
	var sum messages.Totals
	for _, p := range left.Parts {
		sum.Add(p.Totals())
	}
	left.Losses = addLoss(left.Losses, &messages.Loss{
		Source: archiveName, Kind: messages.LossDamaged, Count: 1, Bytes: sum.Up.Bytes + sum.Down.Bytes,
		Span: left.Span, Detail: why,
	})
	left.Parts = nil
	for _, o := range s.items[i:] {
		if o.slice != nil {
			o.slice = inherit(&left, o.slice)
			return
		}
	}
	s.carried = &left
}

// inherit gives a slice that also brings what an earlier one would have brought, but for the rows.
func inherit(from, to *messages.Slice) *messages.Slice {
	n := *to
	n.Accounts = mergeAccounts(from.Accounts, to.Accounts)
	n.AllAccounts = from.AllAccounts || to.AllAccounts
	n.Amendments = slices.Concat(from.Amendments, to.Amendments)
	n.Losses = slices.Clone(to.Losses)
	for i := range from.Losses {
		n.Losses = addLoss(n.Losses, &from.Losses[i])
	}
	return &n
}

// mergeAccounts gives each flow's account once, the later one.
func mergeAccounts(old, now []messages.Account) []messages.Account {
	if len(old) == 0 {
		return now
	}
	newer := make(map[uint64]struct{}, len(now))
	for i := range now {
		newer[now[i].Flow] = struct{}{}
	}
	out := make([]messages.Account, 0, len(old)+len(now))
	for i := range old {
		if _, ok := newer[old[i].Flow]; !ok {
			out = append(out, old[i])
		}
	}
	return append(out, now...)
}

// lastAccounts gives each flow's account once, the last one.
func lastAccounts(all []messages.Account) []messages.Account {
	at := make(map[uint64]int, len(all))
	out := all[:0:0]
	for i := range all {
		if was, twice := at[all[i].Flow]; twice {
			out[was] = all[i]
			continue
		}
		at[all[i].Flow] = len(out)
		out = append(out, all[i])
	}
	return out
}

// addLoss adds a loss to a new list; alike ones become one, and so does what is too much.
func addLoss(list []messages.Loss, loss *messages.Loss) []messages.Loss {
	list = slices.Clone(list)
	i := slices.IndexFunc(list, func(o messages.Loss) bool {
		return o.Source == loss.Source && o.Kind == loss.Kind && (o.Detail == loss.Detail || len(list) >= maxLosses)
	})
	switch {
	case i >= 0:
		merge(&list[i], loss)
	case len(list) >= maxLosses:
		merge(&list[len(list)-1], loss)
	default:
		list = append(list, *loss)
	}
	return list
}

// next gives what is to be handed over, or nil; done or failed must follow, unless that panics.
func (s *rack) next() *racked {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.items) == 0 {
		return nil
	}
	s.items[0].working = true
	return s.items[0]
}

// done says that the archive has taken it; needs says that the archive wants all accounts with the next slice.
func (s *rack) done(it *racked, needs bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.items = s.items[1:]
	s.rows -= it.rows
	if it.slice != nil && it.slice.AllAccounts {
		s.wanted = false
	}
	s.wanted = s.wanted || needs
}

func (s *rack) failed(it *racked) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it.working = false
}

// crashed counts that the archive panicked over what was being handed over, if there is something, and gives it up if
// that was once too often: the number of the slice, or 0.
func (s *rack) crashed() (givenUp uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.items) == 0 || !s.items[0].working {
		return 0
	}
	it := s.items[0]
	it.working = false
	if it.crashes++; it.crashes < maxCrashes {
		return 0
	}
	if it.slice == nil {
		s.items = s.items[1:]
		return it.relabel.since
	}
	seq := it.slice.Seq
	s.drop(0, lostCrash)
	return seq
}

// ask has the next slice bring all accounts.
func (s *rack) ask() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted = true
}

// wants says whether the slice that closes now must bring all accounts.
func (s *rack) wants() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wanted && !slices.ContainsFunc(s.items, func(o *racked) bool {
		return o.slice != nil && o.slice.AllAccounts
	})
}

// level says how many slices wait, and how many were dropped.
func (s *rack) level() (waiting, dropped uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.items {
		if o.slice != nil {
			waiting++
		}
	}
	return waiting, s.dropped
}
