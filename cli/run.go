package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"weir/config"
)

// runCommand is the daemon.
func (a *App) runCommand() *cobra.Command {
	var flags configFlags
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the daemon in this terminal or under a service manager",
		Long: `Runs the daemon until it gets SIGTERM or SIGINT. Then it closes the open slice, ends its parts
in order, and exits; a second signal, half a second later or more, ends it at once. The log
goes to standard error.

Reading the kernel's connections needs root, or the capability CAP_NET_ADMIN.`,
		Example: `  sudo weir run
  sudo weir run --config ./weir.toml --home 192.168.1.0/24,br-guest
  sudo weir run --set memory.slices=256MiB --log-level debug`,
		Args: noArgs,
	}
	flags.register(cmd)
	short := shortFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		flags.set = append(short(), flags.set...)
		l, err := a.load(&flags)
		if err != nil {
			return err
		}
		signals := make(chan os.Signal, 2)
		signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
		defer signal.Stop(signals)
		return a.run(cmd.Context(), l, signals)
	}
	return cmd
}

// shortFlags adds flags for the keys that are set most. The result gives those that were set.
func shortFlags(cmd *cobra.Command) func() []string {
	keys := map[string]string{
		"slice": "slice", "home": "home", "listen": "api.listen", "log-level": "log.level", "log-format": "log.format",
	}
	cmd.Flags().String("slice", "", "length of a slice, such as 10s")
	cmd.Flags().String("home", "", "home networks and interfaces, separated by commas, or auto")
	cmd.Flags().String("listen", "", "also answer on this TCP address, such as 127.0.0.1:8017")
	cmd.Flags().String("log-level", "", "trace, debug, info, warn or error")
	cmd.Flags().String("log-format", "", "auto, human or json")
	return func() []string {
		var set []string
		for name, key := range keys {
			if f := cmd.Flags().Lookup(name); f.Changed {
				set = append(set, key+"="+f.Value.String())
			}
		}
		return set
	}
}

var (
	errForced = errors.New("ended at once by a second signal: the open slice is lost")
	errNoData = errors.New("no source is enabled, so there can be no data: set sources.conntrack.enabled = true " +
		"in the configuration, or build weir with a source; where nothing but Suricata counts, set " +
		"sources.suricata.stream and sources.suricata.statistics")
)

// run starts the daemon, waits for its end, and ends it in order.
func (a *App) run(ctx context.Context, l *config.Loaded, signals <-chan os.Signal) error {
	if err := ownSocket(l.Config); err != nil {
		return err
	}
	log := a.logger(l.Log)
	for _, f := range nothingCounts(l.Config) {
		log.Warn().Str("cure", f.Cure).Msg(f.Text)
	}
	d, err := newDaemon(log, l)
	if err != nil {
		return err
	}
	if err := d.start(ctx); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	var cause error
	select {
	case s := <-signals:
		log.Info().Stringer("signal", s).Msg("ends: closing the open slice; a second signal ends it at once")
	case cause = <-d.system.Fatal():
		log.Error().Err(cause).Msg("gives up")
	case cause = <-d.served:
		log.Error().Err(cause).Msg("cannot answer any more")
	case <-ctx.Done():
		log.Info().Msg("ends")
	}
	first := time.Now()
	ended := make(chan error, 1)
	go func() { ended <- d.stop() }()
	for {
		select {
		case err := <-ended:
			return errors.Join(cause, err)
		case <-signals:
			if time.Since(first) >= sameSignal {
				return errForced
			}
		}
	}
}

// sameSignal is how long after the first signal another one is taken for the same wish: timeout(1), shells and service
// managers may signal a process and at once its whole group.
const sameSignal = 500 * time.Millisecond
