package actors

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"weir/computations"
)

const (
	// readEvery is how often the files of a computation are looked at.
	readEvery = 5 * time.Second
	// maxComplaints is how many errors in files are logged at once.
	maxComplaints = 10
)

// filesChanged gives a computation its files again; done is closed when it has taken them.
type filesChanged struct {
	files []computations.File
	done  chan struct{}
}

// readFiles reads the files that a computation wants, and looks after them from now on.
func (s *computationSeat) readFiles(c computations.Computation) {
	r, reads := c.(computations.Reader)
	if !reads {
		return
	}
	patterns := r.Patterns()
	if len(patterns) == 0 {
		return
	}
	w := newFileWatch(patterns, s.clock.Now)
	_, wrong := w.look()
	s.complain("cannot read a file", wrong)
	s.take(r, w.files())
	s.crew.start(s.crew.ctx, "files", func(ctx context.Context) error {
		s.watch(ctx, w)
		return nil
	})
}

// watch looks at the files until the incarnation ends. What has changed goes through the mailbox, one at a time.
func (s *computationSeat) watch(ctx context.Context, w *fileWatch) {
	tick := time.NewTicker(readEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		changed, wrong := w.look()
		s.complain("cannot read a file", wrong)
		if !changed {
			continue
		}
		done := make(chan struct{})
		s.self(&filesChanged{files: w.files(), done: done})
		select {
		case <-ctx.Done():
			return
		case <-done:
		}
	}
}

// take gives the files to the computation.
func (s *computationSeat) take(r computations.Reader, files []computations.File) {
	var wrong []error
	s.tagging(s.patience, func(out computations.Out) { wrong = r.Read(files, s.view, out) })
	s.counts.files.Store(int64(len(files)))
	s.complain("a line of a file is left out", wrong)
	level := zerolog.InfoLevel
	if len(files) == 0 {
		level = zerolog.DebugLevel // Lists need not be there.
	}
	s.log.WithLevel(level).Int("files", len(files)).Int("errors", len(wrong)).Msg("files read")
}

// complain counts errors in files and logs the first ones.
func (s *computationSeat) complain(what string, wrong []error) {
	s.counts.fileErrors.Add(uint64(len(wrong)))
	for i, err := range wrong {
		if i == maxComplaints {
			s.log.Warn().Int("more", len(wrong)-i).Msg(what)
			return
		}
		s.log.Warn().Err(err).Msg(what)
	}
}
