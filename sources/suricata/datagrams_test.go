package suricata

import (
	"net"
	"strings"
	"testing"

	"weir/sources"
)

func TestDatagrams(t *testing.T) {
	c := configure(t)
	c.Stream, c.Datagram = "", c.Stream
	r := run(t, c, &fakeOut{}, false)
	if h := r.Health(); !strings.Contains(h.Detail, "nothing came to "+c.Datagram) {
		t.Errorf("%+v", h)
	}
	conn := dial(t, "unixgram", c.Datagram)
	long := strings.Repeat("x", 64<<10)
	// One each time, so that the kernel's queue is never full.
	for i, text := range []string{"one\n", "two", "three\r\n\nfour\n", "\n", long + "\n"} {
		send(t, conn, text)
		r.wantMetric("datagrams_total", float64(i+1))
	}
	r.wantNames("one", "two", "three", "four", long)
	if h := r.Health(); strings.Contains(h.Detail, "nothing came") {
		t.Errorf("%+v", h)
	}
}

// sendLong sends more than the kernel lets a sender send unless it is allowed to.
func sendLong(t *testing.T, path, text string) {
	t.Helper()
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetWriteBuffer(2 * len(text)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte(text)); err != nil {
		t.Skipf("the kernel does not let us send %d bytes: %v", len(text), err)
	}
}

func TestOversizeDatagrams(t *testing.T) {
	c := configure(t)
	c.Stream, c.Datagram, c.MaxLine = "", c.Stream, 100<<10
	r := run(t, c, &fakeOut{}, false)
	conn := dial(t, "unixgram", c.Datagram)
	send(t, conn, strings.Repeat("x", 100<<10+1))
	r.wantMetric("oversize_events_total", 1)
	send(t, conn, "after")
	r.wantNames("after")
}

func TestTruncatedDatagrams(t *testing.T) {
	c := configure(t)
	c.Stream, c.Datagram = "", c.Stream
	r := run(t, c, &fakeOut{}, false)
	sendLong(t, c.Datagram, strings.Repeat("y", datagramBuffer+1))
	r.wantMetric("truncated_events_total", 1)
	send(t, dial(t, "unixgram", c.Datagram), "after")
	r.wantNames("after")
	until(t, "the loss is told", func() bool { return r.out.lost("buffer for datagrams") == 1 })
}

func TestFewDatagramsAreTold(t *testing.T) {
	for n, want := range map[int]sources.State{0: sources.Running, 10: sources.Degraded, 512: sources.Running} {
		s := newSource(*defaults().(*Config), sources.Core{})
		s.ready.Store(true)
		s.judgeQueue(n)
		h := s.Health()
		if told := strings.Contains(h.Detail, "sysctl -w net.unix.max_dgram_qlen=512"); h.State != want ||
			told != (want == sources.Degraded) {
			t.Errorf("%d: %+v", n, h)
		}
	}
}
