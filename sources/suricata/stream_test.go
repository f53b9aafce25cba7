package suricata

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/sources"
)

func TestStream(t *testing.T) {
	r := run(t, configure(t), &fakeOut{}, false)
	h := r.Health()
	if h.State != sources.Running || !strings.Contains(h.Detail, "nobody is connected to "+r.cfg.Stream) {
		t.Errorf("%+v", h)
	}
	c := dial(t, "unix", r.cfg.Stream)
	send(t, c, "one\ntw")
	r.wantNames("one")
	send(t, c, "o\n\nthree\r\nhal")
	r.wantNames("one", "two", "three")
	r.wantMetric("connections", 1)
	if h := r.Health(); h.State != sources.Running || h.Detail != "" {
		t.Errorf("%+v", h)
	}
	c.Close()
	r.wantMetric("connections", 0)
	r.wantMetric("partial_events_total", 1)
	until(t, "the end is handed over", func() bool { return len(r.out.all()) == 4 })
	// Suricata comes again: what was cut is not glued to what comes now.
	c = dial(t, "unix", r.cfg.Stream)
	send(t, c, "four\n")
	r.wantNames("one", "two", "three", "four")
	r.wantMetric("connections_total", 2)
	r.wantMetric("lines_total", 4)
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if got := r.out.lost("ended within an event"); got != 1 {
		t.Errorf("%d lost events were told", got)
	}
	if _, err := os.Lstat(r.cfg.Stream); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket stays behind: %v", err)
	}
}

func TestTwoSuricatasAtOnce(t *testing.T) {
	r := run(t, configure(t), &fakeOut{}, false)
	a, b := dial(t, "unix", r.cfg.Stream), dial(t, "unix", r.cfg.Stream)
	var want []string
	for i := range 200 {
		send(t, a, fmt.Sprintf("a%d-begin ", i))
		send(t, b, fmt.Sprintf("b%d\n", i))
		send(t, a, fmt.Sprintf("a%d-end\n", i))
		want = append(want, fmt.Sprintf("a%d-begin a%d-end", i, i), fmt.Sprintf("b%d", i))
	}
	until(t, "all lines", func() bool { return len(r.out.names()) == len(want) })
	got := r.out.names()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestTooManyConnections(t *testing.T) {
	r := run(t, configure(t), &fakeOut{}, false)
	open := make([]net.Conn, 0, maxConnections)
	for range maxConnections {
		open = append(open, dial(t, "unix", r.cfg.Stream))
	}
	r.wantMetric("connections", maxConnections)
	more := dial(t, "unix", r.cfg.Stream)
	if n, err := more.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("it was not refused: %d %v", n, err)
	}
	r.wantMetric("refused_connections_total", 1)
	if h := r.Health(); h.State != sources.Degraded || !strings.Contains(h.Detail, "was refused") {
		t.Errorf("%+v", h)
	}
	open[0].Close()
	r.wantMetric("connections", maxConnections-1)
	send(t, dial(t, "unix", r.cfg.Stream), "welcome\n")
	r.wantNames("welcome")
}

func TestOversizeLines(t *testing.T) {
	c := configure(t)
	r := run(t, c, &fakeOut{}, false)
	conn := dial(t, "unix", c.Stream)
	longest := strings.Repeat("x", int(c.MaxLine))
	send(t, conn, longest+"\nbefore\n"+longest+"x\nbetween\n")
	send(t, conn, strings.Repeat("y", 10<<20)+"\n"+strings.Repeat("z", 10<<20)+"\nafter\n")
	r.wantNames(longest, "before", "between", "after")
	r.wantMetric("oversize_events_total", 3)
	until(t, "the loss is told", func() bool { return r.out.lost("longer than max_line") == 3 })
}

