package query

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// WriteCSV writes an answer as CSV after RFC 4180: a line of names, then the rows. Where flows have no
// value the cell is empty. Texts are escaped as in a table; one that a spreadsheet could take for a formula,
// or that reads like the mark of the row (other), has an apostrophe before it.
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
			record[i] = csvCell(&a.Columns[i], cell, &s)
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

func csvCell(c *Column, cell Cell, s *Style) string {
	switch cell.Kind {
	case CellNumber:
		return strconv.FormatUint(cell.Number, 10)
	case CellTime:
		return cell.Time.In(s.zone()).Format(time.RFC3339Nano)
	case CellOther:
		return shownOther
	case CellText:
		text := Escape(cell.Text)
		if c.Type != "integer" && (text == shownOther || text != "" && strings.ContainsRune("=+-@", rune(text[0]))) {
			return "'" + text
		}
		return text
	default:
		return ""
	}
}
