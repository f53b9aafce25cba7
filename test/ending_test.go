package test

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/test/netlab"
)

// SIGTERM while thousands of flows come and go: the daemon ends in time and in order.
func TestTerminateUnderLoad(t *testing.T) {
	l := netlab.New(t, netlab.Options{Sysctls: quick})
	d := start(t, l, "")
	watched(t, l, d, netlab.Totals{}, func(ctx context.Context) error { return everything(ctx, l, 2*time.Second) })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	load := make(chan error, 1)
	go func() {
		load <- l.Storm(ctx, netlab.Storm{
			Network: "udp", From: l.Clients4, To: echo(l.Server4()), Count: 1 << 30, Rate: 4000, Up: 60,
		})
	}()
	d.await(t, "thousands of flows", func(st status) bool { return st.metric("new_events_total") > 3000 })
	began := time.Now()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	// A slice's deadline and the phases of the drain together take a few seconds at most.
	const limit = 10 * time.Second
	select {
	case <-d.exited:
	case <-time.After(limit):
		t.Errorf("still there %s after SIGTERM", limit)
	}
	cancel()
	if err := <-load; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	d.stop(t) // Checks that it ended with 0.
	t.Logf("it ended within %s", time.Since(began))
	if log := d.log.String(); !strings.Contains(log, `"message":"ended"`) || strings.Contains(log, `"level":"error"`) {
		t.Errorf("not in order:\n%s", log)
	}
	if _, err := os.Stat(d.socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
}

// Draining loses nothing of the slice that is open.
func TestDrainLosesNothing(t *testing.T) {
	l := netlab.New(t, netlab.Options{Sysctls: quick})
	c := startCore(t, l, nil)
	var drained netlab.Totals
	watched(t, l, c, netlab.Totals{}, func(ctx context.Context) error {
		if err := everything(ctx, l, 3*time.Second); err != nil {
			return err
		}
		drained = standing(t, l)
		return l.Storm(ctx, netlab.Storm{
			Network: "udp", From: l.Clients4, To: echo(l.Server4()), Count: 2000, Rate: 20000, Up: 60,
		})
	})
	c.drain(t)
	truth, a := exactly(t, l, c, netlab.Totals{})
	noLoss(t, a)
	if truth.Differ(drained) == "" {
		t.Error("nothing moved before the end")
	}
}
