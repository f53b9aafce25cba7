package conntrack

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
)

func TestInNetNSComesBack(t *testing.T) {
	s := newSpace(t)
	name := func() string {
		n, err := os.Readlink(ownNetNS)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	home, inside, boom := name(), "", errors.New("boom")
	if err := inNetNS(s.path, func() error { inside = name(); return boom }); !errors.Is(err, boom) {
		t.Errorf("error of f = %v", err)
	}
	if inside == home || name() != home {
		t.Errorf("home %s, inside %s, after %s", home, inside, name())
	}
	func() {
		defer func() { recover() }()
		_ = inNetNS(s.path, func() error { panic("f") })
	}()
	if name() != home {
		t.Error("a panic left the thread in the wrong namespace")
	}
	if err := inNetNS("", func() error { inside = name(); return nil }); err != nil || inside != home {
		t.Errorf("no path: %v, in %s", err, inside)
	}
}

func TestInNetNSRefuses(t *testing.T) {
	called := func() error { t.Error("f was called"); return nil }
	if err := inNetNS("/run/netns/is-not-there", called); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a namespace that is not there: %v", err)
	}
	if err := inNetNS("/dev/null", called); err == nil || !strings.Contains(err.Error(), "enter network namespace") {
		t.Errorf("a file that is no namespace: %v", err)
	}
}
