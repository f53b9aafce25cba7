package api

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func listen(t *testing.T, s Socket) (net.Listener, error) {
	t.Helper()
	l, err := s.Listen(t.Context())
	if err == nil {
		t.Cleanup(func() { l.Close() })
	}
	return l, err
}

func TestSocketModeAndDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "made", "s")
	l, err := listen(t, Socket{Path: path, Mode: 0o620, Group: strconv.Itoa(os.Getegid())})
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != fs.ModeSocket|0o620 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	l.Close()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket stays behind: %v", err)
	}
}

func TestStaleSocketIsRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	if _, err := listen(t, Socket{Path: path, Mode: 0o600}); err != nil {
		t.Error(err)
	}
}

func TestLiveSocketIsNot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if _, err := listen(t, Socket{Path: path, Mode: 0o600}); err != nil {
		t.Fatal(err)
	}
	if _, err := listen(t, Socket{Path: path, Mode: 0o600}); !errors.Is(err, ErrInUse) {
		t.Errorf("got %v", err)
	}
	if c, err := net.Dial("unix", path); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
}

func TestOtherFilesStay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := listen(t, Socket{Path: path, Mode: 0o600})
	if err == nil || !strings.Contains(err.Error(), "is no socket") {
		t.Errorf("got %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "precious" {
		t.Error("the file was touched")
	}
}

func TestOpenDirectoryIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := listen(t, Socket{Path: filepath.Join(dir, "s")}); err == nil {
		t.Error("listens where others can put a socket of theirs")
	}
	if err := os.Chmod(dir, 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	if _, err := listen(t, Socket{Path: filepath.Join(dir, "s")}); err != nil {
		t.Error(err)
	}
}

func TestUnknownGroup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	_, err := listen(t, Socket{Path: path, Mode: 0o660, Group: "no-such-group"})
	if err == nil || !strings.Contains(err.Error(), "no-such-group") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket stays behind: %v", err)
	}
}
