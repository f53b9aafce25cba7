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

// transport is how the lines of a run arrive.
type transport struct {
	name string
	// late is how much later than they were written.
	late time.Duration
	// lines are the lines, and at when each was written.
	lines [][]byte
	at    []time.Time
}

// asWritten gives the lines of eve.json.
func asWritten(r *recorded.Run, late time.Duration) transport {
	tr := transport{name: "eve.json", late: late}
	for i := range r.Events {
		tr.lines = append(tr.lines, r.Events[i].Raw)
		tr.at = append(tr.at, r.Events[i].Written)
	}
	return tr
}

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

// play lets a run happen again, in the order of its times.
func play(t *testing.T, r *recorded.Run, n int, tr transport) played {
	t.Helper()
	begin, end := r.Span()
	for _, at := range tr.at {
		if at.Add(tr.late).After(end) {
			end = at.Add(tr.late)
		}
		if at.Add(tr.late).Before(begin) {
			begin = at.Add(tr.late)
		}
	}
	begin = begin.Truncate(slice)
	p := played{shards: newShards(t, n, begin), lines: eve.NewLines()}
	steps := kernelSteps(t, r, p.shards)
	tl := translate.New(translate.Options{})
	for i, raw := range tr.lines {
		at := tr.at[i].Add(tr.late)
		steps = append(steps, step{at, func() {
			p.lines.Line(raw, func(e *eve.Event) {
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
