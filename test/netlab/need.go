package netlab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// insideEnv marks the process that Main started in namespaces of its own.
const insideEnv = "WEIR_NETLAB_INSIDE"

// Missing says in one sentence what this machine or this user lacks for a lab; empty if nothing.
func Missing() string {
	var lacks []string
	if os.Geteuid() != 0 {
		lacks = append(lacks, "root (or user namespaces for ordinary users)")
	}
	for _, tool := range []string{"ip", "nft"} {
		if _, err := exec.LookPath(tool); err != nil {
			lacks = append(lacks, "the command "+tool)
		}
	}
	if len(lacks) == 0 {
		return ""
	}
	return "network tests need " + strings.Join(lacks, " and ")
}

// Main runs the tests of a package that uses labs. For a user who is not root it runs them in a user namespace
// where he is, if the kernel lets him have one; forced socket buffers then do not work, the rest does.
func Main(m *testing.M) int {
	switch {
	case os.Getenv(insideEnv) != "":
		if err := hideRun(); err != nil {
			fmt.Fprintln(os.Stderr, "netlab:", err)
			return 1
		}
	case os.Geteuid() != 0:
		if code, ok := again(); ok {
			return code
		}
	}
	return m.Run()
}

// Confined says that the tests run in a user namespace rather than as the machine's root.
func Confined() bool { return os.Getenv(insideEnv) != "" }

// again runs this very test binary once more, as root of fresh namespaces; ok is false if it may not.
func again() (code int, ok bool) {
	c := exec.CommandContext(context.Background(), "/proc/self/exe", os.Args[1:]...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.Env = append(os.Environ(), insideEnv+"=1")
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	if err := c.Start(); err != nil {
		return 0, false
	}
	err := c.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, true
	case errors.As(err, &exit):
		return exit.ExitCode(), true
	}
	return 1, true
}

// hideRun puts an empty directory where iproute2 keeps its names, seen by this process and its children alone.
func hideRun() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("mount /run: %w", err)
	}
	return nil
}
