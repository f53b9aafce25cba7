package storage_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"weir/api"
	"weir/bench/household"
	"weir/messages"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// built is the program of this tree, made once.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "weir-storage-")
	if err != nil {
		return "", err
	}
	args := []string{"build", "-o", filepath.Join(dir, "weir")}
	if raceEnabled {
		args = append(args, "-race")
	}
	out, err := exec.CommandContext(context.Background(), "go", append(args, "weir")...).CombinedOutput()
	if err != nil {
		return dir, fmt.Errorf("build weir: %w: %s", err, out)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, _ := built(); dir != "" {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	os.Exit(code)
}

// program is a weir with a directory of its own.
type program struct {
	t *testing.T
	// dir holds the configuration and, unless it says something else, the history.
	dir string
	// within is put before each command: how to get to where the directory is.
	within []string
	cmd    *exec.Cmd
	log    *logged
}

// logged keeps what a process writes.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// prepare writes a configuration for slices of a second that plays a recording again and again.
func prepare(t *testing.T, top, tables string) *program {
	t.Helper()
	if _, err := built(); err != nil {
		t.Fatal(err)
	}
	//nolint:usetesting // The path of a unix socket must be short.
	dir, err := os.MkdirTemp("", "weir-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := &program{t: t, dir: dir}
	p.record()
	text := fmt.Sprintf("socket = %q\ndata_dir = %q\nhome = [\"192.168.0.0/16\"]\n%s\n[sources.conntrack]\n"+
		"enabled = false\n[sources.replay]\nfile = %q\nloop = true\n%s",
		filepath.Join(dir, "s"), dir, top, filepath.Join(dir, "home.weir"), tables)
	if err := os.WriteFile(p.config(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *program) config() string { return filepath.Join(p.dir, "weir.toml") }

// record makes up what is played.
func (p *program) record() {
	p.t.Helper()
	f, err := os.Create(filepath.Join(p.dir, "home.weir"))
	if err != nil {
		p.t.Fatal(err)
	}
	o := household.Defaults()
	o.Flows, o.Slices, o.Slice = 600, 20, time.Second
	_, err = household.Write(f, o)
	if err := errors.Join(err, f.Close()); err != nil {
		p.t.Fatal(err)
	}
}

// start runs the daemon and waits until a slice has closed.
func (p *program) start() {
	p.t.Helper()
	p.log = &logged{}
	p.cmd = p.command("run", "--config", p.config())
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(p.stop)
	p.await("a closed slice", func(st *status) error {
		if st.Slicer.Closed == 0 {
			return errors.New("none has closed")
		}
		return nil
	})
}

// command makes a command of the program.
func (p *program) command(args ...string) *exec.Cmd {
	dir, _ := built() // It was checked.
	all := append(slices.Clone(p.within), filepath.Join(dir, "weir"))
	all = append(all, args...)
	c := exec.CommandContext(context.Background(), all[0], all[1:]...)
	c.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "WEIR_") })
	return c
}

// stop ends the daemon as a service manager does, if it runs.
func (p *program) stop() {
	p.t.Helper()
	if p.cmd == nil {
		return
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Error(err)
	}
	killer := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer killer.Stop()
	if err := p.cmd.Wait(); err != nil || strings.Contains(p.log.String(), "DATA RACE") {
		p.t.Errorf("the daemon ended with %v:\n%s", err, p.log)
	}
	p.cmd = nil
}

// kill ends the daemon at once.
func (p *program) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	_ = p.cmd.Wait() // That it was killed is no news.
	p.cmd = nil
}

// weir runs a command on this configuration.
func (p *program) weir(args ...string) (out string, err error) {
	p.t.Helper()
	c := p.command(args...)
	c.Env = append(c.Env, "WEIR_CONFIG="+p.config(), "WEIR_SOCKET="+filepath.Join(p.dir, "s"))
	var errs bytes.Buffer
	c.Stderr = &errs
	text, err := c.Output()
	if err != nil {
		return string(text), fmt.Errorf("weir %s: %w: %s", strings.Join(args, " "), err, errs.String())
	}
	return string(text), nil
}

