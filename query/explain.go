package query

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"weir/internal/units"
	"weir/messages/weirpb"
	"weir/store"
)

// WriteExplanation writes which tier answered for which part of the range, and what that took, as a table.
func WriteExplanation(w io.Writer, a *Answer, s Style) error {
	rows := append(make([][]string, 0, 1+len(a.Parts)), []string{
		"from", "to", "tier", "slices of", "slices", "rows", "files", "row groups", "pages", "read", "took", "remarks",
	})
	for i := range a.Parts {
		rows = append(rows, s.part(&a.Parts[i]))
	}
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], len([]rune(cell)))
		}
	}
	out := bufio.NewWriter(w)
	for i, row := range rows {
		var line strings.Builder
		for k, cell := range row {
			line.WriteString(cell + strings.Repeat(" ", width[k]-len([]rune(cell))+2))
		}
		text := strings.TrimRight(line.String(), " ")
		if i == 0 {
			text = s.paint(bold, text)
		}
		_, _ = out.WriteString(text + "\n") // Flush tells.
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write explanation: %w", err)
	}
	return nil
}

// part gives the cells of one part.
func (s *Style) part(p *Part) []string {
	count := func(n uint64) string { return strconv.FormatUint(n, 10) }
	of := func(read, skipped uint64) string { return count(read) + " of " + count(read+skipped) }
	var remarks []string
	switch {
	case len(p.Folded) > 0:
		remarks = append(remarks, "does not keep "+strings.Join(p.Folded, ", "))
	case !p.Exact:
		remarks = append(remarks, "only longer slices than were asked for")
	}
	e := &p.Effort
	return []string{
		s.time(p.Span.Start), s.time(p.Span.End), p.Tier, units.FormatDuration(p.Resolution), count(p.Slices),
		count(p.Rows), count(e.Files), of(e.RowGroups, e.RowGroupsSkipped), of(e.Pages, e.PagesSkipped),
		scaled(e.BytesRead, 1024, byteUnits()), p.Elapsed.Round(10 * time.Microsecond).String(),
		strings.Join(remarks, "; "),
	}
}

func partToProto(p *Part) *weirpb.QueryPart {
	e := &p.Effort
	return &weirpb.QueryPart{
		Tier: validText(p.Tier), Span: spanToProto(p.Span), ResolutionNs: int64(p.Resolution), Exact: p.Exact,
		Folded: valid(p.Folded), Slices: p.Slices, Rows: p.Rows, Files: e.Files, RowGroups: e.RowGroups,
		RowGroupsSkipped: e.RowGroupsSkipped, Pages: e.Pages, PagesSkipped: e.PagesSkipped, BytesRead: e.BytesRead,
		ElapsedNs: int64(p.Elapsed),
	}
}

func partFromProto(m *weirpb.QueryPart) Part {
	return Part{
		Tier: m.GetTier(), Span: spanFromProto(m.GetSpan()), Resolution: time.Duration(m.GetResolutionNs()),
		Exact: m.GetExact(), Folded: m.GetFolded(), Slices: m.GetSlices(), Rows: m.GetRows(),
		Effort: store.Effort{
			Files: m.GetFiles(), RowGroups: m.GetRowGroups(), RowGroupsSkipped: m.GetRowGroupsSkipped(),
			Pages: m.GetPages(), PagesSkipped: m.GetPagesSkipped(), BytesRead: m.GetBytesRead(),
		},
		Elapsed: time.Duration(m.GetElapsedNs()),
	}
}

// part writes what a part took.
func (j *jsonWriter) part(p Part) {
	j.raw(`{"tier":`)
	j.text(p.Tier)
	j.raw(`,"span":`)
	j.span(p.Span)
	j.raw(`,"resolution":`)
	j.text(units.FormatDuration(p.Resolution))
	j.raw(`,"exact":` + strconv.FormatBool(p.Exact) + `,"folded":`)
	list(j, p.Folded, j.text)
	e := &p.Effort
	for _, n := range []struct {
		name  string
		value uint64
	}{
		{"slices", p.Slices},
		{"rows", p.Rows},
		{"files", e.Files},
		{"row_groups", e.RowGroups},
		{"row_groups_skipped", e.RowGroupsSkipped},
		{"pages", e.Pages},
		{"pages_skipped", e.PagesSkipped},
		{"bytes_read", e.BytesRead},
	} {
		j.raw(`,"` + n.name + `":`)
		j.number(n.value)
	}
	j.raw(`,"elapsed":`)
	j.text(units.FormatDuration(p.Elapsed))
	j.raw("}")
}
