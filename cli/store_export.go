package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// The forms of an exported file.
const (
	formatParquet = "parquet"
	formatCSV     = "csv"
)

// storeExport writes history into a file.
func (a *App) storeExport() *cobra.Command {
	var flags configFlags
	var from, to, last, format string
	cmd := &cobra.Command{
		Use:   "export FILE",
		Short: "Write a stretch of the history into one Parquet or CSV file",
		Long: `Writes all rows of a range, of each instant the finest that there is, into one file: Parquet, which any
tool reads and 'weir store import' takes back, or CSV. The name of the file says which, unless --format
does. FILE may be - for standard output.`,
		Example: `  weir store export --last 30d history.parquet
  weir store export --from 2026-05-01 --to 2026-06-01 may.csv`,
		Args: oneArg("name one file, or - for standard output"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interrupted(cmd)
			defer stop()
			if format == "" {
				format = formatParquet
				if strings.HasSuffix(args[0], ".csv") {
					format = formatCSV
				}
			}
			span, err := a.spanOf(from, to, last)
			switch {
			case err != nil:
				return &usageError{err}
			case format != formatCSV && format != formatParquet:
				return &usageError{errors.New("--format is parquet or csv")}
			case args[0] == "-" && format == formatParquet && isTerminal(a.Out):
				return &usageError{errors.New("a terminal cannot show Parquet: name a file, or say --format csv")}
			}
			// The file is made first, since root may go on as another user.
			return a.exportTo(args[0], func(w io.Writer) error {
				s, err := a.reach(ctx, &flags)
				if err != nil {
					return err
				}
				defer s.close()
				bar := a.bar("export", humanCount)
				defer bar.clear()
				return s.Export(ctx, w, format, span, bar.show)
			})
		},
	}
	flags.register(cmd)
	cmd.Flags().StringVar(&from, "from", "", "start of the range: 2026-11-22 14:00, -90d, …; all if it is not set")
	cmd.Flags().StringVar(&to, "to", "", "end of the range, likewise")
	cmd.Flags().StringVar(&last, "last", "", "length of the range, such as 30d")
	cmd.Flags().StringVar(&format, "format", "", "parquet or csv")
	return cmd
}

// exportTo makes a file, which is whole or not there.
func (a *App) exportTo(name string, write func(w io.Writer) error) error {
	if name == "-" {
		return buffered(a.Out, write)
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	var size int64
	if err = buffered(f, write); err == nil {
		size, err = f.Seek(0, io.SeekCurrent)
	} else {
		_ = f.Truncate(0) // It may be that it cannot be removed any more.
	}
	if errClose := f.Close(); err == nil {
		err = errClose
	}
	if err != nil {
		_ = os.Remove(name)
		return err
	}
	a.screen(a.Err).printf("weir: wrote %s\n", humanBytes(size))
	return nil
}

func buffered(w io.Writer, write func(w io.Writer) error) error {
	out := bufio.NewWriterSize(w, 256<<10)
	if err := write(out); err != nil {
		return err
	}
	return out.Flush()
}

// confirm asks whether that is meant.
func (a *App) confirm(question string) error {
	if f, ok := a.In.(*os.File); !ok || !isTerminal(f) {
		return &usageError{errAskFirst}
	}
	return a.asked(question)
}

func (a *App) asked(question string) error {
	fmt.Fprint(a.Err, question)
	answer, err := bufio.NewReader(io.LimitReader(a.In, 1<<10)).ReadString('\n')
	if err != nil || strings.TrimSpace(answer) != "yes" {
		return errNotMeant
	}
	return nil
}
