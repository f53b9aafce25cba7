package suricata

import (
	"context"
	"sync"
)

// crew is the goroutines of a source, of which the core may refuse to start some.
type crew struct {
	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
}

// member makes a function that the crew waits for once it runs.
func (c *crew) member(f func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if !c.enter() {
			return nil
		}
		defer c.running.Done()
		return f(ctx)
	}
}

func (c *crew) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.running.Add(1)
	return true
}

// close waits for those that run; nobody can begin any more.
func (c *crew) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.running.Wait()
}
