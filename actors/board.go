package actors

import (
	"sync"
	"time"
)

// The states of an actor.
const (
	stateStarting   = "starting"
	stateRunning    = "running"
	stateBackingOff = "backing-off"
	stateStopping   = "stopping"
	stateStopped    = "stopped"
)

const (
	maxErrorText = 500  // bytes of a failure's text that are kept
	maxStackText = 8192 // bytes of a failure's stack that are kept
)

// board is the failure board: how each actor is and how often it failed. It lives outside the actors,
// whose own state is gone after a failure.
type board struct {
	clock Clock

	mu    sync.Mutex
	order []string
	all   map[string]*record
}

type record struct {
	ActorStatus
	stack string
	// running is when it last began to run, streak how often it failed since it last ran for long.
	running time.Duration
	streak  int
	// told is the failure that was logged last, toldAt when.
	told   string
	toldAt time.Duration
}

func newBoard(c Clock) *board { return &board{clock: c, all: map[string]*record{}} }

// of gives the record of an actor. The lock is held.
func (b *board) of(name string) *record {
	r := b.all[name]
	if r == nil {
		r = &record{ActorStatus: ActorStatus{Name: name, State: stateStarting, Since: b.clock.Now()}}
		b.all[name] = r
		b.order = append(b.order, name)
	}
	return r
}

// set notes the state of an actor.
func (b *board) set(name, state string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.of(name)
	if state == stateRunning && r.State != stateRunning {
		r.running = b.clock.Monotonic()
	}
	if r.State != state {
		r.State, r.Since = state, b.clock.Now()
	}
}

// failed notes a failure as soon as it is caught.
func (b *board) failed(name string, c *crash) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.of(name)
	r.Failures++
	r.LastError = c.text(name)
	r.stack = clip(c.stack, maxStackText)
	r.LastFailure = b.clock.Now()
}

// backOff notes that an actor waits to be restarted, and gives how often it failed without having run for
// at least quiet in between, and the stack of the last failure.
func (b *board) backOff(name string, quiet time.Duration) (streak int, stack string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.of(name)
	if r.State == stateRunning && b.clock.Monotonic()-r.running >= quiet {
		r.streak = 0
	}
	r.streak++
	r.State, r.Since = stateBackingOff, b.clock.Now()
	return r.streak, r.stack
}

// worthTelling says whether a failure shall be logged: one that is as that before was told within the time is not.
func (b *board) worthTelling(name, failure string, within time.Duration) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, now := b.of(name), b.clock.Monotonic()
	if r.told == failure && now-r.toldAt < within {
		return false
	}
	r.told, r.toldAt = failure, now
	return true
}

// list gives the status of all actors in the order in which they were first heard of.
func (b *board) list() []ActorStatus {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]ActorStatus, 0, len(b.order))
	for _, name := range b.order {
		all = append(all, b.all[name].ActorStatus)
	}
	return all
}

func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return text[:n] + "…"
}
