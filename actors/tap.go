package actors

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"weir/messages"
)

// tapQueue is how many batches may wait for a tap.
const tapQueue = 64

// taps are those who listen to what sources post.
type taps struct {
	list atomic.Pointer[[]*tap] // nil if there is none, which is what the hot path looks at

	mu     sync.Mutex
	closed bool
	done   chan struct{} // closed when the system ends
	ended  sync.WaitGroup
}

type tap struct {
	queue   chan *messages.Batch
	dropped atomic.Uint64
}

func newTaps() *taps { return &taps{done: make(chan struct{})} }

// offer gives each tap a copy. It never waits.
func (t *taps) offer(b *messages.Batch) {
	list := t.list.Load()
	if list == nil {
		return
	}
	for _, to := range *list {
		c := copyBatch(b)
		select {
		case to.queue <- c:
		default:
			to.dropped.Add(1)
			c.Release()
		}
	}
}

func copyBatch(b *messages.Batch) *messages.Batch {
	c := messages.NewBatch()
	c.Source, c.Snapshot = b.Source, b.Snapshot
	c.Updates = append(c.Updates, b.Updates...)
	c.Aliases = append(c.Aliases, b.Aliases...)
	c.Tags = append(c.Tags, b.Tags...)
	c.Facts = append(c.Facts, b.Facts...)
	return c
}

// add starts a tap. It ends with ctx, with the system, and when f panics.
func (t *taps) add(ctx context.Context, crashed func(*crash), f func(*messages.Batch)) *tap {
	n := &tap{queue: make(chan *messages.Batch, tapQueue)}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return n
	}
	t.replace(func(list []*tap) []*tap { return append(list, n) })
	t.ended.Add(1)
	launch("tap", crashed, func() {
		defer t.ended.Done()
		defer t.remove(n)
		n.serve(ctx, t.done, f)
	})
	return n
}

func (n *tap) serve(ctx context.Context, done <-chan struct{}, f func(*messages.Batch)) {
	for {
		select {
		case b := <-n.queue:
			f(b)
			b.Release()
		case <-ctx.Done():
			return
		case <-done:
			n.rest(f)
			return
		}
	}
}

// rest serves what still waits when the system ends.
func (n *tap) rest(f func(*messages.Batch)) {
	for {
		select {
		case b := <-n.queue:
			f(b)
			b.Release()
		default:
			return
		}
	}
}

func (t *taps) remove(n *tap) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.replace(func(list []*tap) []*tap {
		return slices.DeleteFunc(list, func(o *tap) bool { return o == n })
	})
}

// replace publishes a changed copy of the list. The lock is held.
func (t *taps) replace(change func([]*tap) []*tap) {
	var list []*tap
	if old := t.list.Load(); old != nil {
		list = slices.Clone(*old)
	}
	if list = change(list); len(list) == 0 {
		t.list.Store(nil)
		return
	}
	t.list.Store(&list)
}

// close ends all taps once they have served what waits.
func (t *taps) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.closed = true
		close(t.done)
	}
}
