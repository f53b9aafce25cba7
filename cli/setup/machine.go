package setup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// machine is what changes act on. Tests put a failing one in its place.
type machine interface {
	// read gives the content of a file; exists is false if there is none.
	read(path string) (content string, exists bool, err error)
	write(path, content string) error
	remove(path string) error
	run(ctx context.Context, command []string) error
}

// system is the machine itself.
type system struct{}

// commandTimeout bounds one command.
const commandTimeout = 30 * time.Second

// read reads a file.
func (system) read(path string) (content string, exists bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	defer f.Close()
	data, err := readBounded(f)
	return string(data), true, err
}

// write writes a file. Those of the kernel take one write each; others are replaced whole.
func (system) write(path, content string) error {
	if isKernel(path) {
		return writeKernel(path, content)
	}
	// Directories in /etc are for all to read.
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // See above.
		return err
	}
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	return replaceFile(path, []byte(content), mode)
}

// isKernel says whether a file is a switch of the kernel and not on a disk.
func isKernel(path string) bool {
	return strings.HasPrefix(path, "/proc/") || strings.HasPrefix(path, "/sys/")
}

func writeKernel(path, content string) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = f.WriteString(content)
	return err
}

// remove removes a file; it need not be there.
func (system) remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// run runs a command; what it says on a failure becomes part of the error.
func (system) run(ctx context.Context, command []string) error {
	if len(command) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		words := strings.Join(strings.Fields(said.String()), " ")
		return fmt.Errorf("run %s: %w: %.300q", command[0], err, words)
	}
	return nil
}