func TestModeAndGroup(t *testing.T) {
	c := configure(t)
	c.Datagram = c.Stream + "d"
	c.Mode, c.Group = 0o626, strconv.Itoa(os.Getegid())
	old := syscall.Umask(0o777)
	defer syscall.Umask(old)
	r := run(t, c, &fakeOut{}, false)
	for _, path := range []string{c.Stream, c.Datagram} {
		info, err := os.Lstat(path)
		if err != nil || info.Mode() != fs.ModeSocket|0o626 || permissionsOf(info).gid != os.Getegid() {
			t.Errorf("%v %v", info, err)
		}
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}

// TestNobodyConnectsTooEarly looks at the socket between its two halves.
func TestNobodyConnectsTooEarly(t *testing.T) {
	dir := t.TempDir()
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	for _, typ := range []int{syscall.SOCK_STREAM, syscall.SOCK_DGRAM} {
		sc := socketConfig{path: filepath.Join(dir, "s"), typ: typ, mode: 0o666}
		s, err := sc.bindOnly()
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Lstat(sc.path)
		if err != nil || info.Mode().Perm() != closed {
			t.Errorf("%v %v", info, err)
		}
		if typ == syscall.SOCK_STREAM {
			if c, err := net.Dial("unix", sc.path); err == nil {
				t.Error("connected before group and mode were set")
				c.Close()
			}
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}
}

func TestSocketsThatAreThere(t *testing.T) {
	refused := func(c *Config, want ...string) {
		t.Helper()
		_, err := tryRun(t, c, &fakeOut{}, false)
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("got %v, want %q", err, w)
			}
		}
	}
	c := configure(t)
	stale, err := net.Listen("unix", c.Stream)
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	stale.Close()
	r := run(t, c, &fakeOut{}, false) // It takes the place of a socket that nobody has.
	again := *c
	refused(&again, "stream: ", "another program reads from it")
	other := Config{Datagram: c.Stream, Mode: 0o660, MaxLine: c.MaxLine, Queue: c.Queue}
	refused(&other, "datagram: ", "another program reads from it")
	send(t, dial(t, "unix", c.Stream), "alive\n")
	r.wantNames("alive")

	file := configure(t)
	if err := os.WriteFile(file.Stream, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(file, "is there already and is no socket")
	if b, err := os.ReadFile(file.Stream); err != nil || string(b) != "precious" {
		t.Error("the file was touched")
	}

	missing := configure(t)
	missing.Stream = filepath.Join(filepath.Dir(missing.Stream), "no", "s")
	refused(missing, "does not exist", "mkdir -p "+filepath.Dir(missing.Stream))

	open := configure(t)
	if err := os.Chmod(filepath.Dir(open.Stream), 0o777); err != nil {
		t.Fatal(err)
	}
	refused(open, "everybody may write to the directory")

	group := configure(t)
	group.Group = "no-such-group"
	refused(group, "no-such-group", "groupadd")
	if _, err := os.Lstat(group.Stream); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket stays behind: %v", err)
	}
}

// TestSocketOfOthersStays replaces the socket: the new one is not ours to remove.
func TestSocketOfOthersStays(t *testing.T) {
	c := configure(t)
	r := run(t, c, &fakeOut{}, false)
	if err := os.Remove(c.Stream); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", c.Stream)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(c.Stream); err != nil {
		t.Errorf("the other one's socket is gone: %v", err)
	}
}

func TestRemovedSocketIsMadeAnew(t *testing.T) {
	c := configure(t)
	src, err := c.New(sources.Core{})
	if err != nil {
		t.Fatal(err)
	}
	s := src.(*Source)
	if err := s.open(); err != nil {
		t.Fatal(err)
	}
	defer s.closeReaders()
	s.guarded = time.Millisecond
	if err := os.Remove(c.Stream); err != nil {
		t.Fatal(err)
	}
	if err := s.guard(t.Context()); err == nil || !strings.Contains(err.Error(), "removed or replaced the socket") {
		t.Errorf("the source goes on without a socket: %v", err)
	}
}

// TestLinkInThePlaceOfTheSocket: group and mode are for the socket and never for what somebody else puts in its place.
func TestLinkInThePlaceOfTheSocket(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "secret"), filepath.Join(dir, "eve.sock")
	if err := os.WriteFile(target, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, target} {
		if err := (socketConfig{path: path, mode: 0o666}).permit(); !errors.Is(err, errReplaced) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if info, err := os.Stat(target); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
