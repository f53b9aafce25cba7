package translate

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/sources/suricata/eve"
)

// sharedDir is the folder of real EVE output beside the repository.
func sharedDir(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		shared := filepath.Join(dir, "..", "shared", "eve")
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			if _, err := os.Stat(shared); err == nil {
				return shared
			}
		}
	}
	t.Skip("no ../shared/eve beside the repository: nothing to read")
	return ""
}

// sharedFiles are all files of events.
func sharedFiles(t testing.TB) (files []string) {
	t.Helper()
	dir := sharedDir(t)
	for _, pattern := range []string{"*.json.gz", "live-*/eve.json.gz", "live-*/*.bin.gz"} {
		more, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, more...)
	}
	if len(files) == 0 {
		t.Fatal("no files in " + dir)
	}
	return files
}

// eachLine reads a file of lines.
func eachLine(t testing.TB, file string, f func(line []byte)) {
	t.Helper()
	r, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	z, err := gzip.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	s := bufio.NewScanner(z)
	s.Buffer(nil, 16<<20)
	for s.Scan() {
		f(s.Bytes())
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
}

// TestShared reads every line of all real output, and prints by type and reason what became of it.
func TestShared(t *testing.T) {
	for _, statistics := range []bool{false, true} {
		t.Run(fmt.Sprintf("statistics=%v", statistics), func(t *testing.T) {
			report := map[string]map[string]int{}
			events := 0
			for _, file := range sharedFiles(t) {
				events += reportFile(t, file, Options{Statistics: statistics}, report)
			}
			total := 0
			for _, typ := range slices.Sorted(maps.Keys(report)) {
				var parts []string
				if report[typ]["not accounted for"] > 0 {
					t.Errorf("%s: events that are neither used nor counted", typ)
				}
				for _, r := range slices.Sorted(maps.Keys(report[typ])) {
					parts = append(parts, fmt.Sprintf("%s %d", r, report[typ][r]))
					total += report[typ][r]
				}
				t.Logf("%-16s %s", typ, strings.Join(parts, ", "))
			}
			if total != events || events < 100_000 {
				t.Errorf("%d events, of which %d are explained", events, total)
			}
		})
	}
}

func reportFile(t testing.TB, file string, o Options, report map[string]map[string]int) (events int) {
	t.Helper()
	tr, lines, w := New(o), eve.NewLines(), &sink{quiet: true}
	eachLine(t, file, func(line []byte) {
		lines.Line(line, func(e *eve.Event) {
			events++
			received := time.Unix(0, max(e.Time, 1)).Add(time.Millisecond)
			before := tr.Counts()
			if err := tr.Event(t.Context(), 1, e, received, w); err != nil {
				t.Fatal(err)
			}
			if report[e.Type] == nil {
				report[e.Type] = map[string]int{}
			}
			report[e.Type][outcome(before, tr.Counts())]++
			for i := range w.updates {
				checkUpdate(t, o, &w.updates[i], w.tags[i])
			}
			for i := range w.facts {
				checkFact(t, &w.facts[i])
			}
			w.take()
		})
	})
	return events
}
