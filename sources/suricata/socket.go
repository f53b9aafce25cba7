package suricata

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// backlog is how many connections may wait to be accepted.
	backlog = 64
	// grace is how long sockets are read after the end was ordered, for what was sent before.
	grace = 50 * time.Millisecond
	// closed is the mode of a socket that is not ready yet.
	closed = 0o600
)

// boundSocket is a unix socket with a name in the file system.
type boundSocket struct {
	file     *os.File // non-blocking
	path     string
	dev, ino uint64
}

// socketConfig says what socket to make and who may connect.
type socketConfig struct {
	key, path, group string
	typ              int // unix.SOCK_STREAM or SOCK_DGRAM
	mode             uint32
}

// bind makes the socket. What a dead daemon left behind is removed first; a socket that somebody reads is not, nor any
// other file. Nobody whom the mode keeps out can ever connect, whatever the umask: the socket comes into being for
// its owner alone, and a stream listens only when group and mode are right.
func (c socketConfig) bind() (*boundSocket, error) {
	s, err := c.bindOnly()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.key, err)
	}
	if err := c.open(s); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", c.key, err), s.close())
	}
	return s, nil
}

func (c socketConfig) bindOnly() (*boundSocket, error) {
	if len(c.path) > maxPath {
		return nil, fmt.Errorf("the path is longer than %d bytes, the most for a socket", maxPath)
	}
	if err := checkDirectory(filepath.Dir(c.path)); err != nil {
		return nil, err
	}
	if err := removeStale(c.path); err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, c.typ|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("make socket: %w", err)
	}
	s := &boundSocket{file: os.NewFile(uintptr(fd), c.path), path: c.path}
	// The file takes over the mode that the socket has, less the umask.
	if err := unix.Fchmod(fd, closed); err != nil {
		return nil, errors.Join(fmt.Errorf("set mode of socket: %w", err), s.file.Close())
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: c.path}); err != nil {
		return nil, errors.Join(bindError(c.path, err), s.file.Close())
	}
	if s.dev, s.ino, err = identify(c.path); err != nil {
		return nil, errors.Join(err, s.file.Close())
	}
	return s, nil
}

func bindError(path string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("weir's user may not make a socket in %s (let it own the directory, "+
			"or choose one under /run/weir): %w", filepath.Dir(path), err)
	}
	return fmt.Errorf("bind %s: %w", path, err)
}

// open lets in those who may.
func (c socketConfig) open(s *boundSocket) error {
	if err := c.permit(); err != nil {
		return err
	}
	if c.typ != unix.SOCK_STREAM {
		return nil
	}
	raw, err := s.file.SyscallConn()
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if ctl := raw.Control(func(fd uintptr) { err = unix.Listen(int(fd), backlog) }); ctl != nil || err != nil {
		return fmt.Errorf("listen: %w", errors.Join(ctl, err))
	}
	return nil
}

// permit sets group and mode of the socket that the name leads to, and of nothing else: whoever may write to the
// directory, as Suricata's user may, could have put a link in its place by now.
func (c socketConfig) permit() error {
	fd, err := unix.Open(c.path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open socket: %w", err)
	}
	defer unix.Close(fd) //nolint:errcheck // Nothing was written.
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("look at socket: %w", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return fmt.Errorf("%s: %w", c.path, errReplaced)
	}
	if c.group != "" {
		gid, err := groupID(c.group)
		if err != nil {
			return err
		}
		if err := unix.Fchownat(fd, "", -1, gid, unix.AT_EMPTY_PATH); err != nil {
			return fmt.Errorf("give socket to group %s (weir's user must be a member: usermod -aG %s weir, "+
				"with systemd SupplementaryGroups=%s): %w", c.group, c.group, c.group, err)
		}
	}
	// What is opened like this can be changed by this name alone.
	if err := unix.Chmod("/proc/self/fd/"+strconv.Itoa(fd), c.mode); err != nil {
		return fmt.Errorf("set mode of socket: %w", err)
	}
	return nil
}

var errReplaced = errors.New("somebody has replaced the socket that was just made")

