package actors

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"

	"weir/messages"
)

const (
	// gateWindow is how many batches a shard lets wait in its mailbox.
	gateWindow = 64
	// maxCommands is how many commands of the slicer may wait there; a round has two.
	maxCommands = 32
)

// errGone says that the shard does not run any more and will not again.
var errGone = errors.New("shard has stopped")

// gate bounds what waits in a shard's mailbox, which is unbounded by itself. Whoever posts a message that
// costs a credit takes the credit first, in his own goroutine. It comes back when the message is
// taken out of the mailbox, before it is handled, so that no panic can leak it; and a shard that waits
// to be restarted holds its senders at the window.
type gate struct {
	slots  chan struct{} // holds one token for each credit that is taken
	closed chan struct{}
	once   sync.Once

	// commands are those of the slicer that wait in the mailbox. They need no credit, but a shard that takes
	// none is sent no more.
	commands atomic.Int32

	waited  atomic.Uint64 // how often somebody had to wait for a credit
	refused atomic.Uint64 // how often somebody got none
}

func newGate() *gate {
	return &gate{slots: make(chan struct{}, gateWindow), closed: make(chan struct{})}
}

// acquire takes a credit, and waits for it until ctx is done.
func (g *gate) acquire(ctx context.Context) error {
	if g.take() {
		return nil
	}
	g.waited.Add(1)
	select {
	case <-g.closed:
		g.refused.Add(1)
		return errGone
	default:
	}
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-g.closed:
		g.refused.Add(1)
		return errGone
	case <-ctx.Done():
		g.refused.Add(1)
		return ctx.Err()
	}
}

// try takes a credit if there is one, for those who must not wait.
func (g *gate) try() bool {
	if g.take() {
		return true
	}
	g.refused.Add(1)
	return false
}

func (g *gate) take() bool {
	select {
	case <-g.closed:
		return false
	default:
	}
	select {
	case g.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

// release gives a credit back.
func (g *gate) release() {
	select {
	case <-g.slots:
	default:
	}
}

// command says whether one more command may be posted.
func (g *gate) command() bool {
	if g.commands.Add(1) <= maxCommands {
		return true
	}
	g.commands.Add(-1)
	g.refused.Add(1)
	return false
}

// close refuses everybody from now on, those who wait too.
func (g *gate) close() { g.once.Do(func() { close(g.closed) }) }

// level is how many credits are taken.
func (g *gate) level() int { return len(g.slots) }

// mailbox makes the mailbox of the one actor that stands behind the gate.
func (g *gate) mailbox() actor.MailboxProducer {
	return func() actor.Mailbox { return &gatedMailbox{Mailbox: actor.Unbounded()(), gate: g} }
}

type gatedMailbox struct {
	actor.Mailbox
	gate *gate
}

func (b *gatedMailbox) RegisterHandlers(i actor.MessageInvoker, d actor.Dispatcher) {
	b.Mailbox.RegisterHandlers(&gatedInvoker{MessageInvoker: i, gate: b.gate}, d)
}

// gatedInvoker sees each message as it leaves the mailbox.
type gatedInvoker struct {
	actor.MessageInvoker
	gate *gate
}

func (i *gatedInvoker) InvokeUserMessage(m any) {
	switch m.(type) {
	case *messages.Batch, *messages.LearnAliases:
		i.gate.release()
	case *messages.FlushEvents, *messages.CloseSlice:
		i.gate.commands.Add(-1)
	}
	i.MessageInvoker.InvokeUserMessage(m)
}

func (i *gatedInvoker) InvokeSystemMessage(m any) {
	if _, stop := m.(*actor.Stop); stop {
		i.gate.close()
	}
	i.MessageInvoker.InvokeSystemMessage(m)
}
