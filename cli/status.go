package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"weir/actors"
	"weir/api"
)

// statusCommand shows how the daemon and its parts are.
func (a *App) statusCommand() *cobra.Command {
	var (
		output  string
		verbose bool
	)
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how the daemon and its parts are",
		Long: `Shows slices, memory, the history on disk, sources and computations with their counters,
shards, and the actors that
failed or do not run. Counters that are 0 are left out unless --verbose asks for them.
The JSON form has all numbers.`,
		Example: `  weir status
  weir status --verbose
  weir status --output json | jq .slicer`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch output {
			case "json":
				data, err := a.client().getAll(cmd.Context(), "/v1/status", nil, "application/json")
				if err != nil {
					return err
				}
				_, err = a.Out.Write(data)
				return err
			case "table":
				st, err := a.fetchStatus(cmd.Context())
				if err != nil {
					return err
				}
				s := a.screen(a.Out)
				s.verbose = verbose
				s.status(st, a.fetchHistory(cmd.Context(), st), a.Now())
				return nil
			default:
				return &usageError{errors.New(`--output is "table" or "json"`)}
			}
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "show counters that are 0 and actors that are well, too")
	return cmd
}

// status prints all of it.
func (s *screen) status(st *actors.Status, h *api.StoreState, now time.Time) {
	s.printf("%s since %s (%s)", s.paint(bold, "running"), humanTime(st.Started, now), humanAge(now.Sub(st.Started)))
	if st.Draining {
		s.printf(", %s", s.paint(yellow, "about to end"))
	}
	s.printf("; %s losses told, each with the answers about its time\n", humanCount(st.Losses))
	if st.DeadLetters > 0 || s.verbose {
		s.printf("%s messages found nobody\n", humanCount(st.DeadLetters))
	}
	s.slicer(&st.Slicer, now)
	s.tiers(st, now)
	if h != nil {
		s.history(st, h, now)
	}
	for i := range st.Sources {
		s.source(&st.Sources[i])
	}
	for i := range st.Computations {
		s.computation(&st.Computations[i])
	}
	s.shards(st.Shards)
	s.actors(st.Actors, now)
}

func (s *screen) slicer(sl *actors.SlicerStatus, now time.Time) {
	s.printf("\n%s\n", s.paint(bold, "slices"))
	s.printf("  open          %s (number %s)\n", humanSpan(sl.Open.Start, sl.Open.End, now), humanCount(sl.Seq))
	if sl.Closed > 0 {
		round := time.Duration(sl.LastRound * float64(time.Second))
		s.printf("  last closed   %s, closing took %s\n", humanSpan(sl.LastClosed.Start, sl.LastClosed.End, now),
			humanAge(round))
	}
	s.printf("  closed        %s; %s incomplete, %s failed, %s unpublished\n",
		humanCount(sl.Closed), humanCount(sl.Incomplete), humanCount(sl.Failed), humanCount(sl.Unpublished))
	if sl.Late > 0 {
		s.printf("  late          %s times a participant missed the deadline\n", humanCount(sl.Late))
	}
	if sl.ClockUnset {
		s.printf("  clock         %s\n", s.paint(yellow, "has not been set yet"))
	}
	if sl.ClockJumps > 0 {
		s.printf("  clock         was set %s times\n", humanCount(sl.ClockJumps))
	}
}

func (s *screen) tiers(st *actors.Status, now time.Time) {
	s.printf("\n%s\n", s.paint(bold, "memory"))
	for _, t := range st.Tiers[:min(1, len(st.Tiers))] { // The others are on disk.
		span := "nothing yet"
		if t.Slices > 0 {
			span = humanSpan(t.Span.Start, t.Span.End, now)
		}
		s.printf("  tier %-8s %s of %s; %s slices with %s rows, %s; %s rows folded into (other)\n", escape(t.Name),
			humanBytes(t.Bytes), humanBytes(t.Budget), humanCount(t.Slices), humanCount(t.Rows), span,
			humanCount(t.Folded))
	}
	var used, budget int64
	var live, folded uint64
	for _, sh := range st.Shards {
		used, budget = used+sh.Flows.Bytes, budget+sh.Flows.Budget
		live, folded = live+sh.Flows.Live, folded+sh.Flows.FoldedTotal
	}
	s.printf("  live flows    %s of %s; %s flows, %s folded into (other)\n",
		humanBytes(used), humanBytes(budget), humanCount(live), humanCount(folded))
}

