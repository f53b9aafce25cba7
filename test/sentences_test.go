package test

import (
	"context"
	"maps"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/test/netlab"
)

// says runs a command of weir and checks how it ends and what it says.
func says(t *testing.T, d *daemon, as *syscall.Credential, fails bool, want []string, args ...string) {
	t.Helper()
	out, errs, err := d.runAs(as, args...)
	out += errs
	if (err != nil) != fails {
		t.Errorf("weir %s: %v, want an error: %t", strings.Join(args, " "), err, fails)
	}
	for _, w := range want {
		if !strings.Contains(out, w) {
			t.Errorf("weir %s does not say %q:\n%s", strings.Join(args, " "), w, out)
		}
	}
}

func TestSaysThatNoDaemonRuns(t *testing.T) {
	l := netlab.New(t, netlab.Options{Clients: 1})
	d := prepare(t, l, "")
	want := []string{"no daemon answers", "sudo weir run"}
	says(t, d, nil, true, want, "status")
	says(t, d, nil, true, want, "query")
	says(t, d, nil, false, want, "check", "--config", d.file)
}

func TestSaysThatAccountingIsOff(t *testing.T) {
	l := netlab.New(t, netlab.Options{Clients: 1, Sysctls: map[string]string{
		"net.netfilter.nf_conntrack_acct": "0", "net.netfilter.nf_conntrack_timestamp": "0",
		"net.netfilter.nf_conntrack_events": "0",
	}})
	// A flow that can never be counted.
	c, err := l.DialTCP(anyPort(l.Clients4[0]), echo(l.Server4()))
	if err != nil {
		t.Fatal(err)
	}
	d := prepare(t, l, "[sources.conntrack]\nmanage_sysctl = false\n")
	says(t, d, nil, true, []string{
		"accounting is off", "sysctl -w net.netfilter.nf_conntrack_acct=1", "timestamps are off", "events are off",
		"can never be counted",
	}, "check", "--config", d.file)
	// A daemon that may not switch it on says so as well.
	d.launch(t, nil)
	d.await(t, "failure", func(st status) bool {
		return len(st.Sources) > 0 && !st.Sources[0].Ready &&
			strings.Contains(actor(st, "source/conntrack"), "accounting is off")
	})
	says(t, d, nil, false, []string{"accounting is off", "sysctl -w net.netfilter.nf_conntrack_acct=1"}, "status")
	// It goes on by itself when that is mended.
	if err := l.Router.SetSysctls(map[string]string{
		"net.netfilter.nf_conntrack_acct": "1", "net.netfilter.nf_conntrack_timestamp": "1",
		"net.netfilter.nf_conntrack_events": "1",
	}); err != nil {
		t.Fatal(err)
	}
	d.await(t, "recovery", func(st status) bool { return st.Sources[0].Ready })
	if err := c.Exchange(10, 10); err != nil {
		t.Fatal(err)
	}
	says(t, d, nil, false, []string{"1 of 1 flows began before accounting was on"}, "check", "--config", d.file)
	waitForLoss(t, d, "uncounted")
}

// actor gives the last error of an actor.
func actor(st status, name string) string {
	for _, a := range st.Actors {
		if a.Name == name {
			return a.LastError
		}
	}
	return ""
}

// waitForLoss waits until answers tell a loss of this kind.
func waitForLoss(t *testing.T, d *daemon, kind string) {
	t.Helper()
	if err := netlab.Poll(t.Context(), patience, func() error {
		a, err := d.ask(0)
		if err == nil && (!has(a, kind) || a.Exact) {
			err = errNotYet
		}
		return err
	}); err != nil {
		d.complain(t)
		t.Fatalf("no loss %s: %v", kind, err)
	}
}

func TestSaysThatNothingTracks(t *testing.T) {
	l := netlab.New(t, netlab.Options{Clients: 1, NoRules: true})
	d := start(t, l, "")
	says(t, d, nil, true, []string{"does not track", "nft 'add table inet weir;"}, "check", "--config", d.file)
	says(t, d, nil, false, []string{"weir check"}, "query") // No rows, and why.
	// Setup mends it, and takes it back.
	says(t, d, nil, false, []string{"nft"}, "setup", "--config", d.file)
	says(t, d, nil, false, []string{"the rules make the kernel track"}, "check", "--config", d.file)
	u, err := l.DialUDP(anyPort(l.Clients4[0]), echo(l.RouterLAN4()))
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Exchange(2, 100, 100); err != nil {
		t.Fatal(err)
	}
	if err := netlab.Poll(t.Context(), patience, func() error {
		a, err := d.ask(0)
		if err == nil && len(a.Rows) == 0 {
			err = errNotYet
		}
		return err
	}); err != nil {
		d.complain(t)
		t.Error("no data after setup: ", err)
	}
	says(t, d, nil, false, []string{"is undone"}, "setup", "--config", d.file, "--undo")
	// The flow of before is left in the table, and its counters stand still.
	says(t, d, nil, false, []string{"left over", "nft 'add table inet weir;"}, "check", "--config", d.file)
}

