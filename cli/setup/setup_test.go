package setup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/sources"
)

// fake is a machine in memory that can fail or crash at a certain step.
type fake struct {
	files map[string]string
	ran   []string
	// step counts what was done; at step crashAt it panics before, at crashAfter after having done it.
	step, crashAt, crashAfter int
	fail                      map[string]error
}

func (f *fake) read(path string) (string, bool, error) {
	c, ok := f.files[path]
	return c, ok, f.fail["read "+path]
}

func (f *fake) act(name string, do func()) error {
	f.step++
	if f.step == f.crashAt {
		panic("power cut before " + name)
	}
	if err := f.fail[name]; err != nil {
		return err
	}
	do()
	if f.step == f.crashAfter {
		panic("power cut after " + name)
	}
	return nil
}

func (f *fake) write(path, content string) error {
	return f.act("write "+path, func() { f.files[path] = content })
}

func (f *fake) remove(path string) error {
	return f.act("remove "+path, func() { delete(f.files, path) })
}

// run knows "make NAME" and "unmake NAME"; to unmake what is not there fails.
func (f *fake) run(_ context.Context, command []string) error {
	name := strings.Join(command, " ")
	if _, there := f.files[command[1]]; command[0] == "unmake" && !there {
		return fmt.Errorf("%s: no such thing", name)
	}
	return f.act(name, func() {
		f.ran = append(f.ran, name)
		if command[0] == "make" {
			f.files[command[1]] = "made"
		} else {
			delete(f.files, command[1])
		}
	})
}

var changes = []sources.Change{
	{Kind: "write", Path: "/switch", Old: "0\n", New: "1", Text: "switch it on"},
	{Kind: "write", Path: "/file", New: "text\n", Created: true, Text: "make a file"},
	{Kind: "run", Do: []string{"make", "rule"}, Undo: []string{"unmake", "rule"}, Text: "make a rule"},
	{Kind: "write", Path: "/file", Old: "text\n", New: "more\n", Text: "write more into the file"},
}

func before() map[string]string { return map[string]string{"/switch": "0\n", "/other": "x"} }

func open(t *testing.T, dir string, m machine) *Journal {
	t.Helper()
	j, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	j.machine = m
	return j
}

// log gathers what is told.
type log struct{ strings.Builder }

func (l *log) tell(format string, args ...any) { fmt.Fprintf(l, format+"\n", args...) }

func applyAll(t *testing.T, j *Journal, l *log) (err error) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	for _, c := range changes {
		if err := j.Apply(t.Context(), c, time.Unix(1, 0), l.tell); err != nil {
			return err
		}
	}
	return nil
}

func TestApplyAndUndo(t *testing.T) {
	dir, m := filepath.Join(t.TempDir(), "data"), &fake{files: before()}
	var l log
	if err := applyAll(t, open(t, dir, m), &l); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"/switch": "1", "/file": "more\n", "rule": "made", "/other": "x"}
	if diff := cmp.Diff(want, m.files); diff != "" {
		t.Fatal(diff)
	}
	if diff := cmp.Diff(`switch it on
  write /switch: "0" → "1"
make a file
  create /file: "text"
make a rule
  run: make rule
write more into the file
  write /file: "text" → "more"
`, l.String()); diff != "" {
		t.Error(diff)
	}
	l.Reset()
	j := open(t, dir, m)
	if j.Len() != 4 {
		t.Fatalf("%d entries", j.Len())
	}
	if err := j.Undo(t.Context(), l.tell); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before(), m.files); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(`undo: write more into the file
  write /file: "more" → "text"
undo: make a rule
  run: unmake rule
undo: make a file
  remove /file
undo: switch it on
  write /switch: "1" → "0"
`, l.String()); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat(j.Path()); !os.IsNotExist(err) {
		t.Errorf("the file is still there: %v", err)
	}
}

// TestCrash cuts the power before and after each step of applying, and then of undoing; in the end all must
// be as before.
func TestCrash(t *testing.T) {
	for step := 1; step <= len(changes); step++ {
		for undoStep := range len(changes) + 1 {
			for mask := range 4 {
				m := &fake{files: before()}
				set(m, mask&1 == 0, step)
				dir := t.TempDir()
				var l log
				if err := applyAll(t, open(t, dir, m), &l); err == nil {
					t.Fatal("no crash")
				}
				m.step = 0
				set(m, mask&2 == 0, undoStep)
				if crashed := undo(t, dir, m, &l); crashed {
					m.crashAt, m.crashAfter = 0, 0
					undo(t, dir, m, &l)
				}
				if diff := cmp.Diff(before(), m.files); diff != "" {
					t.Errorf("apply step %d, undo step %d, %b: %s\n%s", step, undoStep, mask, diff, l.String())
				}
			}
		}
	}
}

func set(m *fake, early bool, step int) {
	m.crashAt, m.crashAfter = 0, 0
	if early {
		m.crashAt = step
	} else {
		m.crashAfter = step
	}
}

func undo(t *testing.T, dir string, m *fake, l *log) (crashed bool) {
	t.Helper()
	defer func() { crashed = recover() != nil }()
	if err := open(t, dir, m).Undo(t.Context(), l.tell); err != nil {
		t.Errorf("undo: %v", err)
	}
	return false
}

