package test

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

	"weir/test/netlab"
)

// daemon is a weir that runs in the router.
type daemon struct {
	lab    *netlab.Lab
	weir   string
	dir    string
	socket string
	file   string
	cmd    *exec.Cmd
	log    *journal
	exited chan struct{}
	err    error // how it ended, once exited is closed
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

// nobody is a user without any right.
const nobody = 65534

// prepare writes a configuration: slices of a second, the home networks of the lab, and what the test adds.
func prepare(t *testing.T, l *netlab.Lab, more string) *daemon {
	t.Helper()
	//nolint:usetesting // The path of a unix socket must be short, and another user has to get there.
	dir, err := os.MkdirTemp("", "weir-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	d := &daemon{
		lab: l, weir: weir(t), dir: dir, socket: filepath.Join(dir, "s"), file: filepath.Join(dir, "weir.toml"),
		log: &journal{}, exited: make(chan struct{}),
	}
	text := fmt.Sprintf("socket = %q\ndata_dir = %q\nhome = [%q, %q]\n", d.socket, dir,
		l.HomeNetworks()[0], l.HomeNetworks()[1])
	if !strings.Contains(more, "slice") {
		text += "slice = \"1s\"\n"
	}
	if err := os.WriteFile(d.file, []byte(text+more), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chown(dir, nobody, nobody)); err != nil && !netlab.Confined() {
		t.Fatal(err)
	}
	return d
}

// add adds to the configuration before the daemon is launched.
func (d *daemon) add(t *testing.T, more string) {
	t.Helper()
	f, err := os.OpenFile(d.file, os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(more)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// start runs a daemon in the router and waits until it counts.
func start(t *testing.T, l *netlab.Lab, more string) *daemon {
	t.Helper()
	d := prepare(t, l, more)
	d.launch(t, nil)
	d.await(t, "a source that counts and a closed slice", func(st status) bool {
		return len(st.Sources) == 1 && st.Sources[0].Ready && st.Slicer.Closed > 0
	})
	return d
}

// launch starts the process; the test ends it if nobody else does.
func (d *daemon) launch(t *testing.T, as *syscall.Credential) {
	t.Helper()
	d.cmd = exec.CommandContext(context.Background(), d.weir, "run", "--config", d.file)
	d.cmd.Stdout, d.cmd.Stderr = d.log, d.log
	d.cmd.Dir = "/"
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	// The race detector ends with this code after the last line.
	d.cmd.Env = append(environment(), "GORACE=exitcode=66 atexit_sleep_ms=0")
	if err := d.lab.Router.Start(d.cmd); err != nil {
		t.Fatal(err)
	}
	go func() {
		d.err = d.cmd.Wait()
		close(d.exited)
	}()
	t.Cleanup(func() { d.stop(t) })
}

// environment is ours without what would configure weir.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "WEIR_") })
}

// stop ends the daemon as a service manager does, and fails the test unless it ends well.
func (d *daemon) stop(t *testing.T) {
	t.Helper()
	select {
	case <-d.exited:
	default:
		if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
	}
	select {
	case <-d.exited:
	case <-time.After(patience):
		d.complain(t)
		t.Errorf("the daemon has not ended %s after SIGTERM", patience)
		if err := d.cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		<-d.exited
	}
	if d.err != nil || strings.Contains(d.log.String(), "DATA RACE") {
		t.Errorf("the daemon ended with %v:\n%s", d.err, d.log)
	}
}

// complain adds the log and the status to a test that fails.
func (d *daemon) complain(t *testing.T) {
	t.Helper()
	out, err := d.run("status")
	t.Logf("weir status (%v):\n%s\nits log:\n%s", err, out, d.log)
}

// run runs another weir command in the router and gives what it prints; if it fails, on both channels.
func (d *daemon) run(args ...string) (string, error) {
	out, errs, err := d.runAs(nil, args...)
	if err != nil {
		out += errs
	}
	return out, err
}

// runAs runs a command as another user, if one is given, and tells both channels apart.
func (d *daemon) runAs(as *syscall.Credential, args ...string) (string, string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var out, errs bytes.Buffer
	c := exec.CommandContext(ctx, d.weir, args...)
	c.Stdout, c.Stderr = &out, &errs
	c.Dir = "/"
	c.Env = append(environment(), "WEIR_SOCKET="+d.socket, "GORACE=exitcode=66 atexit_sleep_ms=0")
	c.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	if err := d.lab.Router.Start(c); err != nil {
		return "", "", err
	}
	err := c.Wait()
	return out.String(), errs.String(), err
}

// clientFilter leaves out what the router itself says to the world.
const clientFilter = "local.ip in (192.168.10.0/24, fd00:10::/64)"

func (d *daemon) ask(step time.Duration) (answer, error) {
	args := []string{
		"query", "--output", "json", "--by", "local.ip,proto", "--last", "1h", "--top", "all", clientFilter,
	}
	if step != 0 {
		args = append(args, "--step", step.String())
	}
	out, err := d.run(args...)
	if err != nil {
		return answer{}, fmt.Errorf("weir query: %w: %s", err, out)
	}
	return parseAnswer([]byte(out))
}

// status is what the tests read of weir status.
type status struct {
	Actors []struct {
		Name      string
		State     string
		Failures  uint64 `json:"failures_total"`
		LastError string `json:"last_error"`
	}
	Sources []struct {
		Name, State, Detail string
		Ready               bool
		Metrics             []struct {
			Name  string
			Value float64
		}
	}
	Slicer struct {
		Closed     uint64 `json:"closed_total"`
		Incomplete uint64 `json:"incomplete_total"`
	}
}

// metric gives a number of the first source.
func (st *status) metric(name string) float64 {
	for _, s := range st.Sources {
		for _, m := range s.Metrics {
			if m.Name == name {
				return m.Value
			}
		}
	}
	return -1
}

func (d *daemon) status() (st status, err error) {
	out, err := d.run("status", "--output", "json")
	if err != nil {
		return st, fmt.Errorf("weir status: %w: %s", err, out)
	}
	if err := json.Unmarshal([]byte(out), &st); err != nil {
		return st, fmt.Errorf("weir status: %w: %s", err, out)
	}
	return st, nil
}

// await asks for the status until it is as it should be.
func (d *daemon) await(t *testing.T, what string, right func(status) bool) status {
	t.Helper()
	var st status
	if err := netlab.Poll(t.Context(), patience, func() (err error) {
		if st, err = d.status(); err != nil {
			return err
		}
		if !right(st) {
			return fmt.Errorf("no %s: %+v", what, st)
		}
		return nil
	}); err != nil {
		d.complain(t)
		t.Fatal(err)
	}
	return st
}
