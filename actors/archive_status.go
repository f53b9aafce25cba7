package actors

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"weir/messages/weirpb"
)

// ArchiveStatus is how the keeping of slices beyond memory goes.
type ArchiveStatus struct {
	// On says that there is an archive.
	On bool `json:"on"`
	// State is running, behind (slices wait) or failing (they are refused).
	State string `json:"state"`
	// Detail says what is wrong, why, and what to do; empty if nothing is.
	Detail string `json:"detail,omitempty"`
	// LastSeq is the number of the slice that was kept last, LastKept its label.
	LastSeq  uint64 `json:"last_seq"`
	LastKept Period `json:"last_kept,omitzero"`
	// Lag is how many closed slices are not kept yet.
	Lag uint64 `json:"lag"`
	// Kept counts slices, Failures how often one was refused, Dropped those that were given up.
	Kept     uint64 `json:"kept_total"`
	Failures uint64 `json:"failures_total"`
	Dropped  uint64 `json:"dropped_total"`
	// Steps counts pieces of work in the background, StepFailures those that failed; Busy says that there is more to
	// do.
	Steps        uint64 `json:"steps_total"`
	StepFailures uint64 `json:"step_failures_total"`
	Busy         bool   `json:"busy"`
	LastError    string `json:"last_error,omitempty"`
	// WrittenToday is in bytes.
	WrittenToday uint64 `json:"written_today_bytes"`
}

const (
	archiveRunning = "running"
	archiveBehind  = "behind"
	archiveFailing = "failing"
)

// tell gives the status; it does not ask the archive, which may hang.
func (s *archiveSeat) tell() ArchiveStatus {
	if s == nil {
		return ArchiveStatus{}
	}
	waiting, dropped := s.rack.level()
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.status
	st.Lag, st.Dropped = waiting+s.own.Waiting, dropped+s.own.Dropped
	st.WrittenToday = s.own.WrittenToday
	st.State, st.Detail = archiveRunning, s.own.Detail
	switch {
	case s.failed != nil:
		st.State = archiveFailing
		if st.Detail == "" {
			st.Detail = sentence("slices are not stored", s.failed)
		}
	case s.broken != nil:
		st.State = archiveFailing
		if st.Detail == "" {
			st.Detail = sentence("old slices are not tidied up", s.broken)
		}
	case st.Detail != "":
		st.State = archiveFailing
	case st.Lag > 1:
		st.State = archiveBehind
		st.Detail = fmt.Sprintf("%d slices wait to be stored: the disk is slow or hangs.", st.Lag)
	}
	return st
}

// sentence says what goes wrong, why, and what to do.
func sentence(what string, err error) string {
	why, cure := "of an error", "Look into the log; Weir tries again by itself."
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		why, cure = "the disk is full", "Make room on it, or give Weir a smaller budget."
	case errors.Is(err, syscall.EROFS):
		why, cure = "the file system is read-only", "Mount it for writing."
	case errors.Is(err, fs.ErrPermission):
		why, cure = "Weir may not write there", "Give the folder to the user that Weir runs as."
	case errors.Is(err, fs.ErrNotExist):
		why, cure = "the folder is not there", "Make or mount it."
	case errors.Is(err, syscall.EIO):
		why, cure = "the disk fails", "Look into the kernel's log."
	}
	return clip(fmt.Sprintf("%s, because %s (%v). %s", what, why, err, cure), maxErrorText)
}

func archiveToProto(a *ArchiveStatus) *weirpb.StatusArchive {
	return &weirpb.StatusArchive{
		On: a.On, State: valid(a.State), Detail: valid(a.Detail), LastSeq: a.LastSeq, LastKept: spanToProto(a.LastKept),
		Lag: a.Lag, Kept: a.Kept, Failures: a.Failures, Dropped: a.Dropped, Steps: a.Steps,
		StepFailures: a.StepFailures, Busy: a.Busy, LastError: valid(a.LastError), WrittenToday: a.WrittenToday,
	}
}

func archiveFromProto(m *weirpb.StatusArchive) ArchiveStatus {
	return ArchiveStatus{
		On: m.GetOn(), State: m.GetState(), Detail: m.GetDetail(), LastSeq: m.GetLastSeq(),
		LastKept: spanFromProto(m.GetLastKept()), Lag: m.GetLag(), Kept: m.GetKept(), Failures: m.GetFailures(),
		Dropped: m.GetDropped(), Steps: m.GetSteps(), StepFailures: m.GetStepFailures(), Busy: m.GetBusy(),
		LastError: m.GetLastError(), WrittenToday: m.GetWrittenToday(),
	}
}