// fetchHistory asks how the history does; nil if there is none.
func (a *App) fetchHistory(ctx context.Context, st *actors.Status) *api.StoreState {
	if !st.Archive.On {
		return nil
	}
	h, err := (&remote{a.client()}).state(ctx)
	if err != nil {
		return nil // The daemon has answered a moment ago; it is about to end.
	}
	return h
}

// history prints how the history does.
func (s *screen) history(st *actors.Status, h *api.StoreState, now time.Time) {
	s.printf("\n")
	s.storeState(h, now)
	if k := st.Archive.LastKept; !k.End.IsZero() {
		s.printf("  last kept     %s; %s kept, %d wait, %s given up\n", humanSpan(k.Start, k.End, now),
			humanCount(st.Archive.Kept), st.Archive.Lag, humanCount(st.Archive.Dropped))
	}
	for i := range h.Tiers {
		t := &h.Tiers[i]
		s.printf("  tier %-8s %s; %s slices with %s rows, %s\n", escape(t.Name), humanBytes(t.Bytes),
			humanCount(t.Slices), humanCount(t.Rows), coverage(t.Span, now))
	}
}

// source prints one source with its own numbers.
func (s *screen) source(src *actors.SourceStatus) {
	state := string(src.State)
	if !src.Ready && state == "running" {
		state = "starting"
	}
	st := yellow
	if state == "running" || state == "finished" {
		st = green
	}
	s.printf("\n%s %s: %s", s.paint(bold, "source"), s.paint(bold, escape(src.Name)), s.paint(st, escape(state)))
	s.printf("\n")
	if src.Detail != "" {
		for part := range strings.SplitSeq(src.Detail, "; ") {
			s.printf("  %s\n", escape(part))
		}
	}
	s.printf("  %s updates in %s batches", humanCount(src.Updates), humanCount(src.Batches))
	if src.ShedUpdates > 0 || src.Backlog > 0 || s.verbose {
		s.printf("; %s updates in %s batches dropped for want of room, %d batches wait", humanCount(src.ShedUpdates),
			humanCount(src.ShedBatches), src.Backlog)
	}
	s.printf("\n")
	s.metrics(src.Metrics)
}

// metrics prints numbers that a part tells about itself. Those that are 0 say little, and what explains several of them
// in a row is said once.
func (s *screen) metrics(list []actors.MetricStatus) {
	width, help := 0, ""
	for _, m := range list {
		width = max(width, utf8.RuneCountInString(escape(m.Name)))
	}
	for _, m := range list {
		if m.Value == 0 && !s.verbose {
			continue
		}
		s.printf("%s\n", strings.TrimRight(fmt.Sprintf("  %-*s %15s  %s", width, escape(m.Name), humanNumber(m.Value),
			s.paint(faint, escape(unless(m.Help == help, m.Help)))), " "))
		help = m.Help
	}
}

// unless gives a text, or none if something holds.
func unless(holds bool, text string) string {
	if holds {
		return ""
	}
	return text
}

