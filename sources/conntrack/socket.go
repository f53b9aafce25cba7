package conntrack

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

var (
	// errEmpty says that nothing is queued.
	errEmpty = errors.New("socket is empty")
	// errTruncated says that a datagram did not fit into the buffer.
	errTruncated = errors.New("netlink message longer than the read buffer")
)

// Message types of ctnetlink.
const (
	msgNew    = unix.NFNL_SUBSYS_CTNETLINK << 8
	msgGet    = unix.NFNL_SUBSYS_CTNETLINK<<8 | 1
	msgDelete = unix.NFNL_SUBSYS_CTNETLINK<<8 | 2
)

// socket is a netlink socket that is read without allocating, into one buffer. One goroutine reads; the
// other methods may be called by any.
type socket struct {
	conn *netlink.Conn
	raw  syscall.RawConn
	buf  []byte

	// What the last read gave; these are fields so that a read allocates nothing.
	n       int
	err     error
	from    unix.RawSockaddrNetlink
	fromLen uint32
	// These are read as functions, made once.
	waiting func(fd uintptr) bool
	polling func(fd uintptr)

	foreign *atomic.Uint64 // counts datagrams that the kernel did not send
}

// dial opens a socket in the network namespace of the calling thread.
func dial(bufLen int, foreign *atomic.Uint64) (*socket, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		conn.Close() //nolint:errcheck,gosec // The other error is the news.
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	s := &socket{conn: conn, raw: raw, buf: make([]byte, bufLen), foreign: foreign}
	s.waiting = s.read
	s.polling = func(fd uintptr) { s.read(fd) }
	return s, nil
}

// close makes a receive that waits return with an error.
func (s *socket) close() { _ = s.conn.Close() }

// receive waits for the next datagram, which is valid until the next call. The error is
// os.ErrDeadlineExceeded after the time of wakeAt, and ENOBUFS if the kernel dropped something; the queue is
// to be read on then.
func (s *socket) receive() ([]byte, error) {
	if err := s.raw.Read(s.waiting); err != nil {
		return nil, err
	}
	return s.received()
}

// poll is receive without waiting: if nothing is queued the error is errEmpty. It heeds no wakeAt.
func (s *socket) poll() ([]byte, error) {
	if err := s.raw.Control(s.polling); err != nil {
		return nil, err
	}
	return s.received()
}

func (s *socket) received() ([]byte, error) {
	switch {
	case s.err != nil:
		return nil, s.err
	case s.n > len(s.buf):
		return nil, errTruncated
	}
	return s.buf[:s.n], nil
}

// read is one recvfrom. It is false if there was nothing.
func (s *socket) read(fd uintptr) bool {
	for {
		s.fromLen = unix.SizeofSockaddrNetlink
		// unix.Recvfrom allocates the sender's address at each call.
		n, _, errno := unix.Syscall6(unix.SYS_RECVFROM, fd,
			uintptr(unsafe.Pointer(unsafe.SliceData(s.buf))), //nolint:gosec // The buffer is ours and of that length.
			uintptr(len(s.buf)), unix.MSG_DONTWAIT|unix.MSG_TRUNC,
			uintptr(unsafe.Pointer(&s.from)),    //nolint:gosec // As long as fromLen says.
			uintptr(unsafe.Pointer(&s.fromLen))) //nolint:gosec // A socklen_t.
		switch {
		case errno == unix.EINTR:
			continue
		case errno == unix.EAGAIN:
			s.err = errEmpty
			return false
		case errno != 0:
			s.err = errno
			return true
		case s.from.Pid != 0:
			// Another process may send to our address; only the kernel has number 0.
			s.foreign.Add(1)
			continue
		}
		s.n, s.err = int(n), nil
		return true
	}
}

// wakeAt makes a receive that waits return at t; the zero time means never.
func (s *socket) wakeAt(t time.Time) error { return s.conn.SetReadDeadline(t) }

// interrupt makes a receive that waits return now.
func (s *socket) interrupt() { _ = s.conn.SetReadDeadline(time.Unix(1, 0)) }

// interrupted says that a receive ended because of wakeAt or interrupt.
func interrupted(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

func (s *socket) join(group uint32) error {
	if err := s.conn.JoinGroup(group); err != nil {
		return fmt.Errorf("join group %d: %w", group, err)
	}
	return nil
}

func (s *socket) leave(group uint32) error { return s.conn.LeaveGroup(group) }

// setBuffer asks for a receive buffer, by force if that is allowed, and tells how much there is now in
// the same measure.
func (s *socket) setBuffer(size int) (int, error) {
	if err := s.conn.SetReadBuffer(size); err != nil {
		return 0, fmt.Errorf("set receive buffer: %w", err)
	}
	got, err := s.conn.ReadBuffer()
	if err != nil {
		return 0, fmt.Errorf("get receive buffer: %w", err)
	}
	return got / 2, nil // The kernel doubles what it is asked for, to pay for its own structures.
}

func (s *socket) setReliable(on bool) error {
	if err := s.conn.SetOption(netlink.BroadcastError, on); err != nil {
		return fmt.Errorf("set broadcast error: %w", err)
	}
	return nil
}

// memInfo is what SO_MEMINFO tells, as far as it is used.
type memInfo struct {
	queued, limit uint32 // bytes
	drops         uint32 // datagrams since the socket was opened; wraps
}

// Places in the array that SO_MEMINFO fills.
const (
	meminfoQueued = 0
	meminfoLimit  = 1
	meminfoDrops  = 8
)

func (s *socket) memInfo() (m memInfo, err error) {
	var v [9]uint32
	var errno syscall.Errno
	err = s.raw.Control(func(fd uintptr) {
		size := uint32(unsafe.Sizeof(v))
		_, _, errno = unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&v)),       //nolint:gosec // As long as size says.
			uintptr(unsafe.Pointer(&size)), 0) //nolint:gosec // A socklen_t.
	})
	if err == nil && errno != 0 {
		err = errno
	}
	if err != nil {
		return memInfo{}, fmt.Errorf("read SO_MEMINFO: %w", err)
	}
	return memInfo{queued: v[meminfoQueued], limit: v[meminfoLimit], drops: v[meminfoDrops]}, nil
}