// A user without any right is told what he lacks, by the check, by the daemon and by its status.
func TestSaysThatRightsAreMissing(t *testing.T) {
	if netlab.Confined() {
		t.Skip("needs a second user")
	}
	l := netlab.New(t, netlab.Options{Clients: 1})
	d := prepare(t, l, "")
	who := &syscall.Credential{Uid: nobody, Gid: nobody}
	says(t, d, who, true, []string{"CAP_NET_ADMIN", "may not ask the kernel"}, "check", "--config", d.file)
	d.launch(t, who)
	d.await(t, "failure", func(st status) bool {
		return len(st.Sources) > 0 && strings.Contains(actor(st, "source/conntrack"), "CAP_NET_ADMIN")
	})
	says(t, d, nil, false, []string{"CAP_NET_ADMIN"}, "status")
	says(t, d, nil, false, []string{"CAP_NET_ADMIN"}, "query")
	waitForLoss(t, d, "source-down")
}

// Events are off: the ends of flows are not told. Live flows are right all the same; of the rest, what is missing
// is told.
func TestWithoutEvents(t *testing.T) {
	knobs := maps.Clone(quick)
	maps.Copy(knobs, map[string]string{
		"net.netfilter.nf_conntrack_events": "0",
		// Flows are gone before the next dump can see all of them.
		"net.netfilter.nf_conntrack_udp_timeout":        "1",
		"net.netfilter.nf_conntrack_tcp_timeout_close":  "1",
		"net.netfilter.nf_conntrack_udp_timeout_stream": "1",
	})
	l := netlab.New(t, netlab.Options{Sysctls: knobs})
	d := start(t, l, "[sources.conntrack]\nmanage_sysctl = false\n")
	everythingOf(t, l, d)
	// With these timeouts a datagram that is late by a second makes another flow: only TCP is sure to live.
	last := clients(l, len(l.Clients4)-1)
	_, a := exactlyFor(t, l, d, netlab.Totals{}, func(w netlab.Who) bool {
		return last(w) && w.Proto == unix.IPPROTO_TCP
	})
	st := d.await(t, "word of events", func(st status) bool {
		return st.Sources[0].State == "degraded" && strings.Contains(st.Sources[0].Detail, "nf_conntrack_events")
	})
	missing := difference(t, l, d, netlab.Totals{})
	t.Logf("%s; exact %t, told: %v, missing: %+v", st.Sources[0].Detail, a.Exact, kinds(a), missing.Sum())
}

// Timestamps are off.
func TestWithoutTimestamps(t *testing.T) {
	knobs := map[string]string{"net.netfilter.nf_conntrack_timestamp": "0"}
	maps.Copy(knobs, quick)
	l := netlab.New(t, netlab.Options{Sysctls: knobs})
	d := start(t, l, "[sources.conntrack]\nmanage_sysctl = false\n")
	everythingOf(t, l, d)
	exactlyFor(t, l, d, netlab.Totals{}, clients(l, len(l.Clients4)-1))
	d.await(t, "word of timestamps", func(st status) bool {
		return st.Sources[0].State == "degraded" && strings.Contains(st.Sources[0].Detail, "nf_conntrack_timestamp")
	})
}

func everythingOf(t *testing.T, l *netlab.Lab, d *daemon) {
	t.Helper()
	watched(t, l, d, netlab.Totals{}, func(ctx context.Context) error {
		return everything(ctx, l, lasting(6*time.Second, time.Minute))
	})
}

// A table with one quiet flow, and then none: nothing is lost and nothing is wrong, and the check knows it.
func TestAlmostEmptyTable(t *testing.T) {
	l := netlab.New(t, netlab.Options{Clients: 1, Sysctls: quick})
	d := start(t, l, "")
	u, err := l.DialUDP(anyPort(l.Clients4[0]), echo(l.Server4()))
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Exchange(1, 100, 100); err != nil {
		t.Fatal(err)
	}
	_, a := exactly(t, l, d, netlab.Totals{})
	noLoss(t, a)
	awaitEmptyTable(t, l)
	before := d.await(t, "status", func(status) bool { return true })
	st := d.await(t, "more slices", func(st status) bool { return st.Slicer.Closed > before.Slicer.Closed+3 })
	// The source alone cannot know whether nothing passes or nothing is tracked. The check can.
	t.Logf("%s: %s", st.Sources[0].State, st.Sources[0].Detail)
	says(t, d, nil, false, []string{"the rules make the kernel track"}, "check", "--config", d.file)
	if err := u.Exchange(1, 100, 100); err != nil {
		t.Fatal(err)
	}
	_, a = exactly(t, l, d, netlab.Totals{})
	noLoss(t, a)
	d.await(t, "source without complaint", func(st status) bool { return st.Sources[0].State == "running" })
}
