// Package setup makes the changes to the machine that findings of sources propose, and takes them back. Each
// change is written into a file before it is made, so that whatever happens in between, the file says what
// there is to undo.
package setup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"weir/sources"
)

// FileName is the name of the file in the data directory.
const FileName = "setup.json"

// maxFile bounds what is read of any file.
const maxFile = 1 << 20

// version is the version of the file's format.
const version = 1

// State says how far a change got.
type State string

// The states.
const (
	// Doing: the change was about to be made. It may or may not have happened.
	Doing State = "doing"
	// Done: the change was made.
	Done State = "done"
)

// Entry is one change in the file.
type Entry struct {
	Change sources.Change `json:"change"`
	State  State          `json:"state"`
	At     time.Time      `json:"at"`
}

// Journal is the file of changes that were made. It belongs to one goroutine.
type Journal struct {
	path    string
	entries []Entry
	machine machine
}

// document is the file's content.
type document struct {
	Version int     `json:"version"`
	Entries []Entry `json:"entries"`
}

// Open reads the journal of a data directory; there need not be one yet.
func Open(dir string) (*Journal, error) {
	j := &Journal{path: filepath.Join(dir, FileName), machine: system{}}
	data, err := readOwn(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read undo file: %w", err)
	}
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, fmt.Errorf("read undo file %s: %w", j.path, err)
	}
	if d.Version != version {
		return nil, fmt.Errorf("undo file %s has version %d, this program knows %d", j.path, d.Version, version)
	}
	j.entries = d.Entries
	return j, nil
}

// Path is where the file is.
func (j *Journal) Path() string { return j.path }

// Len is the number of changes that can be undone.
func (j *Journal) Len() int { return len(j.entries) }

// readOwn reads a file that nobody else could have written: its commands are going to be run.
func readOwn(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o022 != 0 || ok && int(st.Uid) != os.Geteuid() && st.Uid != 0 {
		return nil, fmt.Errorf("%s could have been written by somebody else (%s): not trusted", path, info.Mode())
	}
	return readBounded(f)
}

func readBounded(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = errors.New("larger than 1MiB")
	}
	return data, err
}

// save writes the file anew, or removes it if there is nothing to undo.
func (j *Journal) save() error {
	if len(j.entries) == 0 {
		if err := os.Remove(j.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove undo file: %w", err)
		}
		return nil
	}
	data, err := json.MarshalIndent(document{Version: version, Entries: j.entries}, "", "  ")
	if err != nil {
		return fmt.Errorf("write undo file: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(j.path), 0o750); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	if err := replaceFile(j.path, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("write undo file: %w", err)
	}
	return nil
}

// replaceFile puts a file in place whole or not at all, even if the power goes.
func replaceFile(path string, data []byte, mode fs.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".weir-*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()           // The first error tells more.
			_ = os.Remove(f.Name()) // Likewise.
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Chmod(mode); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
