package disk

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// ErrLocked says that another process, or another part of this one, holds a lock.
var ErrLocked = errors.New("locked by another process")

// Locker is a file system whose files can be locked.
type Locker interface {
	// Lock takes the lock of a file, which is made if it is not there, until the result is closed or the process
	// ends. If it is held already the error is [ErrLocked].
	Lock(name string) (io.Closer, error)
}

// Lock takes the lock of a file. A file system that has no locks cannot refuse a second user.
func Lock(d FS, name string) (io.Closer, error) {
	if l, ok := d.(Locker); ok {
		return l.Lock(name)
	}
	return io.NopCloser(nil), nil
}

// Lock takes the lock of a file.
func (OS) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case err == nil:
		return f, nil
	case errors.Is(err, unix.EWOULDBLOCK):
		err = ErrLocked
	}
	return nil, errors.Join(fmt.Errorf("lock %s: %w", name, err), f.Close())
}
