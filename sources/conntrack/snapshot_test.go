package conntrack

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/messages"
	"weir/sources"
)

// dumps are the updates that dumps of one number brought.
func (o *fakeOut) dumps(seq uint64) (n int) {
	for _, p := range o.all() {
		if p.mode == sources.Wait && p.snapshot == seq {
			n++
		}
	}
	return n
}

func TestSnapshotThatIsBrokenOff(t *testing.T) {
	s := newSpace(t)
	const n = 2000
	out := newFakeOut()
	stall := make(chan struct{}, 1)
	out.onAdd = func(ctx context.Context, m sources.Mode) error {
		if m != sources.Wait {
			return nil
		}
		select {
		case <-stall:
			<-ctx.Done() // A shard without credit until the deadline.
			return ctx.Err()
		default:
			return nil
		}
	}
	r := run(t, s.config(), out)
	s.fill(t, n)
	for seq := uint64(1); seq <= 2*patience; seq++ { // The deadline is nobody's fault, however often.
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		stall <- struct{}{}
		taken, err := r.Snapshot(ctx, messages.SnapshotRequest{Seq: seq})
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || taken.Complete || !errors.Is(taken.Err, err) {
			t.Fatalf("snapshot %d = %+v, %v", seq, taken, err)
		}
	}
	taken, err := r.Snapshot(t.Context(), messages.SnapshotRequest{Seq: 100})
	if err != nil || !taken.Complete || taken.Records != n || out.dumps(100) != n {
		t.Errorf("snapshot after these = %+v, %v; %d posted", taken, err, out.dumps(100))
	}
	if got := r.metric(t, "failed_dumps_total"); got != 2*patience {
		t.Errorf("failed_dumps_total = %v", got)
	}
	if h := r.Health(); h.State != sources.Running {
		t.Errorf("health = %+v", h)
	}
}

func TestDumpsThatFailEndTheSource(t *testing.T) {
	s := newSpace(t)
	s.create(t, udpFlow(1))
	out := newFakeOut()
	r := run(t, s.config(), out)
	out.mu.Lock()
	out.flushErr = errors.New("the shards are gone")
	out.mu.Unlock()
	for seq := range uint64(patience) {
		if _, err := r.Snapshot(t.Context(), messages.SnapshotRequest{Seq: seq + 1}); !errors.Is(err, out.flushErr) {
			t.Errorf("snapshot %d: %v", seq+1, err)
		}
		if h := r.Health(); h.State != sources.Degraded || !strings.Contains(h.Detail, "gone") {
			t.Errorf("health = %+v", h)
		}
	}
	<-r.ended
	if !errors.Is(r.err, out.flushErr) {
		t.Errorf("run = %v", r.err)
	}
}

func TestASnapshotReplacesTheDumpAfterAnOverrun(t *testing.T) {
	s := newSpace(t)
	out := newFakeOut()
	begun := make(chan struct{}, 1)
	out.onAdd = func(ctx context.Context, m sources.Mode) error {
		if m != sources.Wait {
			return nil
		}
		select {
		case begun <- struct{}{}: // The first record of the first dump waits.
			<-ctx.Done()
			return ctx.Err()
		default:
			return nil
		}
	}
	r := run(t, s.config(), out)
	s.create(t, udpFlows(3)...)
	now := time.Now()
	r.onOverrun(5, messages.Span{Start: now, End: now})
	out.wait(t, "no dump after the overrun", func() bool { return len(begun) == 1 })
	taken, err := r.Snapshot(t.Context(), messages.SnapshotRequest{Seq: 4})
	if err != nil || taken.Records != 3 || out.dumps(4) != 3 {
		t.Errorf("snapshot = %+v, %v", taken, err)
	}
	if r.metric(t, "redumps_total") != 1 || r.metric(t, "failed_dumps_total") != 1 || r.metric(t, "dumps_total") != 2 {
		t.Errorf("metrics = %+v", r.Health().Metrics)
	}
}

