package conntrack

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// ownNetNS names the namespace of the calling thread, not of the process: they differ while inNetNS works.
const ownNetNS = "/proc/thread-self/ns/net"

// inNetNS calls f with the calling thread inside the network namespace at path; an empty path is the one
// where we are. Files under /proc/sys/net and new sockets then belong to that namespace. f must do its work
// in its own goroutine.
//
// If the thread cannot be brought back, the error says so and the goroutine stays locked to the thread:
// the thread ends with the goroutine, and no other goroutine ever runs in the wrong namespace.
func inNetNS(path string, f func() error) (err error) {
	if path == "" {
		return f()
	}
	target, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open network namespace: %w", err)
	}
	defer target.Close()
	runtime.LockOSThread()
	home, err := os.Open(ownNetNS)
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("open own network namespace: %w", err)
	}
	defer home.Close()
	if err := setns(target); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter network namespace %s: %w", path, err)
	}
	defer func() {
		if back := setns(home); back != nil {
			err = errors.Join(err, fmt.Errorf("leave network namespace %s: %w", path, back))
			return
		}
		runtime.UnlockOSThread()
	}()
	return f()
}

func setns(ns *os.File) error { return unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET) }
