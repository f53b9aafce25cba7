package query_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"weir/columns"
	"weir/messages"
	"weir/query"
	"weir/store"
	"weir/store/memory"
)

// hostileNames are what a peer may call itself.
func hostileNames() []string {
	huge := strings.Repeat("a", 64<<10)
	return []string{
		"www.example.org", "café", "cafe\u0301", "日本語", "😀", "example.org.", "a b", "a  b", " ", " out ",
		"nas1\x00", "\x00", "a\x00b", "two\nlines", "two\r\nlines", "tab\there", "\x7f",
		"\x1b[2J\x1b[Hclear", "\x1b]0;title\a", "\u009b31mred", "\x1b]8;;http://example.org\x1b\\link",
		"<script>alert(1)</script>", "&lt;b&gt;", "</td><img src=x onerror=alert(1)>",
		"\xff", "\xc3\x28", "ok\xf0\x9f", "\ufffd", strings.Repeat("\xa8", 16) + "…",
		`\xff`, `C:\new\x41`, `\`, `\"`, `"`, `""`, `"quoted"`, "'", "''=1", "`id`", "$(id)", "x\\", "%s%n", "{}",
		"gro.\u202eelpmaxe", "\u2066x\u2069", "\u200fx\u200e", "\u061c", "\u200b", "\ufeff", "\u2028", "\u2029",
		"\u00ad", "\u3164", "\u2800", "x\ufe0f", "\U000e0041\U000e0042", "\u0301x", "z" + strings.Repeat("\u0335", 50),
		"*", "*.example.org", "a*b", "?", "a,b", ",", "a,\"b", "a;b", "…", "a…",
		"(other)", "(none)", "and", "not", "has", "local.ip", "@x", "0x00", "null", "1e9",
		"=cmd|'/c calc'!A0", "+1", "-1", "@SUM(1)", "\t=1", "\uff1d1", "a;=1", "a; @b", "'=1",
		huge, huge + "\x1b[2J", "\x1b[2J" + huge, strings.Repeat("\x1b", 64<<10), strings.Repeat("\xff", 64<<10),
		strings.Repeat("\u202e", 20<<10), strings.Repeat("日", 20<<10), strings.Repeat("<", 64<<10),
		strings.Repeat(`"`, 64<<10),
	}
}

// hostileTier holds a row for each name. The row of the i-th has i+1 bytes, so that a test finds it in any answer.
func hostileTier(t *testing.T, names []string) store.Tier {
	t.Helper()
	s := &messages.Slice{Complete: true, Span: messages.Span{
		Start: now.Add(-time.Minute), End: now.Add(-50 * time.Second),
	}}
	for i, n := range names {
		single := columns.Value(n)
		set := columns.JoinSet([]columns.Value{columns.Value(n), "other,one", `"`})
		s.Parts = append(s.Parts, &messages.Rows{
			Cells: []messages.Cells{
				{Column: long.Column, Dict: []columns.Value{"", single}, IDs: []uint32{1}},
				{Column: many.Column, Dict: []columns.Value{"", set}, IDs: []uint32{1}},
			},
			UpBytes: []uint64{uint64(i + 1)}, DownBytes: []uint64{0}, UpPackets: []uint64{0}, DownPackets: []uint64{0},
			Started: []uint32{0}, Ended: []uint32{0},
		})
	}
	tier := memory.New(memory.Options{})
	if err := tier.Append(s); err != nil {
		t.Fatal(err)
	}
	return tier
}

func ask(t *testing.T, tier store.Tier, filter, by string) *query.Answer {
	t.Helper()
	q := query.Question{Filter: filter, By: []string{by}, Last: time.Minute, Top: query.AllGroups}
	a, err := query.Ask(t.Context(), []store.Tier{tier}, q, now)
	if err != nil {
		t.Fatalf("%.200q: %v", filter, err)
	}
	return a
}

// find says which rows a filter finds, by their bytes.
func find(t *testing.T, tier store.Tier, filter, by string) []int {
	t.Helper()
	a := ask(t, tier, filter, by)
	var found []int
	for _, row := range a.Rows {
		found = append(found, int(row[1].Number))
	}
	return found
}

// output is an answer as one of the ways shows it: the cell of each row, by its bytes.
type output struct {
	name string
	text string
	cell map[int]string
}

// outputs prints an answer in all ways.
func outputs(t *testing.T, a *query.Answer) []output {
	t.Helper()
	var table, people, cs bytes.Buffer
	err := errors.Join(query.WriteTable(&table, &table, a, query.Style{}),
		query.WriteTable(&people, &people, a, query.Style{Human: true}), query.WriteCSV(&cs, a, query.Style{}))
	if err != nil {
		t.Fatal(err)
	}
	return []output{
		{"table", table.String(), tableCells(table.String())},
		{"table for people", people.String(), tableCells(people.String())},
		{"csv", strings.ReplaceAll(cs.String(), "\r\n", "\n"), csvCells(t, cs.String())},
	}
}

