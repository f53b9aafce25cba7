// Package disk is the little that Weir needs of a file system, so that tests can put a failing one in the
// place of the real one (package disktest).
package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// File is an open file.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.Closer
	// Sync returns when all that was written is on the medium. After an error nobody knows what is.
	Sync() error
	// Truncate cuts the file or fills it up with zeros.
	Truncate(size int64) error
	// Size is how many bytes it has.
	Size() (int64, error)
}

// FS is a file system. Names are paths as package filepath makes them; errors are those of package os.
type FS interface {
	// Open opens a file for reading.
	Open(name string) (File, error)
	// Create makes a new file for writing; it is an error if it is there.
	Create(name string) (File, error)
	// Append opens a file for reading and writing at its end.
	Append(name string) (File, error)
	// Rename gives a file another name and replaces what had it.
	Rename(from, to string) error
	// Remove deletes a file or an empty directory.
	Remove(name string) error
	// MkdirAll makes a directory with all above it.
	MkdirAll(name string) error
	// ReadDir lists a directory, sorted by name.
	ReadDir(name string) ([]fs.DirEntry, error)
	// SyncDir returns when what was created, renamed or removed in a directory is on the medium.
	SyncDir(name string) error
	// Free is how many bytes an unprivileged writer may still write in the file system of a directory.
	Free(name string) (uint64, error)
}

// OS is the real file system.
type OS struct{}

// The permissions of what is made: history tells much about people.
const (
	fileMode = 0o640
	dirMode  = 0o750
)

// Open opens a file for reading.
func (OS) Open(name string) (File, error) { return open(name, os.O_RDONLY) }

// Create makes a new file for writing.
func (OS) Create(name string) (File, error) { return open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL) }

// Append opens a file for reading and writing at its end.
func (OS) Append(name string) (File, error) { return open(name, os.O_RDWR|os.O_APPEND) }

// Rename gives a file another name.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// Remove deletes a file or an empty directory.
func (OS) Remove(name string) error { return os.Remove(name) }

// MkdirAll makes a directory with all above it.
func (OS) MkdirAll(name string) error { return os.MkdirAll(name, dirMode) }

// ReadDir lists a directory.
func (OS) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }

// SyncDir returns when the directory is on the medium.
func (OS) SyncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		err = nil // The file system has no such thing, and no other way either.
	}
	return errors.Join(err, d.Close())
}

// Free is how many bytes may still be written.
func (OS) Free(name string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(name, &st); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: name, Err: err}
	}
	return st.Bavail * uint64(st.Bsize), nil //nolint:gosec // A size.
}

// file adds to the system's file what it lacks.
type file struct{ *os.File }

func open(name string, flags int) (File, error) {
	f, err := os.OpenFile(name, flags, fileMode)
	if err != nil {
		return nil, err
	}
	return file{f}, nil
}

// Size is how many bytes it has.
func (f file) Size() (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

// TempSuffix ends the names of files that are not finished. RemoveTemps removes them at start.
const TempSuffix = ".tmp"

// WriteFile makes or replaces a file as a whole: whenever the power fails, under the name is either what was
// there before or all of the new content.
func WriteFile(d FS, name string, write func(io.Writer) error) error {
	temp := name + TempSuffix
	if err := d.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write file: %w", err)
	}
	if err := writeTemp(d, temp, write); err != nil {
		// What is left is removed at the next start if it cannot be removed now.
		_ = d.Remove(temp)
		return fmt.Errorf("write file: %w", err)
	}
	if err := d.Rename(temp, name); err != nil {
		_ = d.Remove(temp)
		return fmt.Errorf("write file: %w", err)
	}
	if err := d.SyncDir(filepath.Dir(name)); err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	return nil
}

func writeTemp(d FS, temp string, write func(io.Writer) error) error {
	f, err := d.Create(temp)
	if err != nil {
		return err
	}
	if err = write(f); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// RemoveTemps removes what unfinished writes have left in a directory and tells how many files that were.
func RemoveTemps(d FS, dir string) (int, error) {
	entries, err := d.ReadDir(dir)
	if err != nil {
		return 0, fmt.Errorf("remove temporary files: %w", err)
	}
	n := 0
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), TempSuffix) {
			continue
		}
		if err := d.Remove(filepath.Join(dir, e.Name())); err != nil {
			return n, fmt.Errorf("remove temporary files: %w", err)
		}
		n++
	}
	return n, nil
}
