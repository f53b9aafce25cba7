// Package tiers keeps slices on disk: a journal, into which they fall as they close, and a ladder of tiers of
// bucket files, each coarser than the one before. It moves what is in the journal into files, rolls files up,
// removes what is too old or too much, and answers queries about all of it. docs/storage.md tells how, and what
// holds whenever the power fails.
package tiers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"weir/internal/disk"
	"weir/messages"
	"weir/store"
	"weir/store/bucket"
	"weir/store/journal"
)

// Options say where and how a store keeps its slices.
type Options struct {
	// FS is the file system, Dir the folder. It is made if it is not there.
	FS  disk.FS
	Dir string
	// Levels is the ladder; [Validate] has no objection to it.
	Levels []Level
	// Bytes bounds what all files and the journal take; 0 sets no bound.
	Bytes uint64
	// JournalBytesADay bounds what is written to the journal in a day of slices, to spare flash; 0 sets no bound.
	// Over it slices are written without rows, as sums alone.
	JournalBytesADay uint64
	// Rate bounds what the work in the background reads, in rows a second; 0 sets no bound.
	Rate int
	// Program is the version of the program, for the files.
	Program string
	Log     zerolog.Logger
	// Journal says how the journal is kept; the lengths of slices and segments are those of the first level.
	Journal journal.Options
}

// journalFolder is where the journal is in the folder of the store.
const journalFolder = "journal"

// Store is the journal with the ladder of tiers. Append and Relabel are called by one goroutine, the rest by any.
type Store struct {
	options Options
	// chain[k] is what is left of columns in level k.
	chain []keep

	// working is held by whoever changes files: one step at a time.
	working sync.Mutex
	// appending is held by whoever changes what the journal holds.
	appending sync.Mutex
	intake    intake

	// mu guards the rest.
	mu      sync.Mutex
	log     log
	lock    io.Closer
	catalog *catalog
	// readers counts who still asks files of a generation.
	readers map[uint64]int
	// garbage is to be removed when nobody reads it any more.
	garbage []garbage
	// stale says that a change of files failed, so that nobody knows what is there.
	stale bool
	state State
	// journalReport is of the last opening.
	journalReport journal.Report
	// clock is when the slice of the greatest number starts, earlier when the last one ends that was there at the
	// start.
	clock   clock
	earlier time.Time
	// floor is the end of the newest bucket that each level has given up: what is older is not rolled up into it
	// again.
	floor []time.Time
	// lost counts files that were removed although no other tier had their rows.
	lost uint64
}

// garbage is what nobody asks any more that begins to read now.
type garbage struct {
	// generation is the first one without it.
	generation uint64
	// path is of a file that is on disk until then, or empty.
	path   string
	remove func() error
}

// New makes a store; nothing is opened.
func New(o Options) (*Store, error) {
	if len(o.Levels) == 0 {
		return nil, errors.New("tiers: there is none")
	}
	if err := Validate(o.Levels, o.Levels[0].Slice.Duration); err != nil {
		return nil, err
	}
	s := &Store{options: o, readers: map[uint64]int{}, floor: make([]time.Time, len(o.Levels))}
	k := keep{}
	for i := range o.Levels {
		k = k.with(ruleOf(&o.Levels[i]))
		s.chain = append(s.chain, k)
	}
	s.catalog = newCatalog(0, o.Levels, make([][]*file, len(o.Levels)))
	s.clock.slice = o.Levels[0].Slice.Duration
	if names := Unknown(o.Levels); len(names) > 0 {
		o.Log.Warn().Strs("columns", names).Msg("tiers: this build lacks columns; they are left out")
	}
	return s, nil
}

// Open opens what is there. If that fails the store goes on without, says so in its state, and tries again with
// each step of work.
func (s *Store) Open() error {
	s.working.Lock()
	defer s.working.Unlock()
	s.appending.Lock()
	defer s.appending.Unlock()
	return s.open()
}

// open needs working and appending.
func (s *Store) open() error {
	if s.opened() {
		return nil
	}
	err := s.load()
	s.report(err)
	return err
}

func (s *Store) opened() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log != nil
}

