package suricata

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"weir/messages"
	"weir/sources"
)

// suricataFile writes a file as Suricata does.
type suricataFile struct {
	*testing.T
	path string
	file *os.File
}

func (f *suricataFile) open() {
	f.Helper()
	file, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { file.Close() })
	f.file = file
}

func (f *suricataFile) write(text string) {
	f.Helper()
	if _, err := f.file.WriteString(text); err != nil {
		f.Fatal(err)
	}
}

// rename moves the file away; Suricata goes on to write to it.
func (f *suricataFile) rename(to string) {
	f.Helper()
	if err := os.Rename(f.path, f.path+to); err != nil {
		f.Fatal(err)
	}
}

// followed makes a source that follows a file which holds text.
func followed(t *testing.T, text string, decode bool) (*running, *suricataFile) {
	t.Helper()
	c := configure(t)
	c.Stream, c.File = "", c.Stream
	f := &suricataFile{T: t, path: c.File}
	if text != "" {
		f.open()
		f.write(text)
	}
	r := run(t, c, &fakeOut{}, decode)
	r.looked()
	return r, f
}

// looked waits until the follower has looked at its file.
func (r *running) looked() {
	r.t.Helper()
	until(r.t, "the file is looked at", func() bool {
		p := r.Source.cfg.place
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.looked
	})
}

func TestFollowBeginsAtTheEnd(t *testing.T) {
	r, f := followed(t, "old\nhalf of an old", false)
	f.write(" line\nnew\nha")
	r.wantNames("new")
	f.write("lf\nlast\n")
	r.wantNames("new", "half", "last")
	if h := r.Health(); h.State != sources.Running || h.Detail != "" {
		t.Errorf("%+v", h)
	}
}

func TestFollowWaitsForTheFile(t *testing.T) {
	r, f := followed(t, "", false)
	if h := r.Health(); h.State != sources.Running || !strings.Contains(h.Detail, "waiting for "+f.path) {
		t.Errorf("%+v", h)
	}
	f.open()
	f.write("first\nsecond\n")
	r.wantNames("first", "second")
	if h := r.Health(); h.Detail != "" {
		t.Errorf("%+v", h)
	}
}

func TestRotation(t *testing.T) {
	r, f := followed(t, "old\n", false)
	f.write("one\n")
	r.wantNames("one")
	f.rename(".1")
	f.write("two\n") // Into the old file, which Suricata still has open.
	r.wantNames("one", "two")
	// The new one is made before Suricata is told.
	if err := os.WriteFile(f.path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f.write("three\n")
	r.wantNames("one", "two", "three")
	f.write("four\ncut")
	f.open()
	f.write("five\n")
	r.wantNames("one", "two", "three", "four", "five")
	r.wantMetric("rotations_total", 1)
	r.wantMetric("partial_events_total", 1)
	// Once more, and gone is the file that was read.
	f.rename(".2")
	if err := os.Remove(f.path + ".2"); err != nil {
		t.Fatal(err)
	}
	f.write("six\n")
	f.open()
	f.write("seven\n")
	r.wantNames("one", "two", "three", "four", "five", "six", "seven")
}

func TestCopyTruncate(t *testing.T) {
	r, f := followed(t, "old\n", false)
	f.write("one\ncut")
	r.wantNames("one")
	if err := os.Truncate(f.path, 0); err != nil {
		t.Fatal(err)
	}
	r.wantMetric("truncations_total", 1)
	f.write("two\n")
	r.wantNames("one", "two")
	r.wantMetric("partial_events_total", 1)
}

func TestFollowWhatIsNoFile(t *testing.T) {
	r, f := followed(t, "old\n", false)
	f.rename(".1")
	if err := os.Mkdir(f.path, 0o700); err != nil {
		t.Fatal(err)
	}
	degraded := func(text string) func() bool {
		return func() bool {
			h := r.Health()
			return h.State == sources.Degraded && strings.Contains(h.Detail, text)
		}
	}
	until(t, "the directory is told", degraded("is no file but a directory"))
	f.write("one\n") // The old file is still followed.
	r.wantNames("one")
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(f.path, 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, "the fifo is told", degraded("is no file but a fifo"))
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	until(t, "the gap is told", func() bool { return strings.Contains(r.Health().Detail, "does not exist") })
	f.open()
	f.write("two\n")
	r.wantNames("one", "two")
	if h := r.Health(); h.State != sources.Running || h.Detail != "" {
		t.Errorf("%+v", h)
	}
}

// TestFollowAfterFailure runs the source anew, as the core does when it has failed.
func TestFollowAfterFailure(t *testing.T) {
	r, f := followed(t, "old\n", false)
	f.write("one\npanic\ntwo\nthree\n")
	<-r.ended
	if r.err == nil || !strings.Contains(r.err.Error(), "cannot bear") {
		t.Fatalf("the panic did not surface: %v", r.err)
	}
	if got := r.out.lost("still queued"); got != 1 {
		t.Errorf("%d lines are told as lost, want the one that panicked", got)
	}
	f.write("four\n")
	again := run(t, r.cfg, &fakeOut{}, false)
	again.wantNames("two", "three", "four")
	if err := again.stop(); err != nil {
		t.Fatal(err)
	}
	// The file is replaced while nobody follows it.
	f.rename(".1")
	f.open()
	f.write("five\n")
	last := run(t, r.cfg, &fakeOut{}, false)
	last.wantNames("five")
	last.out.mu.Lock()
	defer last.out.mu.Unlock()
	if l := last.out.losses; len(l) != 1 || l[0].Kind != messages.LossUntagged ||
		!strings.Contains(l[0].Detail, "replaced while nobody followed it") {
		t.Errorf("%+v", l)
	}
}

// TestFollowerWaits has a file that is larger than the queue, and a worker that stands still.
func TestFollowerWaits(t *testing.T) {
	c := configure(t)
	c.Stream, c.File = "", filepath.Join(filepath.Dir(c.Stream), "eve.json")
	c.Queue, c.MaxLine = minQueue, minLine
	release := make(chan struct{})
	r := run(t, c, &fakeOut{onAdd: hold(release)}, false)
	r.looked()
	f := &suricataFile{T: t, path: c.File}
	f.open()
	var want []string
	var text strings.Builder
	for i := range 20_000 {
		line := fmt.Sprintf("%d %s", i, strings.Repeat("x", i%100))
		want = append(want, line)
		text.WriteString(line + "\n")
	}
	f.write(text.String())
	until(t, "the queue is full", func() bool { return r.metric("queue_bytes") > float64(minQueue-slabSize) })
	close(release)
	r.wantNames(want...)
	r.wantMetric("dropped_events_total", 0)
}
