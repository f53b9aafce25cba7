package actors

import "sync"

// pool runs the mailboxes of shards in a few goroutines that stay. The library's way, a new goroutine
// for each time an idle actor gets a message, costs four times as much, most of it for growing stacks.
type pool struct {
	work    chan func()
	stop    chan struct{}
	once    sync.Once
	ended   sync.WaitGroup
	crashed func(*crash)
}

// newPool starts the workers. crashed is told if one is ended by a panic, which the mailbox should
// have caught.
func newPool(workers int, crashed func(*crash)) *pool {
	p := &pool{work: make(chan func()), stop: make(chan struct{}), crashed: crashed}
	p.ended.Add(workers)
	for range workers {
		launch("dispatcher", crashed, p.serve)
	}
	return p
}

func (p *pool) serve() {
	defer p.ended.Done()
	for {
		select {
		case f := <-p.work:
			f()
		case <-p.stop:
			return
		}
	}
}

// Schedule runs f soon. It never waits: without a free worker f gets a goroutine of its own.
func (p *pool) Schedule(f func()) {
	select {
	case p.work <- f:
	default:
		launch("dispatcher", p.crashed, f)
	}
}

// Throughput is after how many messages a mailbox lets other goroutines run.
func (*pool) Throughput() int { return 300 }

// close tells the workers to end; ended says when they have.
func (p *pool) close() { p.once.Do(func() { close(p.stop) }) }
