package netlab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const netnsDir = "/run/netns"

// Namespace is a network namespace with a name.
type Namespace struct {
	Name string
}

// NewNamespace makes a namespace weir-PID-N-ROLE with its loopback up, and removes it when the test ends.
func NewNamespace(tb testing.TB, number int64, role string) *Namespace {
	tb.Helper()
	n := &Namespace{Name: fmt.Sprintf("weir-%d-%d-%s", os.Getpid(), number, role)}
	if err := feed(nil, "netns", "add", n.Name); err != nil {
		tb.Fatalf("netlab: %v", err)
	}
	tb.Cleanup(func() {
		if err := feed(nil, "netns", "del", n.Name); err != nil {
			tb.Errorf("netlab: %v", err)
		}
	})
	if err := n.IP("link set lo up"); err != nil {
		tb.Fatalf("netlab: %v", err)
	}
	return n
}

// Lone makes one namespace without any cable, for tests of a machine by itself; it skips the test as New does.
func Lone(tb testing.TB) *Namespace {
	tb.Helper()
	if missing := Missing(); missing != "" {
		tb.Skip("netlab: " + missing)
	}
	removeStale(tb)
	return NewNamespace(tb, labs.Add(1), "x")
}

// Path is the file that stands for the namespace.
func (n *Namespace) Path() string { return filepath.Join(netnsDir, n.Name) }

// Do runs f inside the namespace, on a thread of its own: sockets that f opens, files under /proc/sys that it
// touches and processes that it starts belong to the namespace. f must not start goroutines that
// open more.
func (n *Namespace) Do(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // Never unlocked unless the thread is back home: it ends with the goroutine.
		home, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			done <- err
			return
		}
		defer home.Close()
		if err := n.enter(); err != nil {
			done <- err
			return
		}
		err = f()
		if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}

// enter moves the calling thread, which must be locked, into the namespace.
func (n *Namespace) enter() error {
	if n == nil {
		return errors.New("not an address of the lab")
	}
	file, err := os.Open(n.Path())
	if err != nil {
		return fmt.Errorf("open namespace: %w", err)
	}
	defer file.Close()
	if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter %s: %w", n.Name, err)
	}
	return nil
}

// Start starts a command inside the namespace.
func (n *Namespace) Start(c *exec.Cmd) error { return n.Do(c.Start) }

// Output runs a command inside the namespace and gives what it prints.
func (n *Namespace) Output(ctx context.Context, name string, args ...string) ([]byte, error) {
	var out, errs strings.Builder
	c := exec.CommandContext(ctx, name, args...)
	c.Stdout, c.Stderr = &out, &errs
	if err := n.Start(c); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	if err := c.Wait(); err != nil {
		return []byte(out.String()), fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(errs.String()))
	}
	return []byte(out.String()), nil
}

// IP gives the lines to iproute2 in one batch.
func (n *Namespace) IP(lines ...string) error { return feed(lines, "-n", n.Name, "-batch", "-") }

// NFT loads a ruleset inside the namespace, all of it or nothing.
func (n *Namespace) NFT(ruleset string) error {
	return feed([]string{ruleset}, "netns", "exec", n.Name, "nft", "-f", "-")
}

// feed runs iproute2 and gives it lines to read.
func feed(lines []string, args ...string) error {
	// It runs in cleanups too, when the contexts of a test are over, hence with a limit of its own.
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, "ip", args...)
	c.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// SetSysctls writes knobs by their dotted names, inside the namespace alone.
func (n *Namespace) SetSysctls(knobs map[string]string) error {
	return n.Do(func() error {
		for name, value := range knobs {
			if err := os.WriteFile(sysctlPath(name), []byte(value), 0); err != nil {
				return fmt.Errorf("set %s in %s: %w", name, n.Name, err)
			}
		}
		return nil
	})
}

// Sysctl reads a knob.
func (n *Namespace) Sysctl(name string) (value string, err error) {
	err = n.Do(func() error {
		b, err := os.ReadFile(sysctlPath(name))
		value = strings.TrimSpace(string(b))
		return err
	})
	return value, err
}

func sysctlPath(name string) string { return "/proc/sys/" + strings.ReplaceAll(name, ".", "/") }

var ours = regexp.MustCompile(`^weir-(\d+)-\d+-[a-z]$`)

// removeStale removes the namespaces of processes that are no more.
func removeStale(tb testing.TB) {
	tb.Helper()
	entries, err := os.ReadDir(netnsDir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		tb.Fatalf("netlab: %v", err)
	}
	for _, e := range entries {
		m := ours.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		pid, err := strconv.Atoi(m[1])
		if err != nil || !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			continue
		}
		// Another test process may be removing it at the same moment.
		if err := feed(nil, "netns", "del", e.Name()); err != nil {
			tb.Logf("netlab: %v", err)
		}
	}
}

// Poll calls f until it succeeds, and gives its last error when that takes too long.
func Poll(ctx context.Context, limit time.Duration, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("after %s: %w", limit, err)
		case <-tick.C:
		}
	}
}
