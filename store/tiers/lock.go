package tiers

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"weir/internal/disk"
)

// lockName is the file in the folder of the store that its user holds the lock of. The journal has a lock too;
// this one is taken before anything is touched.
const lockName = "lock"

// takeLock takes the lock of the folder, which is made if it is not there.
func (s *Store) takeLock() (io.Closer, error) {
	if err := s.options.FS.MkdirAll(s.options.Dir); err != nil {
		return nil, err
	}
	lock, err := disk.Lock(s.options.FS, filepath.Join(s.options.Dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	return lock, nil
}

// load opens files and journal, under the lock.
func (s *Store) load() error {
	lock, err := s.takeLock()
	if err != nil {
		return err
	}
	if err := s.loadAll(); err != nil {
		return errors.Join(err, lock.Close())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lock = lock
	return nil
}
