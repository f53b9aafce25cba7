package disktest

import (
	"fmt"
	"io"
	"path/filepath"

	"weir/internal/disk"
)

// Lock takes the lock of a name until it is closed; a crash or a restart frees it.
func (d *FS) Lock(name string) (io.Closer, error) {
	name = filepath.Clean(name)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locks[name] {
		return nil, fmt.Errorf("lock %s: %w", name, disk.ErrLocked)
	}
	if d.locks == nil {
		d.locks = map[string]bool{}
	}
	d.locks[name] = true
	return &lock{fs: d, name: name}, nil
}

type lock struct {
	fs   *FS
	name string
}

func (l *lock) Close() error {
	l.fs.mu.Lock()
	defer l.fs.mu.Unlock()
	delete(l.fs.locks, l.name)
	return nil
}
