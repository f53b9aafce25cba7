package query

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"weir/internal/units"
	"weir/messages"
)

// Style says how an answer is written. The zero Style is for programs.
type Style struct {
	// Human shows numbers and times as people read them, and cuts texts in tables shorter; for terminals.
	Human bool
	// Color marks the head and what is not exact.
	Color bool
	// Explain adds to JSON which tier answered for which part of the range, and what that took.
	Explain bool
	// Location is the zone in which times are shown; nil means UTC.
	Location *time.Location
}

// Where a cell of a table is cut, in characters: for people, and for what else reads tables. All rows are as wide
// as the widest, so that one long name would make the whole table large. JSON and CSV cut nothing.
const (
	longestForPeople = 64
	longestShown     = 256
)

// The colours, as terminals know them.
const (
	bold   = "\x1b[1m"
	dim    = "\x1b[2m"
	yellow = "\x1b[33m"
	reset  = "\x1b[0m"
)

// zone gives the zone in which times are shown.
func (s *Style) zone() *time.Location {
	if s.Location == nil {
		return time.UTC
	}
	return s.Location
}

func (s *Style) time(t time.Time) string {
	t = t.In(s.zone())
	switch {
	case !s.Human:
		return t.Format(time.RFC3339)
	case t.Nanosecond() == 0:
		return t.Format(time.DateTime)
	}
	return t.Format("2006-01-02 15:04:05.000")
}

// paint colours a text if colours are wanted.
func (s *Style) paint(color, text string) string {
	if !s.Color {
		return text
	}
	return color + text + reset
}

// cell prints a cell of a table.
func (s *Style) cell(c *Column, cell Cell) string {
	switch cell.Kind {
	case CellNumber:
		if s.Human {
			return humanNumber(cell.Number, c.Unit)
		}
		return strconv.FormatUint(cell.Number, 10)
	case CellTime:
		return s.time(cell.Time)
	case CellOther:
		return shownOther
	case CellText:
		return s.clip(shown(cell.Text))
	case CellSet:
		return s.clip(shownSet(cell.Texts))
	default:
		return shownNone
	}
}

func (s *Style) clip(text string) string {
	if s.Human {
		return clip(text, longestForPeople)
	}
	return clip(text, longestShown)
}

// WriteTable writes an answer as aligned columns. What it is worth goes to notes, so that a program that
// reads the rows is not troubled; notes may be the same writer.
func WriteTable(w, notes io.Writer, a *Answer, s Style) error {
	rows := make([][]string, 0, 1+len(a.Rows))
	head := make([]string, len(a.Columns))
	for i, c := range a.Columns {
		head[i] = c.Name
	}
	rows = append(rows, head)
	for _, r := range a.Rows {
		row := make([]string, len(r))
		for i, cell := range r {
			row[i] = s.cell(&a.Columns[i], cell)
		}
		rows = append(rows, row)
	}
	widths := make([]int, len(head))
	for _, row := range rows {
		for i, text := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	b := bufio.NewWriter(w)
	for n, row := range rows {
		line := s.line(a.Columns, row, widths)
		switch {
		case n == 0:
			line = s.paint(bold, line)
		case IsOther(a.Rows[n-1]):
			line = s.paint(dim, line)
		}
		_, _ = b.WriteString(line + "\n") // Flush tells.
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return s.footer(notes, a)
}

// line lays out one row. Integers stand at the right, so that digits are below each other.
func (s *Style) line(cs []Column, row []string, widths []int) string {
	var b strings.Builder
	for i, text := range row {
		pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text))
		if i > 0 {
			b.WriteString("  ")
		}
		if cs[i].Type == "integer" {
			b.WriteString(pad + text)
		} else {
			b.WriteString(text + pad)
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// footer says what the answer covers and what it is worth.
func (s *Style) footer(w io.Writer, a *Answer) error {
	var b strings.Builder
	if a.SlicesRead > 0 {
		fmt.Fprintf(&b, "%s to %s (%s), slices of %s; read %s and %s in %s\n", s.time(a.Range.Start),
			s.time(a.Range.End), a.Range.End.In(s.zone()).Format("MST"), units.FormatDuration(a.Resolution),
			counted(a.SlicesRead, "slice"), counted(a.RowsRead, "row"), a.Elapsed.Round(time.Microsecond))
	}
	for _, why := range a.Why {
		b.WriteString(s.paint(yellow, "not exact: "+Escape(why)) + "\n")
	}
	for _, l := range a.Loss {
		if l.Kind == messages.LossFolded {
			b.WriteString("note: " + Escape(describe(&l)) + "\n")
		}
	}
	for _, n := range a.Notes {
		b.WriteString("note: " + Escape(n) + "\n")
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write notes: %w", err)
	}
	return nil
}
