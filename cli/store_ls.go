package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"weir/api"
	"weir/internal/units"
	"weir/messages"
)

// storeLs lists what is kept.
func (a *App) storeLs() *cobra.Command {
	var flags configFlags
	var buckets bool
	var output string
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List the tiers with what they hold and what that takes",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "table" && output != "json" {
				return &usageError{errors.New(`--output is "table" or "json"`)}
			}
			ctx, stop := interrupted(cmd)
			defer stop()
			s, err := a.reach(ctx, &flags)
			if err != nil {
				return err
			}
			defer s.close()
			st, err := s.state(ctx)
			if err != nil {
				return err
			}
			if output == "json" {
				enc := json.NewEncoder(a.Out)
				enc.SetIndent("", "  ")
				return enc.Encode(st)
			}
			a.screen(a.Out).store(st, buckets, a.Now())
			return nil
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVar(&buckets, "buckets", false, "list each file too")
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

// store prints what is held.
func (s *screen) store(st *api.StoreState, buckets bool, now time.Time) {
	s.storeState(st, now)
	s.printf("\n")
	rows := make([][]string, 0, len(st.Tiers))
	for i := range st.Tiers {
		t := &st.Tiers[i]
		keeps := "until it is in a file"
		if t.Bucket > 0 {
			keeps = "for ever"
			if t.Retention > 0 {
				keeps = units.FormatDuration(t.Retention)
			}
		}
		files := ""
		if t.Bucket > 0 {
			files = humanCount(uint64(t.Files)) //nolint:gosec // A count.
		}
		rows = append(rows, []string{
			t.Name, units.FormatDuration(t.Slice), keeps, files, humanCount(t.Slices), humanCount(t.Rows),
			humanBytes(t.Bytes), perRow(t.Bytes, t.Rows), lossCount(t.Losses, t.Damaged), coverage(t.Span, now),
		})
	}
	s.table([]string{
		"tier", "slices of", "keeps", "files", "slices", "rows", "size", "B/row", "losses", "covers",
	}, rows)
	if !buckets {
		return
	}
	rows = nil
	for i := range st.Tiers {
		for _, b := range st.Tiers[i].Buckets {
			rows = append(rows, []string{
				st.Tiers[i].Name, humanCount(b.Slices), humanCount(b.Rows), humanBytes(b.Bytes),
				perRow(b.Bytes, b.Rows), lossCount(b.Losses, 0), b.File,
			})
		}
	}
	s.printf("\n")
	s.table([]string{"tier", "slices", "rows", "size", "B/row", "losses", "file"}, rows)
}

func perRow(bytes, rows uint64) string {
	if rows == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f", float64(bytes)/float64(rows))
}

func lossCount(losses, damaged int) string {
	text := "none"
	if losses > 0 {
		text = humanCount(uint64(losses))
	}
	if damaged > 0 {
		text += fmt.Sprintf(", %d files damaged", damaged)
	}
	return text
}

func coverage(s messages.Span, now time.Time) string {
	if !s.Start.Before(s.End) {
		return "nothing yet"
	}
	return humanSpan(s.Start, s.End, now)
}

// storeState prints how the store does, in a few lines.
func (s *screen) storeState(st *api.StoreState, now time.Time) {
	state := s.paint(green, "open")
	switch {
	case !st.Open:
		state = s.paint(red, "not open")
	case st.Cause != "":
		state = s.paint(red, "not written")
	}
	s.printf("%s %s: %s; slices are put on the medium %s\n", s.paint(bold, "history"), escape(st.Dir), state,
		syncText(st.Sync))
	if st.Cause != "" {
		s.printf("  %s %s\n", s.paint(red, escape(st.Cause)), escape(st.Cure))
		if !st.Since.IsZero() {
			s.printf("  since         %s; %d slices wait in memory\n", humanTime(st.Since, now), st.Waiting)
		}
	}
	if st.Work != "" {
		s.printf("  %s\n", s.paint(yellow, "work in the background: "+escape(st.Work)))
	}
	budget := "no bound"
	if st.Budget > 0 {
		budget = humanBytes(st.Budget)
	}
	s.printf("  takes         %s of %s\n", humanBytes(st.Bytes), budget)
	today := humanBytes(st.JournalToday)
	if st.JournalBudget > 0 {
		today += " of " + humanBytes(st.JournalBudget)
	}
	s.printf("  written       %s to the journal today\n", today)
	if st.Spared+st.Folded+st.Dropped+st.Lost > 0 {
		s.printf("  %s\n", s.paint(yellow, fmt.Sprintf("%s slices were kept as sums to spare the flash, %s since the "+
			"disk failed; %s slices and %s files were given up", humanCount(st.Spared), humanCount(st.Folded),
			humanCount(st.Dropped), humanCount(st.Lost))))
	}
	if st.Damaged > 0 {
		s.printf("  %s\n", s.paint(red, fmt.Sprintf("%d damaged files or parts of the journal were put aside",
			st.Damaged)))
	}
	if st.Cut > 0 {
		s.printf("  cut off       %s at the end of the journal, which were not written completely\n",
			humanBytes(st.Cut))
	}
}

// syncText says a policy in words.
func syncText(policy string) string {
	switch policy {
	case "slice":
		return "each time one closes"
	case "never":
		return "when the system sees fit"
	default:
		return "every " + escape(policy)
	}
}
