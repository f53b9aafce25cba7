package actors

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"weir/computations"
)

const (
	// maxFiles is how many files a computation may have read, maxFileBytes how large each may be and
	// maxAllFiles all of them.
	maxFiles     = 64
	maxFileBytes = 8 << 20
	maxAllFiles  = 32 << 20
	// youngFile: what was written so shortly before it was read may be written again without any sign.
	youngFile = 3 * time.Second
)

var (
	errFileTooLarge = errors.New("larger than 8MiB")
	errFilesTooMany = errors.New("left out: there are more than 64 files, or they are larger than 32MiB together")
	errNoFile       = errors.New("does not exist")
	errNotRegular   = errors.New("is not a file")
)

// fileWatch reads files by patterns, and again when they have changed. It is plain data.
type fileWatch struct {
	patterns []string
	now      func() time.Time
	known    map[string]*watchedFile
	told     map[string]string // by path or pattern: what was told to be wrong
}

// watchedFile is a file as it was read last.
type watchedFile struct {
	info    os.FileInfo
	young   bool
	content []byte
}

func newFileWatch(patterns []string, now func() time.Time) *fileWatch {
	return &fileWatch{patterns: patterns, now: now, known: map[string]*watchedFile{}, told: map[string]string{}}
}

// look reads what has changed. A file that cannot be read stays as it was. wrong is what cannot be read, each told once
// as long as it is the same.
func (w *fileWatch) look() (changed bool, wrong []error) {
	complain := func(name string, err error) {
		if text := err.Error(); w.told[name] != text {
			w.told[name] = text
			wrong = append(wrong, fmt.Errorf("%s: %w", name, err))
		}
	}
	paths := w.paths(complain)
	total := 0
	for i, path := range paths {
		if i >= maxFiles || total > maxAllFiles {
			complain(path, errFilesTooMany)
			changed = w.forget(path) || changed
			continue
		}
		news, err := w.read(path)
		if err != nil {
			complain(path, err)
		} else {
			delete(w.told, path)
		}
		changed = changed || news
		if f := w.known[path]; f != nil {
			total += len(f.content)
		}
	}
	for path := range w.known {
		if _, here := slices.BinarySearch(paths, path); !here {
			changed = w.forget(path) || changed
		}
	}
	return changed, wrong
}

// paths lists the files that there are, sorted.
func (w *fileWatch) paths(complain func(string, error)) []string {
	var all []string
	for _, p := range w.patterns {
		found, err := filepath.Glob(p)
		switch {
		case err != nil:
			complain(p, err)
		case len(found) == 0 && !strings.ContainsAny(p, `*?[\`):
			complain(p, errNoFile)
		default:
			all = append(all, found...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// forget drops a file that is gone.
func (w *fileWatch) forget(path string) bool {
	f := w.known[path]
	delete(w.known, path)
	return f != nil
}

// read reads a file if it has changed.
func (w *fileWatch) read(path string) (changed bool, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return false, clean(err)
	}
	old := w.known[path]
	if old != nil && !old.young && sameFile(old.info, info) {
		return false, nil
	}
	content, info, err := readRegular(path)
	if err != nil {
		return false, clean(err)
	}
	age := w.now().Sub(info.ModTime())
	w.known[path] = &watchedFile{info: info, young: age < youngFile, content: content}
	return old == nil || !bytes.Equal(old.content, content), nil
}

// sameFile says whether a file looks as it did.
func sameFile(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

func readRegular(path string) ([]byte, os.FileInfo, error) {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() { // To open a pipe may take for ever.
		return nil, nil, errors.Join(errNotRegular, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	content, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err == nil && len(content) > maxFileBytes {
		err = errFileTooLarge
	}
	return content, info, err
}

// clean takes the path out of an error: it stands before it.
func clean(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// files gives what was read, sorted by path.
func (w *fileWatch) files() []computations.File {
	all := make([]computations.File, 0, len(w.known))
	for path, f := range w.known {
		all = append(all, computations.File{Path: path, Content: f.content})
	}
	slices.SortFunc(all, func(a, b computations.File) int { return strings.Compare(a.Path, b.Path) })
	return all
}