func TestFlowsWithoutCounters(t *testing.T) {
	s := newSpace(t)
	s.create(t, udpFlows(4)...) // Accounting is off yet.
	r := run(t, s.config(), newFakeOut())
	s.create(t, udpFlow(10))
	if _, err := r.Snapshot(t.Context(), messages.SnapshotRequest{Seq: 1}); err != nil {
		t.Fatal(err)
	}
	bare := 0
	for _, p := range r.out.all() {
		if p.mode == sources.Wait && p.snapshot == 1 && p.Kind == messages.NoCounters {
			bare++
		}
	}
	if bare != 4 || r.metric(t, "flows") != 5 || r.metric(t, "flows_without_counters") != 4 {
		t.Errorf("%d updates without counters; %+v", bare, r.Health().Metrics)
	}
	ls := r.out.allLosses()
	if len(ls) != 1 || ls[0].Kind != messages.LossUncounted || ls[0].Count != 4 || ls[0].Span.Duration() <= 0 {
		t.Errorf("losses = %+v", ls)
	}
	if h := r.Health(); h.State != sources.Degraded || !strings.Contains(h.Detail, "4 of 5 flows have no counters") {
		t.Errorf("health = %+v", h)
	}
	s.remove(t, udpFlows(4)...)
	if _, err := r.Snapshot(t.Context(), messages.SnapshotRequest{Seq: 2}); err != nil {
		t.Fatal(err)
	}
	if h := r.Health(); h.State != sources.Running || len(r.out.allLosses()) != 1 {
		t.Errorf("after they are gone: %+v, %+v", h, r.out.allLosses())
	}
}

func TestATableThatStaysEmpty(t *testing.T) {
	s := newSpace(t)
	r := run(t, s.config(), newFakeOut())
	for seq := range uint64(untracked) {
		if h := r.Health(); h.State != sources.Running {
			t.Errorf("after %d snapshots: %+v", seq, h)
		}
		if _, err := r.Snapshot(t.Context(), messages.SnapshotRequest{Seq: seq + 1}); err != nil {
			t.Fatal(err)
		}
	}
	if h := r.Health(); h.State != sources.Degraded || !strings.Contains(h.Detail, "tracks no connection") {
		t.Errorf("health = %+v", h)
	}
	s.create(t, udpFlow(1))
	if _, err := r.Snapshot(t.Context(), messages.SnapshotRequest{Seq: 9}); err != nil {
		t.Fatal(err)
	}
	if h := r.Health(); h.State != sources.Running {
		t.Errorf("health = %+v", h)
	}
	if r.metric(t, "nf_conntrack_count") != 1 || r.metric(t, "nf_conntrack_max") < 1 {
		t.Errorf("metrics = %+v", h(r))
	}
}

func h(r *running) []sources.Metric { return r.Health().Metrics }

func TestSwitches(t *testing.T) {
	s := newSpace(t)
	read := func(name string) (v string) {
		s.in(t, func() (err error) { v, err = readSysctl(sysctlDir, name); return err })
		return v
	}
	all := []string{sysctlAcct, sysctlTimestamp, sysctlEvents}
	for _, name := range all {
		s.sysctl(t, name, "0")
	}
	cfg := s.config()
	cfg.ManageSysctl = false
	if _, err := tryRun(t, cfg, newFakeOut()); err == nil || !strings.Contains(err.Error(), "nf_conntrack_acct=1") {
		t.Errorf("run without accounting = %v", err)
	}
	s.sysctl(t, sysctlAcct, "1")
	r := run(t, cfg, newFakeOut())
	if h := r.Health(); h.State != sources.Degraded || !strings.Contains(h.Detail, "nf_conntrack_timestamp=1") ||
		!strings.Contains(h.Detail, "nf_conntrack_events=1") {
		t.Errorf("health = %+v", h)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if read(sysctlEvents) != "0" || read(sysctlTimestamp) != "0" {
		t.Error("switches were set though that was forbidden")
	}
	s.sysctl(t, sysctlAcct, "0")
	r = run(t, s.config(), newFakeOut())
	for _, name := range all {
		if v := read(name); v != "1" {
			t.Errorf("%s = %s", name, v)
		}
	}
	if h := r.Health(); h.State != sources.Running || h.Detail != "" {
		t.Errorf("health = %+v", h)
	}
}

func TestSwitchesThatCannotBeSet(t *testing.T) {
	for _, c := range []struct {
		name    string
		values  map[string]string // a missing one does not exist
		err     string
		details []string
	}{
		{"all on", map[string]string{sysctlAcct: "1", sysctlTimestamp: "1", sysctlEvents: "1"}, "", nil},
		{"automatic events", map[string]string{sysctlAcct: "1", sysctlTimestamp: "1", sysctlEvents: "2"}, "", nil},
		{"no accounting", map[string]string{sysctlTimestamp: "1", sysctlEvents: "1"}, "accounting is off", nil},
		{"no timestamps", map[string]string{sysctlAcct: "1", sysctlEvents: "1"}, "", []string{"timestamp is off"}},
		{"no events", map[string]string{sysctlAcct: "1", sysctlTimestamp: "1"}, "", []string{"events is off"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, v := range c.values {
				if err := os.WriteFile(dir+"/"+name, []byte(v+"\n"), 0o444); err != nil {
					t.Fatal(err)
				}
			}
			cfg := defaults().(*Config)
			cfg.ManageSysctl = false
			s := newSource(*cfg, sources.Core{})
			err := s.prepareSysctls(dir)
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("error = %v, want %q", err, c.err)
			}
			_, detail := s.conditions.state()
			if (detail == "") != (c.details == nil) {
				t.Errorf("detail = %q", detail)
			}
			for _, d := range c.details {
				if !strings.Contains(detail, d) {
					t.Errorf("detail = %q, want %q", detail, d)
				}
			}
		})
	}
}

