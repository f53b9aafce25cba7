package tiers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"weir/messages"
)

// retain removes what is too old, and what is over a budget.
func (s *Store) retain(ctx context.Context) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	old, more := s.expire(), s.shrink(0, true)
	if !old && !more {
		return false, nil
	}
	if err := s.sweep(); err != nil {
		return false, fmt.Errorf("remove old buckets: %w", err)
	}
	return true, nil
}

// expire removes files that are older than their tier keeps them and that the next tier has.
func (s *Store) expire() (removed bool) {
	for k := range s.options.Levels {
		keep := s.options.Levels[k].Retention.Duration
		if keep == 0 {
			continue
		}
		s.mu.Lock()
		now := s.clock.now()
		var old []*file
		for _, f := range s.catalog.files[k] {
			if end := f.info.Bucket.End.Add(keep); !now.IsZero() && end.Before(now) && s.spare(k, f, now) {
				old = append(old, f)
			}
		}
		s.mu.Unlock()
		if len(old) > 0 {
			s.remove(k, old, false)
			removed = true
		}
	}
	return removed
}

// spare says that a file may go because its rows are in the next tier, or would not stay there either. It needs mu.
func (s *Store) spare(level int, f *file, now time.Time) bool {
	return level == len(s.options.Levels)-1 || s.hasCoarser(level, f) || s.outlived(f.info.Bucket, now)
}

// outlived says that no tier keeps a bucket any more.
func (s *Store) outlived(b messages.Span, now time.Time) bool {
	keep := s.options.Levels[len(s.options.Levels)-1].Retention.Duration
	return keep > 0 && b.End.Add(keep).Before(now)
}

// makeRoom removes files until there is room for so many bytes more.
func (s *Store) makeRoom(bytes uint64) error {
	s.shrink(bytes, false)
	return s.sweep()
}

// shrink removes files until each tier and all together are inside their budgets, with room for more bytes. Unless
// settled is set there is more to roll up, and a tier over its own budget gives up only what the next one has.
func (s *Store) shrink(more uint64, settled bool) (removed bool) {
	for k := range s.options.Levels {
		bound := uint64(s.options.Levels[k].Bytes) //nolint:gosec // Not negative.
		for bound > 0 {
			f := s.excess(k, bound, settled)
			if f == nil {
				break
			}
			s.remove(k, []*file{f}, true)
			removed = true
		}
	}
	for s.options.Bytes > 0 {
		level, f := s.first(more)
		if f == nil {
			break
		}
		s.remove(level, []*file{f}, true)
		removed = true
	}
	return removed
}

// excess gives the file that a tier over its budget has to give up: the oldest that is in the next tier, or if
// none is, the oldest.
func (s *Store) excess(level int, bound uint64, settled bool) *file {
	s.mu.Lock()
	defer s.mu.Unlock()
	files := s.catalog.files[level]
	if s.catalog.bytes[level] <= bound || len(files) == 0 {
		return nil
	}
	if at := slices.IndexFunc(files, func(f *file) bool { return s.hasCoarser(level, f) }); at >= 0 {
		return files[at]
	}
	if !settled && level < len(s.options.Levels)-1 {
		return nil
	}
	return files[0]
}

// hasCoarser says that the next tier has the rows of a file. It needs mu.
func (s *Store) hasCoarser(level int, f *file) bool { return s.catalog.rolled[level][f.name] }

// first gives the file that goes first when all together is over its budget: the oldest of the finest tier that the
// next tier has; if there is none, the oldest of the coarsest tier that has any.
func (s *Store) first(more uint64) (level int, f *file) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used()+more <= s.options.Bytes {
		return 0, nil
	}
	for k, files := range s.catalog.files {
		if at := slices.IndexFunc(files, func(f *file) bool { return s.hasCoarser(k, f) }); at >= 0 {
			return k, files[at]
		}
	}
	for k, files := range slices.Backward(s.catalog.files) {
		if len(files) > 0 {
			return k, files[0]
		}
	}
	return 0, nil
}

// remove takes files away, for their age or to make room: from what is read at once, from the disk when nobody reads
// them any more.
func (s *Store) remove(level int, old []*file, forRoom bool) {
	s.mu.Lock()
	for _, f := range old {
		if forRoom && level < len(s.options.Levels)-1 && !s.hasCoarser(level, f) {
			s.lost++
		}
		if end := f.info.Bucket.End; forRoom && end.After(s.floor[level]) {
			s.floor[level] = end
		}
	}
	files := slices.Clone(s.catalog.files)
	files[level] = slices.DeleteFunc(slices.Clone(files[level]), func(f *file) bool { return slices.Contains(old, f) })
	s.replace(files)
	for _, f := range old {
		s.discard(f.info.Path, func() error {
			err := s.options.FS.Remove(f.info.Path)
			if isMissing(err) {
				err = nil
			}
			if err != nil {
				return err
			}
			return errors.Join(f.Close(), s.options.FS.SyncDir(s.folder(level)))
		})
	}
	s.mu.Unlock()
}
