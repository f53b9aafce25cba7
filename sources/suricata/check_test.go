package suricata

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/sources"
)

func unixTime(s int64) time.Time { return time.Unix(s, 0) }

// proc makes a folder like /proc with one process.
func proc(t *testing.T, comm, status string) string {
	t.Helper()
	dir := t.TempDir()
	own := filepath.Join(dir, "77")
	if err := os.Mkdir(own, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"comm": comm, "status": status} {
		if err := os.WriteFile(filepath.Join(own, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestClients(t *testing.T) {
	status := "Name:\tSuricata-Main\nUid:\t0\t101\t101\t103\nGid:\t5\t5\t5\t6\nGroups:\t7 8 \n"
	got := clients(proc(t, "Suricata-Main\n", status))
	if fmt.Sprint(got) != "[{Suricata (process 77) 103 [6 7 8] true}]" {
		t.Error(got)
	}
	for _, c := range clients(proc(t, "suricatta\n", "Uid: none\n")) {
		if c.runs {
			t.Errorf("%+v", c)
		}
	}
}

func TestMay(t *testing.T) {
	p := permissions{mode: 0o620, uid: 1, gid: 2}
	for _, c := range []struct {
		client
		want bool
	}{
		{client{uid: 0}, true},
		{client{uid: 1}, true},
		{client{uid: 9, gids: []int{3, 2}}, true},
		{client{uid: 9, gids: []int{3}}, false},
	} {
		if got := c.may(p, 0o2); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
	if (client{uid: 9}).may(permissions{mode: 0o660, uid: -1, gid: -1}, 0o2) {
		t.Error("who owns it is not known, and yet it may be written")
	}
}

// findings are the results of a check, in lines.
func findings(list []sources.Finding) string {
	var b strings.Builder
	for _, f := range list {
		fmt.Fprintf(&b, "%s %s: %s [%s]\n", f.Level, f.Subject, f.Text, f.Cure)
	}
	return b.String()
}

func wantFinding(t *testing.T, list []sources.Finding, level sources.Level, words ...string) {
	t.Helper()
	for line := range strings.SplitSeq(findings(list), "\n") {
		if !strings.HasPrefix(line, string(level)+" ") {
			continue
		}
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			return
		}
	}
	t.Errorf("no %s with %q in\n%s", level, words, findings(list))
}

func TestCheckSocket(t *testing.T) {
	c := configure(t)
	dir := filepath.Dir(c.Stream)
	wantFinding(t, c.Check(t.Context()), sources.Good, "sources.suricata.stream", "weir run makes the socket "+c.Stream)
	r := run(t, c, &fakeOut{}, false)
	wantFinding(t, c.Check(t.Context()), sources.Good, "with the mode and the group")
	if err := os.Chmod(c.Stream, 0o600); err != nil {
		t.Fatal(err)
	}
	wantFinding(t, c.Check(t.Context()), sources.Warning, "has the mode 0600", "[restart weir]")
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	c.Group = "no-such-group"
	wantFinding(t, c.Check(t.Context()), sources.Broken, "sources.suricata.group", "[groupadd no-such-group")
	c.Group = ""
	if err := os.WriteFile(c.Stream, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantFinding(t, c.Check(t.Context()), sources.Broken, "is no socket")
	c.Stream = filepath.Join(dir, "no", "s")
	wantFinding(t, c.Check(t.Context()), sources.Broken, "does not exist", "[mkdir -p "+filepath.Join(dir, "no"))
	if got := defaults().(*Config).Check(t.Context()); got != nil {
		t.Errorf("what is off was looked at: %v", got)
	}
}

func TestCheckAccess(t *testing.T) {
	c := configure(t)
	c.Mode = 0o600
	dir := filepath.Dir(c.Stream)
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o711), os.Chmod(dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	look := func() []sources.Finding {
		k := &checker{cfg: c, clients: []client{{name: "Suricata", uid: 12345, gids: []int{12345}, runs: true}}}
		k.socket("stream", c.Stream, "unix_stream")
		return k.found
	}
	wantFinding(t, look(), sources.Warning, "may not enter "+dir, "[chmod o+x "+dir)
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	if bar := (client{uid: 12345}).barred(dir); bar != "" {
		t.Skipf("the directory of the tests, %s, is closed to others", bar)
	}
	wantFinding(t, look(), sources.Warning, "may not write to "+c.Stream, `[set sources.suricata.group = "12345"`)
	c.Mode = 0o666
	if found := look(); len(found) != 1 {
		t.Errorf("all may write, and yet:\n%s", findings(found))
	}
}

// A group that is configured is of no use if its members may not enter the directory.
func TestCheckGroupAndDirectory(t *testing.T) {
	c := configure(t)
	c.Group = "54321"
	dir := filepath.Dir(c.Stream)
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o711), os.Chmod(dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	look := func(own *client) []sources.Finding {
		k := &checker{cfg: c, own: own}
		k.socket("stream", c.Stream, "unix_stream")
		return k.found
	}
	wantFinding(t, look(nil), sources.Warning, "who is in the group 54321 only may not enter "+dir, "[chmod o+x "+dir)
	stranger := &client{name: "this user", uid: 12345, gids: []int{12345}, runs: true}
	wantFinding(t, look(stranger), sources.Broken, "this user may not enter "+dir, "[chmod o+x "+dir)
	wantFinding(t, look(stranger), sources.Broken, "no member of the group 54321", "[usermod -aG 54321 weir")
	stranger.runs = false
	wantFinding(t, look(stranger), sources.Notice, "no member of the group 54321")
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	if bar := stranger.barred(dir); bar != "" {
		t.Skipf("the directory of the tests, %s, is closed to others", bar)
	}
	wantFinding(t, look(stranger), sources.Notice, "may not make a socket in "+dir)
	if found := look(nil); len(found) != 1 {
		t.Errorf("all is well, and yet:\n%s", findings(found))
	}
}

func TestCheckFileOfSomebodyElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "closed", "eve.json")
	dir := filepath.Dir(path)
	parent := filepath.Dir(dir)
	if err := errors.Join(os.Chmod(filepath.Dir(parent), 0o711), os.Chmod(parent, 0o711), os.Mkdir(dir, 0o700),
		os.WriteFile(path, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	look := func(f func(*checker)) []sources.Finding {
		k := &checker{own: &client{name: "this user", uid: 12345, runs: true}}
		f(k)
		return k.found
	}
	readable := func(k *checker) { k.readable("file", path) }
	for _, f := range []func(*checker){readable, func(k *checker) { k.unreadable("file", path) }} {
		wantFinding(t, look(f), sources.Broken, "may not enter "+dir, "chmod g+x "+dir)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	if bar := (client{uid: 12345}).barred(dir); bar != "" {
		t.Skipf("the directory of the tests, %s, is closed to others", bar)
	}
	wantFinding(t, look(readable), sources.Broken, "may not read "+path, "eve-log's filemode")
}

func TestCheckQueue(t *testing.T) {
	for n, want := range map[int]sources.Level{0: sources.Notice, 10: sources.Warning, 512: sources.Good} {
		k := &checker{}
		k.queue(n)
		wantFinding(t, k.found, want, "net.unix.max_dgram_qlen")
		if cured := len(k.found[0].Changes) == 2 && strings.Contains(k.found[0].Cure, "sysctl -w"); cured != (n == 10) {
			t.Errorf("%d: %+v", n, k.found[0])
		}
	}
}

func TestCheckFile(t *testing.T) {
	c := configure(t)
	c.Stream, c.File = "", c.Stream
	wantFinding(t, c.Check(t.Context()), sources.Notice, c.File+" does not exist", "filetype: regular")
	if err := unix.Mkfifo(c.File, 0o600); err != nil {
		t.Fatal(err)
	}
	wantFinding(t, c.Check(t.Context()), sources.Broken, "is no file but a fifo")
	if err := os.Remove(c.File); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.File, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantFinding(t, c.Check(t.Context()), sources.Good, "can be read")
}
