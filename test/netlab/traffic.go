package netlab

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"
)

// Conn is a TCP connection whose far side does as it is told.
type Conn struct{ tcp *net.TCPConn }

// DialTCP connects from an address of the lab, whose port may be 0 for any, to where somebody answers.
func (l *Lab) DialTCP(from, to netip.AddrPort) (*Conn, error) {
	c, err := l.dial("tcp", from, to)
	if err != nil {
		return nil, err
	}
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return nil, fmt.Errorf("dial %s: not TCP", to)
	}
	return &Conn{tcp}, nil
}

func (l *Lab) dial(network string, from, to netip.AddrPort) (c net.Conn, err error) {
	err = l.at(from.Addr()).Do(func() error {
		c, err = dialHere(l.ctx, network, from, to)
		return err
	})
	return c, err
}

// dialHere connects in the namespace of the calling thread: a literal address starts no goroutine that
// would open the socket elsewhere.
func dialHere(ctx context.Context, network string, from, to netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{Timeout: patience, Control: reusable, KeepAlive: -1}
	d.LocalAddr = net.TCPAddrFromAddrPort(from)
	if network == "udp" {
		d.LocalAddr = net.UDPAddrFromAddrPort(from)
	}
	return d.DialContext(ctx, network, to.String())
}

// Local is the client's own end.
func (c *Conn) Local() netip.AddrPort { return addrPort(c.tcp.LocalAddr()) }

func addrPort(a net.Addr) netip.AddrPort {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.AddrPort()
	case *net.UDPAddr:
		return a.AddrPort()
	}
	return netip.AddrPort{}
}

// Exchange sends up bytes, then receives down bytes, besides the request itself.
func (c *Conn) Exchange(up, down int64) error {
	if err := c.tcp.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	var request [requestSize]byte
	binary.BigEndian.PutUint64(request[:], uint64(up))    //nolint:gosec // Not negative.
	binary.BigEndian.PutUint64(request[8:], uint64(down)) //nolint:gosec // Not negative.
	if _, err := c.tcp.Write(request[:]); err != nil {
		return err
	}
	if err := pour(c.tcp, up); err != nil {
		return err
	}
	_, err := io.CopyN(io.Discard, c.tcp, down)
	return err
}

// Close ends the connection in the polite way and waits for the far side's end.
func (c *Conn) Close() error {
	err := c.tcp.CloseWrite()
	if err == nil {
		if err = c.tcp.SetReadDeadline(time.Now().Add(patience)); err == nil {
			_, err = io.Copy(io.Discard, c.tcp)
		}
	}
	return errors.Join(err, c.tcp.Close())
}

// Reset ends the connection with a reset, after which the same ports can be used at once.
func (c *Conn) Reset() error { return errors.Join(c.tcp.SetLinger(0), c.tcp.Close()) }

// Datagrams is a UDP socket that talks to one peer.
type Datagrams struct{ udp net.Conn }

// DialUDP opens a socket at an address of the lab, whose port may be 0 for any.
func (l *Lab) DialUDP(from, to netip.AddrPort) (*Datagrams, error) {
	c, err := l.dial("udp", from, to)
	if err != nil {
		return nil, err
	}
	return &Datagrams{c}, nil
}

// Local is the socket's own end.
func (d *Datagrams) Local() netip.AddrPort { return addrPort(d.udp.LocalAddr()) }

// Close closes the socket; nobody on the way notices.
func (d *Datagrams) Close() error { return d.udp.Close() }

// Exchange sends count datagrams of up bytes, each answered by one of down bytes; with down 0 none is. Both are
// at least 8 otherwise. A datagram whose answer does not come is sent again: a busy machine may drop one.
func (d *Datagrams) Exchange(count, up, down int) error {
	buf := make([]byte, max(up, down))
	for i := range count {
		binary.BigEndian.PutUint32(buf, uint32(down))  //nolint:gosec // A datagram's length.
		binary.BigEndian.PutUint32(buf[4:], uint32(i)) //nolint:gosec // A count of datagrams.
		if down == 0 {
			if _, err := d.udp.Write(buf[:up]); err != nil {
				return err
			}
			continue
		}
		if err := d.request(buf[:up], down); err != nil {
			return fmt.Errorf("datagram %d: %w", i, err)
		}
	}
	return nil
}

// attempts is how often a datagram is sent at most; the patience is shared among them.
const attempts = 5

func (d *Datagrams) request(out []byte, down int) (err error) {
	in := make([]byte, maxDatagram)
	for range attempts {
		if _, err = d.udp.Write(out); err != nil {
			return err
		}
		if err = d.udp.SetReadDeadline(time.Now().Add(patience / attempts)); err != nil {
			return err
		}
		for {
			var n int
			if n, err = d.udp.Read(in); err != nil {
				break
			}
			// Answers to earlier datagrams may be late.
			if n == down && bytes.Equal(in[:datagramHead], out[:datagramHead]) {
				return nil
			}
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	return err
}

// Ping is a series of echo requests.
type Ping struct {
	From, To netip.Addr
	// ID tells series apart; conntrack sees one flow for each.
	ID uint16
	// Count requests with Size bytes of payload, one after another.
	Count, Size int
	// Wait bounds the wait for each reply; 0 means the lab's usual patience.
	Wait time.Duration
}

// Ping sends echo requests and waits for each reply.
func (l *Lab) Ping(p Ping) error {
	network, request, reply := "ip4:1", byte(8), byte(0)
	if p.To.Is6() {
		network, request, reply = "ip6:58", 128, 129
	}
	if p.Wait == 0 {
		p.Wait = patience
	}
	var conn net.PacketConn
	err := l.at(p.From).Do(func() (err error) {
		conn, err = (&net.ListenConfig{}).ListenPacket(l.ctx, network, p.From.String())
		return err
	})
	if err != nil {
		return err
	}
	defer closeAfter(l.ctx, conn)()
	defer func() { _ = conn.Close() }() // Nothing that was sent hangs on it.
	for i := range p.Count {
		out := echo(request, p.ID, uint16(i), p.Size) //nolint:gosec // A count of requests.
		if _, err := conn.WriteTo(out, &net.IPAddr{IP: p.To.AsSlice()}); err != nil {
			return fmt.Errorf("ping: %w", err)
		}
		if err := awaitEcho(conn, reply, out[4:8], p.Wait); err != nil {
			return fmt.Errorf("ping %s from %s: %w", p.To, p.From, err)
		}
	}
	return nil
}

// echo makes a request; over IPv6 the kernel puts the checksum right.
func echo(kind byte, id, seq uint16, size int) []byte {
	m := make([]byte, 8+size)
	m[0] = kind
	binary.BigEndian.PutUint16(m[4:], id)
	binary.BigEndian.PutUint16(m[6:], seq)
	sum := uint32(0)
	for i := range m {
		sum += uint32(m[i]) << (8 * (1 - i%2))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(m[2:], ^uint16(sum))
	return m
}

// awaitEcho waits for the reply with this id and number: a raw socket sees those of others too.
func awaitEcho(conn net.PacketConn, kind byte, want []byte, wait time.Duration) error {
	if err := conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return err
	}
	buf := make([]byte, maxDatagram)
	for {
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			return err
		}
		if n >= 8 && buf[0] == kind && bytes.Equal(buf[4:8], want) {
			return nil
		}
	}
}
