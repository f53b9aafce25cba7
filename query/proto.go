package query

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"weir/messages"
	"weir/messages/weirpb"
)

// ToProto gives an answer as it crosses a process.
func ToProto(a *Answer) *weirpb.QueryAnswer {
	m := &weirpb.QueryAnswer{
		Range: spanToProto(a.Range), Asked: spanToProto(a.Asked), ResolutionNs: int64(a.Resolution),
		StepNs: int64(a.Step), Exact: a.Exact, Why: valid(a.Why), Notes: valid(a.Notes), SlicesRead: a.SlicesRead,
		RowsRead: a.RowsRead, ElapsedNs: int64(a.Elapsed),
	}
	for _, c := range a.Columns {
		m.Columns = append(m.Columns, &weirpb.QueryColumn{
			Name: c.Name, Type: c.Type, Unit: c.Unit, Measure: c.Measure, Set: c.Set,
		})
	}
	for _, row := range a.Rows {
		r := &weirpb.QueryRow{Other: IsOther(row), Cells: make([]*weirpb.QueryCell, len(row))}
		for i, c := range row {
			r.Cells[i] = cellToProto(c)
		}
		m.Rows = append(m.Rows, r)
	}
	for _, l := range a.Loss {
		m.Losses = append(m.Losses, &weirpb.QueryLoss{
			Source: validText(l.Source), Kind: validText(string(l.Kind)), Count: l.Count, Bytes: l.Bytes,
			Span: spanToProto(l.Span), Detail: validText(l.Detail),
		})
	}
	for i := range a.Parts {
		m.Parts = append(m.Parts, partToProto(&a.Parts[i]))
	}
	return m
}

// FromProto reads an answer that came from another process. One whose rows do not fit its columns is an
// error.
func FromProto(m *weirpb.QueryAnswer) (*Answer, error) {
	a := &Answer{
		Range: spanFromProto(m.GetRange()), Asked: spanFromProto(m.GetAsked()),
		Resolution: time.Duration(m.GetResolutionNs()), Step: time.Duration(m.GetStepNs()), Exact: m.GetExact(),
		Why: m.GetWhy(), Notes: m.GetNotes(), SlicesRead: m.GetSlicesRead(), RowsRead: m.GetRowsRead(),
		Elapsed: time.Duration(m.GetElapsedNs()),
	}
	for _, c := range m.GetColumns() {
		a.Columns = append(a.Columns, Column{
			Name: c.GetName(), Type: c.GetType(), Unit: c.GetUnit(), Measure: c.GetMeasure(), Set: c.GetSet(),
		})
	}
	for i, r := range m.GetRows() {
		if n := len(r.GetCells()); n != len(a.Columns) {
			return nil, fmt.Errorf("read answer: row %d has %d cells for %d columns", i, n, len(a.Columns))
		}
		row := make([]Cell, len(a.Columns))
		for j, c := range r.GetCells() {
			row[j] = cellFromProto(c)
		}
		if IsOther(row) != r.GetOther() {
			return nil, errors.New("read answer: a row and its cells disagree about (other)")
		}
		a.Rows = append(a.Rows, row)
	}
	for _, l := range m.GetLosses() {
		a.Loss = append(a.Loss, messages.Loss{
			Source: l.GetSource(), Kind: messages.LossKind(l.GetKind()), Count: l.GetCount(), Bytes: l.GetBytes(),
			Span: spanFromProto(l.GetSpan()), Detail: l.GetDetail(),
		})
	}
	for _, p := range m.GetParts() {
		a.Parts = append(a.Parts, partFromProto(p))
	}
	return a, nil
}

// valid gives texts that a string of the schema may hold; others would make the whole answer fail.
func valid(texts []string) []string {
	if texts == nil {
		return nil
	}
	out := make([]string, len(texts))
	for i, s := range texts {
		out[i] = validText(s)
	}
	return out
}

func validText(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func cellToProto(c Cell) *weirpb.QueryCell {
	switch c.Kind {
	case CellText:
		return &weirpb.QueryCell{Value: &weirpb.QueryCell_Text{Text: []byte(c.Text)}}
	case CellSet:
		texts := make([][]byte, len(c.Texts))
		for i, text := range c.Texts {
			texts[i] = []byte(text)
		}
		return &weirpb.QueryCell{Value: &weirpb.QueryCell_Texts{Texts: &weirpb.QueryTexts{Texts: texts}}}
	case CellNumber:
		return &weirpb.QueryCell{Value: &weirpb.QueryCell_Number{Number: c.Number}}
	case CellTime:
		return &weirpb.QueryCell{Value: &weirpb.QueryCell_TimeNs{TimeNs: c.Time.UnixNano()}}
	case CellOther:
		return &weirpb.QueryCell{Value: &weirpb.QueryCell_Other{Other: true}}
	default:
		return &weirpb.QueryCell{}
	}
}

func cellFromProto(c *weirpb.QueryCell) Cell {
	switch v := c.GetValue().(type) {
	case *weirpb.QueryCell_Text:
		return Cell{Kind: CellText, Text: string(v.Text)}
	case *weirpb.QueryCell_Texts:
		texts := make([]string, len(v.Texts.GetTexts()))
		for i, text := range v.Texts.GetTexts() {
			texts[i] = string(text)
		}
		return Cell{Kind: CellSet, Texts: texts}
	case *weirpb.QueryCell_Number:
		return Cell{Kind: CellNumber, Number: v.Number}
	case *weirpb.QueryCell_TimeNs:
		return Cell{Kind: CellTime, Time: time.Unix(0, v.TimeNs).UTC()}
	case *weirpb.QueryCell_Other:
		return Cell{Kind: CellOther}
	default:
		return Cell{}
	}
}

func spanToProto(s messages.Span) *weirpb.QueryRange {
	if s == (messages.Span{}) {
		return nil
	}
	return &weirpb.QueryRange{FromNs: s.Start.UnixNano(), ToNs: s.End.UnixNano()}
}

func spanFromProto(r *weirpb.QueryRange) messages.Span {
	if r == nil {
		return messages.Span{}
	}
	return messages.Span{Start: time.Unix(0, r.GetFromNs()).UTC(), End: time.Unix(0, r.GetToNs()).UTC()}
}
