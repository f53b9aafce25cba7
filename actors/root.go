package actors

import (
	"fmt"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
)

// spawnChild asks the root for a child.
type spawnChild struct {
	cell  *cell
	props *actor.Props
	done  chan<- error // with room for the answer
}

// rootSeat is what the root knows. The root is never restarted.
type rootSeat struct {
	*cell
	supervisor *supervisor
	draining   *atomic.Bool
	children   map[string]*cell // only the actor's turn touches them
}

// root is the parent of all other actors.
//
// Receives spawnChild from the system, and from the library the failures of its children, which go to the
// supervisor. Sends nothing. A child that ends outside a drain makes it fail, which ends the program.
type root struct{ seat *rootSeat }

func (root) start(actor.Context) {}

func (a root) receive(c actor.Context, m any) {
	switch m := m.(type) {
	case *spawnChild:
		_, err := c.SpawnNamed(m.props, m.cell.name)
		if err != nil {
			err = fmt.Errorf("spawn %s: %w", m.cell.name, err)
		} else {
			a.seat.children[m.cell.name] = m.cell
		}
		m.done <- err
	case *actor.Terminated:
		if c := a.seat.children[actorName(m.Who)]; c != nil {
			delete(a.seat.children, c.name)
			close(c.buried)
		}
		if !a.seat.draining.Load() {
			panic(fmt.Sprintf("%s has ended", actorName(m.Who)))
		}
	}
}

func (root) giveUp(any) {}

func (root) halt() {}

// release forbids restarts before the library stops the children.
func (a root) release(actor.Context, bool) { a.seat.supervisor.close() }
