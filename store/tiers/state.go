package tiers

import (
	"errors"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/disk"
)

// State says how the store does.
type State struct {
	// Cause is one sentence that says what keeps slices from the disk, and Cure what to do; empty if nothing does.
	Cause, Cure string
	// Since is when that began, by the clock of the slices.
	Since time.Time
	// Waiting counts slices that are not on disk yet; they are kept in memory and written when that works again. Of
	// those that were too many Folded counts what was left of as sums alone, Dropped what was given up.
	Waiting         int
	Folded, Dropped uint64
	// Stored is the number of the last slice that is as safe as was asked for.
	Stored uint64
	// JournalToday counts the bytes written to the journal since the day of slices began, Spared the slices that were
	// written without rows to stay inside the budget of a day.
	JournalToday, Spared uint64
	// Lost counts files that were removed to make room although no coarser tier had their rows.
	Lost uint64
	// Work is what the work in the background last failed with, or empty.
	Work string
}

// State says how the store does.
func (s *Store) State() State {
	s.appending.Lock()
	defer s.appending.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.state
	st.Waiting, st.Folded, st.Dropped = len(s.intake.waiting), s.intake.folded, s.intake.dropped
	st.Stored, st.JournalToday, st.Spared, st.Lost = s.intake.stored, s.intake.today, s.intake.spared, s.lost
	return st
}

// report notes what came of an attempt to write.
func (s *Store) report(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		if s.state.Cause != "" {
			s.options.Log.Info().Str("was", s.state.Cause).Msg("tiers: slices are kept on disk again")
		}
		s.state.Cause, s.state.Cure, s.state.Since = "", "", time.Time{}
		return
	}
	cause, cure := explain(err, s.options.Dir)
	if s.state.Cause == "" {
		s.state.Since = s.clock.start
		s.options.Log.Error().Err(err).Str("cure", cure).Msg("tiers: slices are not kept on disk; memory goes on")
	}
	s.state.Cause, s.state.Cure = cause, cure
}

// explain says of an error what it means and what to do.
func explain(err error, dir string) (cause, cure string) {
	at := " (" + err.Error() + ")."
	switch {
	case errors.Is(err, disk.ErrLocked):
		return "Another program, such as a second daemon, has the history open" + at,
			"Stop it, or give one of them another directory."
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return "The disk is full" + at, "Make room in the file system of " + dir + ", or give Weir a smaller budget."
	case errors.Is(err, unix.EROFS):
		return "The file system is read-only" + at,
			"Mount that of " + dir + " for writing; look into the kernel's log for why."
	case errors.Is(err, fs.ErrPermission):
		return "Weir may not write there" + at, "Give " + dir + " and all in it to the user that Weir runs as."
	case errors.Is(err, fs.ErrNotExist):
		return "The folder is not there" + at, "Mount or make " + dir + "."
	case errors.Is(err, unix.EIO):
		return "The medium fails" + at, "Look into the kernel's log, and think of replacing the disk."
	}
	return "Writing fails" + at, "Look at " + dir + "."
}

// isIO says whether an error is of the file system, so that the same may work later.
func isIO(err error) bool {
	var path *fs.PathError
	var number unix.Errno
	return errors.As(err, &path) || errors.As(err, &number) || errors.Is(err, errBusy)
}

// errBusy is what a journal says that takes nothing for now.
var errBusy = errors.New("the journal is full")