// ours says whether the name still leads to this socket.
func (s *boundSocket) ours() bool {
	dev, ino, err := identify(s.path)
	return err == nil && dev == s.dev && ino == s.ino
}

// close removes the name, if it still is ours, and closes the socket unless it was handed over.
func (s *boundSocket) close() error {
	var err error
	if s.ours() {
		err = os.Remove(s.path)
	}
	if s.file != nil {
		err = errors.Join(err, s.file.Close())
	}
	return err
}

// listener hands the socket over to a listener; the name stays with s.
func (s *boundSocket) listener() (*net.UnixListener, error) {
	l, err := net.FileListener(s.file)
	if err = errors.Join(err, s.handOver()); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", s.path, err)
	}
	return l.(*net.UnixListener), nil // The family is that of bind.
}

// packets hands the socket over to a connection; the name stays with s.
func (s *boundSocket) packets() (*net.UnixConn, error) {
	c, err := net.FilePacketConn(s.file)
	if err = errors.Join(err, s.handOver()); err != nil {
		return nil, fmt.Errorf("read from %s: %w", s.path, err)
	}
	return c.(*net.UnixConn), nil // The family is that of bind.
}

// handOver closes the file, of which package net has a duplicate.
func (s *boundSocket) handOver() error {
	err := s.file.Close()
	s.file = nil
	return err
}

func identify(path string) (dev, ino uint64, err error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return 0, 0, fmt.Errorf("look at %s: %w", path, err)
	}
	return uint64(st.Dev), uint64(st.Ino), nil //nolint:unconvert // Their types differ between architectures.
}

// trouble is an error that the user can mend.
type trouble struct{ text, cure string }

func (t *trouble) Error() string { return t.text + ": " + t.cure }

// checkDirectory refuses a directory in which others could put a socket of theirs in the place of ours. A sticky one,
// like /tmp, is none.
func checkDirectory(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &trouble{
			fmt.Sprintf("the directory %s does not exist", dir),
			fmt.Sprintf("mkdir -p %s (under /run, with systemd: RuntimeDirectory=, or a line in tmpfiles.d)", dir),
		}
	case errors.Is(err, fs.ErrPermission):
		return &trouble{
			fmt.Sprintf("this user may not enter the directories that lead to %s", dir),
			"let all enter them (chmod o+x), or choose another path, such as one under /run/weir",
		}
	case err != nil:
		return fmt.Errorf("look at directory of the socket: %w", err)
	case !info.IsDir():
		return &trouble{dir + " is no directory", "choose another path"}
	case info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0:
		return &trouble{
			fmt.Sprintf("everybody may write to the directory %s and so put another socket there", dir),
			fmt.Sprintf("chmod o-w %s, or choose another path", dir),
		}
	}
	return nil
}

// checkName refuses to take the place of a file that is no socket. There may be none.
func checkName(path string) (info fs.FileInfo, err error) {
	info, err = os.Lstat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("look at socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return nil, &trouble{path + " is there already and is no socket", "remove it, or choose another path"}
	}
	return info, nil
}

var errInUse = errors.New("another program reads from it already: stop it, or choose another path")

// removeStale removes a socket that nobody reads from any more.
func removeStale(path string) error {
	_, err := checkName(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	switch err := try(path); {
	case errors.Is(err, unix.ECONNREFUSED):
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("remove old socket: %w", err)
		}
		return nil
	case err == nil, errors.Is(err, unix.EPROTOTYPE), errors.Is(err, unix.EAGAIN):
		return fmt.Errorf("%s: %w", path, errInUse)
	default:
		return fmt.Errorf("try old socket: %w", err)
	}
}

// try connects to a socket of any type; ECONNREFUSED says that nobody has it.
func try(path string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	return errors.Join(unix.Connect(fd, &unix.SockaddrUnix{Name: path}), unix.Close(fd))
}

// groupID finds a group by its name or number.
func groupID(name string) (int, error) {
	if id, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(id), nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, &trouble{err.Error(), fmt.Sprintf("groupadd %s, or correct group in the configuration", name)}
	}
	id, err := strconv.Atoi(g.Gid)
	if err != nil {
		return 0, fmt.Errorf("find group: %w", err)
	}
	return id, nil
}
