package actors

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"
)

const (
	backoffBase = 100 * time.Millisecond
	backoffMax  = 30 * time.Second
	// backoffQuiet is how long an actor must have run so that its next failure counts as the first.
	backoffQuiet = 10 * time.Second
	// tellAgain is how long the same failure of the same actor is not logged again, but for those who debug.
	tellAgain = 10 * time.Minute
)

// supervisor restarts children that failed, each time after twice the wait, and never gives up. It is the
// library's strategy of the root. Nothing in it may panic: the library runs it where a panic
// would end the process or restart the root.
type supervisor struct {
	base, max, quiet time.Duration
	board            *board
	log              zerolog.Logger

	mu      sync.Mutex
	pending map[string]*restart // children that wait to be restarted
	leaving map[string]bool     // children that are being stopped: they must not be restarted any more
	urgent  bool                // no more long waits: the program drains
	closed  bool                // the root stops
}

type restart struct {
	timer *time.Timer
	now   func()
}

func newSupervisor(longest time.Duration, b *board, log zerolog.Logger) *supervisor {
	return &supervisor{
		base: min(backoffBase, longest), max: longest, quiet: backoffQuiet, board: b, log: log,
		pending: map[string]*restart{}, leaving: map[string]bool{},
	}
}

// HandleFailure is called in the root's goroutine when a child has panicked.
func (s *supervisor) HandleFailure(
	_ *actor.ActorSystem, children actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, reason, on any,
) {
	defer func() {
		// Such as that of a log writer: the restart is on its way already.
		_ = recover()
	}()
	name := actorName(child)
	streak, stack := s.board.backOff(name, s.quiet)
	wait := s.schedule(name, streak, func() { children.RestartChildren(child) })
	s.tell(name, fmt.Sprint(reason), stack, fmt.Sprintf("%T", on), streak, wait)
}

// tell logs a failure. One that lasts, such as a mistake in the configuration, is told once and then seldom.
func (s *supervisor) tell(name, failure, stack, on string, streak int, wait time.Duration) {
	level := zerolog.DebugLevel
	if s.board.worthTelling(name, failure, tellAgain) {
		level = zerolog.ErrorLevel
	}
	e := s.log.WithLevel(level).Str("actor", name).Str("error", failure).Int("failures_in_a_row", streak).
		Str("next_try_in", wait.String())
	if stack != "" { // It panicked; where is of interest.
		e = e.Str("on", on).Str("stack", stack)
	}
	e.Msg("a part failed and is started again")
}

// wait is how long a child that failed so often in a row waits: 64-bit arithmetic that cannot overflow.
func (s *supervisor) wait(streak int) time.Duration {
	if streak > 30 || s.base<<(streak-1) > s.max {
		return s.max
	}
	return s.base << (streak - 1)
}

func (s *supervisor) schedule(name string, streak int, now func()) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.leaving[name] {
		return 0
	}
	wait := s.wait(streak)
	if s.urgent {
		wait = min(wait, s.base)
	}
	p := &restart{now: now}
	p.timer = later(wait, func(*crash) {}, func() { s.fire(name, p) })
	s.pending[name] = p
	return wait
}

// fire restarts a child unless it was asked to stop meanwhile. The lock is held while the restart is
// posted: a restart that came after a stop would bring the stopped actor back to life.
func (s *supervisor) fire(name string, p *restart) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending[name] != p {
		return
	}
	delete(s.pending, name)
	p.now()
}

// hurry restarts all children that wait, and lets none wait long from now on.
func (s *supervisor) hurry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.urgent = true
	for name, p := range s.pending {
		p.timer.Stop()
		delete(s.pending, name)
		p.now()
	}
}

// leave is called before a child is told to stop.
func (s *supervisor) leave(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaving[name] = true
	s.drop(name)
}

// close is called before all children are told to stop.
func (s *supervisor) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for name := range s.pending {
		s.drop(name)
	}
}

func (s *supervisor) drop(name string) {
	if p := s.pending[name]; p != nil {
		p.timer.Stop()
		delete(s.pending, name)
	}
}

// actorName is the name of an actor without that of the root.
func actorName(pid *actor.PID) string {
	if pid == nil {
		return ""
	}
	_, name, ok := strings.Cut(pid.Id, "/")
	if !ok {
		return pid.Id
	}
	return name
}

// guardian stands above the root. A root that failed cannot be mended: it is told to whoever waits for
// Fatal, and the tree is stopped.
type guardian struct{ fatal chan<- error }

// HandleFailure reports and stops, and does nothing else that could fail.
func (g *guardian) HandleFailure(
	_ *actor.ActorSystem, children actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, reason, _ any,
) {
	select {
	case g.fatal <- fmt.Errorf("root failed: %v", reason):
	default: // It was told already.
	}
	children.StopChildren(child)
}