// must is weir that must not fail.
func (p *program) must(args ...string) string {
	p.t.Helper()
	out, err := p.weir(args...)
	if err != nil {
		p.complain()
		p.t.Fatal(err)
	}
	return out
}

func (p *program) complain() {
	p.t.Helper()
	if p.log != nil {
		p.t.Logf("the log:\n%s", p.log)
	}
}

// status is what the tests read of weir status.
type status struct {
	Slicer struct {
		Closed uint64 `json:"closed_total"`
	}
	Archive struct {
		State, Detail string
		Lag           uint64
		Kept          uint64 `json:"kept_total"`
		Dropped       uint64 `json:"dropped_total"`
	}
}

// await polls the status until it is as it should be.
func (p *program) await(what string, right func(st *status) error) {
	p.t.Helper()
	var err error
	for until := time.Now().Add(patience); time.Now().Before(until); {
		var out string
		if out, err = p.weir("status", "--output", "json"); err == nil {
			st := &status{}
			if err = json.Unmarshal([]byte(out), st); err == nil {
				if err = right(st); err == nil {
					return
				}
			}
		}
		pause()
	}
	p.complain()
	p.t.Fatalf("no %s: %v", what, err)
}

// pause is between two looks at something that goes on elsewhere.
func pause() { <-time.After(100 * time.Millisecond) }

// store asks what is kept.
func (p *program) store() *api.StoreState {
	p.t.Helper()
	st := &api.StoreState{}
	if err := json.Unmarshal([]byte(p.must("store", "ls", "--output", "json")), st); err != nil {
		p.t.Fatal(err)
	}
	return st
}

// answer is what the tests read of an answer.
type answer struct {
	Columns []struct{ Name string }
	Rows    [][]any
	Exact   bool
	Why     []string
	Parts   []struct {
		Tier, Resolution string
		Exact            bool
		Folded           []string
		Span             struct{ From, To time.Time }
		Rows, Files      uint64
	}
}

// ask asks, and explains.
func (p *program) ask(args ...string) *answer {
	p.t.Helper()
	out := p.must(append([]string{"query", "--explain", "--output", "json"}, args...)...)
	a := &answer{}
	d := json.NewDecoder(strings.NewReader(out))
	d.UseNumber()
	if err := d.Decode(a); err != nil {
		p.t.Fatalf("%v:\n%s", err, out)
	}
	return a
}

// explain gives what --explain adds to a table.
func (p *program) explain(args ...string) string {
	p.t.Helper()
	c := p.command(append([]string{"query", "--explain"}, args...)...)
	c.Env = append(c.Env, "WEIR_SOCKET="+filepath.Join(p.dir, "s"))
	var errs bytes.Buffer
	c.Stderr = &errs
	if err := c.Run(); err != nil {
		p.t.Fatalf("%v: %s", err, errs.String())
	}
	return errs.String()
}

// number gives a measure of a row.
func (a *answer) number(t *testing.T, row int, name string) uint64 {
	t.Helper()
	for i, c := range a.Columns {
		if c.Name == name {
			n, ok := a.Rows[row][i].(json.Number)
			if !ok {
				t.Fatalf("%s is %v", name, a.Rows[row][i])
			}
			v, err := n.Int64()
			if err != nil {
				t.Fatal(err)
			}
			return uint64(v)
		}
	}
	t.Fatalf("no column %s", name)
	return 0
}

// sum is all that moved in a span.
func (p *program) sum(span messages.Span) messages.Totals {
	p.t.Helper()
	a := p.ask("--by", "none", "--from", span.Start.Format(time.RFC3339Nano), "--to", span.End.Format(time.RFC3339Nano))
	if len(a.Rows) == 0 {
		return messages.Totals{}
	}
	n := func(name string) uint64 { return a.number(p.t, 0, name) }
	return messages.Totals{
		Up:   messages.Counter{Bytes: n("bytes.up"), Packets: n("packets.up")},
		Down: messages.Counter{Bytes: n("bytes.down"), Packets: n("packets.down")},
	}
}
