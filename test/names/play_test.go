package names_test

import (
	"cmp"
	"context"
	"slices"
	"testing"
	"time"

	"weir/sources/suricata/eve"
	"weir/sources/suricata/translate"
	"weir/test/recorded"
)

// step is something that happens at a time.
type step struct {
	at time.Time
	do func()
}

// played is what came of a run.
type played struct {
	*shards

	lines  *eve.Lines
	counts translate.Counts
}

// play lets a run happen again with n shards, in the order of its times. The events arrive so much later than they
// were written, or earlier.
func play(t *testing.T, r *recorded.Run, n int, events []recorded.Event, late time.Duration) played {
	t.Helper()
	begin, end := r.Span()
	begin = begin.Add(-slice).Truncate(slice) // Suricata may have been earlier.
	end = end.Add(slice)
	p := played{shards: newShards(t, n, begin), lines: eve.NewLines()}
	steps := kernelSteps(t, r, p.shards)
	tl := translate.New(translate.Options{})
	for i := range events {
		at := events[i].Written.Add(late)
		steps = append(steps, step{at, func() {
			p.lines.Line(events[i].Raw, func(e *eve.Event) {
				must(t, tl.Event(t.Context(), 1, e, at, p.from("suricata")))
			})
			must(t, p.Flush(t.Context()))
		}})
	}
	const after = 8 // Slices that close once all has happened.
	for at := begin.Add(slice); at.Before(end.Add(after * slice)); at = at.Add(slice) {
		steps = append(steps, step{at, func() {
			snapshot(t, r, p.shards, at)
			p.close()
		}})
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	for _, s := range steps {
		s.do()
	}
	p.counts = tl.Counts()
	return p
}

// kernelSteps are the events of the kernel that the source conntrack asks for.
func kernelSteps(t *testing.T, r *recorded.Run, s *shards) []step {
	t.Helper()
	var steps []step
	for _, n := range r.News {
		f := n.Flow
		switch n.Kind {
		case "NEW":
			steps = append(steps, step{n.At, func() {
				u, alias := f.Started()
				must(t, s.from("conntrack").Add(t.Context(), &u, alias, nil))
				must(t, s.Flush(t.Context()))
			}})
		case "DESTROY":
			steps = append(steps, step{n.At, func() {
				u, alias := f.Ended()
				must(t, s.from("conntrack").Add(t.Context(), &u, alias, nil))
				must(t, s.Flush(t.Context()))
			}})
		}
	}
	return steps
}

// snapshot tells of all flows that live at a time.
func snapshot(t *testing.T, r *recorded.Run, s *shards, at time.Time) {
	t.Helper()
	_, end := r.Span()
	for _, f := range r.Flows {
		if f.Start.After(at) || !f.Stop.IsZero() && !f.Stop.After(at) {
			continue
		}
		u, alias := f.Dumped()
		if f.Stop.IsZero() && at.After(end) {
			u, alias = f.Ended() // The table that was read at the end has its counters.
		}
		must(t, s.from("conntrack").Add(t.Context(), &u, alias, nil))
	}
	must(t, s.Flush(context.Background()))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
