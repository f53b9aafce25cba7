package bucket

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"weir/internal/disk"
	"weir/messages"
	"weir/store"
)

// Suffix ends the names of bucket files; DamagedSuffix is added to those of damaged ones.
const (
	Suffix        = ".parquet"
	DamagedSuffix = ".damaged"
)

// TierOptions say where a tier is. A zero field takes its default.
type TierOptions struct {
	// Name of the tier.
	Name string
	// Dir is the directory of its files; it is made if it is not there.
	Dir string
	// Resolution is the length of its slices.
	Resolution time.Duration
	// Budget is told in its coverage; whoever adds files enforces it.
	Budget uint64
	// Readers bounds how many goroutines answer one query; by default there are as many as processors.
	Readers int
	// OpenFiles bounds how many files stay open between queries; 64 by default.
	OpenFiles int
	// SpanOf tells from the name of a file, without suffix, what span it is for. It is asked when the file itself
	// cannot tell any more; without it the span of such a file is not known.
	SpanOf func(name string) messages.Span
	Log    zerolog.Logger
}

// Tier answers queries from the files of a directory. Queries may run while files come and go: each sees the files that
// there were when it began.
type Tier struct {
	options TierOptions
	disk    disk.FS

	mu sync.Mutex
	// files are sorted by when their spans begin. The slice is replaced, never changed.
	files []*member
	// lost tells of each file that was set aside what it was for. Likewise replaced.
	lost []lost
	// idle are open files that nobody uses, the one that waits for longest first.
	idle []*member
}

// member is one file of a tier.
type member struct {
	info Info

	// The rest is guarded by Tier.mu.
	file *File
	// pins counts the snapshots that may ask the file, users those that do.
	pins, users int
	// gone says that the file is not in the tier any more: it is closed when nobody pins it.
	gone bool
}

// lost is a file that was set aside.
type lost struct {
	path   string
	bucket messages.Span
	loss   messages.Loss
}

const defaultOpenFiles = 64

// OpenTier opens the files of a directory. Damaged ones are set aside; what is no bucket file is left alone. Of each
// file the index is read and verified, and nothing else.
func OpenTier(d disk.FS, o TierOptions) (*Tier, error) {
	o.Readers = cmp.Or(o.Readers, runtime.GOMAXPROCS(0))
	o.OpenFiles = cmp.Or(o.OpenFiles, defaultOpenFiles)
	t := &Tier{options: o, disk: d}
	if err := d.MkdirAll(o.Dir); err != nil {
		return nil, fmt.Errorf("open tier: %w", err)
	}
	if _, err := disk.RemoveTemps(d, o.Dir); err != nil && !errors.Is(err, fs.ErrPermission) {
		t.options.Log.Warn().Err(err).Str("tier", o.Name).Msg("What unfinished writes have left stays.")
	}
	list, err := d.ReadDir(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open tier: %w", err)
	}
	for _, file := range list {
		path := filepath.Join(o.Dir, file.Name())
		switch {
		case file.IsDir():
		case strings.HasSuffix(path, Suffix):
			if err := t.Add(path); err != nil && !errors.Is(err, ErrDamaged) {
				return nil, fmt.Errorf("open tier: %w", err)
			}
		case strings.HasSuffix(path, Suffix+DamagedSuffix):
			t.remember(path)
		}
	}
	return t, nil
}

// Close closes all files. Queries must have ended.
func (t *Tier) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var err error
	for _, e := range t.idle {
		err = errors.Join(err, e.file.Close())
		e.file = nil
	}
	t.idle, t.files = nil, nil
	return err
}

// Add takes a file into the tier, which lies in its directory. A damaged one is set aside, and the error says so.
func (t *Tier) Add(path string) error { return t.Swap([]string{path}, nil) }

// Remove takes a file out of the tier and deletes it. Queries that began before go on reading it.
func (t *Tier) Remove(path string) error { return t.Swap(nil, []string{path}) }

// Swap adds some files and removes others, so that each query sees either these or those. If one cannot be added,
// nothing is changed, but that a damaged one is set aside.
func (t *Tier) Swap(add, remove []string) error {
	fresh := make([]*member, 0, len(add))
	for _, path := range add {
		f, err := Open(t.disk, path)
		if errors.Is(err, ErrDamaged) {
			t.setAside(&member{info: Info{Path: path, Bucket: t.spanOf(path)}}, err)
		}
		if err != nil {
			return fmt.Errorf("add bucket: %w", err)
		}
		fresh = append(fresh, &member{info: f.Info()})
		if err := f.Close(); err != nil {
			return fmt.Errorf("add bucket: %w", err)
		}
	}
	t.mu.Lock()
	next := slices.Clone(t.files)
	var old []*member
	next = slices.DeleteFunc(next, func(e *member) bool {
		out := slices.Contains(remove, e.info.Path) || slices.Contains(add, e.info.Path)
		if out {
			old = append(old, e)
		}
		return out
	})
	next = append(next, fresh...)
	slices.SortStableFunc(next, func(a, b *member) int {
		return cmp.Or(a.info.Bucket.Start.Compare(b.info.Bucket.Start), cmp.Compare(a.info.First, b.info.First))
	})
	t.files = next
	for _, e := range old {
		t.retire(e)
	}
	t.mu.Unlock()
	var err error
	for _, e := range old {
		if slices.Contains(remove, e.info.Path) {
			err = errors.Join(err, t.disk.Remove(e.info.Path))
		}
	}
	if err == nil && len(remove) > 0 {
		err = t.disk.SyncDir(t.options.Dir)
	}
	if err != nil {
		return fmt.Errorf("remove bucket: %w", err)
	}
	return nil
}

