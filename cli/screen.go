package cli

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-isatty"
)

// screen is where a command prints for people.
type screen struct {
	w io.Writer
	// terminal says that somebody is watching; colour and marks that he sees colours and more than ASCII.
	terminal, colour, marks bool
	// verbose says that what is of no interest most of the time shall be shown too.
	verbose bool
}

// style is a way to print.
type style string

// The styles, as terminals know them.
const (
	plain  style = ""
	bold   style = "1"
	faint  style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
)

// screen makes a screen of a writer.
func (a *App) screen(w io.Writer) *screen {
	terminal := isTerminal(w) && a.variable("TERM") != "dumb"
	return &screen{
		w: w, terminal: terminal, marks: terminal && a.isUTF8(),
		colour: terminal && !a.noColor && a.variable("NO_COLOR") == "",
	}
}

// isUTF8 says whether the locale can show more than ASCII.
func (a *App) isUTF8() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToUpper(a.variable(name)); v != "" {
			return strings.Contains(v, "UTF-8") || strings.Contains(v, "UTF8")
		}
	}
	return false
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// printf prints; its arguments are escaped already, or ours.
func (s *screen) printf(format string, args ...any) { fmt.Fprintf(s.w, format, args...) }

// paint puts a text into a style, if there are colours.
func (s *screen) paint(st style, text string) string {
	if !s.colour || st == plain || text == "" {
		return text
	}
	return "\x1b[" + string(st) + "m" + text + "\x1b[0m"
}

// table prints rows in columns that are as wide as their widest cell. Texts are escaped; a cell that begins
// with a digit is set to the right.
func (s *screen) table(header []string, rows [][]string) {
	width := make([]int, len(header))
	for _, row := range append([][]string{header}, rows...) {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(escape(cell)))
		}
	}
	s.line(header, width, bold)
	for _, row := range rows {
		s.line(row, width, plain)
	}
}

func (s *screen) line(row []string, width []int, st style) {
	var b strings.Builder
	for i, cell := range row {
		cell = escape(cell)
		gap := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
		switch {
		case cell != "" && cell[0] >= '0' && cell[0] <= '9':
			b.WriteString(gap + cell)
		case i == len(row)-1:
			b.WriteString(cell)
		default:
			b.WriteString(cell + gap)
		}
		b.WriteString("  ")
	}
	s.printf("%s\n", s.paint(st, strings.TrimRight(b.String(), " ")))
}

// escape makes a text harmless to a terminal: whatever does not print becomes visible.
func escape(text string) string {
	if strings.IndexFunc(text, unsafeRune) < 0 && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if unsafeRune(r) {
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// unsafeRune says what is not shown as it is: control characters, also those that turn the direction of writing
// around, and what is no character.
func unsafeRune(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
