package conntrack

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/units"
	"weir/messages"
	"weir/sources"
)

// of are the updates of one status that events brought.
func (o *fakeOut) of(s messages.Status) []posted {
	var ps []posted
	for _, p := range o.all() {
		if p.mode == sources.Shed && p.Status == s {
			ps = append(ps, p)
		}
	}
	return ps
}

func TestEventsOfRealTraffic(t *testing.T) {
	s := newSpace(t)
	s.traffic(t)
	r := run(t, s.config(), newFakeOut())
	before := time.Now()
	from, to := s.echo(t, 3, 100)
	r.out.wait(t, "no start was told", func() bool { return len(r.out.of(messages.Started)) == 1 })
	want := key(17, 0, end("127.0.0.1", from), end("127.0.0.1", to))
	started := r.out.of(messages.Started)[0]
	if started.Key != want || started.Kind != messages.NoCounters || started.ID == 0 ||
		started.Flags&(messages.Oriented|messages.Baseline) != messages.Oriented {
		t.Errorf("start = %+v", started)
	}
	if err := s.conn.Flush(); err != nil {
		t.Fatal(err)
	}
	r.out.wait(t, "no end was told", func() bool { return len(r.out.of(messages.Ended)) == 1 })
	ended := r.out.of(messages.Ended)[0]
	moved := messages.Counter{Packets: 3, Bytes: 3 * 128}
	if ended.Key != want || ended.Kind != messages.Absolute || ended.Counters != [2]messages.Counter{moved, moved} ||
		ended.ID != started.ID || ended.Flags != started.Flags || ended.alias != nil {
		t.Errorf("end = %+v", ended)
	}
	if ended.Start < before.UnixNano() || ended.Stop < ended.Start || ended.Stop > time.Now().UnixNano() {
		t.Errorf("began %d, ended %d; now is %d", ended.Start, ended.Stop, time.Now().UnixNano())
	}
	if r.metric(t, "new_events_total") != 1 || r.metric(t, "destroy_events_total") != 1 {
		t.Errorf("metrics: %+v", r.Health())
	}
	if h := r.Health(); h.State != sources.Running || h.Detail != "" {
		t.Errorf("health = %+v", h)
	}
	if err := r.stop(); err != nil {
		t.Errorf("run = %v", err)
	}
}

func TestNothingIsAnnouncedUnlessAsked(t *testing.T) {
	s := newSpace(t)
	cfg := s.config()
	cfg.Announce = false
	r := run(t, cfg, newFakeOut())
	s.create(t, udpFlow(1))
	s.remove(t, udpFlow(1))
	r.out.wait(t, "no end was told", func() bool { return len(r.out.of(messages.Ended)) == 1 })
	if n := len(r.out.of(messages.Started)); n != 0 {
		t.Errorf("%d starts", n)
	}
}

// TestOverrun makes the kernel drop events and counts: what was sent is what was heard plus what was told as lost.
func TestOverrun(t *testing.T) {
	s := newSpace(t)
	cfg := s.config()
	cfg.EventsBuffer, cfg.Announce = minEventsBuffer, false
	r := run(t, cfg, newFakeOut())
	const n, alive = 3000, 50
	s.fill(t, n)
	begun := time.Now()
	if err := s.conn.Flush(); err != nil {
		t.Fatal(err)
	}
	lost := func() (sum uint64) {
		for _, l := range r.out.allLosses() {
			sum += l.Count
		}
		return sum
	}
	r.out.wait(t, "ends are missing", func() bool { return uint64(len(r.out.of(messages.Ended)))+lost() == n })
	ls := r.out.allLosses()
	if len(ls) == 0 {
		t.Fatal("there was no overrun")
	}
	for _, l := range ls {
		if l.Kind != messages.LossOverrun || l.Source != "conntrack" || l.Span.End.Before(l.Span.Start) ||
			l.Span.Start.Before(begun.Add(-2*idle)) || l.Span.End.After(time.Now()) || l.Detail == "" {
			t.Errorf("loss = %+v", l)
		}
	}
	t.Logf("%d heard, %d lost in %d overruns", len(r.out.of(messages.Ended)), lost(), len(ls))
	if got := r.metric(t, "lost_events_total"); got != float64(lost()) {
		t.Errorf("lost_events_total = %v, told as lost: %d", got, lost())
	}
	if got := r.metric(t, "enobufs_total"); got != float64(len(ls)) {
		t.Errorf("enobufs_total = %v, %d losses", got, len(ls))
	}
	r.out.wait(t, "no dump after the overrun", func() bool { return r.metric(t, "redumps_total") == 1 })

	// It goes on as before, and does not dump again at once.
	s.create(t, udpFlows(alive)...)
	heard := len(r.out.of(messages.Ended))
	s.remove(t, udpFlows(1)...)
	r.out.wait(t, "events stopped", func() bool { return len(r.out.of(messages.Ended)) == heard+1 })
	s.fill(t, n)
	if err := s.conn.Flush(); err != nil {
		t.Fatal(err)
	}
	r.out.wait(t, "ends are missing after a second overrun", func() bool {
		return uint64(len(r.out.of(messages.Ended)))+lost() == 2*n+alive
	})
	if got := r.metric(t, "redumps_total"); got != 1 {
		t.Errorf("redumps_total = %v", got)
	}
}

