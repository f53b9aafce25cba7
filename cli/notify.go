package cli

import (
	"context"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/rs/zerolog"
)

// notify tells the service manager how it goes, if there is one that asked.
func notify(log zerolog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn().Err(err).Str("state", state).Msg("the service manager does not take notifications")
	}
}

// watchdog pets the service manager's watchdog for as long as alive returns: a daemon that hangs is restarted.
func watchdog(ctx context.Context, log zerolog.Logger, alive func()) {
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil || limit <= 0 {
		return
	}
	tick := time.NewTicker(max(limit/3, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			alive()
			notify(log, daemon.SdNotifyWatchdog)
		}
	}
}
