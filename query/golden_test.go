package query_test

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/columns"
	"weir/messages"
	"weir/query"
	"weir/store"
	"weir/store/memory"
)

var update = flag.Bool("update", false, "write the answers of this build into testdata")

// now is when the questions of the golden tests are asked.
var now = time.Date(2026, 11, 22, 14, 10, 0, 0, time.UTC)

// TestGolden runs the scripts of testdata; see the README there.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := runScript(t, want)
			if *update {
				if err := os.WriteFile(file, got, 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			compareLines(t, string(want), string(got))
		})
	}
}

func compareLines(t *testing.T, want, got string) {
	t.Helper()
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		if i >= len(w) || i >= len(g) || w[i] != g[i] {
			t.Fatalf("from line %d on:\nwant\n%s\ngot\n%s", i+1,
				strings.Join(w[min(i, len(w)):], "\n"), strings.Join(g[min(i, len(g)):], "\n"))
		}
	}
}

// script is a run of a golden test.
type script struct {
	t      *testing.T
	slices []*messages.Slice
	out    bytes.Buffer
	// skipping is set while the lines of an old answer are read.
	skipping bool
}

// runScript gives the script with the answers that it gets.
func runScript(t *testing.T, text []byte) []byte {
	t.Helper()
	s := &script{t: t}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		line := lines.Text()
		if s.skipping = s.skipping && line != ""; s.skipping {
			continue
		}
		fmt.Fprintln(&s.out, line)
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "", "#":
		case "slice":
			s.slice(rest)
		case "row":
			s.row(rest)
		case "folded":
			s.folded(rest)
		case "loss":
			s.loss(rest)
		case "ask":
			s.ask(rest)
			s.skipping = true
		default:
			t.Fatalf("no such line: %s", line)
		}
	}
	return s.out.Bytes()
}

func (s *script) slice(rest string) {
	clock, mark, _ := strings.Cut(rest, " ")
	start, err := time.Parse(time.DateTime, "2026-11-22 "+clock)
	if err != nil {
		s.t.Fatal(err)
	}
	s.slices = append(s.slices, &messages.Slice{
		Seq: uint64(len(s.slices)), Span: messages.Span{Start: start, End: start.Add(10 * time.Second)},
		Complete: mark != "incomplete",
	})
}

// last is the slice that is being loaded.
func (s *script) last() *messages.Slice { return s.slices[len(s.slices)-1] }

// row adds a row as a part of its own.
func (s *script) row(rest string) {
	r := &messages.Rows{}
	sum := map[string]uint64{}
	for _, field := range fields(s.t, rest) {
		name, text, _ := strings.Cut(field, "=")
		if c, ok := columns.Lookup(name); ok {
			cell := parseCell(s.t, c, text)
			r.Cells = append(r.Cells, messages.Cells{Column: c, Dict: []columns.Value{"", cell}, IDs: []uint32{1}})
			continue
		}
		sum[name] = number(s.t, text)
	}
	r.UpBytes, r.DownBytes = []uint64{sum["bytes.up"]}, []uint64{sum["bytes.down"]}
	r.UpPackets, r.DownPackets = []uint64{sum["packets.up"]}, []uint64{sum["packets.down"]}
	r.Started, r.Ended = []uint32{uint32(sum["flows"])}, []uint32{0}
	s.last().Parts = append(s.last().Parts, r)
}

func (s *script) folded(rest string) {
	sum := map[string]uint64{}
	for _, field := range fields(s.t, rest) {
		name, text, _ := strings.Cut(field, "=")
		sum[name] = number(s.t, text)
	}
	s.last().Parts = append(s.last().Parts, &messages.Rows{Other: messages.Totals{
		Up:      messages.Counter{Bytes: sum["bytes.up"], Packets: sum["packets.up"]},
		Down:    messages.Counter{Bytes: sum["bytes.down"], Packets: sum["packets.down"]},
		Started: sum["flows"], Rows: sum["rows"],
	}})
}

func (s *script) loss(rest string) {
	f := strings.SplitN(rest, " ", 4)
	s.last().Losses = append(s.last().Losses, messages.Loss{
		Source: f[0], Kind: messages.LossKind(f[1]), Count: number(s.t, f[2]), Detail: f[3], Span: s.last().Span,
	})
}

// ask answers a question and prints the answer.
func (s *script) ask(rest string) {
	tier := memory.New(memory.Options{})
	for _, slice := range s.slices {
		if err := tier.Append(slice); err != nil {
			s.t.Fatal(err)
		}
	}
	parts := strings.Split(" "+rest, " --")
	texts := map[string]string{"filter": strings.TrimSpace(parts[0])}
	for _, p := range parts[1:] {
		name, text, _ := strings.Cut(p, " ")
		texts[name] = text
	}
	q, err := query.ParseQuestion(func(name string) string { return texts[name] }, now, time.UTC)
	var a *query.Answer
	if err == nil {
		a, err = query.Ask(s.t.Context(), []store.Tier{tier}, q, now)
	}
	if err != nil {
		fmt.Fprintln(&s.out, "error:", err)
		return
	}
	a.Elapsed = 0
	if err := query.WriteTable(&s.out, &s.out, a, query.Style{}); err != nil {
		s.t.Fatal(err)
	}
}

// fields cuts a line at spaces outside of quotes.
func fields(t *testing.T, line string) []string {
	t.Helper()
	var fs []string
	inQuotes, start := false, 0
	for i := 0; i <= len(line); i++ {
		switch {
		case i == len(line) || line[i] == ' ' && !inQuotes:
			if i > start {
				fs = append(fs, line[start:i])
			}
			start = i + 1
		case line[i] == '"':
			inQuotes = !inQuotes
		}
	}
	return fs
}

func parseCell(t *testing.T, c *columns.Column, text string) columns.Value {
	t.Helper()
	if strings.HasPrefix(text, `"`) {
		unquoted, err := strconv.Unquote(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		text = unquoted
	}
	if !c.Set {
		return parse(t, c, text)
	}
	var vs []columns.Value
	for v := range strings.SplitSeq(text, "+") {
		vs = append(vs, parse(t, c, v))
	}
	return columns.JoinSet(vs)
}

func parse(t *testing.T, c *columns.Column, text string) columns.Value {
	t.Helper()
	v, err := c.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func number(t *testing.T, text string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
