package cli

import (
	"fmt"
	"slices"
	"time"

	"weir/actors"
	"weir/sources"
)

// diagnose reads from a daemon's status whether it counts, and if not, why.
func diagnose(st *actors.Status, now time.Time) []sources.Finding {
	var found []sources.Finding
	if st.Draining {
		found = append(found, sources.Finding{
			Level: sources.Warning, Subject: "daemon", Text: "is about to end",
		})
	}
	if len(st.Sources) == 0 {
		found = append(found, sources.Finding{
			Level: sources.Broken, Subject: "daemon", Text: "runs without any source, so that there can be no data",
			Cure: "enable one in the configuration, for example sources.conntrack.enabled",
		})
	}
	for i := range st.Sources {
		found = append(found, diagnoseSource(st, &st.Sources[i]))
	}
	for i := range st.Computations {
		found = append(found, diagnoseComputation(st, &st.Computations[i]))
	}
	if st.Archive.On {
		found = append(found, diagnoseHistory(&st.Archive, now))
	}
	found = append(found, diagnoseSlicer(st, now))
	found = append(found, diagnoseData(st)...)
	found = append(found, diagnoseTags(st)...)
	return append(found, diagnoseFailures(st)...)
}

// diagnoseSource says how a source of the running daemon is.
func diagnoseSource(st *actors.Status, s *actors.SourceStatus) sources.Finding {
	f := sources.Finding{Level: sources.Good, Subject: "source " + s.Name}
	actor := actorOf(st, "source/"+s.Name)
	switch {
	case actor != nil && actor.State == "backing-off":
		f.Level = sources.Broken
		f.Text = fmt.Sprintf("failed %d times and waits to be started again: %s", actor.Failures, actor.LastError)
	case s.State == sources.Finished:
		f.Level, f.Text = sources.Notice, "has delivered all there was; "+s.Detail
	case s.State == sources.Degraded:
		f.Level, f.Text = sources.Warning, "delivers less than it should: "+s.Detail
	case !s.Ready || s.State == sources.Starting:
		f.Level, f.Text = sources.Warning, "is still starting; "+s.Detail
	case s.ShedUpdates > 0:
		f.Level = sources.Warning
		f.Text = fmt.Sprintf("runs, but had to drop %s updates because the shards were too slow",
			humanCount(s.ShedUpdates))
	default:
		f.Text = fmt.Sprintf("runs; %s updates in %s batches so far", humanCount(s.Updates), humanCount(s.Batches))
	}
	return f
}

// diagnoseHistory says whether slices are kept on disk. Whatever it says, traffic is counted.
func diagnoseHistory(h *actors.ArchiveStatus, now time.Time) sources.Finding {
	f := sources.Finding{Level: sources.Good, Subject: "history"}
	switch {
	case h.Detail != "":
		f.Level, f.Text = sources.Warning, h.Detail
	case h.State != "running":
		f.Level, f.Text = sources.Warning, "is "+h.State
	case h.LastKept.End.IsZero():
		f.Text = "is open; no slice has closed yet"
	default:
		f.Text = "is kept on disk up to " + humanTime(h.LastKept.End, now)
	}
	return f
}

// diagnoseComputation says how a computation of the running daemon is. Whatever it does, traffic is counted.
func diagnoseComputation(st *actors.Status, c *actors.ComputationStatus) sources.Finding {
	f := sources.Finding{Level: sources.Good, Subject: "computation " + c.Name}
	actor := actorOf(st, "computation/"+c.Name)
	switch {
	case actor != nil && actor.State == "backing-off":
		f.Level = sources.Warning
		f.Text = fmt.Sprintf("failed %s times and waits to be started again, tags are missing meanwhile: %s",
			humanCount(actor.Failures), actor.LastError)
	case !c.Running:
		f.Level, f.Text = sources.Warning, "does not run yet"
	case c.Late > 0:
		f.Level = sources.Notice
		f.Text = fmt.Sprintf("runs, but was late for %s of %s slices: tags may be missing there",
			humanCount(c.Late), humanCount(c.Settled+c.Late))
	case c.FileErrors > 0:
		f.Level = sources.Notice
		f.Text = fmt.Sprintf("runs, but left out what it could not read in its lists, %s times since it began: "+
			"the daemon's log names each file and line", humanCount(c.FileErrors))
	default:
		f.Text = fmt.Sprintf("runs; %s updates from %s events and %s facts so far", humanCount(c.Updates),
			humanCount(c.Events), humanCount(c.Facts))
	}
	return f
}