// TestTheSpanOfAnOverrun stalls the reader while the kernel drops: the span must hold that time, not just what came
// after it.
func TestTheSpanOfAnOverrun(t *testing.T) {
	s := newSpace(t)
	out := newFakeOut()
	held, release := make(chan struct{}, 1), make(chan struct{})
	out.onAdd = func(context.Context, sources.Mode) error {
		select {
		case held <- struct{}{}:
			<-release
		default:
		}
		return nil
	}
	cfg := s.config()
	// Room for far more events than are read between two looks at the clock.
	cfg.EventsBuffer, cfg.Announce = units.MiB, false
	r := run(t, cfg, out)
	s.create(t, udpFlow(1))
	s.remove(t, udpFlow(1))
	<-held
	s.fill(t, 5000)
	begun := time.Now()
	if err := s.conn.Flush(); err != nil {
		t.Fatal(err)
	}
	done := time.Now()
	close(release)
	out.wait(t, "no overrun", func() bool { return len(out.allLosses()) == 1 })
	l := out.allLosses()[0]
	if l.Span.Start.After(begun) || l.Span.End.Before(done) {
		t.Errorf("the kernel dropped from %v to %v at the latest, the loss spans %v", begun, done, l.Span)
	}
	out.wait(t, "ends are missing", func() bool { return uint64(len(out.of(messages.Ended)))+l.Count == 5001 })
	if n := r.metric(t, "destroy_events_total"); n < 2*clockEvery {
		t.Errorf("only %v events were queued", n)
	}
}

// TestReliable has the kernel keep what it cannot deliver.
func TestReliable(t *testing.T) {
	s := newSpace(t)
	cfg := s.config()
	cfg.EventsBuffer, cfg.Announce, cfg.Reliable = minEventsBuffer, false, true
	r := run(t, cfg, newFakeOut())
	const n = 500
	s.fill(t, n)
	if err := s.conn.Flush(); err != nil {
		t.Fatal(err)
	}
	distinct := func() int {
		keys := map[messages.Key]bool{}
		for _, p := range r.out.of(messages.Ended) {
			keys[p.Key] = true
		}
		return len(keys)
	}
	r.out.wait(t, "ends are missing", func() bool { return distinct() == n })
	if ls := r.out.allLosses(); len(ls) != 0 {
		t.Errorf("losses: %+v", ls)
	}
	if r.metric(t, "delayed_events_total") == 0 || r.metric(t, "reliable") != 1 {
		t.Errorf("there was no overrun: %+v", r.Health().Metrics)
	}
	for _, on := range []bool{false, true} {
		if err := r.switchReliable(on); err != nil {
			t.Fatal(err)
		}
		if h := r.Health(); (h.State == sources.Running) != on || (h.Detail == "") != on {
			t.Errorf("reliable %v: health %+v", on, h)
		}
		if got := option(t, r.ends.sock, unix.NETLINK_BROADCAST_ERROR) != 0; got != on {
			t.Errorf("reliable %v: the socket's option is %v", on, got)
		}
	}
}

// option reads an option of a netlink socket.
func option(t *testing.T, s *socket, opt int) (v int) {
	t.Helper()
	var err error
	raw := s.raw.Control(func(fd uintptr) { v, err = unix.GetsockoptInt(int(fd), unix.SOL_NETLINK, opt) })
	if e := errors.Join(raw, err); e != nil {
		t.Fatal(e)
	}
	return v
}

