// Package memory is the first tier: it keeps the newest slices in memory, column by column, inside a
// budget.
//
// A slice may bring amendments of what earlier ones say. They reach the newest slices, as long as those have no
// more rows together than can be looked through while a slice is appended; totals never change by them.
//
// Over budget nothing is dropped in silence: the rows that moved the least bytes lose their columns and go
// on counting in the slice's (other), the oldest slices first and by and by. Only when all slices are
// folded to their totals is the oldest one dropped, and then [store.Coverage] says so.
package memory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"weir/messages"
	"weir/store"
)

// Options say how much a tier keeps. A zero field takes its default.
type Options struct {
	// Budget bounds the memory of all slices in bytes; 64 MiB by default.
	Budget int64
	// Retention is how long a slice is kept; an hour by default. Age counts in slices that closed since,
	// not in time of the clock, so that setting the clock drops nothing.
	Retention time.Duration
	// Resolution is the length of a slice; 10 s by default.
	Resolution time.Duration
}

// Tier keeps slices in memory. Readers see one state after the other and never wait.
type Tier struct {
	options Options
	// keep is how many slices are kept at most.
	keep uint64

	// writing is held by whoever makes the next state.
	writing sync.Mutex
	state   atomic.Pointer[state]
}

// state is all that a tier holds at some time. It never changes.
type state struct {
	// slices are in the order in which they were appended.
	slices []*slice
	bytes  int64
	// amended and cut are as in store.Coverage.
	amended, cut uint64
	// whole is since when every slice is there that was ever appended: no slice that was dropped ends later, and
	// the first one does not start later.
	whole time.Time
	// first is the number of the first slice that was appended.
	first uint64
}

// slice is one closed slice. It never changes.
type slice struct {
	seq      uint64
	span     messages.Span
	losses   []messages.Loss
	complete bool
	rows     *store.Packed
	bytes    int64
	// forgotten says that its rows cannot be amended any more.
	forgotten bool
}

// name of the tier.
const name = "memory"

const (
	defaultBudget     = 64 << 20
	defaultRetention  = time.Hour
	defaultResolution = 10 * time.Second
	// shareOfOne is the part of the budget that one slice may take.
	shareOfOne = 4
	// sliceOverhead is about what the structure of a slice and the list of slices cost, lossBytes what a
	// loss costs beyond its texts.
	sliceOverhead = 160
	lossBytes     = 144
	// amendableRows is how many of the newest rows can be amended at most, which is what an Append looks through;
	// to know their flows may take one part in amendableShare of the budget.
	amendableRows, amendableShare = 1 << 20, 8
)

// New makes an empty tier.
func New(o Options) *Tier {
	o.Budget = cmp.Or(o.Budget, defaultBudget)
	o.Retention = cmp.Or(o.Retention, defaultRetention)
	o.Resolution = cmp.Or(o.Resolution, defaultResolution)
	keep := max(1, (o.Retention+o.Resolution-1)/o.Resolution)
	t := &Tier{options: o, keep: uint64(keep)} //nolint:gosec // At least 1.
	t.state.Store(&state{})
	return t
}

// Append keeps a slice. Nothing of the message is held on to.
func (t *Tier) Append(s *messages.Slice) error {
	if !s.Span.Start.Before(s.Span.End) {
		return errors.New("append slice: its span is empty")
	}
	rows, err := store.Pack(s.Parts)
	if err != nil {
		return fmt.Errorf("append slice: %w", err)
	}
	n := &slice{seq: s.Seq, span: s.Span, losses: store.MergeLosses(nil, s.Losses), complete: s.Complete}
	n.setRows(rows)
	n = t.fit(n)

	t.writing.Lock()
	defer t.writing.Unlock()
	next := *t.state.Load()
	next.slices = slices.Clone(next.slices)
	if next.whole.IsZero() {
		next.whole, next.first = n.span.Start, n.seq
	}
	next.slices, next.bytes = append(next.slices, n), next.bytes+n.bytes
	next.amend(s.Amendments)
	t.expire(&next)
	t.forget(&next)
	t.economise(&next)
	t.state.Store(&next)
	return nil
}

// amend changes what slices say of some flows.
func (st *state) amend(list []messages.Amendment) {
	as := store.NewAmendments(list)
	if as == nil {
		return
	}
	beyond := false
	for i, s := range st.slices {
		beyond = beyond || s.forgotten
		rows, changed := s.rows.Amend(as)
		if changed > 0 {
			st.replace(i, s.with(rows))
			st.amended += uint64(changed)
		}
	}
	if beyond {
		st.cut += uint64(as.Len()) //nolint:gosec // A count.
	}
}

// forget makes all but the newest rows such that cannot be amended any more.
func (t *Tier) forget(st *state) {
	room := min(amendableRows, int(t.options.Budget/amendableShare/8))
	for i := len(st.slices) - 1; i >= 0; i-- {
		s := st.slices[i]
		if room -= s.rows.Amendable(); room >= 0 || s.rows.Amendable() == 0 {
			continue
		}
		n := s.with(s.rows.Forget())
		n.forgotten = true
		st.replace(i, n)
	}
}

func (st *state) replace(at int, s *slice) {
	st.bytes += s.bytes - st.slices[at].bytes
	st.slices[at] = s
}

