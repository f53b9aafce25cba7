package suricata

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// datagramBuffer is more than the kernel lets a sender send with its default settings.
	datagramBuffer = 256 << 10
	qlenFile       = "/proc/sys/net/unix/max_dgram_qlen"
	// fewDatagrams is a queue in which bursts do not fit: with 10 of them, 5 to 15 % of all events were lost.
	fewDatagrams = 64
	// manyDatagrams is what to set, as systemd does.
	manyDatagrams = 512
)

// datagrams reads a datagram socket. Who sent a datagram is not known, so that all come as one connection.
type datagrams struct {
	intake
	socket *boundSocket
	conn   *net.UnixConn
	number uint64
}

func (in *intake) openDatagrams(c *Config) (*datagrams, error) {
	socket, err := socketConfig{
		key: "datagram", path: c.Datagram, group: c.Group, typ: unix.SOCK_DGRAM, mode: uint32(c.Mode),
	}.bind()
	if err != nil {
		return nil, err
	}
	conn, err := socket.packets()
	if err != nil {
		return nil, errors.Join(err, socket.close())
	}
	return &datagrams{intake: *in, socket: socket, conn: conn, number: in.stats.numbered()}, nil
}

// run reads until it is interrupted.
func (d *datagrams) run(context.Context) error {
	buf := make([]byte, datagramBuffer)
	for {
		n, _, flags, _, err := d.conn.ReadMsgUnix(buf, nil)
		switch {
		case errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			return fmt.Errorf("read from %s: %w", d.socket.path, err)
		}
		d.received(n)
		d.stats.datagrams.Add(1)
		if flags&unix.MSG_TRUNC != 0 {
			d.losses.add(truncated, 1)
			continue
		}
		d.datagram(buf[:n])
	}
}

// datagram takes the lines of a datagram, which is one unless somebody else than Suricata wrote it.
func (d *datagrams) datagram(b []byte) {
	for raw := range bytes.SplitSeq(b, []byte{'\n'}) {
		raw = bytes.TrimSuffix(raw, []byte{'\r'})
		switch {
		case len(raw) == 0:
		case len(raw) > d.maxLine:
			d.losses.add(oversize, 1)
		default:
			d.offer(d.number, raw)
		}
	}
}

func (d *datagrams) interrupt() { _ = d.conn.SetReadDeadline(time.Now().Add(grace)) }

func (d *datagrams) close() error {
	_ = d.conn.Close()
	return d.socket.close()
}

// datagramQueue is how many datagrams the kernel keeps for a socket that is made now; 0 if it does not say.
func datagramQueue() int {
	b, err := os.ReadFile(qlenFile)
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0
	}
	return n
}
