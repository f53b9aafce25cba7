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

// TestShared reads every line of all real output, and prints by type and reason what became of it, with and without
// statistics.
func TestShared(t *testing.T) {
	reports := [2]report{{}, {}}
	events := 0
	for _, file := range sharedFiles(t) {
		events += reportFile(t, file, &reports)
	}
	for i, r := range reports {
		t.Logf("statistics: %v", i == 1)
		if total := r.print(t); total != events || events < 100_000 {
			t.Errorf("%d events, of which %d are explained", events, total)
		}
	}
}

// report counts events by type and by what became of them.
type report map[string]map[string]int

func (r report) print(t *testing.T) (total int) {
	t.Helper()
	for _, typ := range slices.Sorted(maps.Keys(r)) {
		if r[typ]["not accounted for"] > 0 {
			t.Errorf("%s: events that are neither used nor counted", typ)
		}
		var parts []string
		for _, reason := range slices.Sorted(maps.Keys(r[typ])) {
			parts = append(parts, fmt.Sprintf("%s %d", reason, r[typ][reason]))
			total += r[typ][reason]
		}
		t.Logf("%-16s %s", typ, strings.Join(parts, ", "))
	}
	return total
}

func reportFile(t testing.TB, file string, reports *[2]report) (events int) {
	t.Helper()
	options := [2]Options{{}, {Statistics: true}}
	trs, lines, w := [2]*Translator{New(options[0]), New(options[1])}, eve.NewLines(), &sink{quiet: true}
	eachLine(t, file, func(line []byte) {
		lines.Line(line, func(e *eve.Event) {
			events++
			received := time.Unix(0, max(e.Time, 1)).Add(time.Millisecond)
			for i, tr := range trs {
				before := tr.Counts()
				if err := tr.Event(t.Context(), 1, e, received, w); err != nil {
					t.Fatal(err)
				}
				if reports[i][e.Type] == nil {
					reports[i][e.Type] = map[string]int{}
				}
				reports[i][e.Type][outcome(before, tr.Counts())]++
				w.check(t, options[i])
			}
		})
	})
	return events
}