// TestTheLastEventsArePosted ends the source while events wait in the socket.
func TestTheLastEventsArePosted(t *testing.T) {
	s := newSpace(t)
	out := newFakeOut()
	held, release := make(chan struct{}, 1), make(chan struct{})
	out.onAdd = func(context.Context, sources.Mode) error {
		select {
		case held <- struct{}{}:
		default:
		}
		<-release
		return nil
	}
	cfg := s.config()
	cfg.Announce = false
	r := run(t, cfg, out)
	s.create(t, udpFlows(300)...)
	if err := s.conn.Flush(); err != nil {
		t.Fatal(err)
	}
	<-held
	r.cancel()
	close(release)
	if err := r.stop(); err != nil {
		t.Errorf("run = %v", err)
	}
	if n := len(out.of(messages.Ended)); n != 300 {
		t.Errorf("%d of 300 ends were posted", n)
	}
}

func TestSocketsThatDie(t *testing.T) {
	s := newSpace(t)
	s.create(t, udpFlow(1))
	for round := range 3 {
		r := run(t, s.config(), newFakeOut())
		if taken, err := r.Snapshot(t.Context(), messages.SnapshotRequest{Seq: 1}); err != nil || taken.Records != 1 {
			t.Fatalf("round %d: snapshot %+v, %v", round, taken, err)
		}
		r.Sever()
		<-r.ended
		if r.err == nil {
			t.Errorf("round %d: run returned no error", round)
		}
		if _, err := r.Snapshot(t.Context(), messages.SnapshotRequest{Seq: 2}); err == nil {
			t.Errorf("round %d: a snapshot after the end", round)
		}
	}
}

func TestOneDeadSocketIsEnough(t *testing.T) {
	s := newSpace(t)
	r := run(t, s.config(), newFakeOut())
	r.starts.sock.close()
	<-r.ended
	if r.err == nil || !strings.Contains(r.err.Error(), "starts") {
		t.Errorf("run = %v", r.err)
	}
}

func TestRunBeforeAndAfter(t *testing.T) {
	s := newSpace(t)
	src := newSource(*s.config(), sources.Core{Name: "conntrack", Out: newFakeOut()})
	src.Sever()
	if _, err := src.Snapshot(t.Context(), messages.SnapshotRequest{}); !errors.Is(err, errNotRunning) {
		t.Errorf("snapshot before run: %v", err)
	}
	if h := src.Health(); h.State != sources.Starting {
		t.Errorf("health before run: %+v", h)
	}
	cfg := s.config()
	cfg.Netns = "is-not-there"
	if _, err := tryRun(t, cfg, newFakeOut()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("run in a namespace that is not there: %v", err)
	}
}

func TestForeignersAreIgnored(t *testing.T) {
	s := newSpace(t)
	cfg := s.config()
	cfg.Announce = false
	r := run(t, cfg, newFakeOut())
	var other *socket
	s.in(t, func() (err error) { other, err = dial(1<<12, &r.metrics.malformed); return err })
	defer other.close()
	fake := datagram(msgDelete, 0, ct(udp()))
	var err error
	if e := other.raw.Control(func(fd uintptr) {
		err = unix.Sendto(int(fd), fake, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Pid: r.ends.sock.conn.PID()})
	}); e != nil || err != nil {
		t.Fatal(e, err)
	}
	r.out.wait(t, "the foreigner was not counted", func() bool { return r.metric(t, "foreign_total") == 1 })
	s.create(t, udpFlow(1))
	s.remove(t, udpFlow(1))
	r.out.wait(t, "no end was told", func() bool { return len(r.out.of(messages.Ended)) > 0 })
	if ended := r.out.of(messages.Ended); len(ended) != 1 || ended[0].Key.A.IP().String() != "10.0.0.1" {
		t.Errorf("ends = %+v", ended)
	}
}

// The end of a flow that cannot be read is told as loss; the start of one costs nothing.
func TestAnEndThatCannotBeRead(t *testing.T) {
	out := newFakeOut()
	s := newSource(*config(), sources.Core{Name: "conntrack", Out: out})
	ends := &listener{
		want: msgDelete, writer: out.Writer(0), heard: &s.metrics.destroys, malformed: &s.metrics.malformed,
		unread: s.onUnread,
	}
	starts := &listener{want: msgNew, writer: out.Writer(0), heard: &s.metrics.starts, malformed: &s.metrics.malformed}
	if err := ends.datagram(t.Context(), datagram(msgDelete, 0, []byte{0, 0, 0, 0})); err != nil {
		t.Fatal(err)
	}
	if err := starts.datagram(t.Context(), datagram(msgNew, 0, []byte{0, 0, 0, 0})); err != nil {
		t.Fatal(err)
	}
	if len(out.losses) != 1 || out.losses[0].Kind != messages.LossUnseen || out.losses[0].Count != 1 {
		t.Errorf("losses %+v", out.losses)
	}
	if n := s.metrics.malformed.Load(); n != 2 {
		t.Errorf("%d malformed, want 2", n)
	}
}
