package actors

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/computations"
	"weir/messages"
	"weir/sources"
)

func TestStateFileRoundTrip(t *testing.T) {
	f := newStateFile(t.TempDir(), "bestname")
	if err := f.prepare(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.read(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("read nothing: %v", err)
	}
	for _, state := range []string{"first", "", strings.Repeat("x", maxState)} {
		if err := f.write([]byte(state)); err != nil {
			t.Fatal(err)
		}
		if got, err := f.read(); err != nil || string(got) != state {
			t.Errorf("read %d bytes: %v", len(got), err)
		}
	}
	if names := filesIn(t, f.dir); len(names) != 1 || names[0] != "bestname.state" {
		t.Errorf("files %v", names)
	}
	if info, err := os.Stat(f.path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

func filesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		names = append(names, e.Name())
	}
	return names
}

// Every byte of a file matters.
func TestStateFileThatIsDamaged(t *testing.T) {
	whole := encodeState("n", []byte("some state"))
	if s, err := decodeState("n", whole); err != nil || string(s) != "some state" {
		t.Fatalf("%q %v", s, err)
	}
	for i := range whole {
		b := bytes.Clone(whole)
		b[i] ^= 0x10
		if _, err := decodeState("n", b); !isUseless(err) {
			t.Errorf("byte %d changed: %v", i, err)
		}
		if _, err := decodeState("n", whole[:i]); !isUseless(err) {
			t.Errorf("cut after %d bytes: %v", i, err)
		}
	}
	if _, err := decodeState("n", append(bytes.Clone(whole), 0)); !errors.Is(err, errStateDamaged) {
		t.Errorf("a byte too many: %v", err)
	}
	if _, err := decodeState("m", whole); !errors.Is(err, errStateForeign) {
		t.Errorf("of another computation: %v", err)
	}
}

func FuzzStateFile(f *testing.F) {
	f.Add(encodeState("n", []byte("some state")))
	f.Add([]byte(stateMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		state, err := decodeState("n", b)
		if err != nil {
			if !isUseless(err) {
				t.Errorf("error %v", err)
			}
			return
		}
		if !bytes.Equal(encodeState("n", state), b) {
			t.Error("there are two files of the same state")
		}
	})
}

func TestNoStateWithoutADirectory(t *testing.T) {
	if newStateFile("", "n") != nil || newStateFile("/x", "../n") != nil {
		t.Error("keeps something somewhere")
	}
}

// What a computation keeps is there after a restart of the program, and after a failure.
func TestComputationKeepsItsState(t *testing.T) {
	dir := t.TempDir()
	run := func(c *memo, inside func(s *System)) {
		synctest.Test(t, func(t *testing.T) {
			o := computing(options(&fakeTier{}), always(c))
			o.StateDir, o.Clock = dir, noonClock()
			s := start(t, o)
			inside(s)
			drain(t, s)
		})
	}
	first := &memo{keep: "one"}
	run(first, func(*System) { rest(30 * time.Minute) })
	if len(first.loaded) != 0 || first.saved != 1 {
		t.Errorf("loaded %q, saved %d times", first.loaded, first.saved)
	}
	second := &memo{keep: "two"}
	run(second, func(s *System) {
		rest(61 * time.Minute)
		c := s.Status().Computations[0]
		if second.saved != 1 || c.StateBytes != 3 || !c.StateSaved.After(noon) || c.StateFailures != 0 {
			t.Errorf("after an hour saved %d times: %+v", second.saved, c)
		}
		second.keep = "three"
		if err := s.Inject("computation/a", "fault"); err != nil {
			t.Fatal(err)
		}
		rest(50 * time.Minute)
	})
	if got := strings.Join(second.loaded, " "); got != "one two" || second.saved != 2 {
		t.Errorf("loaded %q, saved %d times", got, second.saved)
	}
	third := &memo{}
	run(third, func(*System) {})
	if got := strings.Join(third.loaded, " "); got != "three" {
		t.Errorf("loaded %q", got)
	}
}

// A file that is of no use costs what was kept, and nothing else.
func TestStateThatCannotBeLoaded(t *testing.T) {
	path := func(dir string) string { return filepath.Join(dir, stateFolder, "a.state") }
	for name, c := range map[string]struct {
		content []byte
		onLoad  func(string) error
	}{
		"damaged":       {content: []byte(stateMagic + "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")},
		"foreign":       {content: []byte("something else altogether, and long")},
		"not its words": {content: encodeState("a", []byte("z")), onLoad: func(string) error { return errGiven }},
		"makes it fail": {content: encodeState("a", []byte("z")), onLoad: func(string) error { panic("load") }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				if err := os.MkdirAll(filepath.Dir(path(dir)), 0o700); err != nil {
					t.Fatal(err)
				}
				for file, content := range map[string][]byte{path(dir): c.content, path(dir) + ".tmp": []byte("half")} {
					if err := os.WriteFile(file, content, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				made := 0
				o := options(&fakeTier{})
				o.StateDir = dir
				m := &memo{keep: "new", onLoad: c.onLoad}
				s := start(t, computing(o, computed(func(computations.Core) (computations.Computation, error) {
					made++
					return m, nil
				})))
				rest(11 * time.Second)
				if st := s.Status().Computations[0]; st.StateFailures != 1 || st.Settled == 0 {
					t.Errorf("status %+v", st)
				}
				if want := 1 + min(len(m.loaded), 1); made != want {
					t.Errorf("made %d times, want %d", made, want)
				}
				drain(t, s)
				if names := filesIn(t, filepath.Dir(path(dir))); strings.Join(names, " ") != "a.state a.state.bad" {
					t.Errorf("files %v", names)
				}
				if a := actorOf(t, s, "computation/a"); a.Failures != 0 {
					t.Errorf("actor %+v", a)
				}
			})
		})
	}
}

