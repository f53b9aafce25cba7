package test

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"weir/test/netlab"
)

// again runs the program anew on what an earlier run has left.
func (d *daemon) again(t *testing.T) *daemon {
	t.Helper()
	n := *d
	n.log, n.exited, n.err = &journal{}, make(chan struct{}), nil
	n.launch(t, nil)
	n.await(t, "a source that counts and a closed slice", func(st status) bool {
		return len(st.Sources) == 1 && st.Sources[0].Ready && st.Slicer.Closed > 0
	})
	return &n
}

// kill ends the daemon as a power cut does.
func (d *daemon) kill(t *testing.T) {
	t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-d.exited
	d.err = nil // That was meant.
}

// dialled is a set of connections that live through all that happens to the daemon.
func dialled(t *testing.T, l *netlab.Lab) (conns []*netlab.Conn) {
	t.Helper()
	for i := range l.Clients4 {
		for _, r := range routes(l, i) {
			c, err := l.DialTCP(r.from, r.to)
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, c)
		}
	}
	return conns
}

// exchange moves bytes on all of them until ctx is done.
func exchange(ctx context.Context, conns []*netlab.Conn, times int) error {
	for i := 0; i < times && ctx.Err() == nil; i++ {
		for k, c := range conns {
			if err := c.Exchange(int64(1000+7*k+i), int64(20_000+13*k)); err != nil {
				return err
			}
		}
	}
	return nil
}

// What was counted before the daemon was stopped is there afterwards; what moved meanwhile counts once, in the first
// slice after it.
func TestHistorySurvivesRestart(t *testing.T) {
	l := netlab.New(t, netlab.Options{Sysctls: quick})
	d := start(t, l, "")
	base := netlab.Totals{}
	conns := dialled(t, l)
	watched(t, l, d, base, func(ctx context.Context) error { return everything(ctx, l, 2*time.Second) })
	awaitOnly(t, l, len(conns))
	_, a := exactly(t, l, d, base)
	noLoss(t, a)
	for round := range 3 {
		if err := exchange(t.Context(), conns, 5); err != nil {
			t.Fatal(err)
		}
		d.stop(t)
		if err := exchange(t.Context(), conns, 5); err != nil { // Nobody counts but the kernel.
			t.Fatal(err)
		}
		d = d.again(t)
		watched(t, l, d, base, func(ctx context.Context) error { return exchange(ctx, conns, 20+round) })
		exactly(t, l, d, base)
	}
	hangUp(t, conns)
	exactly(t, l, d, base)
}

// kill -9 at any moment: whatever is asked afterwards is never more than the truth, and all of it is there in the end,
// since the kernel counts on for the connections that live.
func TestHistorySurvivesKill(t *testing.T) {
	l := netlab.New(t, netlab.Options{Sysctls: quick})
	d := start(t, l, "")
	base := netlab.Totals{}
	conns := dialled(t, l)
	rounds := 4
	if long {
		rounds = 30
	}
	for round := range rounds {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- exchange(ctx, conns, 1<<30) }()
		// Any moment of a slice of a second.
		moment := time.NewTimer(time.Duration(1100+round*370%1000) * time.Millisecond)
		<-moment.C
		d.kill(t)
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		d = d.again(t)
		if _, _, _, err := holds(l, d, base); err != nil {
			d.complain(t)
			t.Fatalf("round %d: %v", round, err)
		}
		exactly(t, l, d, base)
	}
	hangUp(t, conns)
	exactly(t, l, d, base)
}

// A flow that ends while nobody counts costs its last bytes, and that is told.
func TestEndsWhileDown(t *testing.T) {
	l := netlab.New(t, netlab.Options{Sysctls: quick})
	d := start(t, l, "")
	conns := dialled(t, l)
	if err := exchange(t.Context(), conns, 2); err != nil {
		t.Fatal(err)
	}
	exactly(t, l, d, netlab.Totals{})
	d.stop(t)
	if err := exchange(t.Context(), conns, 2); err != nil {
		t.Fatal(err)
	}
	hangUp(t, conns)
	awaitEmptyTable(t, l)
	d = d.again(t)
	none := func(netlab.Who) bool { return false }
	_, a := exactlyFor(t, l, d, netlab.Totals{}, none)
	if a.Exact || len(a.lost()) == 0 {
		t.Errorf("no loss is told: exact %t, %+v", a.Exact, a.Loss)
	}
}

func hangUp(t *testing.T, conns []*netlab.Conn) {
	t.Helper()
	for _, c := range conns {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// awaitOnly waits until so many flows are left.
func awaitOnly(t *testing.T, l *netlab.Lab, n int) {
	t.Helper()
	if err := netlab.Poll(t.Context(), patience, func() error {
		flows, err := l.Router.Flows()
		if err == nil && len(flows) > n {
			err = fmt.Errorf("%d flows are in the table, not %d", len(flows), n)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
