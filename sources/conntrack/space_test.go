package conntrack

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	timo "github.com/ti-mo/conntrack"
	"golang.org/x/sys/unix"
)

// space is a network namespace of a test.
type space struct {
	file *os.File
	path string
	conn *timo.Conn
}

// newSpace makes a network namespace that lives as long as the test and in which nobody but the test is.
func newSpace(t testing.TB) *space {
	t.Helper()
	s := &space{}
	made := make(chan error, 1)
	go func() {
		// The thread is never unlocked: it ends with the goroutine, and the host's namespace is not touched.
		runtime.LockOSThread()
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			s.file, err = os.Open(ownNetNS)
		}
		made <- err
	}()
	if err := <-made; err != nil {
		t.Skipf("needs root: cannot make a network namespace: %v", err)
	}
	t.Cleanup(func() { s.file.Close() })
	s.path = fmt.Sprintf("/proc/self/fd/%d", s.file.Fd())
	s.in(t, func() (err error) {
		s.conn, err = timo.Dial(nil)
		return err
	})
	t.Cleanup(func() { _ = s.conn.Close() })
	if _, err := s.conn.Stats(); err != nil {
		t.Skipf("needs a kernel with ctnetlink and CAP_NET_ADMIN: %v", err)
	}
	return s
}

// in calls f in the namespace.
func (s *space) in(t testing.TB, f func() error) {
	t.Helper()
	if err := inNetNS(s.path, f); err != nil {
		t.Fatal(err)
	}
}

// sysctl sets a switch of the namespace.
func (s *space) sysctl(t testing.TB, name, value string) {
	t.Helper()
	s.in(t, func() error { return os.WriteFile(filepath.Join(sysctlDir, name), []byte(value), 0o644) })
}

// config is the default configuration for this namespace.
func (s *space) config() *Config {
	c := defaults().(*Config)
	c.Netns = s.path
	return c
}

// create puts an entry into the table.
func (s *space) create(t testing.TB, flows ...timo.Flow) {
	t.Helper()
	for _, f := range flows {
		if err := s.conn.Create(f); err != nil {
			t.Fatalf("create %+v: %v", f, err)
		}
	}
}

func (s *space) remove(t testing.TB, flows ...timo.Flow) {
	t.Helper()
	for _, f := range flows {
		if err := s.conn.Delete(f); err != nil {
			t.Fatalf("delete %+v: %v", f, err)
		}
	}
}

// udpFlow makes the i-th of many flows that differ.
func udpFlow(i int) timo.Flow {
	src := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
	return timo.NewFlow(17, 0, src, netip.MustParseAddr("203.0.113.2"), uint16(1024+i%50000), 53, 600, 0)
}

func udpFlows(n int) []timo.Flow {
	fs := make([]timo.Flow, n)
	for i := range fs {
		fs[i] = udpFlow(i)
	}
	return fs
}

// traffic makes the namespace track what goes over its loopback.
func (s *space) traffic(t testing.TB) {
	t.Helper()
	nft, err := exec.LookPath("nft")
	if err != nil {
		t.Skip("needs nft, to make the kernel track")
	}
	s.in(t, func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		lo, err := unix.NewIfreq("lo")
		if err != nil {
			return err
		}
		lo.SetUint16(unix.IFF_UP | unix.IFF_LOOPBACK | unix.IFF_RUNNING)
		if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
			return err
		}
		cmd := exec.Command(nft, "-f", "-") // The child is in the namespace of this thread.
		cmd.Stdin = strings.NewReader("table inet t {\n chain c {\n type filter hook input priority 0\n" +
			"ct state new accept\n }\n}\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("nft: %w: %s", err, out)
		}
		return nil
	})
}

// echo sends n datagrams of size bytes of payload over the loopback, and each back; it gives the ports of the
// sender and of the receiver.
func (s *space) echo(t testing.TB, n, size int) (from, to uint16) {
	t.Helper()
	s.in(t, func() error {
		server, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return err
		}
		defer server.Close()
		client, err := net.DialUDP("udp4", nil, server.LocalAddr().(*net.UDPAddr))
		if err != nil {
			return err
		}
		defer client.Close()
		buf := make([]byte, size)
		for range n {
			if _, err := client.Write(buf); err != nil {
				return err
			}
			_, peer, err := server.ReadFromUDPAddrPort(buf)
			if err != nil {
				return err
			}
			if _, err := server.WriteToUDPAddrPort(buf, peer); err != nil {
				return err
			}
			if _, err := client.Read(buf); err != nil {
				return err
			}
		}
		from = uint16(client.LocalAddr().(*net.UDPAddr).Port)
		to = uint16(server.LocalAddr().(*net.UDPAddr).Port)
		return nil
	})
	return from, to
}

// fill puts n flows into the table, many in one message: TCP and UDP, a quarter of them IPv6.
func (s *space) fill(t testing.TB, n int) {
	t.Helper()
	var sock *socket
	s.in(t, func() (err error) { sock, err = dial(1<<16, new(atomic.Uint64)); return err })
	defer sock.close()
	const batch = 200
	for i := 0; i < n; i += batch {
		var b []byte
		for j := i; j < min(n, i+batch); j++ {
			b = append(b, request(msgNew, unix.NLM_F_REQUEST|unix.NLM_F_CREATE|unix.NLM_F_EXCL, filler(j))...)
		}
		var err error
		if raw := sock.raw.Control(func(fd uintptr) {
			err = unix.Sendto(int(fd), b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
		}); raw != nil || err != nil {
			t.Fatalf("fill: %v, %v", raw, err)
		}
	}
	size, err := askTableSize(sock)
	if err != nil || int(size.entries) < n {
		t.Fatalf("%d of %d entries are in the table: %v", size.entries, n, err)
	}
}

func request(typ, flags uint16, payload []byte) []byte {
	b := datagram(typ, 0, payload)
	binary.NativeEndian.PutUint16(b[6:], flags)
	return b
}

// filler is the i-th of many flows.
func filler(i int) []byte {
	src, dst := fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255), "203.0.113.2"
	family := byte(unix.AF_INET)
	if i%4 == 0 {
		src, dst = fmt.Sprintf("fd00::%x:%x", i>>16, i&0xffff), "2001:db8::1"
		family = unix.AF_INET6
	}
	proto := uint8(17)
	more := [][]byte{attr(7, be32(600)), attr(ctaStatus, be32(0xe))}
	if i%2 == 0 {
		proto = 6
		more = append(more, attr(4|nested, attr(1|nested, attr(1, []byte{3}))))
	}
	b := ct(append([][]byte{
		tupleAttr(ctaTupleOrig, src, dst, portsAttr(proto, uint16(1024+i%60000), 443)),
		tupleAttr(ctaTupleReply, dst, src, portsAttr(proto, 443, uint16(1024+i%60000))),
	}, more...)...)
	b[0] = family
	return b
}