// loadAll opens files and journal.
func (s *Store) loadAll() error {
	files, err := s.loadFiles()
	if err != nil {
		return err
	}
	dir := filepath.Join(s.options.Dir, journalFolder)
	if err := s.options.FS.MkdirAll(dir); err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	l, err := s.openJournal(dir)
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	if files[0], err = s.removeParts(files[0], l); err != nil {
		return errors.Join(fmt.Errorf("open journal: %w", err), closeAll(files), l.close())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = l
	s.replace(files)
	s.findClock()
	return nil
}

// removeParts removes those files that hold parts of a segment of the journal, other parts of which are missing: the
// segment has all of it. It gives the other files.
func (s *Store) removeParts(files []*file, l log) ([]*file, error) {
	there := map[string]bool{}
	for _, g := range l.segments() {
		there[g.name] = true
	}
	moved := newCatalog(0, s.options.Levels[:1], [][]*file{files}).moved
	var left []*file
	removed := false
	for _, f := range files {
		partly := slices.ContainsFunc(f.sources, func(source string) bool {
			name, of := cutPart(source)
			return of > 0 && there[name] && !moved[name]
		})
		if !partly {
			left = append(left, f)
			continue
		}
		if err := errors.Join(f.Close(), s.options.FS.Remove(f.info.Path)); err != nil {
			return files, err
		}
		removed = true
	}
	if !removed {
		return left, nil
	}
	return left, s.options.FS.SyncDir(s.folder(0))
}

// loadFiles opens the files of all levels.
func (s *Store) loadFiles() ([][]*file, error) {
	files := make([][]*file, len(s.options.Levels))
	for k := range s.options.Levels {
		var err error
		if files[k], err = s.loadLevel(k); err != nil {
			return nil, fmt.Errorf("open tier %s: %w", s.options.Levels[k].Name, err)
		}
	}
	return files, nil
}

func (s *Store) folder(level int) string {
	return filepath.Join(s.options.Dir, "tier-"+s.options.Levels[level].Name)
}

func (s *Store) loadLevel(level int) ([]*file, error) {
	d, dir := s.options.FS, s.folder(level)
	if err := d.MkdirAll(dir); err != nil {
		return nil, err
	}
	if _, err := disk.RemoveTemps(d, dir); err != nil {
		return nil, err
	}
	entries, err := d.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []*file
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), fileSuffix) {
			continue
		}
		f, err := s.openFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		if f != nil {
			files = append(files, f)
		}
	}
	return files, nil
}

// damagedSuffix is added to the names of files that cannot be read.
const damagedSuffix = ".damaged"

// openFile opens a file. One that is damaged is put aside: then it gives nil.
func (s *Store) openFile(path string) (*file, error) {
	f, err := bucket.Open(s.options.FS, path)
	switch {
	case err == nil:
		return newFile(f), nil
	case errors.Is(err, bucket.ErrDamaged):
		s.options.Log.Error().Err(err).Str("file", path).Msg("tiers: damaged file put aside")
		if err := s.options.FS.Rename(path, path+damagedSuffix); err != nil {
			return nil, fmt.Errorf("put aside: %w", err)
		}
		return nil, nil //nolint:nilnil // There is none to read, and that is told.
	default:
		return nil, err
	}
}

// replace makes a new catalog. It needs mu.
func (s *Store) replace(files [][]*file) {
	s.catalog = newCatalog(s.catalog.generation+1, s.options.Levels, files)
}

// findClock finds the newest slice. It needs mu.
func (s *Store) findClock() {
	last, start := uint64(0), time.Time{}
	see := func(n uint64, span messages.Span) {
		if span != (messages.Span{}) && (n >= last || start.IsZero()) {
			last, start = n, span.End
		}
		if span.End.After(s.earlier) {
			s.earlier = span.End
		}
	}
	for _, f := range s.catalog.files[0] {
		see(f.info.Last, f.info.Span)
	}
	for _, g := range s.log.segments() {
		see(g.last, g.span)
	}
	for _, files := range s.catalog.files[1:] {
		for _, f := range files {
			if f.info.Span.End.After(s.earlier) {
				s.earlier = f.info.Span.End
			}
		}
	}
	s.clock.begin(last, start)
}

