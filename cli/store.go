package cli

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/disk"
	"weir/messages"
	"weir/query"
	"weir/store"
	"weir/store/tiers"
)

// storeCommand looks after the history on disk.
func (a *App) storeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store",
		Short: "Look after the history on disk: list, check, export, import, forget",
		Long: `Looks after the history that the daemon keeps on disk.

ls, verify and export ask the daemon if it runs; else they open the directory themselves.
import and forget need the directory for themselves, so the daemon has to be stopped for them.
Nothing that moves meanwhile is lost: the kernel counts on, and the daemon goes on from there.`,
		Example: `  weir store ls
  weir store verify
  weir store export --last 30d may.parquet
  weir store forget local.mac = 00:16:3e:aa:bb:01`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return &usageError{fmt.Errorf("unknown command %q", "store "+args[0])}
		},
	}
	cmd.AddCommand(a.storeLs(), a.storeVerify(), a.storeExport(), a.storeImport(), a.storeForget())
	return cmd
}

// interrupted gives a context that ends with an interrupt.
func interrupted(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
}

// storeVerify checks all of it.
func (a *App) storeVerify() *cobra.Command {
	var flags configFlags
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check all checksums, and that the tiers agree on what moved",
		Long: `Reads all that is stored. Checks the checksums of files and journal, and that for each slice of a
coarser tier its totals are those of the finer one, as far as the finer one still has them.
Prints what is wrong and exits with 1 if anything is.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := interrupted(cmd)
			defer stop()
			s, err := a.reach(ctx, &flags)
			if err != nil {
				return err
			}
			defer s.close()
			bar := a.bar("verify", humanBytes[uint64])
			v, err := s.Verify(ctx, bar.show)
			bar.clear()
			if err != nil {
				return fmt.Errorf("verify: %w", err)
			}
			return a.verified(v)
		},
	}
	flags.register(cmd)
	return cmd
}

// verified prints what a verification found.
func (a *App) verified(v *tiers.Verified) error {
	s := a.screen(a.Out)
	s.printf("read %s files with %s and %s segments of the journal\n", humanCount(v.Files), humanBytes(v.Bytes),
		humanCount(v.Segments))
	s.printf("compared the totals of %s slices with those of the finer tier; of %s it does not have all any more\n",
		humanCount(v.Compared), humanCount(v.Skipped))
	if len(v.Faults) == 0 {
		s.printf("%s\n", s.paint(green, "all is well"))
		return nil
	}
	for _, f := range v.Faults {
		fmt.Fprintf(a.Err, "weir: %s\n", escape(f))
	}
	return fmt.Errorf("verify: %d faults", len(v.Faults)) //nolint:err113 // It is printed.
}

// storeImport takes an exported file back.
func (a *App) storeImport() *cobra.Command {
	var flags configFlags
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Take a Parquet file back that export has written; the daemon must be stopped",
		Long: `Takes back what 'weir store export' has written as Parquet. Slices of times of which there is
something already are left out: nothing counts twice.`,
		Args: oneArg("name one file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interrupted(cmd)
			defer stop()
			// First, since root goes on as another user who may have no right to it.
			from, err := disk.OS{}.Open(args[0])
			if err != nil {
				return fmt.Errorf("import: %w", err)
			}
			h, err := a.alone(ctx, &flags)
			if err != nil {
				return errors.Join(err, from.Close())
			}
			defer h.end(a)
			bar := a.bar("import", humanCount)
			done, err := h.store.Import(ctx, opened{file: from}, args[0], bar.show)
			bar.clear()
			s := a.screen(a.Out)
			s.printf("took %s slices with %s rows into %d files\n", humanCount(done.Slices), humanCount(done.Rows),
				done.Files)
			if done.Skipped > 0 {
				s.printf("left out %s slices of times of which there is something already\n", humanCount(done.Skipped))
			}
			return err
		},
	}
	flags.register(cmd)
	return cmd
}

// opened is a file system with one file, which is open already.
type opened struct {
	disk.FS // nil: nothing else is asked

	file disk.File
}

// Open gives the file. Whoever asks for it closes it.
func (o opened) Open(string) (disk.File, error) { return o.file, nil }

func oneArg(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return &usageError{errors.New(what)}
		}
		return nil
	}
}

// storeForget removes rows.
func (a *App) storeForget() *cobra.Command {
	var flags configFlags
	var yes bool
	cmd := &cobra.Command{
		Use:   "forget FILTER",
		Short: "Remove all rows that pass a filter, as those of one device; the daemon must be stopped",
		Long: `Removes all rows that pass the filter, as 'weir query' understands it, from all tiers, and prints what
was removed and that nothing is left. Sums of all then lack what was removed.

Of rows of which a coarser tier has dropped the columns of the filter it cannot be told whether they
pass. They are rolled up anew where the finer tier still has them; else they stay, and that is told.`,
		Example: `  weir store forget local.mac = 00:16:3e:aa:bb:01
  weir store forget --yes 'local.ip in (192.168.1.77, 2001:db8::77)'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interrupted(cmd)
			defer stop()
			text := strings.Join(args, " ")
			if strings.TrimSpace(text) == "" {
				return &usageError{errors.New("name a filter: without one all would be forgotten")}
			}
			filter, err := query.Bind(text)
			if err != nil {
				return &usageError{err}
			}
			h, err := a.alone(ctx, &flags)
			if err != nil {
				return err
			}
			defer h.end(a)
			return a.forget(ctx, h, filter, yes)
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask whether that is meant")
	return cmd
}

