package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// ErrInUse says that another daemon answers on the socket.
var ErrInUse = errors.New("another weir answers there already")

// Socket says where to listen and who may connect.
type Socket struct {
	Path string
	Mode fs.FileMode
	// Group owns the socket; empty leaves it to the process's own.
	Group string
}

// dialTimeout bounds the wait for an answer of whoever might hold the socket.
const dialTimeout = time.Second

// Listen makes the socket. A socket that a dead daemon left behind is removed; one that somebody answers on is
// not, nor is any other file. Between making the socket and setting its mode nobody else can connect.
func (s Socket) Listen(ctx context.Context) (net.Listener, error) {
	if err := makeDirectory(filepath.Dir(s.Path)); err != nil {
		return nil, err
	}
	if err := s.removeStale(ctx); err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	old := syscall.Umask(0o177)
	l, err := lc.Listen(ctx, "unix", s.Path)
	syscall.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// makeDirectory makes the directory of the socket. One that others may write to is refused unless it is sticky,
// like /tmp: there others could put a socket of theirs in the place of ours.
func makeDirectory(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // Who may connect is decided by the socket's mode.
		return fmt.Errorf("make directory of the socket: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("look at directory of the socket: %w", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	foreign := ok && st.Uid != 0 && int(st.Uid) != os.Geteuid() && os.Geteuid() != 0
	open := info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0
	if foreign || open {
		return fmt.Errorf("directory %s of the socket belongs to others (%s): choose another socket", dir, info.Mode())
	}
	return nil
}

// removeStale removes the socket of a daemon that is gone.
func (s Socket) removeStale(ctx context.Context) error {
	info, err := os.Lstat(s.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at socket: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is there already and is no socket: remove it, or choose another socket", s.Path)
	}
	d := net.Dialer{Timeout: dialTimeout}
	c, err := d.DialContext(ctx, "unix", s.Path)
	switch {
	case err == nil:
		return errors.Join(fmt.Errorf("socket %s: %w", s.Path, ErrInUse), c.Close())
	case errors.Is(err, syscall.ECONNREFUSED):
		if err := os.Remove(s.Path); err != nil {
			return fmt.Errorf("remove old socket: %w", err)
		}
		return nil
	default:
		return fmt.Errorf("try old socket: %w", err)
	}
}

// open lets the group and the others in, as far as they may.
func (s Socket) open() error {
	if s.Group != "" {
		gid, err := groupID(s.Group)
		if err != nil {
			return err
		}
		if err := os.Lchown(s.Path, -1, gid); err != nil {
			return fmt.Errorf("give socket to group %s: %w", s.Group, err)
		}
	}
	if err := os.Chmod(s.Path, s.Mode); err != nil {
		return fmt.Errorf("set mode of socket: %w", err)
	}
	return nil
}

// groupID finds a group by its name or number.
func groupID(name string) (int, error) {
	if id, err := strconv.Atoi(name); err == nil {
		return id, nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, fmt.Errorf("find socket_group: %w", err)
	}
	id, err := strconv.Atoi(g.Gid)
	if err != nil {
		return 0, fmt.Errorf("find socket_group: %w", err)
	}
	return id, nil
}