var tableLine = regexp.MustCompile(`(?m)^(.*?) +(\d+)(?: B)? +\d+(?: B)? +0(?: B)? +0 +0 +0 +0$`)

func tableCells(table string) map[int]string {
	cells := map[int]string{}
	for _, m := range tableLine.FindAllStringSubmatch(table, -1) {
		n, _ := strconv.Atoi(m[2])
		cells[n] = m[1]
	}
	return cells
}

func csvCells(t *testing.T, text string) map[int]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	cells := map[int]string{}
	for _, row := range rows[1:] {
		n, _ := strconv.Atoi(row[1])
		cells[n] = strings.TrimPrefix(row[0], "'")
	}
	return cells
}

// typed is what a user types who saw a text: in quotes, if it does not stand in some.
func typed(shown string) string {
	if strings.HasPrefix(shown, `"`) {
		return shown
	}
	return `"` + shown + `"`
}

// visibleOnly fails if a text holds what a terminal could act on or what nobody sees.
func visibleOnly(t *testing.T, what, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Errorf("%s: not UTF-8", what)
	}
	for i, r := range text {
		if r != '\n' && !unicode.IsPrint(r) || strings.ContainsRune("\u3164\u2800\ufe0f\u115f", r) {
			t.Errorf("%s: holds %U: %.80q", what, r, text[max(0, i-20):])
			return
		}
	}
}

// TestHostileNamesComeOutHarmlessAndAreFound prints each name in each way, and finds its row by what was printed.
func TestHostileNamesComeOutHarmlessAndAreFound(t *testing.T) {
	names := hostileNames()
	tier := hostileTier(t, names)
	a := ask(t, tier, "", "test.long")
	for _, o := range outputs(t, a) {
		t.Run(o.name, func(t *testing.T) {
			visibleOnly(t, o.name, o.text)
			if len(o.cell) != len(names) {
				t.Fatalf("%d of %d rows", len(o.cell), len(names))
			}
			for i, n := range names {
				shown := o.cell[i+1]
				filter := "test.long = " + typed(shown)
				if isCut(shown) || len(filter) > query.MaxFilter {
					glob := globOf(shown[:min(len(shown), 3960)]) // It cuts no escape: their lengths divide it.
					found := find(t, tier, "test.long = "+glob, "test.long")
					if !slices.Contains(found, i+1) {
						t.Errorf("%.40q: shown cut as %.80q: found %v", n, shown, found)
					}
					continue
				}
				if found := find(t, tier, filter, "test.long"); !slices.Equal(found, []int{i + 1}) {
					t.Errorf("%.40q: %.200s found %v, want %d", n, filter, found, i+1)
				}
			}
		})
	}
}

// isCut says whether a cell shows the beginning of a name alone: no cell is cut that is shorter.
func isCut(shown string) bool {
	return strings.HasSuffix(shown, "…") && utf8.RuneCountInString(shown) > 50
}

var notInWords = regexp.MustCompile(`\\(x..|u....|U........|.)|[^a-z0-9.]`)

// globOf is what a user types who saw the beginning of a text: a star for whatever is no letter.
func globOf(shown string) string {
	return notInWords.ReplaceAllString(strings.TrimSuffix(shown, "…"), "*") + "*"
}

// TestReplacementCharacterInWords: it stands in cleaned names, and a bare word may hold it.
func TestReplacementCharacterInWords(t *testing.T) {
	tier := hostileTier(t, []string{"nas\ufffd1", "nas1", "nas\xef"})
	if found := find(t, tier, "test.long = *\ufffd*", "test.long"); !slices.Equal(found, []int{1}) {
		t.Errorf("found %v", found)
	}
}

// TestTablesStaySmall: names of 64 kB make no table that is wider than it is worth, and a cut is none in an escape.
func TestTablesStaySmall(t *testing.T) {
	a := ask(t, hostileTier(t, hostileNames()), "", "test.long")
	for most, s := range map[int]query.Style{64: {Human: true}, 256: {}} {
		var b bytes.Buffer
		if err := query.WriteTable(&b, &b, a, s); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if n := utf8.RuneCountInString(line); n > most+80 {
				t.Errorf("a line of %d characters: %.100s", n, line)
			}
			if regexp.MustCompile(`\\(x.?|u.{0,3}|U.{0,7})?…`).MatchString(line) {
				t.Errorf("cut in an escape: %s", line)
			}
		}
	}
}