// retire takes a file out of use. One that somebody may still ask is opened, so that it can be read after it is
// deleted. The lock is held.
func (t *Tier) retire(e *member) {
	e.gone = true
	if e.pins == 0 {
		t.close(e)
		return
	}
	if e.file == nil {
		e.file, _ = Open(t.disk, e.info.Path) // Who asks it later gets the error of opening it again.
	}
}

// close closes a file that nobody uses. The lock is held.
func (t *Tier) close(e *member) {
	if e.file != nil {
		if err := e.file.Close(); err != nil { // It was only read.
			t.options.Log.Debug().Err(err).Str("file", e.info.Path).Msg("Closing a bucket file fails.")
		}
		e.file = nil
	}
	t.idle = slices.DeleteFunc(t.idle, func(o *member) bool { return o == e })
}

// Files tells of the files, sorted by when they begin.
func (t *Tier) Files() []Info {
	t.mu.Lock()
	defer t.mu.Unlock()
	infos := make([]Info, len(t.files))
	for i, e := range t.files {
		infos[i] = e.info
	}
	return infos
}

// Lost tells what the files that were set aside were for.
func (t *Tier) Lost() []messages.Loss {
	t.mu.Lock()
	defer t.mu.Unlock()
	losses := make([]messages.Loss, len(t.lost))
	for i := range t.lost {
		losses[i] = t.lost[i].loss
	}
	return losses
}

// Whole tells of which spans of time the tier has files, in order and without any that touch each other. A file that
// was set aside counts: that it is lost is known.
func (t *Tier) Whole() []messages.Span {
	t.mu.Lock()
	defer t.mu.Unlock()
	spans := make([]messages.Span, 0, len(t.files)+len(t.lost))
	for _, e := range t.files {
		spans = append(spans, e.info.Bucket)
	}
	for i := range t.lost {
		spans = append(spans, t.lost[i].bucket)
	}
	slices.SortFunc(spans, func(a, b messages.Span) int { return a.Start.Compare(b.Start) })
	whole := spans[:0]
	for _, s := range spans {
		switch last := len(whole) - 1; {
		case !s.Start.Before(s.End):
		case last >= 0 && !whole[last].End.Before(s.Start):
			whole[last] = store.Hull(whole[last], s)
		default:
			whole = append(whole, s)
		}
	}
	return whole
}

// Coverage says what the tier holds.
func (t *Tier) Coverage() store.Coverage {
	c := store.Coverage{Name: t.options.Name, Resolution: t.options.Resolution, Budget: t.options.Budget}
	for _, n := range t.Files() {
		c.Span = store.Hull(c.Span, n.Span)
		c.Slices += n.Slices
		c.Rows += n.Rows
		c.Folded += n.Other.Rows
		c.Bytes += n.Bytes
	}
	return c
}

// spanOf asks what a file was for from its name.
func (t *Tier) spanOf(path string) messages.Span {
	if t.options.SpanOf == nil {
		return messages.Span{}
	}
	name := strings.TrimSuffix(filepath.Base(path), DamagedSuffix)
	return t.options.SpanOf(strings.TrimSuffix(name, Suffix))
}

// remember takes up what an earlier run has set aside.
func (t *Tier) remember(path string) {
	e := &member{info: Info{Path: path, Bucket: t.spanOf(path)}}
	if f, err := Open(t.disk, path); err == nil {
		e.info, e.file = f.Info(), f
		t.mu.Lock()
		t.close(e)
		t.mu.Unlock()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lost = append(slices.Clone(t.lost), e.lose("It was set aside as damaged by an earlier run."))
}

func (e *member) lose(why string) lost {
	return lost{path: e.info.Path, bucket: e.info.Bucket, loss: messages.Loss{
		Source: "store", Kind: messages.LossDamaged, Count: max(1, e.info.Slices), Span: e.info.Bucket,
		Bytes: e.info.Totals.Up.Bytes + e.info.Totals.Down.Bytes, Detail: filepath.Base(e.info.Path) + ": " + why,
	}}
}

// setAside takes a damaged file out of the tier and gives it another name, under which it can be looked into.
func (t *Tier) setAside(e *member, why error) messages.Loss {
	text, _, _ := strings.Cut(why.Error(), "\n")
	l := e.lose(text)
	t.mu.Lock()
	known := slices.ContainsFunc(t.lost, func(o lost) bool { return o.path == e.info.Path })
	if !known {
		t.files = slices.DeleteFunc(slices.Clone(t.files), func(o *member) bool { return o == e })
		t.lost = append(slices.Clone(t.lost), l)
		e.gone = true
	}
	t.mu.Unlock()
	if known {
		return l.loss
	}
	err := t.disk.Rename(e.info.Path, e.info.Path+DamagedSuffix)
	if err == nil {
		err = t.disk.SyncDir(t.options.Dir)
	}
	t.options.Log.Error().Str("tier", t.options.Name).Str("file", e.info.Path).Str("why", text).AnErr("rename", err).
		Msg("A bucket file is damaged and is set aside.")
	return l.loss
}
