package conntrack

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"weir/sources"
)

// inFreshNamespace runs f on a thread with a network namespace and a view of the files of its own, which both
// vanish with the thread. f must not end the test.
func inFreshNamespace(t *testing.T, f func() error) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make a network namespace")
	}
	if _, err := findProgram("nft"); err != nil {
		t.Skip("needs the command nft")
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // Never unlocked: the thread ends with the goroutine.
		defer close(done)
		if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_FS); err != nil {
			done <- fmt.Errorf("unshare: %w", err)
			return
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			done <- fmt.Errorf("make mounts private: %w", err)
			return
		}
		if err := command("ip", "link", "set", "lo", "up"); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// command runs a command where the calling thread is.
func command(args ...string) error {
	path, err := findProgram(args[0])
	if err != nil {
		return err
	}
	if out, err := exec.CommandContext(context.Background(), path, args[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// apply does what weir setup does with changes; undo takes them back, the last first.
func apply(changes []sources.Change) error {
	for _, c := range changes {
		var err error
		switch c.Kind {
		case "write":
			err = os.WriteFile(c.Path, []byte(c.New), 0o644)
		case "run":
			err = command(c.Do...)
		default:
			err = fmt.Errorf("change of kind %q", c.Kind)
		}
		if err != nil || c.Text == "" {
			return fmt.Errorf("apply %+v: %w", c, err)
		}
	}
	return nil
}

func undo(changes []sources.Change) error {
	for _, c := range slices.Backward(changes) {
		var err error
		switch {
		case c.Kind == "run":
			err = command(c.Undo...)
		case c.Created:
			err = os.Remove(c.Path)
		default:
			err = os.WriteFile(c.Path, []byte(c.Old), 0o644)
		}
		if err != nil {
			return fmt.Errorf("undo %+v: %w", c, err)
		}
	}
	return nil
}

func config() *Config { return defaults().(*Config) }

func finding(found []sources.Finding, subject string) sources.Finding {
	i := slices.IndexFunc(found, func(f sources.Finding) bool { return f.Subject == subject })
	if i < 0 {
		return sources.Finding{}
	}
	return found[i]
}

// expect says how a finding differs from what it should be.
func expect(found []sources.Finding, subject string, l sources.Level, text string) error {
	f := finding(found, subject)
	if f.Level != l || !strings.Contains(f.Text, text) {
		return fmt.Errorf("finding %q is %+v; want level %s and %q in\n%+v", subject, f, l, text, found)
	}
	if l != sources.Good && l != sources.Notice && f.Cure == "" {
		return fmt.Errorf("finding %q has no cure", subject)
	}
	return nil
}

// clean says which findings are not as they should be.
func clean(found []sources.Finding, but ...string) error {
	for _, f := range found {
		if f.Level != sources.Good && !slices.Contains(but, f.Subject) {
			return fmt.Errorf("not clean: %+v", f)
		}
	}
	return nil
}

func changesOf(found []sources.Finding) (all []sources.Change) {
	for _, f := range found {
		all = append(all, f.Changes...)
	}
	return all
}

const acctName, timestampName, eventsName = "net.netfilter.nf_conntrack_acct",
	"net.netfilter.nf_conntrack_timestamp", "net.netfilter.nf_conntrack_events"

func setKnob(name, value string) error {
	return os.WriteFile(filepath.Join("/proc/sys", strings.ReplaceAll(name, ".", "/")), []byte(value), 0)
}
