package translate

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/sources/suricata/eve"
)

var update = flag.Bool("update", false, "write the golden files anew")

// realLines are lines of real Suricatas; see eve/testdata/README.md.
const realLines = "../eve/testdata/lines/*.json"

// TestGolden translates real lines, each file as one connection. Beside a golden file is none for its lines:
// they are those of the decoder.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob(realLines)
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		for _, statistics := range []bool{false, true} {
			name := strings.TrimSuffix(filepath.Base(file), ".json")
			if statistics {
				name += ".statistics"
			}
			t.Run(name, func(t *testing.T) {
				golden(t, file, filepath.Join("testdata", "golden", name+".txt"), Options{Statistics: statistics})
			})
		}
	}
}

func golden(t *testing.T, file, golden string, o Options) {
	t.Helper()
	got := translateFile(t, file, o)
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; see what `go test -update` changes in it. Now:\n%s", golden, got)
	}
}

func translateFile(t testing.TB, file string, o Options) []byte {
	t.Helper()
	lines, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	tr, w, d := New(o), &sink{}, eve.NewDecoder()
	var e eve.Event
	for i, l := range bytes.Split(bytes.TrimSpace(lines), []byte("\n")) {
		if err := d.Decode(l, &e); err != nil {
			t.Fatalf("line %d: %v", i+1, err)
		}
		before := tr.Counts()
		if err := tr.Event(t.Context(), 1, &e, time.Unix(0, e.Time).Add(time.Millisecond), w); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%d %s: %s\n", i+1, e.Type, outcome(before, tr.Counts()))
		for j := range w.updates {
			checkUpdate(t, o, &w.updates[j], w.tags[j])
		}
		for j := range w.facts {
			checkFact(t, &w.facts[j])
		}
		for _, l := range w.lines {
			fmt.Fprintf(&b, "\t%s\n", l)
		}
		w.take()
	}
	return b.Bytes()
}

// outcome says what became of one event.
func outcome(before, after Counts) string {
	for r := range Reasons {
		if after.Unused[r] > before.Unused[r] {
			return r.String()
		}
	}
	if after.Used == before.Used {
		return "not accounted for"
	}
	return "used"
}
