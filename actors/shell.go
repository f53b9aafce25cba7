package actors

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
)

// maxTries is how often a message is handed over: once more after it made the actor fail.
const maxTries = 2

// behaviour is what an actor does. A new one is made for each incarnation; what must survive a failure
// lies outside of it. All methods but halt are called in the actor's turn.
type behaviour interface {
	// start acquires what the actor needs. After a failure it first puts in order what that left.
	start(c actor.Context)
	// receive handles a message.
	receive(c actor.Context, m any)
	// giveUp is told of a message that is given up, because handling it failed too often or because
	// the actor is stopped before it could be handled again.
	giveUp(m any)
	// halt is called as soon as the actor has failed, so that its goroutines end while it waits to be
	// restarted. It does not wait for anything.
	halt()
	// release gives everything back, last is set if the actor is not restarted. It is also called after
	// a start that failed halfway.
	release(c actor.Context, last bool)
}

// cell is what every actor keeps over its restarts.
type cell struct {
	name  string
	board *board
	// disturb is called before each message; tests panic in it.
	disturb func(name string, m any)

	pid atomic.Pointer[actor.PID] // nil until it was spawned

	startOnce, stopOnce sync.Once
	// started is closed when the actor first began, stopped when it has ended, buried when its parent
	// knows that.
	started, stopped, buried chan struct{}

	// current is the message at work, or the one that made the last incarnation fail, and tries how often
	// it was handed over. Only the actor's turn touches them.
	current any
	tries   int
}

func newCell(name string, b *board, disturb func(string, any)) *cell {
	b.set(name, stateStarting)
	return &cell{
		name: name, board: b, disturb: disturb,
		started: make(chan struct{}), stopped: make(chan struct{}), buried: make(chan struct{}),
	}
}

// The names of actors. There is one more for each tier, shard, source and computation.
const (
	rootName   = "root"
	slicerName = "slicer"
)

func sourceName(name string) string { return "source/" + name }

func computationName(name string) string { return "computation/" + name }

func tierName(name string) string { return "tier/" + name }

// settled says that the message at work needs not be handed over again, whatever comes.
func (c *cell) settled() { c.current = nil }

// gone says that the actor has stopped for good.
func (c *cell) gone() bool {
	select {
	case <-c.stopped:
		return true
	default:
		return false
	}
}

// fault makes the actor that receives it panic.
type fault struct{ reason any }

// shell is the library's actor around a behaviour: it does what all of ours have in common.
type shell struct {
	cell *cell
	b    behaviour
}

// Receive is called by the library.
func (s *shell) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *actor.Started:
		s.start(c)
	case *actor.Restarting:
		s.quietly("restart", func() { s.b.release(c, false) })
	case *actor.Stopping:
		s.cell.board.set(s.cell.name, stateStopping)
		s.quietly("stop", func() { s.b.release(c, true) })
		s.quietly("stop", s.giveUp)
	case *actor.Stopped:
		s.cell.board.set(s.cell.name, stateStopped)
		s.cell.stopOnce.Do(func() { close(s.cell.stopped) })
	case *fault:
		defer s.caught()
		panic(m.reason)
	default:
		s.handle(c, m)
	}
}

func (s *shell) start(c actor.Context) {
	defer s.caught()
	s.cell.pid.Store(c.Self()) // Before anything that could make the actor send to itself.
	s.cell.startOnce.Do(func() { close(s.cell.started) })
	s.b.start(c)
	s.again(c)
	s.cell.board.set(s.cell.name, stateRunning)
}

// again hands over the message that made the last incarnation fail.
func (s *shell) again(c actor.Context) {
	m := s.cell.current
	if m == nil {
		return
	}
	if s.cell.tries >= maxTries {
		s.giveUp()
		return
	}
	s.handOver(c, m)
}

func (s *shell) giveUp() {
	if m := s.cell.current; m != nil {
		s.cell.settled()
		s.b.giveUp(m)
	}
}

func (s *shell) handle(c actor.Context, m any) {
	defer s.caught()
	s.cell.tries = 0
	s.handOver(c, m)
}

func (s *shell) handOver(c actor.Context, m any) {
	s.cell.current = m
	s.cell.tries++
	if s.cell.disturb != nil {
		s.cell.disturb(s.cell.name, m)
	}
	s.b.receive(c, m)
	s.cell.current = nil
}

// caught is deferred: it notes a panic with its stack, which is gone later, and lets it go on to the
// library, which tells the supervisor.
func (s *shell) caught() {
	r := recover()
	if r == nil {
		return
	}
	crash := newCrash(s.cell.name, r)
	s.cell.board.failed(s.cell.name, crash)
	s.quietly("halt", s.b.halt)
	panic(crash.text(s.cell.name)) // As text, so that nobody above depends on what it was.
}

// quietly runs what must not panic: a panic in Stopping makes an actor that never ends, and a parent that
// waits for it for ever.
func (s *shell) quietly(doing string, f func()) {
	if err := protect(s.cell.name+": "+doing, f); err != nil {
		var c *crash
		if errors.As(err, &c) {
			s.cell.board.failed(s.cell.name, c)
		}
	}
}