func TestHostileNamesInJSON(t *testing.T) {
	names := hostileNames()
	tier := hostileTier(t, names)
	var b bytes.Buffer
	if err := query.WriteJSON(&b, ask(t, tier, "", "test.long"), query.Style{}); err != nil {
		t.Fatal(err)
	}
	visibleOnly(t, "json", b.String())
	if strings.ContainsAny(b.String(), "<>&") {
		t.Error("a page could act on it")
	}
	var got struct{ Rows [][]any }
	if err := json.Unmarshal(b.Bytes(), &got); err != nil || len(got.Rows) != len(names) {
		t.Fatalf("%d rows: %v", len(got.Rows), err)
	}
	for _, row := range got.Rows {
		i := int(row[1].(float64)) - 1
		text, n := row[0].(string), names[i]
		operand := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
		if !utf8.ValidString(n) {
			operand = `"` + text + `"` // Such bytes are shown as escapes.
		} else if text != n {
			t.Errorf("%.40q: %.40q", n, text)
		}
		if len(operand) > query.MaxFilter-100 {
			operand = globOf(text[:4000])
		}
		if found := find(t, tier, "test.long = "+operand, "test.long"); !slices.Contains(found, i+1) {
			t.Errorf("%.40q: %.100s found %v", n, operand, found)
		}
	}
}

// TestHostileSets: each name of a set can be told from the others, and typed.
func TestHostileSets(t *testing.T) {
	names := slices.DeleteFunc(hostileNames(), func(n string) bool { return len(n) > 100 || n == `"` })
	tier := hostileTier(t, names)
	a := ask(t, tier, "", "test.many")
	for _, o := range outputs(t, a) {
		visibleOnly(t, o.name, o.text)
		if len(o.cell) != len(names) {
			t.Fatalf("%s: %d of %d rows", o.name, len(o.cell), len(names))
		}
		for i, n := range names {
			members := splitSet(o.cell[i+1])
			if o.name == "table for people" && strings.HasSuffix(o.cell[i+1], "…") {
				continue
			}
			if len(members) != 3 {
				t.Errorf("%s: %q is shown as %s", o.name, n, o.cell[i+1])
			}
			found := 0
			for _, m := range members {
				rows := find(t, tier, "test.many = "+typed(m), "test.many")
				if !slices.Contains(rows, i+1) {
					t.Errorf("%s: %q: %s found %v", o.name, n, typed(m), rows)
				}
				if len(rows) == 1 {
					found++
				}
			}
			if found != 1 {
				t.Errorf("%s: %q: %d of %s are in this row alone", o.name, n, found, members)
			}
		}
	}
	var b bytes.Buffer
	if err := query.WriteJSON(&b, a, query.Style{}); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Columns []struct{ Set bool }
		Rows    [][]any
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil || !got.Columns[0].Set || got.Columns[1].Set {
		t.Fatalf("%v, %+v", err, got.Columns)
	}
	for _, row := range got.Rows {
		if n := names[int(row[1].(float64))-1]; utf8.ValidString(n) && !slices.Contains(row[0].([]any), any(n)) {
			t.Errorf("%q is not in %q", n, row[0])
		}
	}
}

// splitSet cuts the cell of a set at the commas outside of quotes.
func splitSet(cell string) []string {
	return regexp.MustCompile(`"(?:[^"\\]|\\.)*"|(?:[^",\\]|\\.)+`).FindAllString(cell, -1)
}

// TestNoFormulas looks at the CSV as spreadsheets do that cut at commas, and as those do that cut at semicolons.
func TestNoFormulas(t *testing.T) {
	var b bytes.Buffer
	tier := hostileTier(t, hostileNames())
	for _, by := range []string{"test.long", "test.many"} {
		if err := query.WriteCSV(&b, ask(t, tier, "", by), query.Style{}); err != nil {
			t.Fatal(err)
		}
	}
	formula := func(cell string) bool {
		r, _ := utf8.DecodeRuneInString(strings.Trim(cell, ` "`))
		return strings.ContainsRune("=+-@\uff1d\uff0b\uff0d\uff20", r)
	}
	rows, err := csv.NewReader(bytes.NewReader(b.Bytes())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if slices.ContainsFunc(row, formula) {
			t.Errorf("%.200q", row)
		}
	}
	for line := range strings.Lines(b.String()) {
		if slices.ContainsFunc(strings.Split(line, ";"), formula) {
			t.Errorf("%.200q", line)
		}
	}
}

// FuzzHostileName: any name comes out harmless and is found by what the table shows.
func FuzzHostileName(f *testing.F) {
	for _, n := range hostileNames() {
		if len(n) < 100 {
			f.Add(n)
		}
	}
	f.Fuzz(func(t *testing.T, n string) {
		if n == "" || len(n) > 1000 {
			return
		}
		tier := hostileTier(t, []string{"?" + n, n})
		for _, o := range outputs(t, ask(t, tier, "", "test.long")) {
			visibleOnly(t, o.name, o.text)
			shown := o.cell[2]
			if isCut(shown) {
				continue
			}
			if found := find(t, tier, "test.long = "+typed(shown), "test.long"); fmt.Sprint(found) != "[2]" {
				t.Errorf("%s: %q shown as %s found %v", o.name, n, shown, found)
			}
		}
	})
}