// actorOf finds an actor by its name.
func actorOf(st *actors.Status, name string) *actors.ActorStatus {
	i := slices.IndexFunc(st.Actors, func(a actors.ActorStatus) bool { return a.Name == name })
	if i < 0 {
		return nil
	}
	return &st.Actors[i]
}

// diagnoseSlicer says whether slices close.
func diagnoseSlicer(st *actors.Status, now time.Time) sources.Finding {
	sl := &st.Slicer
	f := sources.Finding{Level: sources.Good, Subject: "slices"}
	length := sl.Open.End.Sub(sl.Open.Start)
	switch {
	case sl.ClockUnset:
		f.Level = sources.Warning
		f.Text = "the clock of this machine has not been set yet; slices get their times when it is"
	case sl.Closed == 0:
		f.Level = sources.Notice
		f.Text = "no slice has closed yet; the first will at " + humanTime(sl.Open.End, now)
	case now.Sub(sl.LastClosed.End) > 3*length:
		f.Level = sources.Broken
		f.Text = fmt.Sprintf("none has closed for %s, though one should every %s", humanAge(now.Sub(sl.LastClosed.End)),
			humanAge(length))
		f.Cure = "look at the daemon's log; weir status shows which part hangs"
	default:
		f.Text = fmt.Sprintf("%s closed, the last one at %s", humanCount(sl.Closed), humanTime(sl.LastClosed.End, now))
		if sl.Incomplete > 0 {
			f.Level = sources.Notice
			f.Text += fmt.Sprintf("; %s of them without some participant", humanCount(sl.Incomplete))
		}
	}
	return f
}

// diagnoseData says whether there is anything to ask about.
func diagnoseData(st *actors.Status) []sources.Finding {
	var rows, live uint64
	for _, t := range st.Tiers {
		rows += t.Rows
	}
	for _, s := range st.Shards {
		live += s.Flows.Live
	}
	if rows > 0 || st.Slicer.Closed == 0 {
		return nil
	}
	f := sources.Finding{Level: sources.Warning, Subject: "traffic"}
	if live == 0 {
		f.Text = "slices close, but no flow has been seen: nothing crosses this machine, or the kernel tracks nothing"
	} else {
		f.Text = fmt.Sprintf("%s flows are known, but none of them has moved since weir began to count",
			humanCount(live))
	}
	return []sources.Finding{f}
}

// strayTags is from how many tags without a flow on they are worth a word.
const strayTags = 100

// diagnoseTags says whether the sources that tell names see the traffic that is counted here.
func diagnoseTags(st *actors.Status) []sources.Finding {
	var sent, unclaimed uint64
	for i := range st.Sources {
		for _, m := range st.Sources[i].Metrics {
			if m.Name == "tags_total" {
				sent += uint64(max(m.Value, 0))
			}
		}
	}
	for _, s := range st.Shards {
		unclaimed += s.Flows.TagsUnclaimed
	}
	if unclaimed < strayTags || unclaimed < sent/2 {
		return nil
	}
	text := humanCount(unclaimed)
	if sent >= unclaimed {
		text += " of " + humanCount(sent)
	}
	return []sources.Finding{{
		Level: sources.Warning, Subject: "tags",
		Text: text + " tags, such as names, found no flow: whoever told them sees other traffic than this machine " +
			"counts",
		Cure: "let Suricata watch the interface of this router that leads home, and no other network",
	}}
}

// diagnoseFailures tells which parts failed and were restarted.
func diagnoseFailures(st *actors.Status) []sources.Finding {
	var found []sources.Finding
	for _, a := range st.Actors {
		if a.Failures == 0 || a.State == "backing-off" {
			continue
		}
		found = append(found, sources.Finding{
			Level: sources.Notice, Subject: a.Name,
			Text: fmt.Sprintf("failed %s times and was restarted; the last time: %s", humanCount(a.Failures),
				a.LastError),
		})
	}
	return found
}

// reason gives the sentence that explains an empty answer best, or nothing.
func reason(found []sources.Finding) string {
	for _, l := range []sources.Level{sources.Broken, sources.Warning, sources.Notice} {
		for _, f := range found {
			if f.Level == l {
				return f.Subject + ": " + f.Text
			}
		}
	}
	return ""
}