// TestSilence switches the events off underneath the running source.
func TestSilence(t *testing.T) {
	s := newSpace(t)
	r := run(t, s.config(), newFakeOut())
	seq := uint64(0)
	snapshot := func() {
		t.Helper()
		seq++
		if _, err := r.Snapshot(t.Context(), messages.SnapshotRequest{Seq: seq}); err != nil {
			t.Fatal(err)
		}
	}
	s.sysctl(t, sysctlEvents, "0")
	s.create(t, udpFlows(40)...)
	snapshot()
	for i := range silentDumps {
		if h := r.Health(); h.State != sources.Running {
			t.Fatalf("after %d dumps with losses: %+v", i, h)
		}
		s.remove(t, udpFlows(5 * (i + 1))[5*i:]...)
		snapshot()
	}
	if h := r.Health(); h.State != sources.Degraded || !strings.Contains(h.Detail, "no longer tells the ends") {
		t.Errorf("health = %+v", h)
	}
	if ls := r.out.allLosses(); len(ls) != 1 || ls[0].Kind != messages.LossUnseen || ls[0].Count != 5 {
		t.Errorf("losses = %+v", ls)
	}
	s.sysctl(t, sysctlEvents, "1")
	s.create(t, udpFlow(1000))
	s.remove(t, udpFlow(1000))
	r.out.wait(t, "no end was told", func() bool { return r.metric(t, "destroy_events_total") == 1 })
	snapshot()
	if h := r.Health(); h.State != sources.Running {
		t.Errorf("after an end was told: %+v", h)
	}
}

// withoutNetAdmin calls f on a thread in the namespace that may do all but administer networks.
func (s *space) withoutNetAdmin(t *testing.T, f func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		done <- inNetNS(s.path, func() error {
			hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			var caps [2]unix.CapUserData
			if err := unix.Capget(&hdr, &caps[0]); err != nil {
				return err
			}
			full := caps
			caps[0].Effective &^= 1 << unix.CAP_NET_ADMIN
			if err := unix.Capset(&hdr, &caps[0]); err != nil {
				return err
			}
			return errors.Join(f(), unix.Capset(&hdr, &full[0]))
		})
	}()
	return <-done
}

func TestPrivileges(t *testing.T) {
	s := newSpace(t)
	src := newSource(*s.config(), sources.Core{Out: newFakeOut()})
	src.cfg.Netns = "" // The thread is in the namespace already.
	err := s.withoutNetAdmin(t, src.open)
	if !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "AmbientCapabilities=CAP_NET_ADMIN") {
		t.Errorf("open without privileges = %v", err)
	}
	var sock *socket
	err = s.withoutNetAdmin(t, func() (err error) {
		src.cfg.EventsBuffer = maxEventsBuffer
		if sock, err = dial(1<<12, &src.metrics.foreign); err != nil {
			return err
		}
		return src.growBuffer(sock)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sock.close()
	state, detail := src.conditions.state()
	if got := src.metrics.eventsBuffer.Load(); got == 0 || got >= uint64(maxEventsBuffer) || state != sources.Running ||
		!strings.Contains(detail, "rmem_max") {
		t.Errorf("buffer of %d; %s, %s", got, state, detail)
	}
}

func TestExplain(t *testing.T) {
	for err, want := range map[error]string{
		unix.EPERM: "CAP_NET_ADMIN", unix.ENOENT: "modprobe", unix.EPROTONOSUPPORT: "modprobe", unix.EINVAL: "modprobe",
		unix.ENOMEM: "conntrack: ",
	} {
		if got := explain(err); !errors.Is(got, err) || !strings.Contains(got.Error(), want) {
			t.Errorf("explain(%v) = %v", err, got)
		}
	}
	if explain(nil) != nil {
		t.Error("explain(nil) is an error")
	}
}
