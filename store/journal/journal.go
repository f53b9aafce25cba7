// Package journal is the tier that closed slices fall into from memory: files that only grow, in which a slice is
// one frame, written at once and put on the medium by policy. It holds them until they are in bucket files, and
// what a daemon needs to go on after a restart as if nothing had been. docs/formats/journal.md draws the format.
//
// Nothing is believed that a checksum does not vouch for. Damage costs the rest of an epoch at most, and is told as
// loss. When a write or a sync fails the slice is refused and may be offered again; what was stored before stays.
package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"weir/internal/disk"
	"weir/messages"
	"weir/store"
)

// SyncPolicy says when what was written is put on the medium.
type SyncPolicy int

// The policies.
const (
	// SyncEvery: with each slice. A power cut costs the open slice.
	SyncEvery SyncPolicy = iota
	// SyncInterval: when the slices since the last time are as long as Options.Interval together.
	SyncInterval
	// SyncNever: when the system sees fit, and when a segment is begun.
	SyncNever
)

// Options say how a journal is kept. A zero field takes its default, but for Boot and Now.
type Options struct {
	// Slice is how long a slice is, 10 s by default; Segment is how much time a segment holds, 1 h by default.
	// Segments are aligned to the clock.
	Slice, Segment time.Duration
	Sync           SyncPolicy
	// Interval of SyncInterval, 1 minute by default.
	Interval time.Duration
	// Budget bounds the bytes of all files, 256 MiB by default. Beyond it slices are refused until segments are
	// dropped.
	Budget int64
	// EpochSlices and EpochBytes bound an epoch, 128 and 1 MiB by default. Longer ones are smaller, damage costs
	// more in them, and reading takes more memory.
	EpochSlices, EpochBytes int
	// Boot names this boot of the system; accounts of another one are worth nothing.
	Boot string
	// Now is the time.
	Now time.Time
}

// maxHeld bounds what is kept in memory of what is not on the medium yet; then it is put there.
const maxHeld = 8 << 20

func (o Options) withDefaults() Options {
	o.Slice = cmp.Or(o.Slice, 10*time.Second)
	o.Segment = cmp.Or(o.Segment, time.Hour)
	o.Interval = cmp.Or(o.Interval, time.Minute)
	o.Budget = cmp.Or(o.Budget, 256<<20)
	o.EpochSlices = cmp.Or(o.EpochSlices, 128)
	o.EpochBytes = cmp.Or(o.EpochBytes, 1<<20)
	return o
}

func (o *Options) validate() error {
	switch {
	case o.Slice <= 0 || o.Segment < o.Slice || o.Segment%o.Slice != 0:
		return errors.New("a segment is not some slices long")
	case o.Interval < 0 || o.Budget < 0 || o.EpochSlices < 1 || o.EpochBytes < 1:
		return errors.New("an option is negative")
	case o.Sync < SyncEvery || o.Sync > SyncNever:
		return errors.New("no such sync policy")
	case len(o.Boot) > 1<<10:
		return errors.New("the boot id is too long")
	}
	return nil
}

// The reasons for which a slice is refused, beside errors of the file system.
var (
	// ErrBudget: the journal is as large as it may be.
	ErrBudget = errors.New("the journal's budget is used up")
	// ErrOld: this slice, or a later one, is in the journal already.
	ErrOld = errors.New("the slice is not newer than the last one in the journal")
	// ErrClosed: the journal was closed.
	ErrClosed = errors.New("the journal is closed")
	// ErrUnknown: there is no such segment, or it is still being written.
	ErrUnknown = errors.New("no such closed segment")
)

// Restore is what a daemon goes on from.
type Restore struct {
	// Found says that there was a slice.
	Found bool
	// Seq is the highest number that a slice was ever seen to have; numbers go on above it.
	Seq uint64
	// Span is that of the last slice.
	Span messages.Span
	// Began is when counting began in this boot: flows that are older count from their first counters.
	Began time.Time
	// SameBoot says that the accounts mean something: the kernel still has these counters.
	SameBoot bool
	// Accounts are the last ones of all flows that lived, and of those that ended in the last few slices. Their
	// Flow is 0.
	Accounts []messages.Account
}

