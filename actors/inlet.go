package actors

import (
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"

	"weir/messages"
)

// inletWindow is how many messages of one shard may wait in the mailbox of a computation.
const inletWindow = 4

// inlet is the way from one shard to one computation. Neither waits for the other: a shard without a credit keeps
// what it has, and is told when there is one again.
type inlet struct {
	// post puts a message into the computation's mailbox, wake one into that of the shard. Neither waits.
	post func(m any)
	wake func()

	taken  atomic.Int32 // credits: messages that the computation has not taken up
	hungry atomic.Bool  // the shard has more than it has credits for
	owes   atomic.Bool  // the shard has not handed over all that it had when it was flushed

	// For the status: what waits in the shard, and what it dropped.
	queued                      atomic.Int64
	eventsDropped, factsDropped atomic.Uint64
}

// take takes a credit. If there is none, the shard is woken as soon as there is. Only the shard calls it.
func (i *inlet) take() bool {
	if i.tryTake() {
		return true
	}
	i.hungry.Store(true)
	if !i.tryTake() { // Given back before the shard was known to wait for it.
		return false
	}
	i.hungry.Store(false)
	return true
}

func (i *inlet) tryTake() bool {
	if i.taken.Load() >= inletWindow {
		return false
	}
	i.taken.Add(1)
	return true
}

// release gives a credit back.
func (i *inlet) release() {
	i.taken.Add(-1)
	if i.hungry.Swap(false) {
		i.wake()
	}
}

// inlets are the ways into one computation, by shard.
type inlets []*inlet

// owed says whether some shard has not handed over what it had when it was flushed.
func (all inlets) owed() bool {
	for _, i := range all {
		if i.owes.Load() {
			return true
		}
	}
	return false
}

// mailbox makes the mailbox of the computation.
func (all inlets) mailbox() actor.MailboxProducer {
	return func() actor.Mailbox { return &inletMailbox{Mailbox: actor.Unbounded()(), from: all} }
}

type inletMailbox struct {
	actor.Mailbox
	from inlets
}

func (b *inletMailbox) RegisterHandlers(i actor.MessageInvoker, d actor.Dispatcher) {
	b.Mailbox.RegisterHandlers(&inletInvoker{MessageInvoker: i, from: b.from}, d)
}

// inletInvoker gives credits back as messages leave the mailbox, before they are handled: no panic can leak them.
type inletInvoker struct {
	actor.MessageInvoker
	from inlets
}

func (i *inletInvoker) InvokeUserMessage(m any) {
	switch m := m.(type) {
	case *messages.Events:
		i.from[m.Shard].release()
	case *missedNews:
		i.from[m.shard].release()
	}
	i.MessageInvoker.InvokeUserMessage(m)
}
