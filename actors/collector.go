package actors

import (
	"fmt"
	"slices"

	"weir/messages"
	"weir/store"
)

// maxAppends is how often a slice is offered to the memory tier before it is given up.
const maxAppends = 3

// collector puts the parts of slices together and appends the slices to the memory tier. It is the
// tier's only writer and plain data: the actor around it may fail and begin anew.
type collector struct {
	tier   store.Tier
	parts  map[uint64][]*messages.SlicePart // by slice; each waits for its seal, or for a later one
	seals  map[uint64]*messages.SealSlice   // of slices whose parts are not all there
	closed uint64                           // the last slice that was put together
	last   messages.Span                    // its label

	// pending is a slice that is put together and not in the tier yet; tries is how often it was offered.
	pending *messages.Slice
	tries   int
	carried []messages.Loss // losses that the next slice tells
	// accounts are those of parts and slices that were given up; the next slice brings them.
	accounts []messages.Account
}

func newCollector(t store.Tier) *collector {
	return &collector{tier: t, parts: map[uint64][]*messages.SlicePart{}, seals: map[uint64]*messages.SealSlice{}}
}

// part takes a part; ready says that its slice can be put together.
func (c *collector) part(m *messages.SlicePart) (ready bool) {
	c.parts[m.Seq] = append(c.parts[m.Seq], m)
	return c.ready(m.Seq)
}

// seal takes the slicer's word on a slice.
func (c *collector) seal(m *messages.SealSlice) (ready bool) {
	if m.Seq <= c.closed {
		return false
	}
	c.seals[m.Seq] = m
	return c.ready(m.Seq)
}

func (c *collector) ready(seq uint64) bool {
	s := c.seals[seq]
	return s != nil && (s.Now || len(c.parts[seq]) >= s.Parts)
}

// assemble makes the slice pending. Parts of earlier slices that came too late for them go into it.
func (c *collector) assemble(seq uint64) {
	seal := c.seals[seq]
	s := &messages.Slice{Seq: seq, Span: seal.Span, Complete: seal.Complete}
	s.Losses = append(append(s.Losses, seal.Losses...), c.carried...)
	c.carried = nil
	for _, i := range c.missing(seal) {
		s.Complete = false
		s.Losses = append(s.Losses, messages.Loss{
			Source: shardName(i), Kind: messages.LossLate, Span: seal.Span,
			Detail: shardName(i) + " did not hand over its rows in time; they are in a later slice",
		})
	}
	c.gather(s, seq, seal.Parts)
	for old := range c.seals {
		if old <= seq {
			delete(c.seals, old)
		}
	}
	c.pending, c.tries, c.closed, c.last = s, 0, seq, seal.Span
}

// gather moves all parts up to a slice into it, to which so many belong.
func (c *collector) gather(s *messages.Slice, seq uint64, shards int) {
	var all []*messages.SlicePart
	for n, parts := range c.parts {
		if n <= seq {
			all = append(all, parts...)
			delete(c.parts, n)
		}
	}
	slices.SortFunc(all, func(a, b *messages.SlicePart) int {
		if a.Seq != b.Seq {
			return int(a.Seq) - int(b.Seq) //nolint:gosec // Both are recent.
		}
		return a.Shard - b.Shard
	})
	own := 0
	for _, p := range all {
		s.Accounts = append(s.Accounts, p.Accounts...)
		if p.Seq == seq && p.AllAccounts {
			own++
		}
		s.Parts = append(s.Parts, p.Rows)
		s.Amendments = append(s.Amendments, p.Amendments...)
		s.Losses = append(s.Losses, p.Losses...)
		if p.Seq < seq {
			s.Losses = append(s.Losses, messages.Loss{
				Source: shardName(p.Shard), Kind: messages.LossLate, Span: s.Span,
				Detail: fmt.Sprintf("holds rows of %s that belong to an earlier slice", shardName(p.Shard)),
			})
		}
	}
	if len(all) > shards || len(c.accounts) > 0 {
		s.Accounts = lastAccounts(append(c.accounts, s.Accounts...))
		c.accounts = nil
	}
	s.AllAccounts = own > 0 && own == shards
}

// missing lists the shards whose part is not there.
func (c *collector) missing(seal *messages.SealSlice) []int {
	here := make([]bool, seal.Parts)
	for _, p := range c.parts[seal.Seq] {
		if p.Shard < len(here) {
			here[p.Shard] = true
		}
	}
	var none []int
	for i, ok := range here {
		if !ok {
			none = append(none, i)
		}
	}
	return none
}

// flush appends the pending slice. It fails or panics as the tier does; then it may be called again.
func (c *collector) flush() (*messages.Slice, error) {
	c.tries++
	s := c.pending
	if err := c.tier.Append(s); err != nil {
		return nil, fmt.Errorf("append slice %d: %w", s.Seq, err)
	}
	c.pending = nil
	return s, nil
}

// exhausted says that the pending slice was offered often enough.
func (c *collector) exhausted() bool { return c.tries >= maxAppends }

// giveUp drops the pending slice; the next one tells what was in it.
func (c *collector) giveUp() (seq uint64) {
	s := c.pending
	c.pending = nil
	var sum messages.Totals
	for _, p := range s.Parts {
		sum.Add(p.Totals())
	}
	c.accounts = append(c.accounts, s.Accounts...)
	c.lost(s.Span, &sum, "a slice could not be kept")
	return s.Seq
}

// losePart gives up a part that cannot even be taken.
func (c *collector) losePart(m *messages.SlicePart) {
	sum := m.Rows.Totals()
	c.accounts = append(c.accounts, m.Accounts...)
	c.lost(c.last, &sum, "the rows of a shard could not be kept")
}

func (c *collector) lost(span messages.Span, sum *messages.Totals, what string) {
	c.carried = append(c.carried, messages.Loss{
		Source: c.tier.Coverage().Name, Kind: messages.LossRestart, Count: sum.Rows,
		Bytes: sum.Up.Bytes + sum.Down.Bytes, Span: span, Detail: what + "; see the log",
	})
	if extra := len(c.carried) - maxLosses; extra > 0 { // Sum the oldest.
		merge(&c.carried[extra], &c.carried[0])
		c.carried = c.carried[extra:]
	}
}

// leftover makes one more slice pending if parts came after the last one was closed. It gets the label of the
// last, or the given one if there was none.
func (c *collector) leftover(first messages.Span) bool {
	last := c.closed
	for seq := range c.parts {
		last = max(last, seq)
	}
	if len(c.parts) == 0 && len(c.carried) == 0 && len(c.accounts) == 0 {
		return false
	}
	if c.last.End.IsZero() {
		c.last = first
	}
	s := &messages.Slice{Seq: last + 1, Span: c.last}
	s.Losses, c.carried = c.carried, nil
	c.gather(s, s.Seq, 0)
	c.pending, c.tries, c.closed = s, 0, s.Seq
	return true
}