// Journal keeps slices in files. It is a [store.Tier]; Append, Relabel, Drop, Sync and Close may be called by
// several goroutines too, and wait for each other.
type Journal struct {
	fs      disk.FS
	dir     string
	options Options
	restore Restore
	lock    io.Closer

	// writing is held by whoever changes files.
	writing sync.Mutex
	active  *active
	enc     *encoder
	numbers *numbers
	session session
	nextID  uint64
	// losses belong to the next slice that is written.
	losses []messages.Loss
	buf    []byte

	amendments *amendments

	// mu guards what readers see.
	mu       sync.Mutex
	segments []*segment
	// order is that of the last slice, checkpoint that of the last one with the accounts of all live flows.
	order, checkpoint uint64
	last              uint64
	any               bool
	// wholeFrom is the order of the first slice after the last one that was never offered again.
	wholeFrom uint64
	// gone is where the slices of dropped segments end.
	gone   int64
	bytes  int64
	state  State
	closed bool
}

// State says how the journal does.
type State struct {
	// Err says why the last slice was refused; nil if it was taken.
	Err error
	// Refused counts slices that were refused, Syncs how often data were put on the medium, Written the bytes
	// that were written since the journal was opened.
	Refused, Syncs, Written uint64
	// Mended counts files that were written anew since their end could not be trusted.
	Mended uint64
	// Damaged counts epochs that could not be read to their end, each time.
	Damaged uint64
	Sync    SyncPolicy
}

// State says how the journal does.
func (j *Journal) State() State {
	j.mu.Lock()
	defer j.mu.Unlock()
	st := j.state
	st.Sync = j.options.Sync
	return st
}

// Restore is what was found when the journal was opened.
func (j *Journal) Restore() Restore { return j.restore }

// NeedsAccounts says that the next slice should bring the accounts of all live flows: without them dropped segments
// cannot be removed, since a restart needs the accounts that are in them.
func (j *Journal) NeedsAccounts() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.segments) == 0 {
		return true
	}
	last := j.segments[len(j.segments)-1]
	return last.closed || len(last.frames) == 0 || j.checkpoint < last.frames[0].order
}

// Segments lists what is held and was not dropped, in the order in which it was written.
func (j *Journal) Segments() []Segment {
	j.mu.Lock()
	defer j.mu.Unlock()
	var list []Segment
	for _, s := range j.segments {
		if !s.parked {
			list = append(list, s.tell())
		}
	}
	return list
}

// Coverage says what the journal holds.
func (j *Journal) Coverage() store.Coverage {
	j.amendments.mu.RLock()
	c := store.Coverage{Amended: j.amendments.heard, AmendmentsCut: j.amendments.cut}
	j.amendments.mu.RUnlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	c.Name, c.Resolution = "journal", j.options.Slice
	c.Bytes, c.Budget = uint64(j.bytes), uint64(j.options.Budget) //nolint:gosec // Sizes.
	for _, s := range j.segments {
		if s.parked {
			continue
		}
		t := s.tell()
		c.Slices += t.Slices
		c.Rows += t.Rows
		c.Span = store.Hull(c.Span, t.Span)
		for i := range s.frames {
			c.Folded += s.frames[i].folded
		}
	}
	return c
}

// Whole is a span of which every slice that starts in it is here.
func (j *Journal) Whole() messages.Span {
	j.mu.Lock()
	defer j.mu.Unlock()
	var whole messages.Span
	for _, s := range j.segments {
		if s.parked {
			continue
		}
		for i := range s.frames {
			if f := &s.frames[i]; !f.hidden && f.order >= j.wholeFrom {
				whole = store.Hull(whole, f.span())
			}
		}
	}
	if gone := time.Unix(0, j.gone); j.gone != 0 && gone.After(whole.Start) {
		whole.Start = gone
	}
	if !whole.Start.Before(whole.End) {
		return messages.Span{}
	}
	return whole
}

// failure says what could not be done.
func failure(what string, err error) error { return fmt.Errorf("journal: %s: %w", what, err) }