// computation prints one computation with its own numbers.
func (s *screen) computation(c *actors.ComputationStatus) {
	state, st := "running", green
	switch {
	case !c.Running:
		state, st = "not running", yellow
	case !c.Fresh:
		state, st = "busy: old numbers", yellow
	}
	s.printf("\n%s %s: %s\n", s.paint(bold, "computation"), s.paint(bold, escape(c.Name)), s.paint(st, state))
	s.printf("  %s flows in view; %s events and %s facts taken, %d messages wait, %s events and facts wait in shards\n",
		humanCount(c.Flows), humanCount(c.Events), humanCount(c.Facts), c.Waiting,
		humanCount(uint64(max(c.Queued, 0)))) //nolint:gosec // Not negative.
	s.printf("  %s updates made; settled %s slices, the last one in %s, late for %s\n", humanCount(c.Updates),
		humanCount(c.Settled), humanAge(time.Duration(c.LastSettle*float64(time.Second))), humanCount(c.Late))
	if n := c.EventsDropped + c.FactsDropped + c.FlowsRefused + c.GivenUp + c.UpdatesDropped; n > 0 {
		s.printf("  %s\n", s.paint(yellow, fmt.Sprintf("no room for %s events, %s facts, %s flows in view, "+
			"%s updates; %s events and facts given up", humanCount(c.EventsDropped), humanCount(c.FactsDropped),
			humanCount(c.FlowsRefused), humanCount(c.UpdatesDropped), humanCount(c.GivenUp))))
	}
	if c.Files > 0 || c.FileErrors > 0 {
		s.printf("  %d files read, %s errors in them (the log names each)\n", c.Files, humanCount(c.FileErrors))
	}
	if c.StateFailures > 0 {
		s.printf("  %s\n", s.paint(yellow, fmt.Sprintf("what it keeps could not be saved or loaded %s times",
			humanCount(c.StateFailures))))
	}
	s.metrics(c.Metrics)
}

func (s *screen) shards(list []actors.ShardStatus) {
	s.printf("\n")
	rows := make([][]string, len(list))
	for i, sh := range list {
		name := fmt.Sprintf("shard %d", sh.Shard)
		if !sh.Fresh {
			name += " (busy: old numbers)"
		}
		rows[i] = []string{
			name, humanCount(sh.Flows.Live), humanCount(sh.Flows.Limbo), humanCount(sh.Flows.Folded),
			humanBytes(sh.Flows.Bytes), fmt.Sprintf("%d of %d", sh.Waiting, sh.Window), humanCount(sh.Refused),
			humanCount(sh.Flows.LostUpdates),
		}
	}
	s.table([]string{"shard", "flows", "limbo", "folded", "memory", "waiting", "refused", "lost updates"}, rows)
	s.tags(list)
}

// tags tells which tags came to nothing.
func (s *screen) tags(list []actors.ShardStatus) {
	var unclaimed, refused uint64
	for _, sh := range list {
		unclaimed, refused = unclaimed+sh.Flows.TagsUnclaimed, refused+sh.Flows.TagsRefused
	}
	if unclaimed > 0 || refused > 0 || s.verbose {
		s.printf("\n%s\n", s.paint(bold, "tags"))
		s.metrics([]actors.MetricStatus{
			{Name: "tags_unclaimed_total", Help: "tags whose flow is not known", Value: float64(unclaimed)},
			{Name: "tags_refused_total", Help: "tags for which their flow had no room", Value: float64(refused)},
		})
	}
}

// actors prints those that failed or do not run, or all.
func (s *screen) actors(list []actors.ActorStatus, now time.Time) {
	var rows [][]string
	for _, a := range list {
		if a.Failures == 0 && a.State == "running" && !s.verbose {
			continue
		}
		last := ""
		if a.Failures > 0 {
			last = humanTime(a.LastFailure, now) + " " + a.LastError
		}
		rows = append(rows, []string{a.Name, a.State, humanTime(a.Since, now), humanCount(a.Failures), last})
	}
	s.printf("\n")
	if len(rows) > 0 {
		s.table([]string{"actor", "state", "since", "failures", "last failure"}, rows)
	}
	if well := len(list) - len(rows); well > 0 {
		s.printf("%d actors run and never failed\n", well)
	}
}
