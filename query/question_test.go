package query_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"weir/columns"
	"weir/messages"
	"weir/query"
	"weir/store"
	"weir/store/memory"
	"weir/store/storetest"
)

func TestParseTime(t *testing.T) {
	prague, err := time.LoadLocation("Europe/Prague")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 22, 13, 30, 15, 0, time.UTC) // 14:30:15 in Prague.
	for text, want := range map[string]string{
		"now":                       "2026-11-22T13:30:15Z",
		"-90m":                      "2026-11-22T12:00:15Z",
		"14:00":                     "2026-11-22T13:00:00Z",
		"14:30:15":                  "2026-11-22T13:30:15Z",
		"14:31":                     "2026-11-21T13:31:00Z",
		"2026-11-22 14:00":          "2026-11-22T13:00:00Z",
		"2026-11-22 14:00:05":       "2026-11-22T13:00:05Z",
		"2026-11-22T14:00":          "2026-11-22T13:00:00Z",
		"2026-11-22T14:00:00Z":      "2026-11-22T14:00:00Z",
		"2026-11-22T14:00:00+05:30": "2026-11-22T08:30:00Z",
		"2026-07-01":                "2026-06-30T22:00:00Z",
		"1800000000":                "2027-01-15T08:00:00Z",
		" 14:00 ":                   "2026-11-22T13:00:00Z",
	} {
		got, err := query.ParseTime(text, at, prague)
		if err != nil || got.UTC().Format(time.RFC3339) != want {
			t.Errorf("%q is %v, %v; want %s", text, got.UTC(), err, want)
		}
	}
	for _, text := range []string{
		"", "yesterday", "25:00", "2026", "14", "-", "-5", "2026-13-01", "99999999999999999999",
		"18000000000000", strings.Repeat("1", 1000), "\x1b[2J",
	} {
		got, err := query.ParseTime(text, at, prague)
		if err == nil || strings.Contains(err.Error(), "\x1b") || len(err.Error()) > 300 {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
}

func TestParseQuestion(t *testing.T) {
	texts := map[string]string{
		"filter": "proto = tcp", "by": " local.ip, proto,", "step": "1m", "from": "14:00", "last": "5m", "top": "7",
		"order": "flows",
	}
	q, err := query.ParseQuestion(func(name string) string { return texts[name] }, now, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	if q.Filter != "proto = tcp" || strings.Join(q.By, "+") != "local.ip+proto" || q.Step != time.Minute ||
		q.Last != 5*time.Minute || q.Top != 7 || q.Order != "flows" || !q.From.Equal(now.Add(-10*time.Minute)) {
		t.Errorf("read %+v", q)
	}
	for name, text := range map[string]string{
		"step": "0", "last": "-1h", "from": "soon", "to": "later", "top": "-3",
	} {
		_, err := query.ParseQuestion(func(n string) string { return map[string]string{name: text}[n] }, now, time.UTC)
		var e *query.Error
		if !errors.As(err, &e) || e.Part != name {
			t.Errorf("%s %q: %v", name, text, err)
		}
	}
}

func TestBadQuestions(t *testing.T) {
	many := []string{
		"local.ip", "remote.ip", "local.port", "remote.port", "proto", "direction", "zone", "mark", "test.name",
	}
	for says, q := range map[string]query.Question{
		"9 columns are too many": {By: many},
		"is negative":            {Last: -time.Hour},
		"-1m is not a length":    {Step: -time.Minute},
		"is not a length":        {Step: 1<<63 - 1},
		"the year 1600":          {From: time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC)},
		"the year 9999":          {From: now, To: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)},
		"steps of this range":    {Last: 30 * 24 * time.Hour, Step: time.Second},
		"the range is empty":     {From: now.Add(time.Hour)},
	} {
		_, err := query.Ask(t.Context(), []store.Tier{filled(t)}, q, now)
		var e *query.Error
		if !errors.As(err, &e) || !strings.Contains(e.Error(), says) {
			t.Errorf("%+v: %v, want %q", q, err, says)
		}
	}
}

// filled is a tier with slices of one byte from 14:00 to now.
func filled(t *testing.T) *memory.Tier {
	t.Helper()
	tier := memory.New(memory.Options{})
	for i := range 60 {
		appendOne(t, tier, i, now.Add(time.Duration(i-60)*10*time.Second))
	}
	return tier
}

