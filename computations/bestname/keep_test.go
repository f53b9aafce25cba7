package bestname

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"

	"weir/internal/units"
	"weir/messages"
)

// filled makes a computation that knows something of each kind.
func filled(t testing.TB) *table {
	t.Helper()
	x := newTable(t, testConfig())
	mac := [6]byte{2, 0, 0, 0, 0, 1}
	for _, f := range []messages.Fact{
		answer(worldStart, worldClients[0], "www.example.com", worldServers[0]),
		answer(worldStart.Add(time.Hour), worldClients[2], "www.example.com", worldServers[0]),
		{Kind: messages.FactReverse, Time: worldStart.UnixNano(), Addr: worldServers[0], Name: "host1.example.net"},
		{Kind: messages.FactLease, Time: worldStart.UnixNano(), Addr: worldClients[0], Name: "phone", MAC: mac},
		{Kind: messages.FactNeighbour, Time: worldStart.UnixNano(), Addr: worldClients[2], MAC: mac},
		{
			Kind: messages.FactHost, Time: worldStart.UnixNano(), Addr: worldClients[1], Name: "desk.local",
			Source: "mdns",
		},
	} {
		x.c.learn(&f)
	}
	return x
}

func save(t testing.TB, c *computation) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := c.Save(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestSavedIsLoaded: what is loaded is what was saved, to the order in which it would be forgotten.
func TestSavedIsLoaded(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		x := newTable(t, testConfig())
		for range rapid.IntRange(0, 40).Draw(rt, "facts") {
			x.c.learn(drawFact(rt, worldStart))
		}
		saved := save(t, x.c)
		y := newTable(t, testConfig())
		if err := y.c.Load(bytes.NewReader(saved)); err != nil {
			rt.Fatal(err)
		}
		if err := y.c.cache.sound(); err != nil {
			rt.Fatal(err)
		}
		if again := save(t, y.c); !bytes.Equal(again, saved) {
			rt.Fatalf("saved\n%x\nloaded and saved\n%x", saved, again)
		}
	})
}

// TestExpiredIsNotKept: what was saved long ago does not hold any more.
func TestExpiredIsNotKept(t *testing.T) {
	saved := save(t, filled(t).c)
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{0, 6}, {30 * time.Minute, 5}, {2 * time.Hour, 3}, {8 * 24 * time.Hour, 0}} {
		x := newTable(t, testConfig())
		if err := x.c.Load(bytes.NewReader(saved)); err != nil {
			t.Fatal(err)
		}
		x.settle(worldStart.Add(c.after))
		if n := len(x.c.cache.entries); n != c.want {
			t.Errorf("after %s: %d entries, want %d", c.after, n, c.want)
		}
		if err := x.c.cache.sound(); err != nil {
			t.Error(err)
		}
	}
}

// TestDamageIsFound: of anything but what was saved nothing is kept.
func TestDamageIsFound(t *testing.T) {
	saved := save(t, filled(t).c)
	damaged := func(at int, b byte) []byte {
		d := bytes.Clone(saved)
		d[at] = b
		return d
	}
	for what, data := range map[string][]byte{
		"nothing": nil, "another version": damaged(0, savedVersion+1),
		"no end": saved[:len(saved)-1], "half": saved[:len(saved)/2],
		"an unknown kind": damaged(1, 9), "a name in capitals": bytes.Replace(saved, []byte("www"), []byte("WWW"), 1),
		"a name that is none": bytes.Replace(saved, []byte("www."), []byte("ww\n."), 1),
		"the same twice":      append(bytes.Clone(saved[:len(saved)-1]), saved[1:]...),
	} {
		x := filled(t)
		if err := x.c.Load(bytes.NewReader(data)); err == nil {
			t.Errorf("%s was loaded", what)
		}
		if len(x.c.cache.entries) != 0 {
			t.Errorf("%s: %d entries", what, len(x.c.cache.entries))
		}
	}
}

func TestLoadKeepsTheBudget(t *testing.T) {
	x := newTable(t, testConfig())
	for i := range 5000 {
		f := answer(worldStart, numbered(10, i%5), "www.example.com", numbered(192, i))
		x.c.learn(&f)
	}
	small := testConfig()
	small.Cache = 64 * units.KiB
	y := newTable(t, small)
	if err := y.c.Load(bytes.NewReader(save(t, x.c))); err != nil {
		t.Fatal(err)
	}
	if err := y.c.cache.sound(); err != nil {
		t.Error(err)
	}
	if y.c.cache.entries[askedKey(numbered(10, 4), numbered(192, 4999))] == nil {
		t.Error("the newest is not there")
	}
}

// TestSavedIsBounded: of a cache that is larger than a state may be, what was used last is saved.
func TestSavedIsBounded(t *testing.T) {
	x := filled(t)
	whole := save(t, x.c)
	for most := range len(whole) + 10 {
		var size int
		for e := x.c.cache.newest(most); e != nil; e = e.links[byUse].newer {
			size += len(e.appendTo(nil))
		}
		if size > most || most >= len(whole)+8 && size != len(whole)-2 {
			t.Fatalf("%d bytes in %d", size, most)
		}
	}
}

var errFull = errors.New("disk full")

// fullDisk refuses to be written to.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestErrorsAreTold(t *testing.T) {
	x := filled(t)
	if err := x.c.Save(fullDisk{}); !errors.Is(err, errFull) {
		t.Error(err)
	}
	err := x.c.Load(iotest.ErrReader(errFull))
	if !errors.Is(err, errFull) || !strings.HasPrefix(err.Error(), "load names: ") {
		t.Error(err)
	}
}

// FuzzLoad: nothing that is loaded breaks anything, and what is accepted is saved as it was, but for what
// has no room.
func FuzzLoad(f *testing.F) {
	f.Add(save(f, filled(f).c))
	f.Add(save(f, newTable(f, testConfig()).c))
	f.Add([]byte{1, 1, 2, 3})
	f.Add([]byte{savedVersion, savedEnd})
	f.Fuzz(func(t *testing.T, data []byte) {
		c := newComputation(testConfig(), noCore())
		if err := c.Load(bytes.NewReader(data)); err != nil {
			if len(c.cache.entries) != 0 {
				t.Errorf("%v, but %d entries", err, len(c.cache.entries))
			}
			return
		}
		if err := c.cache.sound(); err != nil {
			t.Error(err)
		}
		saved := save(t, c)
		if c.cache.evicted+c.cache.capped == 0 && !bytes.HasPrefix(data, saved) && len(saved) == len(data) {
			t.Errorf("loaded\n%x\nsaved\n%x", data, saved)
		}
	})
}