// fit folds the coldest rows of a slice that would take more than one slice may.
func (t *Tier) fit(s *slice) *slice {
	share := t.options.Budget / shareOfOne
	for s.bytes > share && s.rows.Foldable() > 0 {
		keep := int(float64(s.rows.Rows()) * float64(share) / float64(s.bytes) * 0.9)
		s = s.fold(min(keep, s.rows.Rows()-1))
	}
	return s
}

// expire drops what is older than the retention.
func (t *Tier) expire(st *state) {
	newest := st.slices[len(st.slices)-1].seq
	for len(st.slices) > 1 {
		oldest := st.slices[0]
		expired := uint64(len(st.slices)) > t.keep || newest >= oldest.seq && newest-oldest.seq >= t.keep
		if !expired {
			return
		}
		st.dropOldest()
	}
}

// economise folds rows, and if that is not enough drops slices, until the state is inside the budget.
func (t *Tier) economise(st *state) {
	for st.bytes > t.options.Budget && len(st.slices) > 1 {
		at := st.dearest()
		if at < 0 {
			st.dropOldest()
			continue
		}
		s := st.slices[at]
		st.replace(at, s.fold(s.rows.Rows()/4))
	}
}

// dearest finds the slice to fold next, or -1 if all are folded: the one with the largest product of age
// and size. Folding the oldest slice first makes it small, so that the next oldest is dearer, and so on:
// what is kept of a slice fades with its age instead of ending at once.
func (st *state) dearest() int {
	best, at := int64(0), -1
	for i, s := range st.slices {
		age := int64(len(st.slices) - i)
		if price := age * s.rows.Foldable(); price > best {
			best, at = price, i
		}
	}
	return at
}

func (st *state) dropOldest() {
	st.bytes -= st.slices[0].bytes
	if end := st.slices[0].span.End; end.After(st.whole) {
		st.whole = end
	}
	st.slices[0] = nil
	st.slices = st.slices[1:]
}

// fold gives the slice with only the heaviest rows.
func (s *slice) fold(keep int) *slice {
	return s.with(s.rows.Fold(keep))
}

// with gives the slice with other rows.
func (s *slice) with(rows *store.Packed) *slice {
	n := *s
	n.setRows(rows)
	return &n
}

func (s *slice) setRows(rows *store.Packed) {
	s.rows = rows
	s.bytes = sliceOverhead + rows.Size()
	for _, l := range s.losses {
		s.bytes += lossBytes + int64(len(l.Source)+len(l.Detail))
	}
}

// Relabel shifts the times of the slices since number seq by delta, rounded down to whole slices.
func (t *Tier) Relabel(since uint64, delta time.Duration) error {
	shift := floor(delta, t.options.Resolution)
	t.writing.Lock()
	defer t.writing.Unlock()
	old := t.state.Load()
	next := *old
	next.slices = slices.Clone(old.slices)
	for i, s := range next.slices {
		if s.seq >= since {
			next.slices[i] = s.shift(shift)
		}
	}
	next.relabelled(since, shift)
	t.state.Store(&next)
	return nil
}

// relabelled finds anew since when everything is there. Nobody knows how many of the slices that were dropped would
// have been labelled anew too, so they count with both labels.
func (st *state) relabelled(since uint64, shift time.Duration) {
	if len(st.slices) == 0 {
		return
	}
	oldest := st.slices[0]
	switch {
	case oldest.seq < since:
	case st.first == oldest.seq:
		st.whole = st.whole.Add(shift)
	case shift > 0:
		st.whole = st.whole.Add(shift)
	}
}

// floor is the largest multiple of unit that is not above d.
func floor(d, unit time.Duration) time.Duration {
	whole := d.Truncate(unit)
	if whole > d {
		whole -= unit
	}
	return whole
}

func (s *slice) shift(by time.Duration) *slice {
	moved := *s
	moved.span = shiftSpan(s.span, by)
	moved.losses = slices.Clone(s.losses)
	for i := range moved.losses {
		moved.losses[i].Span = shiftSpan(moved.losses[i].Span, by)
	}
	return &moved
}

func shiftSpan(s messages.Span, by time.Duration) messages.Span {
	if s == (messages.Span{}) {
		return s
	}
	return messages.Span{Start: s.Start.Add(by), End: s.End.Add(by)}
}

// Query adds what the tier knows about the request into the answer.
func (t *Tier) Query(ctx context.Context, r *store.Request, into *store.Partial) error {
	return t.state.Load().query(ctx, r, into)
}

func (st *state) query(ctx context.Context, r *store.Request, into *store.Partial) error {
	scan := store.NewScan(r, into)
	var part store.Part
	for _, s := range st.slices {
		if !r.Holds(s.span.Start) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("query memory: %w", err)
		}
		into.AddSlice(s.span, s.losses, s.complete)
		s.rows.View(&part)
		scan.Add(r.StepOf(s.span.Start), &part)
	}
	return nil
}

// Coverage says what the tier holds.
func (t *Tier) Coverage() store.Coverage {
	st := t.state.Load()
	c := store.Coverage{
		Name: name, Resolution: t.options.Resolution, Slices: uint64(len(st.slices)),
		Bytes: uint64(st.bytes), Budget: uint64(t.options.Budget), //nolint:gosec // Sizes are not negative.
		Amended: st.amended, AmendmentsCut: st.cut,
	}
	for _, s := range st.slices {
		c.Rows += uint64(s.rows.Rows()) //nolint:gosec // A count.
		c.Folded += s.rows.Other().Rows
		c.Span = store.Hull(c.Span, s.span)
	}
	return c
}