// appendOne appends a slice whose row has one byte and a name of its own.
func appendOne(t *testing.T, tier store.Tier, i int, start time.Time) {
	t.Helper()
	one, none := []uint64{1}, []uint64{0}
	err := tier.Append(&messages.Slice{
		Seq: uint64(i), Span: messages.Span{Start: start, End: start.Add(10 * time.Second)}, Complete: true,
		Parts: []*messages.Rows{{
			Cells: []messages.Cells{{
				Column: name.Column, Dict: []columns.Value{"", name.Value(start.Format("15:04:05"))}, IDs: []uint32{1},
			}},
			UpBytes: one, UpPackets: one, DownBytes: none, DownPackets: none, Started: []uint32{1}, Ended: []uint32{0},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRange looks at what is really covered.
func TestRange(t *testing.T) {
	tier := filled(t)
	for _, c := range []struct {
		q          query.Question
		now        time.Time
		from, to   string
		bytes      uint64
		notesCount int
	}{
		{query.Question{}, now, "14:00:00", "14:10:00", 60, 0},
		{query.Question{Last: time.Minute}, now.Add(7 * time.Second), "14:09:00", "14:10:00", 6, 0},
		{query.Question{Last: time.Minute}, now.Add(-5 * time.Second), "14:08:50", "14:10:00", 7, 0},
		{query.Question{Last: time.Hour}, now, "14:00:00", "14:10:00", 60, 1},
		{query.Question{Last: time.Hour}, now.Add(31 * time.Second), "14:00:00", "14:10:00", 60, 2},
		{query.Question{From: now.Add(-time.Minute)}, now, "14:09:00", "14:10:00", 6, 0},
		{query.Question{To: now.Add(-time.Minute)}, now, "14:00:00", "14:09:00", 54, 1},
		{query.Question{To: now.Add(-time.Minute), Last: time.Minute}, now, "14:08:00", "14:09:00", 6, 0},
		{query.Question{From: now.Add(-time.Minute), Last: 20 * time.Second}, now, "14:09:00", "14:09:20", 2, 0},
	} {
		c.q.By = []string{query.NoColumns}
		a, err := query.Ask(t.Context(), []store.Tier{tier}, c.q, c.now)
		if err != nil {
			t.Fatal(err)
		}
		from, to := a.Range.Start.Format(time.TimeOnly), a.Range.End.Format(time.TimeOnly)
		if from != c.from || to != c.to || a.Rows[0][0].Number != c.bytes || len(a.Notes) != c.notesCount || !a.Exact {
			t.Errorf("%+v: %s to %s, %d bytes, %s", c.q, from, to, a.Rows[0][0].Number, a.Notes)
		}
	}
}

// TestLadder cuts a range over two tiers whose times overlap: no slice counts twice.
func TestLadder(t *testing.T) {
	fine, coarse := memory.New(memory.Options{}), memory.New(memory.Options{})
	for i := range 60 {
		start := now.Add(time.Duration(i-60) * 10 * time.Second)
		appendOne(t, coarse, i, start)
		if i >= 40 {
			appendOne(t, fine, i, start)
		}
	}
	empty := memory.New(memory.Options{})
	for what, tiers := range map[string][]store.Tier{
		"two":            {fine, coarse},
		"an empty first": {empty, fine, coarse},
		"an empty last":  {fine, coarse, empty},
		"one":            {coarse},
	} {
		for _, last := range []time.Duration{10 * time.Second, 200 * time.Second, 210 * time.Second, 10 * time.Minute} {
			a, err := query.Ask(t.Context(), tiers, query.Question{Last: last, By: []string{query.NoColumns}}, now)
			if err != nil {
				t.Fatal(err)
			}
			if want := uint64(last / (10 * time.Second)); a.Rows[0][0].Number != want {
				t.Errorf("%s, last %v: %d bytes, want %d", what, last, a.Rows[0][0].Number, want)
			}
		}
	}
	a, err := query.Ask(t.Context(), nil, query.Question{}, now)
	if err != nil || a.Exact || len(a.Rows) != 0 {
		t.Errorf("without tiers: %+v, %v", a, err)
	}
}

// A slice is as long as it was configured, though the first of a run is shorter: that is no resolution.
func TestResolutionOfAFirstSlice(t *testing.T) {
	tier := memory.New(memory.Options{Resolution: 20 * time.Second})
	appendOne(t, tier, 0, now.Add(-10*time.Second))
	a, err := query.Ask(t.Context(), []store.Tier{tier}, query.Question{Last: time.Minute}, now)
	if err != nil || a.SlicesRead != 1 || a.Resolution != 20*time.Second {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestTooManyGroups bounds the groups: totals hold, and the answer says so.
func TestTooManyGroups(t *testing.T) {
	q := query.Question{By: []string{"test.name"}, MaxGroups: 10, Top: query.AllGroups}
	a, err := query.Ask(t.Context(), []store.Tier{filled(t)}, q, now)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Rows) != 11 || !query.IsOther(a.Rows[10]) || a.Rows[10][1].Number != 50 || a.Exact {
		t.Errorf("%d rows, exact %v: %v", len(a.Rows), a.Exact, a.Rows)
	}
}

// TestLocalSteps lays a step of a day onto the user's midnight.
func TestLocalSteps(t *testing.T) {
	prague, err := time.LoadLocation("Europe/Prague")
	if err != nil {
		t.Fatal(err)
	}
	q := query.Question{Step: 24 * time.Hour, Location: prague}
	a, err := query.Ask(t.Context(), []store.Tier{filled(t)}, q, now)
	if err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2026, 11, 22, 0, 0, 0, 0, prague); !a.Rows[0][0].Time.Equal(want) {
		t.Errorf("the day begins at %v, want %v", a.Rows[0][0].Time, want)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := contextCancelled(t)
	defer cancel()
	if _, err := query.Ask(ctx, []store.Tier{filled(t)}, query.Question{}, now); err == nil {
		t.Error("a cancelled question was answered")
	}
}

func BenchmarkAsk(b *testing.B) {
	m := storetest.NewMaker(1)
	tier := memory.New(memory.Options{Budget: 1 << 30})
	for range 100 {
		if err := tier.Append(m.Slice(3000)); err != nil {
			b.Fatal(err)
		}
	}
	rows := tier.Coverage().Rows
	q := query.Question{Filter: "remote.ip in 192.168.0.0/16", By: []string{"local.ip", "proto"}, Last: time.Hour}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := query.Ask(b.Context(), []store.Tier{tier}, q, storetest.Begin().Add(time.Hour)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
}
