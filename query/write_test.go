package query_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"weir/messages"
	"weir/messages/weirpb"
	"weir/query"
)

func contextCancelled(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx, cancel
}

// hostile is what a peer may have chosen as its name.
const hostile = "\x1b]0;title\x07\x9b2J\r\n\x00\u202e\u2066\u200b\ufeff\u2028\x7f\xff\xc0\\\"<script>,=1"

// sample is an answer with every kind of cell.
func sample(text string) *query.Answer {
	span := messages.Span{Start: now.Add(-time.Minute), End: now}
	return &query.Answer{
		Columns: []query.Column{
			{Name: "time", Type: "time"},
			{Name: "test.name", Type: "text"},
			{Name: "remote.port", Type: "integer"},
			{Name: "bytes", Type: "integer", Unit: "bytes", Measure: true},
		},
		Rows: [][]query.Cell{
			{
				{Kind: query.CellTime, Time: now},
				{Kind: query.CellText, Text: text},
				{Kind: query.CellText, Text: "443"},
				{Kind: query.CellNumber, Number: math.MaxUint64},
			},
			{{Kind: query.CellTime, Time: now}, {}, {}, {Kind: query.CellNumber, Number: 1536}},
			{
				{Kind: query.CellTime, Time: now},
				{Kind: query.CellOther},
				{Kind: query.CellOther},
				{Kind: query.CellNumber, Number: 0},
			},
		},
		Range: span, Asked: span, Resolution: 10 * time.Second, Step: time.Minute,
		Why: []string{"Because of " + text}, Notes: []string{"A note."}, SlicesRead: 6, RowsRead: 1,
		Loss: []messages.Loss{
			{Source: text, Kind: messages.LossOverrun, Count: 3, Bytes: 1, Span: span, Detail: text},
			{Source: "shard-0", Kind: messages.LossFolded, Count: 1, Detail: "Full."},
		},
	}
}

// harmless fails if a text could act in a terminal or hide something.
func harmless(t *testing.T, what, text string) {
	t.Helper()
	for _, r := range text {
		if r != '\n' && !unicode.IsPrint(r) || r == utf8.RuneError {
			t.Errorf("%s holds %U:\n%q", what, r, text)
			return
		}
	}
}

func TestHostileTextIsHarmless(t *testing.T) {
	for _, s := range []query.Style{{}, {Human: true}} {
		var rows, notes, js, cs bytes.Buffer
		a := sample(hostile)
		if err := errors.Join(query.WriteTable(&rows, &notes, a, s), query.WriteJSON(&js, a, s),
			query.WriteCSV(&cs, a, s)); err != nil {
			t.Fatal(err)
		}
		harmless(t, "table", rows.String())
		harmless(t, "notes", notes.String())
		harmless(t, "json", js.String())
		harmless(t, "csv", strings.ReplaceAll(cs.String(), "\r\n", "\n"))
		if strings.Contains(js.String(), "<") || strings.Count(rows.String(), "\n") != 4 {
			t.Errorf("json %s\ntable %s", js.String(), rows.String())
		}
	}
}

func TestTableForPeople(t *testing.T) {
	var b bytes.Buffer
	a := sample(strings.Repeat("é", 100))
	a.Why, a.Loss = nil, nil
	prague := time.FixedZone("CET", 3600)
	if err := query.WriteTable(&b, &b, a, query.Style{Human: true, Location: prague}); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("é", 63) + "…"
	pad := strings.Repeat(" ", 57)
	want := "time                 test.name" + strings.Repeat(" ", 55) + "  remote.port     bytes\n" +
		"2026-11-22 15:10:00  " + long + "          443  15.9 EiB\n" +
		"2026-11-22 15:10:00  (none)" + pad + "        (none)   1.5 KiB\n" +
		"2026-11-22 15:10:00  (other)" + pad + "      (other)       0 B\n" +
		"2026-11-22 15:09:00 to 2026-11-22 15:10:00 (CET), slices of 10s; read 6 slices and 1 row in 0s\n" +
		"note: A note.\n"
	if got := b.String(); got != want {
		t.Errorf("want\n%s\ngot\n%s", want, got)
	}
}

func TestColoursOnlyIfAsked(t *testing.T) {
	for _, color := range []bool{false, true} {
		var b bytes.Buffer
		if err := query.WriteTable(&b, &b, sample("x"), query.Style{Human: true, Color: color}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "\x1b[") != color {
			t.Errorf("colour %v: %q", color, b.String())
		}
	}
}

// TestJSONShape reads the answer back as scripts do.
func TestJSONShape(t *testing.T) {
	var b bytes.Buffer
	if err := query.WriteJSON(&b, sample("a\"b\u202e😀\U000e0001"), query.Style{}); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Columns    []struct{ Name, Type, Unit string }
		Rows       [][]any
		Range      struct{ From, To time.Time }
		Resolution string
		Exact      *bool
		Loss       []struct {
			Source, Kind, Detail string
			Count, Bytes         uint64
			Range                *struct{ From, To time.Time }
		}
		Why, Notes []string
		Other      []int
	}
	d := json.NewDecoder(&b)
	d.UseNumber()
	if err := d.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.Columns[3].Unit != "bytes" || got.Rows[0][3] != json.Number("18446744073709551615") {
		t.Errorf("columns %v, rows %v", got.Columns, got.Rows)
	}
	if got.Rows[0][1] != "a\"b\u202e😀\U000e0001" || got.Rows[1][1] != nil || got.Rows[2][1] != "(other)" {
		t.Errorf("rows %q", got.Rows)
	}
	if got.Range.To.Sub(got.Range.From) != time.Minute || got.Resolution != "10s" || got.Exact == nil || *got.Exact {
		t.Errorf("range %v, resolution %s, exact %v", got.Range, got.Resolution, got.Exact)
	}
	if len(got.Loss) != 2 || got.Loss[0].Count != 3 || got.Loss[1].Range != nil || fmt.Sprint(got.Other) != "[2]" {
		t.Errorf("loss %+v, other %v", got.Loss, got.Other)
	}
}