// What was kept may be why a computation fails: then it goes on without.
func TestStateThatMakesItFailLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		f := newStateFile(dir, "a")
		if err := f.write([]byte("poison")); err != nil {
			t.Fatal(err)
		}
		o := options(&fakeTier{}, SourceSpec{"push", sender(10, sources.Wait)})
		o.StateDir = dir
		s := start(t, computing(o, computed(func(computations.Core) (computations.Computation, error) {
			m := &memo{keep: "cured"}
			m.handle = func(*messages.Events, *computations.View, computations.Out) {
				if len(m.loaded) > 0 {
					panic("poisoned")
				}
			}
			return m, nil
		})))
		rest(2 * time.Minute)
		if a := actorOf(t, s, "computation/a"); a.Failures != maxLoads || a.State != stateRunning {
			t.Errorf("actor %+v", a)
		}
		drain(t, s)
		if state, err := f.read(); err != nil || string(state) != "cured" {
			t.Errorf("kept %q: %v", state, err)
		}
	})
}

// A place that cannot be written, a Save that fails, and one that says too much are warnings.
func TestStateThatCannotBeSaved(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		dir    string
		onSave func(w io.Writer) error
	}{
		"no directory": {dir: filepath.Join(file, "below")},
		"error":        {onSave: func(io.Writer) error { return errGiven }},
		"panic":        {onSave: func(io.Writer) error { panic("save") }},
		"too large": {onSave: func(w io.Writer) error {
			for range 17 {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return err
				}
			}
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tier := &fakeTier{}
				o := options(tier, SourceSpec{"push", sender(10, sources.Wait)})
				if o.StateDir = c.dir; c.dir == "" {
					o.StateDir = t.TempDir()
				}
				m := &memo{onSave: c.onSave}
				m.handle = tagEach(appX)
				s := start(t, computing(o, always(m)))
				rest(61 * time.Minute)
				drain(t, s)
				if st := s.Status().Computations[0]; st.StateFailures < 2 || st.StateBytes != 0 {
					t.Errorf("status %+v", st)
				}
				if tagged(tier.all()[0], appX) != 10 || actorOf(t, s, "computation/a").Failures != 0 {
					t.Error("it does not work without")
				}
				if c.onSave != nil && len(filesIn(t, filepath.Join(o.StateDir, stateFolder))) != 0 {
					t.Error("a file is left")
				}
			})
		})
	}
}
