package actors

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"weir/computations"
)

const (
	// saveEvery is how often the state of a computation is saved while the program runs: flash wears.
	saveEvery = time.Hour
	// maxLoads is after how many failures in a row a computation begins without what it kept, which may be why.
	maxLoads = 3
)

// load gives a computation what the last one kept. It says false if it tried in vain.
func (s *computationSeat) load(k computations.Keeper) bool {
	if s.streak >= maxLoads {
		s.log.Warn().Int("failures", s.streak).Msg("begins without what it kept, which may be why it fails")
		return true
	}
	if err := s.state.prepare(); err != nil {
		s.stateFailed(err, "cannot keep anything over a restart of the program")
	}
	state, err := s.state.read()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true
	case isUseless(err):
		s.setAside(err)
		return true
	case err != nil:
		s.stateFailed(err, "begins without what it kept")
		return true
	}
	if err = guarded("load", func() error { return k.Load(bytes.NewReader(state)) }); err != nil {
		s.setAside(err)
		return false
	}
	s.counts.stateBytes.Store(int64(len(state)))
	if info, err := os.Stat(s.state.path); err == nil {
		s.counts.saved.Store(info.ModTime().UnixNano())
	}
	return true
}

func (s *computationSeat) setAside(why error) {
	to, err := s.state.setAside()
	s.stateFailed(errors.Join(why, err), "begins without what it kept, which is now in "+to)
}

func (s *computationSeat) stateFailed(err error, what string) {
	s.counts.stateErrors.Add(1)
	s.log.Warn().Err(err).Msg(what)
}

// saveSometimes saves if that was long ago. The file is written beside the actor's turn, since a disk may hang.
func (s *computationSeat) saveSometimes() {
	now := s.clock.Monotonic()
	if now-s.savedAt < saveEvery {
		return
	}
	s.savedAt = now
	state, ok := s.image()
	if !ok || s.saving.Swap(true) {
		return
	}
	s.crew.start(s.crew.ctx, "save", func(context.Context) error {
		defer s.saving.Store(false)
		s.save(state)
		return nil
	})
}

// saveLast saves at the end of the program, when no goroutine of the computation runs any more. One that has failed
// and was not made anew has nothing that is worth it.
func (s *computationSeat) saveLast() {
	if s.computation == nil {
		return
	}
	if state, ok := s.image(); ok {
		s.save(state)
	}
}

// image asks the computation for what it wants to keep. That is foreign code.
func (s *computationSeat) image() (state []byte, ok bool) {
	k, keeps := s.computation.(computations.Keeper)
	if !keeps || s.state == nil {
		return nil, false
	}
	var b boundedBuffer
	if err := guarded("save", func() error { return k.Save(&b) }); err != nil {
		s.stateFailed(err, "cannot save")
		return nil, false
	}
	return b.Bytes(), true
}

func (s *computationSeat) save(state []byte) {
	if err := s.state.write(state); err != nil {
		s.stateFailed(err, "cannot save")
		return
	}
	s.counts.stateBytes.Store(int64(len(state)))
	s.counts.saved.Store(s.clock.Now().UnixNano())
}
