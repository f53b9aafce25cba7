package actors

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"weir/computations"
	"weir/messages"
	"weir/sources"
)

// shelf is a folder with files.
type shelf struct {
	t   *testing.T
	dir string
}

func (s shelf) path(name string) string { return filepath.Join(s.dir, name) }

// put writes a file that is as old as the test wants.
func (s shelf) put(name, content string, age time.Duration) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
	then := time.Now().Add(-age)
	if err := os.Chtimes(s.path(name), then, then); err != nil {
		s.t.Fatal(err)
	}
}

// look looks and compares what is held then.
func (s shelf) look(w *fileWatch, changed bool, wrong int, want map[string]string) {
	s.t.Helper()
	news, errs := w.look()
	if news != changed || len(errs) != wrong {
		s.t.Errorf("changed %v, errors %v", news, errs)
	}
	got := map[string]string{}
	last := ""
	for _, f := range w.files() {
		name := filepath.Base(f.Path)
		if name <= last {
			s.t.Errorf("%s after %s", name, last)
		}
		got[name], last = string(f.Content), name
	}
	if !maps.Equal(got, want) {
		s.t.Errorf("files %v, want %v", got, want)
	}
}

func TestFilesAreReadWhenTheyChange(t *testing.T) {
	s := shelf{t, t.TempDir()}
	w := newFileWatch([]string{s.path("*.list"), s.path("own")}, time.Now)
	s.put("b.list", "b", time.Hour)
	s.put("a.list", "a", time.Hour)
	s.put("other", "x", time.Hour)
	s.look(w, true, 1, map[string]string{"a.list": "a", "b.list": "b"}) // There is no own, which is told once.
	s.look(w, false, 0, map[string]string{"a.list": "a", "b.list": "b"})
	s.put("own", "o", time.Hour)
	s.look(w, true, 0, map[string]string{"a.list": "a", "b.list": "b", "own": "o"})
	s.put("a.list", "A", 30*time.Minute)
	s.look(w, true, 0, map[string]string{"a.list": "A", "b.list": "b", "own": "o"})
	s.put("a.list", "A", 20*time.Minute)
	s.look(w, false, 0, map[string]string{"a.list": "A", "b.list": "b", "own": "o"})
	if err := os.Remove(s.path("b.list")); err != nil {
		t.Fatal(err)
	}
	s.look(w, true, 0, map[string]string{"a.list": "A", "own": "o"})
	if err := os.Remove(s.path("own")); err != nil {
		t.Fatal(err)
	}
	s.look(w, true, 1, map[string]string{"a.list": "A"})
}

