package query

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// WriteCSV writes an answer as CSV after RFC 4180: a line of names, then the rows. Where flows have no value the
// cell is empty. Texts are escaped as in a table, and whole. A cell that a spreadsheet could take for a formula,
// or a reader for the mark of the row (other), has an apostrophe before it, and so has one that begins with an
// apostrophe, so that the first one of a cell can always be taken away. Some spreadsheets cut lines at semicolons
// instead of commas: a sign of a formula after one is written as an escape.
func WriteCSV(w io.Writer, a *Answer, s Style) error {
	c := csv.NewWriter(w)
	c.UseCRLF = true
	record := make([]string, len(a.Columns))
	for i := range a.Columns {
		record[i] = a.Columns[i].Name
	}
	err := c.Write(record)
	for _, row := range a.Rows {
		for i, cell := range row {
			record[i] = csvCell(cell, &s)
		}
		if err == nil {
			err = c.Write(record)
		}
	}
	c.Flush()
	if err == nil {
		err = c.Error()
	}
	if err != nil {
		return fmt.Errorf("write csv: %w", err)
	}
	return nil
}

func csvCell(cell Cell, s *Style) string {
	switch cell.Kind {
	case CellNumber:
		return strconv.FormatUint(cell.Number, 10)
	case CellTime:
		return cell.Time.In(s.zone()).Format(time.RFC3339Nano)
	case CellOther:
		return shownOther
	case CellText:
		return guard(literal(cell.Text))
	case CellSet:
		return guard(shownSet(cell.Texts))
	default:
		return ""
	}
}

// isFormula says whether a cell that begins so is one in some spreadsheet: the signs, and their wide forms.
func isFormula(r rune) bool { return strings.ContainsRune("=+-@\uff1d\uff0b\uff0d\uff20", r) }

// guard keeps a text from being taken for something else.
func guard(text string) string {
	var b strings.Builder
	first, _ := utf8.DecodeRuneInString(text)
	if text == shownOther || first == '\'' || isFormula(first) {
		b.WriteByte('\'')
	}
	separated := false
	for _, r := range text {
		if separated && isFormula(r) {
			writeEscape(&b, r)
		} else {
			b.WriteRune(r)
		}
		separated = r == ';' || separated && (r == ' ' || r == '"' || r == '\'')
	}
	return b.String()
}
