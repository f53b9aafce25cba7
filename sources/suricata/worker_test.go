package suricata

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"weir/sources"
)

// hold makes a writer that stands still until a channel is closed.
func hold(release <-chan struct{}) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// heap is what is live.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestSlowConsumer(t *testing.T) {
	release, sent := make(chan struct{}), 0
	c := configure(t)
	c.Datagram = c.Stream + "d"
	r := run(t, c, &fakeOut{onAdd: hold(release)}, false)
	before := heap()
	conn := dial(t, "unix", c.Stream)
	block := strings.Repeat(strings.Repeat("x", 599)+"\n", 100)
	for range 1000 {
		send(t, conn, block) // The source reads on, or this would stand still.
		sent += 100
	}
	gram := dial(t, "unixgram", c.Datagram)
	for range 100 {
		send(t, gram, "datagram\n")
		sent++
	}
	r.wantMetric("lines_total", float64(sent))
	if bytes, lines := r.queue.level(); bytes > int(c.Queue) || lines > maxLines || lines < maxLines/2 {
		t.Errorf("the queue holds %d bytes and %d lines", bytes, lines)
	}
	if grown := heap() - before; grown > 2*int64(c.Queue) {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	if h := r.Health(); h.State != sources.Degraded || !strings.Contains(h.Detail, "faster than they can be used") {
		t.Errorf("%+v", h)
	}
	dropped := int(r.metric("dropped_events_total"))
	if dropped == 0 || dropped >= sent {
		t.Errorf("%d of %d lines were dropped", dropped, sent)
	}
	close(release)
	until(t, "the rest is handed over", func() bool { return len(r.out.names()) == sent-dropped })
	until(t, "the loss is told", func() bool { return r.out.lost("came faster") == uint64(dropped) })
	send(t, conn, "all is well\n")
	until(t, "it goes on", func() bool { n := r.out.names(); return n[len(n)-1] == "all is well" })
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}

// TestEndWithAStuckConsumer has a consumer that never takes anything: the source ends all the same.
func TestEndWithAStuckConsumer(t *testing.T) {
	c := configure(t)
	r := run(t, c, &fakeOut{onAdd: hold(nil)}, false)
	send(t, dial(t, "unix", c.Stream), strings.Repeat("line\n", 500))
	r.wantMetric("lines_total", 500)
	began := time.Now()
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 5*time.Second { // A second on a machine that has nothing else to do.
		t.Errorf("it took %s to end", took)
	}
	if n := r.out.lost("still queued"); n != 500 {
		t.Errorf("%d lines are told as lost", n)
	}
}

// TestEndDrains sends just before the end.
func TestEndDrains(t *testing.T) {
	c := configure(t)
	r := run(t, c, &fakeOut{}, false)
	conn := dial(t, "unix", c.Stream)
	send(t, conn, "first\n")
	r.wantNames("first")
	send(t, conn, strings.Repeat("line\n", 1000))
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if n := len(r.out.names()); n != 1001 {
		t.Errorf("%d lines were handed over, want 1001", n)
	}
	if n := r.out.lost(""); n != 0 {
		t.Errorf("%d are told as lost", n)
	}
}

func TestPanicIsAFailure(t *testing.T) {
	c := configure(t)
	r := run(t, c, &fakeOut{}, false)
	send(t, dial(t, "unix", c.Stream), "one\npanic\ntwo\nthree\n")
	<-r.ended
	if r.err == nil || !strings.Contains(r.err.Error(), "cannot bear") {
		t.Fatalf("the panic did not surface: %v", r.err)
	}
	if _, err := os.Lstat(c.Stream); err == nil {
		t.Error("the socket stays behind")
	}
	if n := r.out.lost("still queued"); n != 3 {
		t.Errorf("%d lines are told as lost, want 3", n)
	}
	again := run(t, c, &fakeOut{}, false)
	send(t, dial(t, "unix", c.Stream), "four\n")
	again.wantNames("four")
}

