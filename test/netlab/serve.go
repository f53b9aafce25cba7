package netlab

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// requestSize is the length of what a client says first, each time: how many bytes follow from it, and
// how many it wants back. A datagram begins with the latter alone.
const (
	requestSize  = 16
	datagramHead = 8
	maxDatagram  = 65507
)

// patience bounds each single exchange, so that a broken lab ends a test instead of hanging it.
const patience = 20 * time.Second

// at gives the namespace where an address of the lab lives.
func (l *Lab) at(a netip.Addr) *Namespace {
	switch a.String() {
	case server4, server6:
		return l.Server
	case routerLAN4, routerLAN6, routerWAN4, routerWAN6:
		return l.Router
	}
	if slices.Contains(l.Clients4, a) || slices.Contains(l.Clients6, a) {
		return l.Client
	}
	return nil
}

// serve starts what answers on EchoPort of every address.
func (l *Lab) serve() error {
	others := []netip.Addr{l.Server4(), l.Server6(), l.RouterLAN4(), netip.MustParseAddr(routerLAN6)}
	for _, a := range slices.Concat(others, l.Clients4, l.Clients6) {
		at := netip.AddrPortFrom(a, EchoPort)
		if err := l.at(a).Do(func() error { return errors.Join(l.serveTCP(at), l.serveUDP(at)) }); err != nil {
			return fmt.Errorf("serve on %s: %w", at, err)
		}
	}
	return nil
}

func (l *Lab) serveTCP(at netip.AddrPort) error {
	config := net.ListenConfig{Control: reusable}
	config.SetMultipathTCP(false)
	listener, err := config.Listen(l.ctx, "tcp", at.String())
	if err != nil {
		return err
	}
	closeAfter(l.ctx, listener)
	l.work.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			l.work.Go(func() { l.answerTCP(conn) })
		}
	})
	return nil
}

// answerTCP does what the client asks until the client has had enough.
func (l *Lab) answerTCP(conn net.Conn) {
	defer conn.Close()
	defer closeAfter(l.ctx, conn)()
	var request [requestSize]byte
	for {
		if _, err := io.ReadFull(conn, request[:]); err != nil {
			return
		}
		up := int64(binary.BigEndian.Uint64(request[:]))    //nolint:gosec // What Exchange put there.
		down := int64(binary.BigEndian.Uint64(request[8:])) //nolint:gosec // Likewise.
		if _, err := io.CopyN(io.Discard, conn, up); err != nil {
			return
		}
		if err := pour(conn, down); err != nil {
			return
		}
	}
}

func (l *Lab) serveUDP(at netip.AddrPort) error {
	config := net.ListenConfig{Control: func(network, address string, c syscall.RawConn) error {
		err := c.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<20) // The default does for small tests.
		})
		return errors.Join(err, reusable(network, address, c))
	}}
	conn, err := config.ListenPacket(l.ctx, "udp", at.String())
	if err != nil {
		return err
	}
	closeAfter(l.ctx, conn)
	l.work.Go(func() { answerUDP(conn) })
	return nil
}

// answerUDP sends each datagram's head back with as many bytes as it asks for.
func answerUDP(conn net.PacketConn) {
	buf := make([]byte, maxDatagram)
	for {
		n, from, err := conn.ReadFrom(buf)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil || n < datagramHead:
			continue
		}
		if size := binary.BigEndian.Uint32(buf); size >= datagramHead && size <= maxDatagram {
			_, _ = conn.WriteTo(buf[:size], from) // The client notices what is missing.
		}
	}
}

// closeAfter makes calls on c return when ctx is done; the function that it gives takes that back.
func closeAfter(ctx context.Context, c io.Closer) (undo func() bool) {
	return context.AfterFunc(ctx, func() { _ = c.Close() }) // Whoever uses c hears of it.
}

// pour writes n bytes.
func pour(w io.Writer, n int64) error {
	_, err := io.CopyN(w, zeros{}, n)
	return err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// reusable lets a port be taken again at once.
func reusable(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	})
	return errors.Join(err, failed)
}