func TestEmptyJSON(t *testing.T) {
	var b bytes.Buffer
	if err := query.WriteJSON(&b, &query.Answer{}, query.Style{}); err != nil {
		t.Fatal(err)
	}
	want := `{"columns":[],` + "\n" + `"rows":[],` + "\n" +
		`"range":null,"resolution":"0s","exact":false,"loss":[],"why":[],"notes":[],"other":[],"asked":null,` +
		`"step":"0s","slices_read":0,"rows_read":0,"elapsed":"0s"}` + "\n"
	if b.String() != want {
		t.Errorf("want %s\ngot  %s", want, b.String())
	}
}

func TestCSV(t *testing.T) {
	for text, want := range map[string]string{
		"plain": "plain", "=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "(other)": "'(other)",
		"a,\"b\"": `a,\"b\"`, "\t=1": `\x09=1`, "": "", "'=1": "''=1", "\uff1d1": "'\uff1d1",
		"a;=1": `a;\x3d1`, "a; \"@b": `a; \"@b`, "a; +b;c=d": `a; \x2bb;c=d`, "a=b": "a=b", "a;\uff0bb": `a;\uff0bb`,
	} {
		var b bytes.Buffer
		if err := query.WriteCSV(&b, sample(text), query.Style{}); err != nil {
			t.Fatal(err)
		}
		if strings.Count(b.String(), "\r\n") != 4 {
			t.Errorf("lines do not end as they should: %q", b.String())
		}
		rows, err := csv.NewReader(&b).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		most := "18446744073709551615"
		if rows[0][1] != "test.name" || rows[1][1] != want || rows[1][2] != "443" || rows[1][3] != most {
			t.Errorf("%q: %q", text, rows)
		}
		if rows[2][1] != "" || rows[3][1] != "(other)" || rows[1][0] != "2026-11-22T14:10:00Z" {
			t.Errorf("%q: %q", text, rows)
		}
	}
}

// failing is a writer whose reader went away.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errGone }

var errGone = errors.New("gone")

func TestWriteErrorsAreTold(t *testing.T) {
	var b bytes.Buffer
	for what, err := range map[string]error{
		"table": query.WriteTable(failing{}, &b, sample("x"), query.Style{}),
		"notes": query.WriteTable(&b, failing{}, sample("x"), query.Style{}),
		"json":  query.WriteJSON(failing{}, sample("x"), query.Style{}),
		"csv":   query.WriteCSV(failing{}, sample("x"), query.Style{}),
	} {
		if !errors.Is(err, errGone) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestProtoRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := randomAnswer(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)))
		b, err := proto.Marshal(query.ToProto(a))
		if err != nil {
			t.Fatal(err)
		}
		var m weirpb.QueryAnswer
		if err := proto.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		got, err := query.FromProto(&m)
		if err != nil || !reflect.DeepEqual(a, got) {
			t.Fatalf("%v\nwant %+v\ngot  %+v", err, a, got)
		}
	})
}

func randomAnswer(r *rand.Rand) *query.Answer {
	a := sample("x")
	a.Rows[0][1].Text = string([]byte{byte(r.Uint32()), byte(r.Uint32()), 0xff})
	a.Columns[2].Set = r.IntN(2) == 0
	a.Exact, a.Elapsed = r.IntN(2) == 0, time.Duration(r.Uint32())
	if r.IntN(3) == 0 {
		a.Range, a.Loss, a.Why = messages.Span{}, nil, nil
	}
	for range r.IntN(5) {
		a.Rows = append(a.Rows, []query.Cell{
			{Kind: query.CellTime, Time: time.Unix(0, int64(r.Uint64())).UTC()},
			{Kind: query.CellText, Text: ""},
			{Kind: query.CellSet, Texts: []string{"\xff", "", "a,b"}[:1+r.IntN(3)]},
			{Kind: query.CellNumber, Number: r.Uint64()},
		})
	}
	return a
}

// TestProtoOfBadText has bytes that are no UTF-8 where the schema wants texts.
func TestProtoOfBadText(t *testing.T) {
	b, err := proto.Marshal(query.ToProto(sample(hostile)))
	if err != nil {
		t.Fatal(err)
	}
	var m weirpb.QueryAnswer
	if err := proto.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	a, err := query.FromProto(&m)
	if err != nil || a.Rows[0][1].Text != hostile || !strings.HasPrefix(a.Why[0], "Because of ") {
		t.Errorf("%v, %+v", err, a)
	}
}

func TestForeignProtoIsChecked(t *testing.T) {
	short := query.ToProto(sample("x"))
	short.Rows[1].Cells = short.Rows[1].Cells[1:]
	lying := query.ToProto(sample("x"))
	lying.Rows[1].Other = true
	for _, m := range []*weirpb.QueryAnswer{short, lying} {
		if a, err := query.FromProto(m); err == nil {
			t.Errorf("read %+v", a)
		}
	}
}