// TestGarbage sends what no Suricata would, from many at once, while one of them is sound.
func TestGarbage(t *testing.T) {
	c := configure(t)
	r := run(t, c, &fakeOut{only: "Name:good "}, false)
	noise, endless := make([]byte, 256<<10), make([]byte, 1<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(noise)
	before := heap()
	good := dial(t, "unix", c.Stream)
	for i := range maxConnections - 1 {
		conn := dial(t, "unix", c.Stream)
		go func() {
			_, _ = conn.Write(noise[i*1000:])
			for range 3 { // A line of 3 MiB that does not end.
				_, _ = conn.Write(endless)
			}
		}()
	}
	for i := range 1000 {
		send(t, good, fmt.Sprintf("good %d\n", i))
	}
	until(t, "all is read", func() bool { return r.metric("received_bytes_total") > (maxConnections-1)*3*(1<<20) })
	held := 4*int64(c.MaxLine) + maxConnections*lineBuffer + int64(c.Queue)
	if grown := heap() - before; grown > held+2<<20 {
		t.Errorf("the heap has grown by %d bytes, bound to hold %d", grown, held)
	}
	if left := r.readers[0].(*streams).allowance.left.Load(); left < 0 {
		t.Errorf("the long lines have %d bytes more than allowed", -left)
	}
	if n := r.metric("oversize_events_total"); n == 0 {
		t.Error("lines of 3 MiB were not skipped")
	}
	until(t, "the sound one is heard", func() bool {
		return len(r.out.names())+int(r.metric("dropped_events_total")) >= 1000
	})
	runtime.KeepAlive(endless)
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}

// TestReconnects connects a thousand times, each time with half a line at the end.
func TestReconnects(t *testing.T) {
	c := configure(t)
	r := run(t, c, &fakeOut{}, false)
	const times = 1000
	for i := range times {
		conn, err := net.Dial("unix", c.Stream)
		if err != nil {
			t.Fatal(err)
		}
		send(t, conn, fmt.Sprintf("line %d\nhalf", i))
		conn.Close()
		if i%20 == 19 { // No more at once than may be open.
			r.wantMetric("connections_total", float64(i+1))
			r.wantMetric("connections", 0)
		}
	}
	until(t, "all lines", func() bool { return len(r.out.names()) == times-int(r.metric("refused_connections_total")) })
	if n := r.metric("refused_connections_total"); n > 0 {
		t.Errorf("%v were refused", n)
	}
	r.wantMetric("partial_events_total", times)
	until(t, "all ends are handed over", func() bool { return len(r.out.all()) == 2*times })
}

// TestMillionLines sends as many lines as the busiest router has in a minute. Whether they are all used depends on
// the machine; that each is used or counted does not.
func TestMillionLines(t *testing.T) {
	c := configure(t)
	r := run(t, c, &fakeOut{}, false)
	conn := dial(t, "unix", c.Stream)
	const lines = 1_000_000
	block, most := strings.Repeat("{\"timestamp\":\"2026-11-22T21:09:28.643083+0000\"}\n", 1000), 0
	for range lines / 1000 {
		send(t, conn, block)
		bytes, _ := r.queue.level()
		most = max(most, bytes)
	}
	r.wantMetric("lines_total", lines)
	if most > int(c.Queue) {
		t.Errorf("the queue held %d bytes", most)
	}
	until(t, "each line is used or counted", func() bool {
		r.out.mu.Lock()
		defer r.out.mu.Unlock()
		return len(r.out.said)+int(r.metric("dropped_events_total")) == lines
	})
}

// TestEndsThoughNothingStarts: a core that stops the source while that begins starts no goroutine of it any more.
func TestEndsThoughNothingStarts(t *testing.T) {
	src, err := configure(t).New(sources.Core{
		Name: "suricata", Log: zerolog.Nop(), Out: &fakeOut{},
		Go: func(context.Context, string, func(context.Context) error) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ended := make(chan error, 1)
	go func() { ended <- src.Run(ctx, func() {}) }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the source does not end")
	}
}