// A file that was written just now may be written again without a sign that a clock could show.
func TestYoungFilesAreReadAgain(t *testing.T) {
	s := shelf{t, t.TempDir()}
	w := newFileWatch([]string{s.path("a")}, time.Now)
	s.put("a", "1", time.Second)
	s.look(w, true, 0, map[string]string{"a": "1"})
	info, err := os.Stat(s.path("a"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.path("a"), []byte("2"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(s.path("a"), info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	s.look(w, true, 0, map[string]string{"a": "2"})
}

func TestFilesThatCannotBeReadStayAsTheyWere(t *testing.T) {
	s := shelf{t, t.TempDir()}
	w := newFileWatch([]string{s.path("a"), s.path("[")}, time.Now)
	s.put("a", "1", time.Hour)
	s.look(w, true, 1, map[string]string{"a": "1"}) // A bad pattern.
	for _, spoil := range []func(){
		func() { s.put("a", strings.Repeat("x", maxFileBytes+1), time.Minute) },
		func() {
			if err := os.Remove(s.path("a")); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(s.path("a"), 0o700); err != nil {
				t.Fatal(err)
			}
		},
		func() {
			if err := os.Remove(s.path("a")); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(s.path("nowhere"), s.path("a")); err != nil {
				t.Fatal(err)
			}
		},
	} {
		spoil()
		s.look(w, false, 1, map[string]string{"a": "1"})
		s.look(w, false, 0, map[string]string{"a": "1"}) // Told once.
	}
	if err := os.Remove(s.path("a")); err != nil {
		t.Fatal(err)
	}
	s.put("a", "3", time.Hour)
	s.look(w, true, 0, map[string]string{"a": "3"})
}

func TestFilesAreBounded(t *testing.T) {
	s := shelf{t, t.TempDir()}
	w := newFileWatch([]string{s.path("*")}, time.Now)
	want := map[string]string{}
	for i := range maxFiles + 3 {
		name := fmt.Sprintf("%03d", i)
		s.put(name, name, time.Hour)
		if i < maxFiles {
			want[name] = name
		}
	}
	s.look(w, true, 3, want)
	if err := os.Remove(s.path("000")); err != nil {
		t.Fatal(err)
	}
	delete(want, "000")
	want["064"] = "064"
	s.look(w, true, 0, want)

	s = shelf{t, t.TempDir()}
	w = newFileWatch([]string{s.path("*")}, time.Now)
	for i := range 6 {
		s.put(fmt.Sprint(i), strings.Repeat("x", maxFileBytes), time.Hour)
	}
	if _, errs := w.look(); len(errs) != 1 || len(w.files()) != 5 {
		t.Errorf("%d files, errors %v", len(w.files()), errs)
	}
}

// The files reach the computation before its first event, and again as they change.
func TestComputationReadsItsFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shelf{t, t.TempDir()}
		s.put("a.list", "1", 0)
		c := &scholar{patterns: []string{s.path("*.list")}}
		for i := range 15 {
			c.wrong = append(c.wrong, fmt.Errorf("a.list:%d: %w", i, errGiven))
		}
		c.handle = func(*messages.Events, *computations.View, computations.Out) {
			if c.reads.Load() == 0 {
				t.Error("an event comes before the files")
			}
		}
		var logged strings.Builder // Read only when nobody logs any more.
		o := options(&fakeTier{}, SourceSpec{"push", sender(10, sources.Wait)})
		o.Log = zerolog.New(zerolog.SyncWriter(&logged))
		sys := start(t, computing(o, always(c)))
		rest(21 * time.Second)
		if st := sys.Status().Computations[0]; st.Files != 1 || st.FileErrors != 15 || c.reads.Load() != 1 {
			t.Errorf("%d reads, status %+v", c.reads.Load(), st)
		}
		s.put("b.list", "2", 0)
		rest(readEvery + time.Second)
		if got := c.last(); c.reads.Load() != 2 || got[s.path("a.list")] != "1" || got[s.path("b.list")] != "2" {
			t.Errorf("%d reads, last %v", c.reads.Load(), got)
		}
		if err := sys.Inject("computation/a", "fault"); err != nil {
			t.Fatal(err)
		}
		rest(time.Second)
		if c.reads.Load() != 3 {
			t.Errorf("%d reads after a failure", c.reads.Load())
		}
		drain(t, sys)
		if n := strings.Count(logged.String(), "a.list:"); n != 3*maxComplaints {
			t.Errorf("%d errors are logged", n)
		}
	})
}

// Files that make a computation fail are tried twice, like any message.
func TestFilesThatMakeItFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shelf{t, t.TempDir()}
		c := &scholar{patterns: []string{s.path("a")}}
		s.put("a", "1", 0)
		sys := start(t, computing(options(&fakeTier{}), computed(
			func(computations.Core) (computations.Computation, error) { return bomb{c}, nil })))
		rest(time.Second)
		s.put("a", "bomb", 0)
		rest(20 * time.Second)
		s.put("a", "2", 0)
		rest(time.Minute)
		a, got := actorOf(t, sys, "computation/a"), c.last()[s.path("a")]
		if a.Failures < 2 || a.State != stateRunning || got != "2" {
			t.Errorf("actor %+v, read %q", a, got)
		}
		drain(t, sys)
	})
}

// bomb fails on some files.
type bomb struct{ *scholar }

func (b bomb) Read(files []computations.File, view *computations.View, out computations.Out) []error {
	if len(files) > 0 && string(files[0].Content) == "bomb" {
		panic("bomb")
	}
	return b.scholar.Read(files, view, out)
}

// One that wants no files costs no goroutine that looks for them.
func TestNoPatternsNoFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &scholar{}
		s := start(t, computing(options(&fakeTier{}), always(c)))
		rest(time.Minute)
		if c.reads.Load() != 0 {
			t.Errorf("%d reads", c.reads.Load())
		}
		drain(t, s)
	})
}
