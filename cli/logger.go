package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/rs/zerolog"

	"weir/config"
)

// logger makes the daemon's log on standard error.
func (a *App) logger(c config.Log) zerolog.Logger {
	level, err := zerolog.ParseLevel(c.Level)
	if err != nil {
		level = zerolog.InfoLevel // The configuration was checked; this cannot be.
	}
	human := c.Format == "human" || c.Format == "auto" && isTerminal(a.Err)
	w := a.Err
	if human {
		w = a.console()
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger()
}

// console prints log lines for people. Messages are escaped: an error in them may repeat what came from the
// network. Values are quoted by the writer itself.
func (a *App) console() io.Writer {
	return zerolog.ConsoleWriter{
		Out: a.Err, NoColor: !a.screen(a.Err).colour, TimeFormat: time.TimeOnly,
		FormatMessage: func(m any) string {
			if m == nil {
				return ""
			}
			return escape(fmt.Sprint(m))
		},
	}
}
