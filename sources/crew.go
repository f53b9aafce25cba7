package sources

import (
	"context"
	"sync"
)

// Crew is the goroutines of a source, of which the core may refuse to start some. The zero value is ready.
type Crew struct {
	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
}

// Member makes a function for Core.Go that the crew waits for once it runs. Closed, the crew does not run it.
func (c *Crew) Member(f func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if !c.enter() {
			return nil
		}
		defer c.running.Done()
		return f(ctx)
	}
}

func (c *Crew) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.running.Add(1)
	return true
}

// Close waits for those that run; nobody can begin any more.
func (c *Crew) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.running.Wait()
}
