package conntrack

import (
	"context"
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"weir/columns"
	"weir/messages"
	"weir/sources"
)

// BenchmarkDump compares one dump of the table, in CPU time of the whole process (user and system), with
// the least that is possible: a loop that only receives and counts messages. Both run by turns, so that a busy
// machine slows both.
func BenchmarkDump(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 200_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := newSpace(b)
			var size tableSize
			s.in(b, func() error {
				sock, err := dial(tableSizeAnswerBytes, &(&metrics{}).foreign)
				if err != nil {
					return err
				}
				defer sock.close()
				size, err = askTableSize(sock)
				return err
			})
			if int(size.limit) < n {
				b.Skipf("nf_conntrack_max is %d; it belongs to the host, which is not ours to change", size.limit)
			}
			s.sysctl(b, sysctlAcct, "1")
			s.sysctl(b, sysctlTimestamp, "1")
			s.fill(b, n)
			b.Run("bare", func(b *testing.B) { benchDump(b, s, n, s.bareDump(b)) })
			b.Run("weir", func(b *testing.B) { benchDump(b, s, n, s.ownDump(b)) })
			b.Run("library", func(b *testing.B) {
				benchDump(b, s, n, func() int {
					flows, err := s.conn.Dump(nil)
					if err != nil {
						b.Fatal(err)
					}
					return len(flows)
				})
			})
		})
	}
}

// benchDump measures dumps and the bare loop by turns.
func benchDump(b *testing.B, s *space, n int, dump func() int) {
	b.Helper()
	bare := s.bareDump(b)
	var own, least time.Duration
	var mallocs, bytes, peak uint64
	var before, after runtime.MemStats
	for b.Loop() {
		least += cpuOf(b, n, bare)
		runtime.GC()
		runtime.ReadMemStats(&before)
		own += cpuOf(b, n, dump)
		runtime.ReadMemStats(&after)
		mallocs += after.Mallocs - before.Mallocs
		bytes += after.TotalAlloc - before.TotalAlloc
		peak = max(peak, after.HeapSys-after.HeapReleased)
	}
	flows := float64(n) * float64(b.N)
	b.ReportMetric(0, "ns/op") // The wall time of both by turns says nothing.
	b.ReportMetric(float64(own.Nanoseconds())/flows, "cpu-ns/flow")
	b.ReportMetric(float64(own)/float64(least), "x-bare")
	b.ReportMetric(float64(mallocs)/flows, "allocs/flow")
	b.ReportMetric(float64(bytes)/flows, "B/flow")
	b.ReportMetric(float64(peak)/(1<<20), "heap-MiB")
}

// cpuOf is the CPU time that the process took for one dump of n flows.
func cpuOf(b *testing.B, n int, dump func() int) time.Duration {
	b.Helper()
	before := cpu(b)
	if got := dump(); got < n {
		b.Fatalf("%d of %d flows", got, n)
	}
	return cpu(b) - before
}

func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// count is a writer that counts.
type count struct{ n int }

func (*count) Snapshot(uint64)                            {}
func (*count) Tell(context.Context, *messages.Fact) error { return nil }

func (*count) Flush(context.Context) error { return nil }
func (c *count) Add(context.Context, *messages.Update, *messages.Key, []columns.Tag) error {
	c.n++
	return nil
}

// ownDump makes a function that dumps with the source's dumper.
func (s *space) ownDump(t testing.TB) func() int {
	t.Helper()
	src := newSource(*s.config(), sources.Core{Out: newFakeOut()})
	var d *dumper
	s.in(t, func() (err error) { d, err = src.newDumper(); return err })
	t.Cleanup(d.sock.close)
	return func() int {
		w := &count{}
		d.writer = w
		if _, err := d.dump(context.Background(), time.Now(), time.Time{}); err != nil {
			t.Fatal(err)
		}
		return w.n
	}
}

// bareDump makes a function that receives a dump on a blocking socket and counts messages: what the kernel alone costs.
func (s *space) bareDump(t testing.TB) func() int {
	t.Helper()
	var fd int
	s.in(t, func() (err error) {
		fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
		return err
	})
	t.Cleanup(func() { unix.Close(fd) })
	buf := make([]byte, 32<<10)
	ask := request(msgGet, unix.NLM_F_REQUEST|unix.NLM_F_DUMP, make([]byte, nfgenLen))
	kernel := &unix.SockaddrNetlink{Family: unix.AF_NETLINK}
	return func() (flows int) {
		if err := unix.Sendto(fd, ask, 0, kernel); err != nil {
			t.Fatal(err)
		}
		for {
			n, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(fd),
				uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0, 0, 0)
			if errno == unix.EINTR {
				continue
			}
			if errno != 0 {
				t.Fatal(errno)
			}
			for b := buf[:n]; len(b) >= headerLen; {
				if binary.NativeEndian.Uint16(b[4:]) == unix.NLMSG_DONE {
					return flows
				}
				flows++
				b = after(b, int(binary.NativeEndian.Uint32(b)))
			}
		}
	}
}

// TestADumpAllocatesNothingForAFlow compares dumps of two tables: the larger one may cost no more memory.
func TestADumpAllocatesNothingForAFlow(t *testing.T) {
	measure := func(n int) (mallocs, bytes uint64) {
		s := newSpace(t)
		s.fill(t, n)
		dump := s.ownDump(t)
		mallocs, bytes = 1<<62, 1<<62
		for range 3 { // The least of three, since other goroutines allocate too.
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if got := dump(); got < n {
				t.Fatalf("%d of %d flows", got, n)
			}
			runtime.ReadMemStats(&after)
			mallocs, bytes = min(mallocs, after.Mallocs-before.Mallocs), min(bytes, after.TotalAlloc-before.TotalAlloc)
		}
		return mallocs, bytes
	}
	smallMallocs, smallBytes := measure(500)
	largeMallocs, largeBytes := measure(20_000)
	if largeMallocs > smallMallocs+20 || largeBytes > smallBytes+8<<10 {
		t.Errorf("500 flows took %d allocations of %d bytes, 20000 flows %d of %d",
			smallMallocs, smallBytes, largeMallocs, largeBytes)
	}
}

// BenchmarkDecode is a record of the size that the kernel sends, from memory to update.
func BenchmarkDecode(b *testing.B) {
	payload := ct(tupleAttr(ctaTupleOrig, "192.168.10.2", "203.0.113.9", portsAttr(6, 4001, 443)),
		tupleAttr(ctaTupleReply, "203.0.113.9", "203.0.113.1", portsAttr(6, 443, 4001)), attr(ctaStatus, be32(0x18e)),
		attr(4|nested, attr(1|nested, attr(1, []byte{3}), attr(2, []byte{7}), attr(3, []byte{7}), attr(4, be16(0x1)),
			attr(5, be16(1)))),
		attr(7, be32(100)), countersAttr(ctaCountersOrig, 3, 400), countersAttr(ctaCountersReply, 3, 400),
		attr(ctaTimestamp|nested, attr(ctaTimestampStart, be64(11))), attr(ctaMark, be32(0)), attr(ctaID, be32(9)),
		attr(11, be32(1)))
	var r record
	var build builder
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		if err := r.decode(payload); err != nil {
			b.Fatal(err)
		}
		if u, _, _ := build.build(&r); u.Kind != messages.Absolute {
			b.Fatal(u)
		}
	}
}
