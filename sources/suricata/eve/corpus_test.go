package eve

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// corpusDir is the folder of recorded EVE output, which is no part of the project: it lies beside it.
const corpusDir = "../../../../shared/eve"

// corpusFiles returns the names of the recorded files, or skips the test if there are none.
func corpusFiles(t testing.TB) []string {
	t.Helper()
	names := recordings(t)
	if len(names) == 0 {
		t.Skipf("no recorded EVE output in %s", corpusDir)
	}
	return names
}

// recordings returns the names of the recorded files.
func recordings(t testing.TB) []string {
	t.Helper()
	var names []string
	for _, pattern := range []string{"*.json.gz", "live-*/eve.json.gz", "live-*/stream.bin.gz", "live-*/dgram.bin.gz"} {
		found, err := filepath.Glob(filepath.Join(corpusDir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, found...)
	}
	return names
}

// corpusLines returns the lines of a recorded file, without their newlines.
func corpusLines(t testing.TB, name string) [][]byte {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(data, []byte("\n"))
	if last := len(lines) - 1; len(lines[last]) == 0 {
		lines = lines[:last]
	}
	return lines
}

// shortName returns the name of a recorded file as its manifest has it.
func shortName(name string) string {
	name, _ = filepath.Rel(corpusDir, strings.TrimSuffix(name, ".gz"))
	return name
}

// expectation is what the manifest says of a file.
type expectation struct {
	lines, bad uint64
	// types are the first of the list, more follow if it ends with "…".
	types map[string]uint64
	whole bool
}

// manifest reads the table of the recorded files.
func manifest(t *testing.T) map[string]expectation {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(corpusDir, "MANIFEST.md"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]expectation{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		var e expectation
		if len(cells) < 9 {
			continue
		}
		if _, err := fmt.Sscan(cells[3]+cells[5], &e.lines, &e.bad); err != nil {
			continue
		}
		list, more := strings.CutSuffix(strings.TrimSpace(cells[7]), "…")
		e.types, e.whole = map[string]uint64{}, !more
		for part := range strings.SplitSeq(list, ",") {
			var kind string
			var n uint64
			if _, err := fmt.Sscan(part, &kind, &n); err != nil {
				t.Fatalf("manifest: %q: %v", part, err)
			}
			e.types[kind] = n
		}
		want[strings.TrimSpace(cells[1])] = e
	}
	return want
}

// TestCorpus decodes every line of every recorded file and compares the counts with the manifest.
func TestCorpus(t *testing.T) {
	files := corpusFiles(t)
	wanted := manifest(t)
	if len(wanted) != len(files) {
		t.Errorf("%d files, the manifest has %d", len(files), len(wanted))
	}
	for _, name := range files {
		t.Run(shortName(name), func(t *testing.T) {
			want, ok := wanted[shortName(name)]
			if !ok {
				t.Fatal("not in the manifest")
			}
			checkFile(t, corpusLines(t, name), want)
		})
	}
}

// checkFile decodes the lines of one file.
func checkFile(t *testing.T, lines [][]byte, want expectation) {
	t.Helper()
	l := NewLines()
	delivered := uint64(0)
	for _, line := range lines {
		l.Line(line, func(e *Event) {
			delivered++
			if e.Type == "" {
				t.Error("an event without type")
			}
			checkPlausible(t, e)
		})
	}
	c := l.Counts()
	t.Log(report(c))
	pieces := c.Events + c.NoType + c.Glued + c.BadJSON + c.TooDeep
	if c.Lines != want.lines || c.Events != delivered || pieces != c.Lines+c.Glued {
		t.Errorf("%d lines and %d events, want %d lines and nothing unexplained", c.Lines, delivered, want.lines)
	}
	if c.Recovered != want.bad || c.BadJSON+c.TooDeep+c.Blank+c.Prefixed+c.Junk+c.Joined+c.Odd != 0 {
		t.Errorf("%d recovered, want %d and no other fault", c.Recovered, want.bad)
	}
	checkTypes(t, c, want)
}

// checkTypes compares the types of events with the manifest's, which has only lines that parse.
func checkTypes(t *testing.T, c Counts, want expectation) {
	t.Helper()
	listed, surplus := uint64(0), uint64(0)
	for kind, n := range want.types {
		listed += n
		surplus += c.Types[kind] - n
	}
	if listed > want.lines {
		t.Logf("the manifest lists %d events on %d lines: not compared", listed, want.lines)
		return
	}
	if surplus != want.bad {
		t.Errorf("types %v, want %v and %d recovered", c.Types, want.types, want.bad)
	}
	for kind, n := range want.types {
		if c.Types[kind] < n || want.bad == 0 && c.Types[kind] != n {
			t.Errorf("%d events of type %s, want %d", c.Types[kind], kind, n)
		}
	}
	if want.whole && len(c.Types) != len(want.types) {
		t.Errorf("types %v, want %v", c.Types, want.types)
	}
}

// checkPlausible checks that ports come with addresses, and addresses with a protocol.
func checkPlausible(t *testing.T, e *Event) {
	t.Helper()
	if e.Has&HasPorts != 0 && (!e.Src.IsValid() || !e.Dest.IsValid()) {
		t.Errorf("%s at %d: ports without addresses", e.Type, e.Time)
	}
	if e.Src.IsValid() && e.Has&HasProto == 0 {
		t.Errorf("%s at %d: addresses without a protocol", e.Type, e.Time)
	}
}

// report writes counts as a text of a few lines.
func report(c Counts) string {
	var b strings.Builder
	fmt.Fprintf(&b, "lines %d, blank %d, events %d (recovered %d, joined %d), no type %d, glued %d, bad JSON %d, ",
		c.Lines, c.Blank, c.Events, c.Recovered, c.Joined, c.NoType, c.Glued, c.BadJSON)
	fmt.Fprintf(&b, "too deep %d, prefixed %d, junk %d, odd %d, clipped %d\n",
		c.TooDeep, c.Prefixed, c.Junk, c.Odd, c.Clipped)
	for _, kind := range slices.Sorted(maps.Keys(c.Types)) {
		fmt.Fprintf(&b, " %s %d", kind, c.Types[kind])
	}
	return b.String()
}