var (
	errNotMeant = errors.New("nothing was removed")
	errAskFirst = errors.New("nobody is there to be asked whether that is meant: say --yes")
	errLeft     = errors.New("some of it is left; run the command again")
)

// forget asks, removes, and prints the proof.
func (a *App) forget(ctx context.Context, h *history, filter store.Filter, yes bool) error {
	r := &store.Request{Span: store.Always(), Filter: filter}
	sum := store.NewPartial(r)
	if err := h.store.Query(ctx, r, sum); err != nil {
		return fmt.Errorf("forget: %w", err)
	}
	var found messages.Totals
	for _, t := range sum.Groups() {
		found.Add(t)
	}
	s := a.screen(a.Out)
	if !yes {
		s.printf("%s rows pass, with %s up and %s down. They cannot be brought back.\n", humanCount(found.Rows),
			humanBytes(found.Up.Bytes), humanBytes(found.Down.Bytes))
		if err := a.confirm("Remove them? Type yes: "); err != nil {
			return err
		}
	}
	bar := a.bar("forget", humanBytes[uint64])
	proof, err := h.store.Forget(ctx, filter, bar.show)
	bar.clear()
	if left := s.proof(proof); err == nil && left {
		err = errLeft
	}
	return err
}

// proof prints what was removed from which tier. left says that something is there still.
func (s *screen) proof(list []tiers.Forgotten) (left bool) {
	rows := make([][]string, 0, len(list))
	untold := uint64(0)
	for i := range list {
		p := &list[i]
		rows = append(rows, []string{
			p.Tier, fmt.Sprintf("%d of %d", p.Files, p.Of), humanCount(p.Removed.Rows),
			humanBytes(p.Removed.Up.Bytes + p.Removed.Down.Bytes), humanCount(p.Left.Rows),
			humanBytes(p.Untold.Up.Bytes + p.Untold.Down.Bytes),
		})
		left = left || p.Left != (messages.Totals{})
		untold += p.Untold.Up.Bytes + p.Untold.Down.Bytes
	}
	s.table([]string{"tier", "files rewritten", "rows removed", "bytes removed", "rows left", "cannot be told"}, rows)
	if untold > 0 {
		s.printf("%s\n", s.paint(yellow, "Of some of what the coarser tiers hold it cannot be told whether it passes: "+
			"they have dropped the columns that the filter asks for, or folded the rows."))
	}
	s.printf("The journal still has a copy aside, which the daemon removes when it has closed its next slices.\n")
	return left
}

// spanOf reads a range: from, to and last as those of weir query. Without any it is all that there is.
func (a *App) spanOf(from, to, last string) (messages.Span, error) {
	span := store.Always()
	texts := map[string]string{"from": from, "to": to, "last": last}
	q, err := query.ParseQuestion(func(name string) string { return texts[name] }, a.Now(),
		time.Local) //nolint:gosmopolitan // The user's own time.
	switch {
	case err != nil:
		return span, err
	case last != "" && from != "":
		span.Start, span.End = q.From, q.From.Add(q.Last)
	case last != "":
		span.End = a.Now()
		if to != "" {
			span.End = q.To
		}
		span.Start = span.End.Add(-q.Last)
	default:
		if from != "" {
			span.Start = q.From
		}
		if to != "" {
			span.End = q.To
		}
	}
	if !span.Start.Before(span.End) || last != "" && from != "" && to != "" {
		return span, errors.New("the range is empty, or said twice") //nolint:err113 // It is printed.
	}
	return span, nil
}
