package actors

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// crash is a panic or an error that ended something, with where it happened.
type crash struct {
	where  string
	reason any
	stack  string
}

// newCrash is called while the panic is being recovered, so that the stack is the one that panicked.
func newCrash(where string, reason any) *crash {
	if c, ok := reason.(*crash); ok {
		return c
	}
	return &crash{where: where, reason: reason, stack: string(debug.Stack())}
}

// Error says what happened.
func (c *crash) Error() string { return fmt.Sprintf("%s: %v", c.where, c.reason) }

// text is what happened, for a reader who knows which actor it is about.
func (c *crash) text(actor string) string {
	if c.where == actor {
		return clip(fmt.Sprint(c.reason), maxErrorText)
	}
	return clip(c.Error(), maxErrorText)
}

// Unwrap gives the error that ended it, if it was one.
func (c *crash) Unwrap() error {
	err, _ := c.reason.(error)
	return err
}

// launch starts a goroutine. It is the only place of this package that does: a panic in a bare goroutine
// ends the whole process, so it must be caught and told to somebody. crashed must not panic.
func launch(name string, crashed func(*crash), f func()) {
	go func() {
		defer func() {
			if r := recover(); r != nil {
				crashed(newCrash(name, r))
			}
		}()
		f()
	}()
}

// later runs f after a while, unless the timer is stopped before. Like launch, it catches panics.
func later(wait time.Duration, crashed func(*crash), f func()) *time.Timer {
	return time.AfterFunc(wait, func() {
		defer func() {
			if r := recover(); r != nil {
				crashed(newCrash("timer", r))
			}
		}()
		f()
	})
}

// protect runs f and turns a panic into an error.
func protect(where string, f func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = newCrash(where, r)
		}
	}()
	f()
	return nil
}

// guarded runs f and turns a panic into an error, too.
func guarded(where string, f func() error) (err error) {
	crash := protect(where, func() { err = f() })
	if crash != nil {
		return crash
	}
	if err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	return nil
}

// crew is the goroutines of one incarnation of an actor. The first that fails ends all the others.
type crew struct {
	ctx    context.Context //nolint:containedctx // Its life is the crew's life.
	cancel context.CancelFunc
	// failed is told the first failure, in the goroutine that failed.
	failed func(*crew, *crash)
	once   sync.Once

	mu      sync.Mutex
	running int
	closed  bool
	ended   chan struct{} // closed when the crew is closed and nobody runs
}

func newCrew(failed func(*crew, *crash)) *crew {
	ctx, cancel := context.WithCancel(context.Background())
	return &crew{ctx: ctx, cancel: cancel, failed: failed, ended: make(chan struct{})}
}

// start runs f in a goroutine of its own until ctx or the crew is done. It does nothing if the crew is
// done already.
func (w *crew) start(ctx context.Context, name string, f func(context.Context) error) {
	if !w.enter() {
		return
	}
	launch(name, w.fail, func() {
		defer w.leave()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(w.ctx, cancel)()
		defer func() { // Before leave, so that whoever joins knows of the failure.
			if r := recover(); r != nil {
				w.fail(newCrash(name, r))
			}
		}()
		if err := f(ctx); err != nil && (ctx.Err() == nil || !errors.Is(err, ctx.Err())) {
			w.fail(&crash{where: name, reason: err})
		}
	})
}

// fail ends the crew.
func (w *crew) fail(c *crash) {
	w.once.Do(func() {
		stopping := w.ctx.Err() != nil
		w.cancel()
		if !stopping {
			w.failed(w, c)
		}
	})
}

func (w *crew) enter() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.running++
	return true
}

func (w *crew) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running--
	w.settle()
}

// settle is called with the lock held.
func (w *crew) settle() {
	if !w.closed || w.running > 0 {
		return
	}
	select {
	case <-w.ended:
	default:
		close(w.ended)
	}
}

// join tells all goroutines to end and waits for them, at most so long. It may be called again.
func (w *crew) join(patience time.Duration) bool {
	w.cancel()
	w.mu.Lock()
	w.closed = true
	w.settle()
	w.mu.Unlock()
	select {
	case <-w.ended:
		return true
	default:
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-w.ended:
		return true
	case <-late.C:
		return false
	}
}
