package suricata

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxConnections is how many Suricatas may be connected at once.
	maxConnections = 32
	// lastReads bounds what is still read of a connection after the end was ordered; the kernel holds less.
	lastReads = 16
	// acceptPause is how long to wait when the machine has no file descriptor left.
	acceptPause = 200 * time.Millisecond
)

// streams listens on a stream socket and reads each connection in a goroutine of its own.
type streams struct {
	intake
	socket    *boundSocket
	listener  *net.UnixListener
	allowance *allowance

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	ended bool
}

func (in *intake) openStreams(c *Config) (*streams, error) {
	socket, err := socketConfig{
		key: "stream", path: c.Stream, group: c.Group, typ: unix.SOCK_STREAM, mode: uint32(c.Mode),
	}.bind()
	if err != nil {
		return nil, err
	}
	l, err := socket.listener()
	if err != nil {
		return nil, errors.Join(err, socket.close())
	}
	return &streams{
		intake: *in, socket: socket, listener: l, conns: map[net.Conn]struct{}{},
		// Four long lines at once are much; more are skipped.
		allowance: newAllowance(4 * in.maxLine),
	}, nil
}

// run accepts until it is interrupted.
func (s *streams) run(ctx context.Context) error {
	for {
		conn, err := s.listener.AcceptUnix()
		switch {
		case err == nil:
			s.accept(ctx, conn)
		case errors.Is(err, net.ErrClosed):
			return nil
		case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOMEM),
			errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.ECONNABORTED):
			s.log.Warn().Err(err).Msg("cannot accept a connection of Suricata for now")
			pause(ctx, acceptPause)
		default:
			return fmt.Errorf("accept on %s: %w", s.socket.path, err)
		}
	}
}

// accept starts to read a connection, or refuses it.
func (s *streams) accept(ctx context.Context, conn *net.UnixConn) {
	if !s.enter(conn) {
		s.stats.refused.Add(1)
		s.stats.refusedAt.Store(time.Now().UnixNano())
		_ = conn.Close()
		return
	}
	n := s.stats.connected()
	s.log.WithLevel(s.chatter.level()).Uint64("connection", n).Msg("Suricata connected")
	s.start(ctx, "connection", func(ctx context.Context) error {
		defer s.leave(conn)
		return s.read(ctx, conn, n)
	})
}

// enter takes a connection in, unless there are too many or it is too late.
func (s *streams) enter(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || len(s.conns) >= maxConnections {
		return false
	}
	s.conns[conn] = struct{}{}
	s.stats.connections.Store(int64(len(s.conns)))
	return true
}

func (s *streams) leave(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, conn)
	s.stats.connections.Store(int64(len(s.conns)))
	_ = conn.Close()
}

// read reads a connection to its end.
func (s *streams) read(ctx context.Context, conn *net.UnixConn, n uint64) error {
	lines := s.splitter(n, s.allowance)
	defer lines.close()
	for {
		read, err := conn.Read(lines.room())
		if took := s.took(lines, read); took != nil {
			return took
		}
		if err == nil {
			continue
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if err := s.readLast(conn, lines); err != nil {
				return err
			}
		}
		if lines.partial() {
			s.losses.add(partial, 1)
		}
		why := err
		if errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) {
			why = nil
		}
		s.log.WithLevel(s.chatter.level()).Uint64("connection", n).AnErr("error", why).Msg("Suricata disconnected")
		// The slot is free only when the worker will hear of it, so that these are bounded too.
		if err := s.queue.wait(ctx, item{conn: n, closed: true}, nil); err != nil && ctx.Err() == nil {
			return err
		}
		return nil
	}
}

// took counts and cuts what was read.
func (s *streams) took(lines *splitter, n int) error {
	s.received(n)
	return lines.took(n)
}

// readLast takes what was sent before the end was ordered, if this goroutine did not get to it in time.
func (s *streams) readLast(conn *net.UnixConn, lines *splitter) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil //nolint:nilerr // It is closed already.
	}
	var took error
	err = raw.Control(func(fd uintptr) { // Its Read would refuse, as the deadline has passed.
		for range lastReads {
			n, err := unix.Read(int(fd), lines.room())
			if n <= 0 || err != nil {
				return
			}
			if took = s.took(lines, n); took != nil {
				return
			}
		}
	})
	return errors.Join(took, err)
}

// interrupt ends run and, after a moment for what was sent before, the connections.
func (s *streams) interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	_ = s.listener.Close()
	for conn := range s.conns {
		_ = conn.SetReadDeadline(time.Now().Add(grace))
	}
}

// close closes what a goroutine that was never started did not.
func (s *streams) close() error {
	s.interrupt()
	s.mu.Lock()
	for conn := range s.conns {
		_ = conn.Close()
	}
	s.mu.Unlock()
	return s.socket.close()
}

// pause waits, or returns as soon as ctx is done.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
