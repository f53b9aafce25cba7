package journal

import (
	"cmp"
	"slices"

	"weir/columns"
	"weir/messages"
)

// ledger gathers the last account of each incarnation while a journal is read.
type ledger struct {
	last map[incarnation]bookedAccount
	// of tells which incarnation a flow of the session was.
	of map[uint64]incarnation
	// epoch holds the accounts of the epoch that is being read, by identity.
	epoch []epochAccount
	seq   uint64
	// amended is told of amendments.
	amended func(number uint64, c *columns.Column, v columns.Value)
}

// incarnation is what tells one life of a flow from all others, over restarts too.
type incarnation struct {
	key   messages.Key
	start int64
	id    uint32
}

type bookedAccount struct {
	account messages.Account
	seq     uint64
}

type epochAccount struct {
	set, over bool
	def       int
	seq       uint64
	last      [2]messages.Counter
}

// endedKept is for how many slices the account of a flow that has ended is needed.
const endedKept = 3

func newLedger() *ledger {
	return &ledger{last: map[incarnation]bookedAccount{}, of: map[uint64]incarnation{}}
}

// begin is told of each slice before its rows.
func (l *ledger) begin(h *head) {
	l.seq = h.seq
	if h.flags&sliceAllAccounts != 0 {
		l.clear()
	}
}

// clear forgets all accounts.
func (l *ledger) clear() {
	clear(l.last)
	clear(l.epoch)
}

func (l *ledger) amend(number uint64, c *columns.Column, v columns.Value) {
	if l.amended != nil {
		l.amended(number, c, v)
	}
}

// put keeps the account of an identity as of now.
func (l *ledger) put(d *decoder, id *identity, def int, over bool) {
	at := int(d.identityOf[def])
	if at >= len(l.epoch) {
		l.epoch = append(l.epoch, make([]epochAccount, len(d.identities)-len(l.epoch))...)
	}
	l.epoch[at] = epochAccount{set: true, over: over, def: def, seq: l.seq, last: id.sums}
}

// flush takes over the accounts of an epoch, of which the decoder still knows the cells.
func (l *ledger) flush(d *decoder) {
	order := make([]int, 0, len(l.epoch))
	for i := range l.epoch {
		if l.epoch[i].set {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(l.epoch[a].seq, l.epoch[b].seq) })
	for _, i := range order {
		e, id := &l.epoch[i], &d.identities[i]
		inc := incarnation{key: id.key, start: id.start, id: id.id}
		if number := d.numbers[e.def]; number != 0 {
			if was, ok := l.of[number]; ok && was != inc {
				delete(l.last, was)
			}
			l.of[number] = inc
		}
		a := messages.Account{
			Key: id.key, Start: id.start, ID: id.id, Last: e.last, LocalIsA: id.localIsA, Ended: e.over, Tags: id.tags,
		}
		if id.asCells {
			a.Tags = d.cellTags(e.def, id.localIsA)
		}
		l.last[inc] = bookedAccount{account: a, seq: e.seq}
	}
	clear(l.epoch)
	l.epoch = l.epoch[:0]
	for inc, b := range l.last {
		if b.account.Ended && b.seq+endedKept <= l.seq {
			delete(l.last, inc)
		}
	}
}

// forgetSession makes the numbers of flows mean nothing any more.
func (l *ledger) forgetSession() { clear(l.of) }

// accounts gives all, in an order that is always the same.
func (l *ledger) accounts() []messages.Account {
	out := make([]messages.Account, 0, len(l.last))
	for _, b := range l.last {
		out = append(out, b.account)
	}
	slices.SortFunc(out, func(a, b messages.Account) int {
		return cmp.Or(a.Key.A.Compare(b.Key.A), a.Key.B.Compare(b.Key.B), cmp.Compare(a.Key.Proto, b.Key.Proto),
			cmp.Compare(a.Key.Zone, b.Key.Zone), cmp.Compare(a.Start, b.Start), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// cellTags tells tags from the cells of a definition.
func (d *decoder) cellTags(def int, localIsA bool) []columns.Tag {
	var tags []columns.Tag
	for i := range d.columns {
		c := &d.columns[i]
		n := c.cellOf(def)
		if n == 0 || c.column == nil || c.column.Derived {
			continue
		}
		t := columns.Tag{Column: c.column, Value: columns.Value(c.value(n))}
		switch {
		case c.column.Side == columns.OfFlow:
		case (c.column.Side == columns.OfLocal) == localIsA:
			t.Column, t.End = c.column.Sibling(columns.OfLocal), columns.EndA
		default:
			t.Column, t.End = c.column.Sibling(columns.OfLocal), columns.EndB
		}
		if !c.column.Set {
			tags = append(tags, t)
			continue
		}
		for _, v := range columns.SplitSet(t.Value) {
			t.Value = v
			tags = append(tags, t)
		}
	}
	slices.SortStableFunc(tags, tagOrder)
	return tags
}
