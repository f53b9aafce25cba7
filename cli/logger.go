package cli

import (
	"bytes"
	"fmt"
	"io"
	"time"
	"unicode/utf16"
	"unicode/utf8"

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
	w := io.Writer(escapingWriter{a.Err})
	if human {
		w = a.console()
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger()
}

// longestLogged is where a value in a log line for people is cut, in characters. Lines for programs are whole.
const longestLogged = 1024

// console prints log lines for people. Whatever is in them may repeat what came from the network: messages and
// values are escaped, and cut. The writer puts texts into quotes itself, but not what is in lists.
func (a *App) console() io.Writer {
	s := a.screen(a.Err)
	return zerolog.ConsoleWriter{
		Out: a.Err, NoColor: !s.colour, TimeFormat: time.TimeOnly,
		FormatMessage:       logged,
		FormatFieldValue:    logged,
		FormatErrFieldValue: func(v any) string { return s.paint(bold, s.paint(red, logged(v))) },
	}
}

// logged gives a part of a log line as it may be shown.
func logged(v any) string {
	if v == nil {
		return ""
	}
	// Lists come as the bytes of their JSON.
	text := []rune(escape(fmt.Sprintf("%s", v)))
	if len(text) > longestLogged {
		return string(text[:longestLogged-1]) + "…"
	}
	return string(text)
}

// escapingWriter passes lines of JSON on. zerolog escapes what JSON wants escaped; what more a terminal could act on,
// such as a mark that turns the direction of writing, can stand in strings alone and becomes the same text as \uXXXX.
type escapingWriter struct{ w io.Writer }

// Write writes whole lines.
func (e escapingWriter) Write(line []byte) (int, error) {
	out := line
	if bytes.ContainsFunc(line, acts) {
		out = make([]byte, 0, len(line)+64)
		for _, r := range string(line) {
			if !acts(r) {
				out = utf8.AppendRune(out, r)
				continue
			}
			for _, unit := range utf16.AppendRune(nil, r) {
				out = fmt.Appendf(out, `\u%04x`, unit)
			}
		}
	}
	if _, err := e.w.Write(out); err != nil {
		return 0, fmt.Errorf("write log: %w", err)
	}
	return len(line), nil
}

// acts says whether a character may not stand in a line of JSON as it is.
func acts(r rune) bool { return r != '\n' && unsafeRune(r) }
