package recorded

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Run is the content of a folder.
type Run struct {
	Name  string
	News  []News
	Flows []*Flow
	// Events are what Suricata wrote, in that order.
	Events []Event
	dir    string
}

// Own is the folder that this tree always has.
func Own(t testing.TB) *Run {
	t.Helper()
	return read(t, filepath.Join(root(t), "test", "recorded", "testdata", "live-8.0.8"))
}

// All are the folders beside the repository, or if there are none the own one.
func All(t testing.TB) []*Run {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(root(t), "..", "shared", "eve", "live-*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(dirs) == 0 {
		t.Log("no recordings beside the repository: only its own one is used")
		return []*Run{Own(t)}
	}
	runs := make([]*Run, len(dirs))
	for i, dir := range dirs {
		runs[i] = read(t, dir)
	}
	return runs
}

// root is the folder of the module.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	t.Fatal("no go.mod above this folder")
	return ""
}

func read(t testing.TB, dir string) *Run {
	t.Helper()
	r := &Run{Name: filepath.Base(dir), dir: dir}
	if err := r.read(); err != nil {
		t.Fatalf("%s: %v", dir, err)
	}
	return r
}

func (r *Run) read() error {
	events, err := r.file("conntrack-events.txt")
	if err != nil {
		return err
	}
	if r.News, r.Flows, err = readEvents(bytes.NewReader(events)); err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	table, err := r.file("conntrack-table.txt")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if r.Flows, err = readTable(bytes.NewReader(table), r.Flows, r.News[len(r.News)-1].At); err != nil {
		return fmt.Errorf("read table: %w", err)
	}
	eve, err := r.file("eve.json")
	if err != nil {
		return err
	}
	var lost int
	if r.Events, lost = readEVE(eve); lost != 0 {
		return fmt.Errorf("read eve.json: %d lines are no events", lost)
	}
	begin(r.Events, r.Events)
	r.settle()
	return nil
}

// settle makes the times of flows, and of the news of their beginning and end, those that the kernel would have
// told. conntrack(8) writes when it printed a line, which is later by up to a third of a second where the machine was
// busy. Suricata has the time of the packet that opened the flow, and the kernel that of a moment later. A tuple is
// used again when the kernel drops the flow that had it, because of the packet that opens the next one.
func (r *Run) settle() {
	const (
		lag    = time.Second
		moment = 50 * time.Microsecond
	)
	for _, f := range r.Flows {
		least := lag
		for i := range r.Events {
			e := &r.Events[i]
			if e.Type == "flow" && !e.Began.IsZero() && f.Orig == e.Tuple && e.Began.Add(moment).Before(f.Start) {
				least = min(least, f.Start.Sub(e.Began.Add(moment)))
			}
		}
		if least < lag {
			f.Start = f.Start.Add(-least)
		}
	}
	for _, f := range r.Flows {
		for _, next := range r.Flows {
			if f.SameTuple(next) && f.Start.Before(next.Start) && f.Stop.After(next.Start) {
				f.Stop = next.Start.Add(-moment / 10)
			}
		}
	}
	for i := range r.News {
		switch n := &r.News[i]; n.Kind {
		case "NEW":
			n.At = n.Flow.Start
		case "DESTROY":
			n.At = n.Flow.Stop
		}
	}
}

// Other gives what came over another transport, "stream.bin" or "dgram.bin", and how many lines were of no use; nil
// if that was not recorded.
func (r *Run) Other(t testing.TB, name string) (events []Event, lost int) {
	t.Helper()
	content, err := r.file(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	events, lost = readEVE(content)
	begin(events, r.Events)
	return events, lost
}

// Span is from the first to the last line of conntrack.
func (r *Run) Span() (begin, end time.Time) { return r.News[0].At, r.News[len(r.News)-1].At }

// file reads one file whole.
func (r *Run) file(name string) ([]byte, error) {
	f, err := os.Open(filepath.Join(r.dir, name+".gz"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	content, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return content, nil
}
