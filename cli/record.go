package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"weir/api"
	"weir/internal/units"
	"weir/sources/recording"
)

// recordCommand writes what the sources send into a file.
func (a *App) recordCommand() *cobra.Command {
	var length string
	cmd := &cobra.Command{
		Use:   "record FILE",
		Short: "Write what the sources send from now on into a file",
		Long: `Writes what the sources of the running daemon send from now on into a file, until it is
interrupted or the time is over. The source replay plays such a file. FILE may be - for
standard output. A recording tells who spoke with whom: keep it accordingly.`,
		Example: `  weir record --for 10m home.weir
  weir run --set sources.conntrack.enabled=false --set sources.replay.file=home.weir`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &usageError{errors.New("name one file, or - for standard output")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			if length != "" {
				d, err := units.ParseDuration(length)
				if err != nil || d <= 0 {
					return &usageError{fmt.Errorf("--for: %q is not %s", length, units.Duration{}.Expects())}
				}
				timed, cancel := context.WithTimeout(ctx, d)
				defer cancel()
				ctx = timed
			}
			return a.record(ctx, args[0])
		},
	}
	cmd.Flags().StringVar(&length, "for", "", "how long, such as 10m; without it until it is interrupted")
	return cmd
}

// record streams into a file.
func (a *App) record(ctx context.Context, name string) error {
	resp, err := a.client().get(ctx, "/v1/record", nil, api.RecordingType)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if name == "-" {
		return a.copy(ctx, a.Out, resp.Body)
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("create recording: %w", err)
	}
	err = a.copy(ctx, f, resp.Body)
	if errClose := f.Close(); errClose != nil {
		err = errors.Join(err, fmt.Errorf("write recording: %w", errClose))
	}
	return err
}

// copy copies until the daemon ends the stream or ctx is done, neither of which is an error. Either way the
// copy gets its end.
func (a *App) copy(ctx context.Context, w io.Writer, r io.Reader) error {
	p := &progress{w: w, screen: a.screen(a.Err), began: a.Now(), now: a.Now}
	done, err := recording.Copy(p, r)
	p.clear()
	switch {
	case p.err != nil:
		return fmt.Errorf("write recording: %w", p.err)
	case err != nil && ctx.Err() == nil:
		return fmt.Errorf("read from daemon: %w", err)
	}
	fmt.Fprintf(a.Err, "weir: recorded %s updates in %s\n", humanCount(done.Updates), humanBytes(done.Bytes))
	if done.Lost > 0 {
		fmt.Fprintf(a.Err, "weir: %s batches are missing, since this computer was too slow\n", humanCount(done.Lost))
	}
	return nil
}

// progress shows on a terminal how much was written.
type progress struct {
	w           io.Writer
	screen      *screen
	n           int64
	began, told time.Time
	now         func() time.Time
	err         error
}

// Write writes on, and now and then tells.
func (p *progress) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	p.n += int64(n)
	p.err = err
	if now := p.now(); p.screen.terminal && now.Sub(p.told) >= time.Second {
		p.told = now
		p.screen.printf("\r\x1b[Krecorded %s in %s; ^C ends it", humanBytes(p.n), humanAge(now.Sub(p.began)))
	}
	return n, err
}

// clear removes the line.
func (p *progress) clear() {
	if p.screen.terminal && !p.told.IsZero() {
		p.screen.printf("\r\x1b[K")
	}
}