// Close ends all. What was appended is on disk.
func (s *Store) Close() error {
	s.working.Lock()
	defer s.working.Unlock()
	s.appending.Lock()
	defer s.appending.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.log == nil {
		return nil
	}
	err := errors.Join(s.log.close(), s.lock.Close())
	for _, files := range s.catalog.files {
		for _, f := range files {
			err = errors.Join(err, f.Close())
		}
	}
	s.log = nil
	s.catalog = newCatalog(s.catalog.generation+1, s.options.Levels, make([][]*file, len(s.options.Levels)))
	return err
}

// Relabel adds delta to the times of the slices in the journal since and including number seq, rounded down to
// whole slices. What is in bucket files stays as it is.
func (s *Store) Relabel(since uint64, delta time.Duration) error {
	slice := s.options.Levels[0].Slice.Duration
	shift := delta.Truncate(slice)
	if shift > delta {
		shift -= slice
	}
	s.working.Lock() // No step of work is to see half of it.
	defer s.working.Unlock()
	s.appending.Lock()
	defer s.appending.Unlock()
	s.intake.relabel(since, shift)
	s.mu.Lock()
	l := s.log
	s.clock.start = s.clock.start.Add(shift)
	s.mu.Unlock()
	if l == nil {
		return nil
	}
	if err := l.relabel(since, int64(shift)); err != nil {
		return fmt.Errorf("relabel: %w", err)
	}
	return nil
}

// Coverage says what all tiers hold together: the slices and rows are those that were closed, not those that were
// made of them, as far as the first tier has them.
func (s *Store) Coverage() store.Coverage {
	all := s.Coverages()
	c := store.Coverage{Name: "disk", Resolution: s.options.Levels[0].Slice.Duration, Budget: s.options.Bytes}
	if j := s.journal(); j != nil {
		held := j.Coverage()
		c.Amended, c.AmendmentsCut = held.Amended, held.AmendmentsCut
	}
	for i, t := range all {
		c.Span = store.Hull(c.Span, t.Span)
		c.Bytes += t.Bytes
		if i < 2 {
			c.Slices, c.Rows, c.Folded = c.Slices+t.Slices, c.Rows+t.Rows, c.Folded+t.Folded
		}
	}
	if c.Budget == 0 {
		c.Budget = c.Bytes
		if free, err := s.options.FS.Free(s.options.Dir); err == nil {
			c.Budget += free
		}
	}
	return c
}

// Coverages says what the journal and each tier hold, the journal first.
func (s *Store) Coverages() []store.Coverage {
	s.mu.Lock()
	c, segments := s.catalog, s.segments()
	s.mu.Unlock()
	first := store.Coverage{Name: journalFolder, Resolution: s.options.Levels[0].Slice.Duration}
	for _, g := range segments {
		first.Span = store.Hull(first.Span, g.span)
		first.Rows += g.rows
		first.Slices += g.slices
		first.Folded += g.folded
		first.Bytes += g.bytes
	}
	all := append(make([]store.Coverage, 0, 1+len(s.options.Levels)), first)
	for k := range s.options.Levels {
		l := &s.options.Levels[k]
		t := store.Coverage{
			Name: l.Name, Resolution: l.Slice.Duration, Bytes: c.bytes[k],
			Budget: uint64(l.Bytes), //nolint:gosec // Not negative.
		}
		for _, f := range c.files[k] {
			t.Span = store.Hull(t.Span, f.info.Span)
			t.Slices += f.info.Slices
			t.Rows += f.info.Rows
			t.Folded += f.info.Other.Rows
		}
		all = append(all, t)
	}
	return all
}

// segments lists the segments whose rows are in no file. It needs mu.
func (s *Store) segments() []segment {
	if s.log == nil {
		return nil
	}
	return slices.DeleteFunc(s.log.segments(), func(g segment) bool { return s.catalog.moved[g.name] })
}

// Query adds what is stored about the request into the answer, of each instant the finest that there is.
func (s *Store) Query(ctx context.Context, r *store.Request, into *store.Partial) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("query tiers: %w", err)
	}
	views, done := s.Views()
	defer done()
	infos := make([]store.TierInfo, len(views))
	for i := range views {
		infos[i] = views[i].TierInfo
	}
	for _, piece := range store.Plan(infos, r) {
		part := *r
		part.Span = piece.Read
		if err := views[piece.Tier].Query(ctx, &part, into); err != nil {
			return fmt.Errorf("query tiers: %w", err)
		}
	}
	return nil
}

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
