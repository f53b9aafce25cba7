package flows

import "weir/messages"

// What a restart of the program needs: accounts, which say up to which counters each flow is booked. They leave
// with the slice that books the difference, so that whoever keeps both can go on from there.
//
// Nobody keeps the keys of folded flows, so their accounts are made when something is heard of them. That one has
// vanished cannot be told: after a restart it vanishes again and ends twice. Its bytes count once nevertheless.

// books gathers the accounts that are to leave with the next part.
type books struct {
	// owing are entries whose accounts are not what they were, by number; a number may be that of another
	// entry by now, and be there twice.
	owing []uint32
	// left are those of flows that are not entries any more, later ones of the same flow behind earlier ones.
	left []messages.Account
	// all: of folded flows, whose keys nobody keeps, each is taken down when something is heard of it.
	all bool
}

// accountCost is what an account takes that waits in left.
const accountCost = 128

func (b *books) bytes() int64 { return int64(cap(b.owing))*4 + int64(cap(b.left))*accountCost }

// owe records that the account of an entry is to leave with the next part.
func (t *Table) owe(n uint32, e *entry) {
	if t.opt.Accounts && e.told&owing == 0 {
		e.told |= owing
		t.books.owing = append(t.books.owing, n)
	}
}

// silent says whether an update that makes no row changes the account: a baseline, an end that was booked when
// the flow vanished, counters that were set to zero.
func (a *account) silent(u *messages.Update) bool {
	return u.Kind == messages.Absolute && (!a.is(flagCounted) || u.Counters != *a.last) ||
		u.Status == messages.Ended && !a.is(flagEnded)
}

// account is that of an entry. ok is false if there is none: nobody knows yet what its first counters are worth.
func (t *Table) account(e *entry) (a messages.Account, ok bool) {
	if e.is(flagAnnounced) || !e.is(flagCounted) && e.start != 0 && e.start < t.since {
		return a, false
	}
	return messages.Account{
		Flow: t.identity(e), Key: e.key, Start: e.start, ID: e.id, Last: e.last, LocalIsA: e.localIsA(),
		Ended: e.is(flagEnded), Vanished: e.is(flagLimbo) && !e.is(flagEnded), Tags: t.tags.get(e.tags),
	}, true
}

// leaveAccount keeps the account of an entry that leaves the table; false if there is none.
func (t *Table) leaveAccount(e *entry, ended bool) bool {
	if !t.opt.Accounts {
		return false
	}
	a, ok := t.account(e)
	if !ok {
		return false
	}
	if ended {
		a.Ended, a.Vanished = true, false
	}
	t.books.left = append(t.books.left, a)
	return true
}

// foldedAccount keeps the account of a folded flow, after an update of it was booked.
func (t *Table) foldedAccount(u *messages.Update, f *foldedFlow) {
	if t.books.all {
		f.flags |= flagTakenDown
	}
	t.books.left = append(t.books.left, messages.Account{
		Flow: f.hash, Key: u.Key, Start: u.Start, ID: u.ID, Last: f.last,
		LocalIsA: (f.flags&flagInitiatorB != 0) == (f.flags&flagLocalResponds != 0),
		Ended:    f.flags&flagEnded != 0,
	})
}

// flagTakenDown says of a folded flow that its account is in left. Only entries are announced.
const flagTakenDown = flagAnnounced

// allTakenDown says whether the accounts of all folded flows that live are in left, and begins anew.
func (f *folded) allTakenDown() bool {
	all := true
	for i := range f.flows {
		if o := &f.flows[i]; o.hash != 0 {
			all = all && o.flags&(flagTakenDown|flagEnded|flagLimbo) != 0
			o.flags &^= flagTakenDown
		}
	}
	return all
}

// takeAccounts gives the accounts that changed since the last slice, or those of all that live. Where there are
// folded flows it takes a whole slice to hear of all of them: until then complete is false, though all were
// asked for.
func (t *Table) takeAccounts(c *messages.CloseSlice) (list []messages.Account, complete bool) {
	if !t.opt.Accounts {
		return nil, false
	}
	if c.Accounts || t.books.all {
		complete = t.folded.allTakenDown() && c.Accounts
	}
	if c.Accounts {
		list = t.allAccounts()
	} else {
		list = t.owedAccounts()
	}
	list = t.addLeft(list)
	for _, n := range t.books.owing {
		t.arena.at(n).told &^= owing
	}
	t.books = books{owing: t.books.owing[:0], all: c.Accounts && !complete}
	return list, complete
}

func (t *Table) owedAccounts() []messages.Account {
	list := make([]messages.Account, 0, len(t.books.owing))
	for _, n := range t.books.owing {
		e := t.arena.at(n)
		if e.told&owing == 0 {
			continue
		}
		e.told &^= owing
		if a, ok := t.account(e); ok {
			list = append(list, a)
		}
	}
	return list
}

func (t *Table) allAccounts() []messages.Account {
	list := make([]messages.Account, 0, t.arena.used+len(t.books.left))
	for n := uint32(1); n <= t.arena.high; n++ {
		e := t.arena.at(n)
		if !e.is(flagUsed) || e.is(flagEnded) && e.told&owing == 0 {
			continue
		}
		if a, ok := t.account(e); ok {
			list = append(list, a)
		}
	}
	return list
}

// addLeft adds the accounts of flows that left the table, and sees to it that none is there twice.
func (t *Table) addLeft(list []messages.Account) []messages.Account {
	left := t.books.left
	if len(left) == 0 && !anonymous(list) {
		return list
	}
	at := make(map[uint64]int, len(list)+len(left))
	kept := list[:0]
	for i := range list {
		// Where starts are unknown, an incarnation may have the identity of an ended one.
		if was, twice := at[list[i].Flow]; !twice {
			at[list[i].Flow] = len(kept)
			kept = append(kept, list[i])
		} else if kept[was].Ended {
			kept[was] = list[i]
		}
	}
	for i := len(left) - 1; i >= 0; i-- {
		if _, twice := at[left[i].Flow]; !twice {
			at[left[i].Flow] = len(kept)
			kept = append(kept, left[i])
		}
	}
	return kept
}

// anonymous says whether some start is unknown.
func anonymous(list []messages.Account) bool {
	for i := range list {
		if list[i].Start == 0 {
			return true
		}
	}
	return false
}