func TestFailureInTheMiddle(t *testing.T) {
	dir := t.TempDir()
	m := &fake{files: before(), fail: map[string]error{"make rule": errors.New("no luck")}}
	var l log
	if err := applyAll(t, open(t, dir, m), &l); err == nil || !strings.Contains(err.Error(), "no luck") {
		t.Fatalf("got %v", err)
	}
	// The command ran: what it did is in doubt, so that it stays in the file.
	if n := open(t, dir, m).Len(); n != 3 {
		t.Errorf("%d entries, want 3", n)
	}
	if undo(t, dir, m, &l) {
		t.Fatal("crashed")
	}
	if diff := cmp.Diff(before(), m.files); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(l.String(), "nothing to undo") {
		t.Errorf("not told:\n%s", l.String())
	}
}

func TestFailedWritesAndMissingCommandsLeaveNoEntry(t *testing.T) {
	for name, m := range map[string]*fake{
		"write": {files: before(), fail: map[string]error{"write /switch": errors.New("read-only")}},
		"run":   {files: before(), fail: map[string]error{"make rule": exec.ErrNotFound}},
	} {
		dir := t.TempDir()
		var l log
		if err := applyAll(t, open(t, dir, m), &l); err == nil {
			t.Fatal("no error")
		}
		want := map[string]int{"write": 0, "run": 2}[name]
		if n := open(t, dir, m).Len(); n != want {
			t.Errorf("%s: %d entries, want %d", name, n, want)
		}
	}
}

func TestUndoKeepsWhatItCannotTakeBack(t *testing.T) {
	dir, m := t.TempDir(), &fake{files: before()}
	var l log
	if err := applyAll(t, open(t, dir, m), &l); err != nil {
		t.Fatal(err)
	}
	m.fail = map[string]error{"unmake rule": errors.New("busy")}
	if err := open(t, dir, m).Undo(t.Context(), l.tell); err == nil || !strings.Contains(err.Error(), "busy") {
		t.Fatalf("got %v", err)
	}
	j := open(t, dir, m)
	if j.Len() != 1 || j.entries[0].State != Done || j.entries[0].Change.Kind != "run" {
		t.Fatalf("kept: %+v", j.entries)
	}
	m.fail = nil
	if undo(t, dir, m, &l); len(m.files) != 2 {
		t.Errorf("left: %v", m.files)
	}
}

func TestUndoRespectsOthers(t *testing.T) {
	dir, m := t.TempDir(), &fake{files: before()}
	var l log
	if err := applyAll(t, open(t, dir, m), &l); err != nil {
		t.Fatal(err)
	}
	m.files["/switch"] = "2\n"
	l.Reset()
	undo(t, dir, m, &l)
	if m.files["/switch"] != "2\n" || !strings.Contains(l.String(), "/switch was changed by somebody else") {
		t.Errorf("%v\n%s", m.files, l.String())
	}
}

func TestApplyRecordsWhatIsReallyThere(t *testing.T) {
	dir, m := t.TempDir(), &fake{files: map[string]string{"/switch": "7\n", "/on": "1\n"}}
	j := open(t, dir, m)
	var l log
	for _, c := range []sources.Change{changes[0], {Kind: "write", Path: "/on", Old: "0", New: "1", Text: "on"}} {
		if err := j.Apply(t.Context(), c, time.Unix(1, 0), l.tell); err != nil {
			t.Fatal(err)
		}
	}
	if j.Len() != 1 || j.entries[0].Change.Old != "7\n" {
		t.Errorf("%+v", j.entries)
	}
	if err := j.Apply(t.Context(), sources.Change{Kind: "pray"}, time.Time{}, l.tell); err == nil {
		t.Error("a change of unknown kind was made")
	}
}

func TestOpenDistrusts(t *testing.T) {
	good, _ := json.Marshal(document{Version: version, Entries: []Entry{{Change: changes[0], State: Done}}})
	for name, c := range map[string]struct {
		content string
		mode    os.FileMode
		want    string
	}{
		"writable":    {string(good), 0o666, "could have been written by somebody else"},
		"syntax":      {"{", 0o600, "read undo file"},
		"version":     {`{"version": 9}`, 0o600, "version 9"},
		"huge":        {strings.Repeat(" ", maxFile+1), 0o600, "larger"},
		"trustworthy": {string(good), 0o600, ""},
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, FileName)
		if err := os.WriteFile(file, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, c.mode); err != nil {
			t.Fatal(err)
		}
		_, err := Open(dir)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestOpenDistrustsLinks(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	if err := os.WriteFile(target, []byte(`{"version":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, filepath.Join(dir, FileName)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil {
		t.Error("followed a link")
	}
}

func TestRealMachine(t *testing.T) {
	var m system
	path := filepath.Join(t.TempDir(), "a", "file")
	if _, exists, err := m.read(path); exists || err != nil {
		t.Fatalf("%v %v", exists, err)
	}
	if err := m.write(path, "x\n"); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := m.write(path, "y\n"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if c, exists, _ := m.read(path); err != nil || c != "y\n" || !exists || info.Mode() != 0o640 {
		t.Errorf("%q %v %v %v", c, exists, info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Dir(path) + "/.weir-*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := errors.Join(m.remove(path), m.remove(path)); err != nil {
		t.Error(err)
	}
	if err := m.run(t.Context(), []string{"sh", "-c", "echo \x1b[31mno; exit 3"}); err == nil ||
		!strings.Contains(err.Error(), `\x1b[31mno`) || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("got %v", err)
	}
	if err := m.run(t.Context(), []string{"/no/such/command"}); err == nil {
		t.Error("ran what is not there")
	}
}

func TestCommand(t *testing.T) {
	got := Command([]string{"nft", "add rule", "it's", "", "a=b,c"})
	if want := `nft 'add rule' 'it'\''s' '' a=b,c`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
