package eve

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// take returns the types of the events of one line, and what was counted.
func take(line []byte) ([]string, Counts) {
	l := NewLines()
	var types []string
	l.Line(line, func(e *Event) { types = append(types, e.Type) })
	return types, l.Counts()
}

const (
	eventA = `{"timestamp":"2026-11-22T21:12:06.802502+0000","event_type":"a","dns":{"rrname":"x"}}`
	eventB = `{"timestamp":"2026-11-22T21:12:06.802502+0000","event_type":"b"}`
	cutA   = `{"timestamp":"2026-11-22T21:12:06.802502+0000","event_type":"a","dns":{"rrname":"x`
)

// TestLines has one line for each reason.
func TestLines(t *testing.T) {
	for _, test := range []struct {
		line  string
		types string
		want  Counts
	}{
		{``, ``, Counts{Blank: 1}},
		{" \r\n", ``, Counts{Blank: 1}},
		{"\ufeff", ``, Counts{Blank: 1}},
		{eventA, `a`, Counts{Events: 1}},
		{"\ufeff  " + eventA + "\r\n", `a`, Counts{Events: 1}},
		{`@cee: ` + eventA, `a`, Counts{Events: 1, Prefixed: 1}},
		{`<13>Nov 22 host suricata[7]: @cee: ` + eventA, `a`, Counts{Events: 1, Prefixed: 1}},
		{`Nov 22 21:12:06 suricata stopped`, ``, Counts{BadJSON: 1}},
		{`{}`, ``, Counts{NoType: 1}},
		{`{"event_type":7}`, ``, Counts{NoType: 1, Odd: 1}},
		{cutA, ``, Counts{BadJSON: 1}},
		{eventA + eventB, `a b`, Counts{Events: 2, Joined: 1}},
		{eventA + " \t" + eventB + " " + eventA, `a b a`, Counts{Events: 3, Joined: 2}},
		{eventA + `,` + eventB + `]`, `a b`, Counts{Events: 2, Joined: 1, Junk: 2}},
		{cutA + eventB, `b`, Counts{Events: 1, Glued: 1, Recovered: 1}},
		{cutA + cutA + eventB, `b`, Counts{Events: 1, Glued: 2, Recovered: 1}},
		{cutA + eventB + eventA, `b a`, Counts{Events: 2, Glued: 1, Recovered: 2}},
		{eventB + cutA + eventB, `b b`, Counts{Events: 2, Glued: 1, Recovered: 1}},
		{cutA + cutA, ``, Counts{Glued: 1, BadJSON: 1}},
		{`x"}}` + eventA, `a`, Counts{Events: 1, Prefixed: 1}},
		{`x":{}}` + eventA, `a`, Counts{NoType: 1, Events: 1, Joined: 1, Prefixed: 1, Junk: 1}},
		{`{"event_type":"c","x":` + strings.Repeat(`[`, 99) + strings.Repeat(`]`, 99) + `}`, ``, Counts{TooDeep: 1}},
	} {
		types, got := take([]byte(test.line))
		test.want.Lines = 1
		test.want.Types = map[string]uint64{}
		for kind := range strings.FieldsSeq(test.types) {
			test.want.Types[kind]++
		}
		if !slices.Equal(types, strings.Fields(test.types)) || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%.200q\n got %v %+v\nwant %v %+v", test.line, types, got, test.types, test.want)
		}
	}
}

// TestGluedAnywhere cuts each line of testdata at many places and sets a whole one behind it: it is always
// recovered, and nothing of the cut one is taken for an event.
func TestGluedAnywhere(t *testing.T) {
	lines := samples(t)
	l := NewLines()
	for i, line := range lines {
		whole := lines[(i+1)%len(lines)]
		if !bytes.HasPrefix(line, []byte(`{"timestamp":"`)) || !bytes.HasPrefix(whole, []byte(`{"timestamp":"`)) {
			continue
		}
		var want Event
		if err := l.decoder.Decode(whole, &want); err != nil {
			t.Fatal(err)
		}
		for cut := 1; cut < len(line); cut += 1 + len(line)/97 {
			events := 0
			l.Line(slices.Concat(line[:cut], whole), func(e *Event) {
				events++
				if !reflect.DeepEqual(normal(*e), normal(want)) {
					t.Errorf("line %d cut at %d: got %+v, want %+v", i+1, cut, *e, want)
				}
			})
			if events != 1 {
				t.Fatalf("line %d cut at %d gave %d events", i+1, cut, events)
			}
		}
	}
	c := l.Counts()
	t.Log(report(c))
	if c.Events != c.Lines || c.BadJSON+c.Joined != 0 {
		t.Errorf("%d lines, %d events", c.Lines, c.Events)
	}
}

// TestManyPieces checks that the work for a line with very many cut events is bounded, and that the last one
// is still found.
func TestManyPieces(t *testing.T) {
	types, c := take([]byte(strings.Repeat(cutA, 50000) + eventB))
	if !slices.Equal(types, []string{"b"}) || c.Glued != maxTries+1 || c.Recovered != 1 {
		t.Errorf("got %v, %+v", types, c)
	}
	open := strings.Repeat(`{"timestamp":"","a":[`, 50000)
	if types, c := take([]byte(open)); len(types) != 0 || c.TooDeep+c.BadJSON != 1 {
		t.Errorf("got %v, %+v", types, c)
	}
}

// TestTypesBounded checks that invented types do not fill the memory.
func TestTypesBounded(t *testing.T) {
	l := NewLines()
	for i := range 1000 {
		l.Line(fmt.Appendf(nil, `{"event_type":"type %d"}`, i), func(*Event) {})
	}
	c := l.Counts()
	if len(c.Types) != maxTypes+1 || c.Types[OtherTypes] != 1000-maxTypes || c.Events != 1000 {
		t.Errorf("%d names, %d others", len(c.Types), c.Types[OtherTypes])
	}
}
