package names_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"weir/test/netlab"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// program is a weir that runs, with a source of its own for names.
type program struct {
	dir, file, eve string
	cmd            *exec.Cmd
	log            *journal
}

// journal keeps what a process writes.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// built is the program of this tree, made once.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "weir-names-")
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

// run starts the program with slices of a second and waits until it listens to Suricata. What is added goes behind
// the keys.
func run(t *testing.T, tables string) *program {
	t.Helper()
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	//nolint:usetesting // The path of a unix socket must be short.
	own, err := os.MkdirTemp("", "weir-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(own) })
	p := &program{dir: own, file: filepath.Join(own, "weir.toml"), eve: filepath.Join(own, "eve.sock"), log: &journal{}}
	text := fmt.Sprintf("socket = %q\ndata_dir = %q\nslice = \"1s\"\nhome = [\"192.168.1.0/24\", \"fd00:1::/64\"]\n"+
		"[sources.conntrack]\nenabled = false\n[sources.suricata]\nstream = %q\n%s",
		filepath.Join(own, "s"), own, p.eve, tables)
	if err := os.WriteFile(p.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p.cmd = exec.CommandContext(context.Background(), filepath.Join(dir, "weir"), "run", "--config", p.file)
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Env = p.log, p.log, environment()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.stop(t) })
	p.await(t, "a source that listens", func(st *status) error {
		for _, s := range st.Sources {
			if !s.Ready {
				return fmt.Errorf("%s is not ready", s.Name)
			}
		}
		return nil
	})
	return p
}

// environment is ours without what would configure weir.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "WEIR_") })
}

// stop ends the program as a service manager does.
func (p *program) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	killer := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer killer.Stop()
	if err := p.cmd.Wait(); err != nil || strings.Contains(p.log.String(), "DATA RACE") {
		t.Errorf("the daemon ended with %v:\n%s", err, p.log)
	}
}

// weir runs a command that asks the daemon.
func (p *program) weir(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	dir, err := built()
	if err != nil {
		return "", err
	}
	args = append([]string{"--socket", filepath.Join(p.dir, "s")}, args...)
	c := exec.CommandContext(ctx, filepath.Join(dir, "weir"), args...)
	c.Env = environment()
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		return string(out), fmt.Errorf("weir %s: %w: %s", strings.Join(args, " "), err, errs.String())
	}
	return string(out), nil
}

// status is what these tests read of weir status.
type status struct {
	CountsSince time.Time `json:"counts_since"`
	Sources     []struct {
		Name, State string
		Ready       bool
		Metrics     []struct {
			Name  string
			Value float64
		}
	}
	Slicer struct {
		Closed uint64 `json:"closed_total"`
	}
}

// metric gives a number of a source, or -1.
func (st *status) metric(source, name string) float64 {
	for _, s := range st.Sources {
		for _, m := range s.Metrics {
			if s.Name == source && m.Name == name {
				return m.Value
			}
		}
	}
	return -1
}

// await asks for the status until it is as it should be.
func (p *program) await(t *testing.T, what string, right func(*status) error) status {
	t.Helper()
	var st status
	err := netlab.Poll(t.Context(), patience, func() error {
		out, err := p.weir(t, "status", "--output", "json")
		if err != nil {
			return err
		}
		st = status{}
		if err := json.Unmarshal([]byte(out), &st); err != nil {
			return fmt.Errorf("read status: %w", err)
		}
		return right(&st)
	})
	if err != nil {
		t.Fatalf("no %s: %v\n%s", what, err, p.log)
	}
	return st
}

// slice waits until slices have closed that all that was sent is in.
func (p *program) slices(t *testing.T, more uint64) {
	t.Helper()
	var first uint64
	p.await(t, "closed slice", func(st *status) error {
		if first == 0 {
			first = st.Slicer.Closed
		}
		if st.Slicer.Closed < first+more {
			return errNotYet
		}
		return nil
	})
}

var errNotYet = errors.New("not yet")

// connect is Suricata's side of the socket.
func (p *program) connect(t *testing.T) net.Conn {
	t.Helper()
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "unix", p.eve)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// rows asks a question and gives the cells of the answer as texts.
func (p *program) rows(t *testing.T, args ...string) [][]string {
	t.Helper()
	out, err := p.weir(t, append([]string{"query", "--output", "json", "--last", "1h", "--top", "all"}, args...)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, p.log)
	}
	var a struct{ Rows [][]any }
	d := json.NewDecoder(strings.NewReader(out))
	d.UseNumber()
	if err := d.Decode(&a); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	rows := make([][]string, len(a.Rows))
	for i, r := range a.Rows {
		for _, cell := range r {
			text := fmt.Sprint(cell)
			if cell == nil {
				text = ""
			}
			rows[i] = append(rows[i], text)
		}
	}
	return rows
}
