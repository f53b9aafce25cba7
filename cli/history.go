package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"weir/actors"
	"weir/config"
	"weir/internal/disk"
	"weir/internal/units"
	"weir/messages"
	"weir/store"
	"weir/store/journal"
	"weir/store/tiers"
)

// bootFile names this boot of the kernel.
const bootFile = "/proc/sys/kernel/random/boot_id"

// maxJournal is what the journal takes at most; less if all of the history may not take four times as much.
const maxJournal = 256 * units.MiB

// history is the store on disk as the daemon has it. If it cannot be opened the daemon goes on without, and each slice
// that closes tries again.
type history struct {
	config *config.Store
	dir    string
	log    zerolog.Logger
	store  *tiers.Store

	mu   sync.Mutex
	open bool
	// offset is what numbers of slices are greater there: what was opened late holds greater ones already.
	offset uint64
	// last is the number of the last slice that was offered.
	last uint64
}

// newHistory makes the store in a directory; it opens nothing. It is nil if there is to be none.
func newHistory(log zerolog.Logger, c *config.Config, dir string, now time.Time) (*history, error) {
	if !c.Store.Enabled {
		return nil, nil //nolint:nilnil // That is how it is switched off.
	}
	h := &history{config: &c.Store, dir: dir, log: log}
	budget := int64(maxJournal)
	if d := int64(c.Store.Disk) / 4; d > 0 {
		budget = min(budget, d)
	}
	s, err := tiers.New(tiers.Options{
		FS: disk.OS{}, Dir: h.dir, Levels: c.Store.Tiers, Bytes: uint64(c.Store.Disk), //nolint:gosec // Not negative.
		JournalBytesADay: uint64(c.Store.JournalWrites), Rate: c.Store.Rate, //nolint:gosec // Not negative.
		Program: Version(), Log: log,
		Journal: journal.Options{
			Sync: c.Store.Sync.Policy, Interval: c.Store.Sync.Interval, Budget: budget, Boot: bootID(), Now: now,
		},
	})
	if err != nil {
		return nil, err
	}
	h.store = s
	return h, nil
}

// bootID names this boot. Where the kernel does not tell, each start counts as one, so that no counters are believed
// that may be of another boot.
func bootID() string {
	if id, err := os.ReadFile(bootFile); err == nil {
		return strings.TrimSpace(string(id))
	}
	return rand.Text()
}

// begin opens the store before anything counts, and has the core go on from what it holds.
func (h *history) begin(o *actors.Options) {
	o.Archive = h
	if err := h.tryOpen(1); err != nil {
		return // The store has told it, and memory goes on.
	}
	r, ok := h.store.Restore()
	if !ok {
		return
	}
	h.told()
	o.CountsSince = r.Began
	if r.Found {
		o.FirstSeq, o.LastSpan = r.Seq+1, r.Span
	}
	if r.SameBoot {
		o.Restore = append([]messages.Account{}, r.Accounts...)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.offset = 0
	h.log.Info().Str("dir", h.dir).Bool("found", r.Found).Time("last_slice", r.Span.End).Bool("same_boot", r.SameBoot).
		Int("flows", len(r.Accounts)).Msg("history is open")
}

// told logs what opening the journal had to repair.
func (h *history) told() {
	r := h.store.JournalReport()
	for _, d := range r.Cut {
		h.log.Warn().Str("file", d.File).Int64("bytes", d.Bytes).Str("aside", d.Aside).
			Msg("history: the end of the journal was cut off, since it was not written completely")
	}
	for _, d := range r.Damaged {
		h.log.Error().Str("file", d.File).Int64("offset", d.Offset).Int64("bytes", d.Bytes).Str("aside", d.Aside).
			Msg("history: a part of the journal is damaged and was left out")
	}
}

// tryOpen opens the store if it is not open. next is the number of the slice that comes next: those in the store are
// less, as it is told them.
func (h *history) tryOpen(next uint64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open {
		return nil
	}
	if err := h.store.Open(); err != nil {
		return err
	}
	h.open = true
	if r, ok := h.store.Restore(); ok && r.Found && r.Seq >= next {
		h.offset = r.Seq + 1 - next
	}
	return nil
}

// Append keeps a slice.
func (h *history) Append(s *messages.Slice) error {
	late := !h.isOpen()
	if err := h.tryOpen(s.Seq); err != nil {
		return err
	}
	if late {
		h.told()
	}
	h.mu.Lock()
	offset := h.offset
	h.last = s.Seq
	h.mu.Unlock()
	if offset > 0 {
		n := *s
		n.Seq += offset
		s = &n
	}
	return h.store.Append(s)
}

// Relabel moves the times of slices.
func (h *history) Relabel(since uint64, delta time.Duration) error {
	if !h.isOpen() {
		return nil // It has none of them.
	}
	h.mu.Lock()
	since += h.offset
	h.mu.Unlock()
	return h.store.Relabel(since, delta)
}

// Step does one step of the work in the background.
func (h *history) Step(ctx context.Context) (more bool, err error) {
	if !h.isOpen() {
		return false, nil
	}
	return h.store.Step(ctx)
}

// NeedsAccounts says that the next slice should bring the accounts of all live flows.
func (h *history) NeedsAccounts() bool { return !h.isOpen() || h.store.NeedsAccounts() }

// Status says how it does.
func (h *history) Status() store.ArchiveStatus {
	st := h.store.State()
	a := store.ArchiveStatus{
		Waiting: uint64(st.Waiting), Dropped: st.Dropped, WrittenToday: st.JournalToday, //nolint:gosec // A count.
	}
	if st.Cause != "" {
		a.Detail = st.Cause + " " + st.Cure
	}
	return a
}

func (h *history) isOpen() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open
}

// close ends it: what was appended is on disk.
func (h *history) close() error {
	if h == nil {
		return nil
	}
	if err := h.store.Close(); err != nil {
		return fmt.Errorf("close history: %w", err)
	}
	return nil
}

// whole is the system with the tiers on disk.
type whole struct {
	*actors.System
	history *history
}

// Tiers are what queries ask: memory, then the disk.
func (c whole) Tiers() []store.Tier {
	list := c.System.Tiers()
	if c.history == nil || !c.history.isOpen() {
		return list
	}
	return append(append([]store.Tier{}, list...), c.history.store)
}

// Status tells of the tiers on disk too.
func (c whole) Status() actors.Status {
	st := c.System.Status()
	if c.history != nil && c.history.isOpen() {
		st.Tiers = append(st.Tiers, c.history.store.Coverages()...)
	}
	return st
}

var errNotOpen = errors.New("the history is not open")

// whyClosed says why the history is not open.
func (h *history) whyClosed() error {
	st := h.store.State()
	return fmt.Errorf("%w: %s", errNotOpen, cmp.Or(strings.TrimSpace(st.Cause+" "+st.Cure), "see the log"))
}
