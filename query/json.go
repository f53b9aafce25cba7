package query

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"time"
	"unicode/utf8"

	"weir/internal/units"
	"weir/messages"
)

// WriteJSON writes an answer as one JSON object:
//
//	{"columns":[{"name","type","unit","set"}], "rows":[[…]], "range":{"from","to"}, "resolution", "exact",
//	 "loss":[…], …}
//
// A cell is a string, a list of strings where "set" is true, a whole number that is never rounded, or null where
// the flows have no value. In the rows whose numbers are in "other" the cells are "(other)": those rows sum what
// no other row of their step shows. "range" is null if nothing is covered. Whatever a terminal or a page could act
// on is escaped; bytes that are no UTF-8 become the text \xHH.
func WriteJSON(w io.Writer, a *Answer, s Style) error {
	j := jsonWriter{w: bufio.NewWriter(w), style: &s}
	j.answer(a)
	if err := j.w.Flush(); err != nil {
		return fmt.Errorf("write json: %w", err)
	}
	return nil
}

// jsonWriter writes by hand: keys in a fixed order, row after row, and numbers exact.
type jsonWriter struct {
	w     *bufio.Writer
	style *Style
	buf   []byte
}

func (j *jsonWriter) answer(a *Answer) {
	j.raw("{\"columns\":")
	list(j, a.Columns, func(c Column) {
		j.raw(`{"name":`)
		j.text(c.Name)
		j.raw(`,"type":`)
		j.text(c.Type)
		j.raw(`,"unit":`)
		j.text(c.Unit)
		j.raw(`,"set":` + strconv.FormatBool(c.Set) + "}")
	})
	j.raw(",\n\"rows\":[")
	for i, row := range a.Rows {
		if i > 0 {
			j.raw(",")
		}
		j.raw("\n")
		list(j, row, j.cell)
	}
	j.raw("],\n\"range\":")
	j.span(a.Range)
	j.raw(`,"resolution":`)
	j.text(units.FormatDuration(a.Resolution))
	j.raw(`,"exact":` + strconv.FormatBool(a.Exact) + `,"loss":`)
	list(j, a.Loss, j.loss)
	j.raw(`,"why":`)
	list(j, a.Why, j.text)
	j.raw(`,"notes":`)
	list(j, a.Notes, j.text)
	j.raw(`,"other":`)
	list(j, others(a), func(i int) { j.raw(strconv.Itoa(i)) })
	j.raw(`,"asked":`)
	j.span(a.Asked)
	j.raw(`,"step":`)
	j.text(units.FormatDuration(a.Step))
	j.raw(`,"slices_read":`)
	j.number(a.SlicesRead)
	j.raw(`,"rows_read":`)
	j.number(a.RowsRead)
	j.raw(`,"elapsed":`)
	j.text(units.FormatDuration(a.Elapsed))
	if j.style.Explain {
		j.raw(",\n\"parts\":")
		list(j, a.Parts, j.part)
	}
	j.raw("}\n")
}

// others gives the places of the rows (other).
func others(a *Answer) []int {
	var at []int
	for i, row := range a.Rows {
		if IsOther(row) {
			at = append(at, i)
		}
	}
	return at
}

func (j *jsonWriter) cell(c Cell) {
	switch c.Kind {
	case CellNumber:
		j.number(c.Number)
	case CellText:
		j.text(c.Text)
	case CellSet:
		list(j, c.Texts, j.text)
	case CellTime:
		j.time(c.Time)
	case CellOther:
		j.text(shownOther)
	default:
		j.raw("null")
	}
}

func (j *jsonWriter) loss(l messages.Loss) {
	j.raw(`{"source":`)
	j.text(l.Source)
	j.raw(`,"kind":`)
	j.text(string(l.Kind))
	j.raw(`,"count":`)
	j.number(l.Count)
	j.raw(`,"bytes":`)
	j.number(l.Bytes)
	j.raw(`,"range":`)
	j.span(l.Span)
	j.raw(`,"detail":`)
	j.text(l.Detail)
	j.raw("}")
}

func (j *jsonWriter) span(s messages.Span) {
	if s == (messages.Span{}) {
		j.raw("null")
		return
	}
	j.raw(`{"from":`)
	j.time(s.Start)
	j.raw(`,"to":`)
	j.time(s.End)
	j.raw("}")
}

// list writes a JSON array.
func list[T any](j *jsonWriter, items []T, write func(T)) {
	j.raw("[")
	for i, item := range items {
		if i > 0 {
			j.raw(",")
		}
		write(item)
	}
	j.raw("]")
}

func (j *jsonWriter) time(t time.Time) { j.text(t.In(j.style.zone()).Format(time.RFC3339Nano)) }

func (j *jsonWriter) number(n uint64) { j.raw(strconv.FormatUint(n, 10)) }

// raw writes JSON. An error stays in the writer until the end.
func (j *jsonWriter) raw(s string) { _, _ = j.w.WriteString(s) }

// text writes a JSON string.
func (j *jsonWriter) text(s string) {
	j.buf = appendJSONString(j.buf[:0], s)
	_, _ = j.w.Write(j.buf)
}

func appendJSONString(b []byte, s string) []byte {
	b = append(b, '"')
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == utf8.RuneError && n == 1:
			b = append(b, `\\x`...)
			b = hex.AppendEncode(b, []byte(s[:1]))
		case visible(r) && r != '<' && r != '>' && r != '&':
			b = append(b, s[:n]...)
		case r > 0xFFFF:
			r -= 0x10000
			b = fmt.Appendf(b, `\u%04x\u%04x`, 0xD800+r>>10, 0xDC00+r&0x3FF)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
		s = s[n:]
	}
	return append(b, '"')
}
