package netlab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Storm is many short connections, one after another at a given rate.
type Storm struct {
	// Network is "tcp" or "udp".
	Network string
	// From are the addresses to use in turn, To where they go: of the same family.
	From []netip.Addr
	To   netip.AddrPort
	// Count connections in all, Rate a second.
	Count, Rate int
	// Up and Down are the bytes of each. A datagram is not waited for if Down is 0.
	Up, Down int
	// Reset ends TCP connections with a reset rather than politely.
	Reset bool
}

// stormWorkers is how many connections of a storm exist at once.
const stormWorkers = 8

// Storm lets a storm pass; it returns when the last connection has ended or ctx is done.
func (l *Lab) Storm(ctx context.Context, s Storm) error {
	var next atomic.Int64
	var work sync.WaitGroup
	errs := make([]error, stormWorkers)
	begin := time.Now()
	for w := range stormWorkers {
		work.Go(func() { errs[w] = l.stormWorker(ctx, s, begin, &next) })
	}
	work.Wait()
	return errors.Join(errs...)
}

// stormWorker makes connections on a thread that lives and ends in the client's namespace.
func (l *Lab) stormWorker(ctx context.Context, s Storm, begin time.Time, next *atomic.Int64) error {
	runtime.LockOSThread()
	if err := l.at(s.From[0]).enter(); err != nil {
		return err
	}
	for {
		i := next.Add(1) - 1
		if i >= int64(s.Count) {
			return nil
		}
		due := time.NewTimer(time.Until(begin.Add(time.Duration(i) * time.Second / time.Duration(s.Rate))))
		select {
		case <-ctx.Done():
			due.Stop()
			return ctx.Err()
		case <-due.C:
		}
		if err := s.once(ctx, s.From[int(i)%len(s.From)]); err != nil {
			return fmt.Errorf("connection %d of the storm: %w", i, err)
		}
	}
}

func (s *Storm) once(ctx context.Context, from netip.Addr) error {
	c, err := dialHere(ctx, s.Network, netip.AddrPortFrom(from, 0), s.To)
	if err != nil {
		return err
	}
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		d := Datagrams{c}
		return errors.Join(d.Exchange(1, s.Up, s.Down), d.Close())
	}
	conn := Conn{tcp}
	err = conn.Exchange(int64(s.Up), int64(s.Down))
	if s.Reset {
		return errors.Join(err, conn.Reset())
	}
	return errors.Join(err, conn.Close())
}
