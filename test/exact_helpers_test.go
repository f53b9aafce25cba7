package test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"weir/test/netlab"
)

// patience bounds each wait for slices to close.
const patience = 20 * time.Second

// exactly waits until the answer equals the truth since base, to the byte and to the packet, while nothing moves. An
// answer that exceeds the truth fails at once.
func exactly(t *testing.T, l *netlab.Lab, from asker, base netlab.Totals) (netlab.Totals, answer) {
	t.Helper()
	return settle(t, l, from, base, func(truth, measured netlab.Totals, _ *answer) error {
		if d := truth.Differ(measured); d != "" {
			return fmt.Errorf("not the truth:\n%s", d)
		}
		return nil
	})
}

// clients chooses what some clients move, over both families.
func clients(l *netlab.Lab, which ...int) func(netlab.Who) bool {
	return func(w netlab.Who) bool {
		return slices.ContainsFunc(which, func(i int) bool {
			return w.Client == l.Clients4[i] || w.Client == l.Clients6[i]
		})
	}
}

// exactlyFor is exactly for what is chosen alone; for the rest it asks that what is missing is told as loss.
func exactlyFor(
	t *testing.T, l *netlab.Lab, from asker, base netlab.Totals, chosen func(netlab.Who) bool,
) (netlab.Totals, answer) {
	t.Helper()
	only := func(all netlab.Totals) netlab.Totals {
		d := netlab.Totals{}
		for w, s := range all {
			if chosen(w) {
				d.Book(w, s)
			}
		}
		return d
	}
	return settle(t, l, from, base, func(truth, measured netlab.Totals, a *answer) error {
		if d := only(truth).Differ(only(measured)); d != "" {
			return fmt.Errorf("not the truth for what must be exact:\n%s", d)
		}
		if d := truth.Differ(measured); d != "" && (len(a.lost()) == 0 || a.Exact) {
			return fmt.Errorf("bytes are missing, and no loss is told:\n%s", d)
		}
		return nil
	})
}

// settle asks until the answer is as it should be while the truth stands still.
func settle(
	t *testing.T, l *netlab.Lab, from asker, base netlab.Totals,
	right func(truth, measured netlab.Totals, a *answer) error,
) (netlab.Totals, answer) {
	t.Helper()
	var truth netlab.Totals
	var last answer
	ctx, fatal := context.WithCancelCause(t.Context())
	defer fatal(nil)
	err := netlab.Poll(ctx, patience, func() error {
		before, err := l.Truth()
		if err != nil {
			return err
		}
		measured, now, a, err := holds(l, from, base)
		var more *excess
		if errors.As(err, &more) {
			fatal(err)
		}
		if err != nil {
			return err
		}
		if d := before.Sub(base).Differ(now); d != "" {
			return fmt.Errorf("traffic goes on:\n%s", d)
		}
		truth, last = now, a
		return right(now, measured, &a)
	})
	if err != nil {
		from.complain(t)
		t.Fatalf("%v\nlosses: %+v", err, last.Loss)
	}
	return truth, last
}

// noLoss fails if something was lost.
func noLoss(t *testing.T, a answer) {
	t.Helper()
	if lost := a.lost(); len(lost) > 0 {
		t.Errorf("loss without a cause: %+v", lost)
	}
	if !a.Exact && len(a.Loss) == 0 {
		t.Errorf("not exact, but no loss: %v", a.Why)
	}
	if late := len(a.Loss) - len(a.lost()); late > 0 {
		t.Logf("%d times somebody was late; this machine is slow", late)
	}
}

// kinds lists the kinds of loss of an answer.
func kinds(a answer) []string {
	var all []string
	for _, l := range a.Loss {
		all = append(all, l.Kind)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// watched asks again and again while work goes on, so that an answer that is more than the truth is caught in the
// middle too; it gives the error of the work.
func watched(t *testing.T, l *netlab.Lab, from asker, base netlab.Totals, work func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- work(ctx) }()
	tick := time.NewTicker(700 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			if err != nil {
				from.complain(t)
				t.Fatal(err)
			}
			return
		case <-tick.C:
		}
		if _, _, _, err := holds(l, from, base); err != nil {
			cancel()
			<-done
			from.complain(t)
			t.Fatal(err)
		}
	}
}
