package names_test

import (
	"slices"
	"testing"
	"time"

	"weir/messages"
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

// lags say how much later than they were written lines arrive: those of Suricata, and those of the kernel.
type lags struct{ eve, kernel time.Duration }

// play lets a run happen again with n shards, in the order of its times.
func play(t *testing.T, r *recorded.Run, n int, events []recorded.Event, late lags) played {
	t.Helper()
	begin, end := r.Span()
	begin = begin.Add(-slice).Truncate(slice) // Suricata was there first.
	end = end.Add(slice)
	p := played{shards: newShards(t, n, begin), lines: eve.NewLines()}
	tell := func(_ time.Time, all []news) {
		for _, n := range all {
			must(t, p.from("conntrack").Add(t.Context(), &n.update, n.alias, nil))
		}
		must(t, p.Flush(t.Context()))
	}
	steps := kernelSteps(r, late.kernel, tell)
	tl := translate.New(translate.Options{})
	for i := range events {
		at := events[i].Written.Add(late.eve)
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
			tell(at, snapshot(r, at))
			p.close()
		}})
	}
	inOrder(steps)
	p.counts = tl.Counts()
	return p
}

// news is what the source conntrack says of a flow.
type news struct {
	flow   *recorded.Flow
	update messages.Update
	alias  *messages.Key
}

func newsOf(f *recorded.Flow, of func(*recorded.Flow) (messages.Update, *messages.Key)) news {
	u, alias := of(f)
	return news{f, u, alias}
}

// kernelSteps are the events of the kernel that the source conntrack asks for.
func kernelSteps(r *recorded.Run, late time.Duration, tell func(time.Time, []news)) []step {
	var steps []step
	for _, n := range r.News {
		at := n.At.Add(late)
		switch n.Kind {
		case "NEW":
			steps = append(steps, step{at, func() { tell(at, []news{newsOf(n.Flow, (*recorded.Flow).Started)}) }})
		case "DESTROY":
			steps = append(steps, step{at, func() { tell(at, []news{newsOf(n.Flow, (*recorded.Flow).Ended)}) }})
		}
	}
	return steps
}

// snapshot is of all flows that live at a time.
func snapshot(r *recorded.Run, at time.Time) (all []news) {
	_, end := r.Span()
	for _, f := range r.Flows {
		switch {
		case f.Start.After(at) || !f.Stop.IsZero() && !f.Stop.After(at):
		case f.Stop.IsZero() && at.After(end):
			all = append(all, newsOf(f, (*recorded.Flow).Ended)) // The table that was read at the end has its counters.
		default:
			all = append(all, newsOf(f, (*recorded.Flow).Dumped))
		}
	}
	return all
}

// inOrder lets all happen.
func inOrder(steps []step) {
	slices.SortStableFunc(steps, func(a, b step) int { return a.at.Compare(b.at) })
	for _, s := range steps {
		s.do()
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
