package test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/messages"
	"weir/test/netlab"
)

var errNotYet = errors.New("not yet")

// sabotage breaks something every second while all kinds of traffic pass, and then holds the answer against the
// truth: nothing twice, what is missing is told, and what lives on is right again to the byte. The last client has
// nothing but flows that live on.
func sabotage(t *testing.T, l *netlab.Lab, c *core, fault func(i int) error) answer {
	t.Helper()
	base := netlab.Totals{}
	watched(t, l, c, base, func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		traffic := make(chan error, 1)
		go func() { traffic <- everything(ctx, l, lasting(7*time.Second, 3*time.Minute)) }()
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case err := <-traffic:
				return err
			case <-tick.C:
			}
			if err := fault(i); err != nil {
				cancel()
				<-traffic
				return err
			}
		}
	})
	exactlyFor(t, l, c, base, clients(l, len(l.Clients4)-1))
	// From here on everything is right again.
	calm := difference(t, l, c, base)
	watched(t, l, c, base, func(ctx context.Context) error { return everything(ctx, l, 3*time.Second) })
	_, a := settle(t, l, c, base, func(truth, measured netlab.Totals, _ *answer) error {
		if d := calm.Differ(truth.Sub(measured)); d != "" {
			return fmt.Errorf("something is missing that moved after the faults: %s", d)
		}
		return nil
	})
	return a
}

// difference is what the answer lacks.
func difference(t *testing.T, l *netlab.Lab, from asker, base netlab.Totals) netlab.Totals {
	t.Helper()
	measured, truth, _, err := holds(l, from, base)
	if err != nil {
		t.Fatal(err)
	}
	return truth.Sub(measured)
}

// The source panics every second.
func TestSourcePanics(t *testing.T) {
	l := netlab.New(t, netlab.Options{Sysctls: quick})
	c := startCore(t, l, nil)
	a := sabotage(t, l, c, func(i int) error { return c.system.Inject("source/conntrack", fmt.Errorf("fault %d", i)) })
	if n := c.failures("source/conntrack"); n < 4 {
		t.Errorf("the source failed %d times only", n)
	}
	t.Logf("told: %v", kinds(a))
}

// The sockets of the source die every second.
func TestSocketsDie(t *testing.T) {
	l := netlab.New(t, netlab.Options{Sysctls: quick})
	c := startCore(t, l, nil)
	killed := 0
	a := sabotage(t, l, c, func(int) error {
		n, err := killSockets(l.Router)
		killed += n
		return err
	})
	if n := c.failures("source/conntrack"); n < 3 || killed < 10 {
		t.Errorf("%d sockets killed, the source failed %d times only", killed, n)
	}
	t.Logf("told: %v", kinds(a))
}

// killSockets puts files into the places of this process's netfilter sockets in a namespace, so that nothing can be
// read from them any more.
func killSockets(n *netlab.Namespace) (killed int, err error) {
	inodes := map[string]bool{}
	if err := n.Do(func() error {
		b, err := os.ReadFile("/proc/thread-self/net/netlink")
		for line := range strings.Lines(string(b)) {
			// Address, protocol, process, groups, …, inode.
			if f := strings.Fields(line); len(f) == 10 && f[1] == strconv.Itoa(unix.NETLINK_NETFILTER) {
				inodes["socket:["+f[9]+"]"] = true
			}
		}
		return err
	}); err != nil {
		return 0, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		to, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name()))
		if err != nil || !inodes[to] {
			continue
		}
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			return killed, err
		}
		if err := unix.Dup3(int(null.Fd()), fd, unix.O_CLOEXEC); err != nil {
			return killed, fmt.Errorf("replace socket: %w", err)
		}
		killed++
	}
	return killed, nil
}

// Shards panic between slices, now at a message without meaning and now at a closing of a slice.
func TestShardsPanic(t *testing.T) {
	l := netlab.New(t, netlab.Options{Sysctls: quick})
	c := startCore(t, l, nil)
	a := sabotage(t, l, c, func(i int) error {
		return c.system.Inject(fmt.Sprintf("shard-%d", i%2), fmt.Errorf("fault %d", i))
	})
	if n := c.failures("shard-0") + c.failures("shard-1"); n < 4 {
		t.Errorf("the shards failed %d times only", n)
	}
	// The state of a shard outlives it: nothing is lost.
	exactly(t, l, c, netlab.Totals{})
	noLoss(t, a)
}

// The memory tier and the slicer panic.
func TestTierAndSlicerPanic(t *testing.T) {
	l := netlab.New(t, netlab.Options{Sysctls: quick})
	c := startCore(t, l, nil)
	a := sabotage(t, l, c, func(i int) error {
		return c.system.Inject([]string{"slicer", "tier/memory"}[i%2], fmt.Errorf("fault %d", i))
	})
	if n := c.failures("slicer") + c.failures("tier/memory"); n < 4 {
		t.Errorf("they failed %d times only", n)
	}
	t.Logf("told: %v", kinds(a))
}

// A small buffer and thousands of short connections: the kernel drops events.
func TestOverrun(t *testing.T) {
	l := netlab.New(t, netlab.Options{Sysctls: quick})
	d := start(t, l, "[sources.conntrack]\nevents_buffer = \"4KiB\"\n")
	base := netlab.Totals{}
	watched(t, l, d, base, func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		long := make(chan error, 1)
		go func() { long <- longLived(ctx, l, 2) }()
		err := storms(ctx, l, int(lasting(1, 20)))
		cancel()
		return errors.Join(err, <-long)
	})
	_, a := exactlyFor(t, l, d, base, clients(l, 2))
	st, err := d.status()
	if err != nil {
		t.Fatal(err)
	}
	if st.metric("lost_events_total") < 100 || !has(a, string(messages.LossOverrun)) || a.Exact {
		d.complain(t)
		t.Errorf("no overrun: exact %t, losses %+v", a.Exact, a.Loss)
	}
	missing := difference(t, l, d, base)
	t.Logf("%.0f events lost; told: %v; missing: %+v of %+v", st.metric("lost_events_total"), kinds(a), missing.Sum(),
		mustTruth(t, l).Sum())
	// After it, what lives is exact again, though the buffer is as small as before.
	watched(t, l, d, base, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		return longLived(ctx, l, 2)
	})
	settle(t, l, d, base, func(truth, measured netlab.Totals, _ *answer) error {
		if diff := missing.Differ(truth.Sub(measured)); diff != "" {
			return fmt.Errorf("something is missing that moved after the overrun: %s", diff)
		}
		return nil
	})
}

func has(a answer, kind string) bool {
	for _, l := range a.Loss {
		if l.Kind == kind {
			return true
		}
	}
	return false
}

func mustTruth(t *testing.T, l *netlab.Lab) netlab.Totals {
	t.Helper()
	truth, err := l.Truth()
	if err != nil {
		t.Fatal(err)
	}
	return truth
}

// storms let thousands of short connections pass.
func storms(ctx context.Context, l *netlab.Lab, rounds int) error {
	for range rounds {
		for _, s := range []netlab.Storm{
			{Network: "udp", From: l.Clients4[:2], To: echo(l.Server4()), Count: 8000, Rate: 4000, Up: 60},
			{Network: "udp", From: l.Clients6[:2], To: echo(l.Server6()), Count: 2000, Rate: 2000, Up: 60, Down: 90},
			{Network: "tcp", From: l.Clients4[:1], To: echo(l.Server4()), Count: 2000, Rate: 1000, Up: 9, Reset: true},
		} {
			if err := l.Storm(ctx, s); err != nil {
				return err
			}
		}
	}
	return nil
}
