package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/internal/units"
)

func TestOrderOfLayers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "weir.toml")
	doc := "slice = \"20s\"\nshards = 2\n[log]\nlevel = \"debug\"\n[sources.stub]\ncount = 2\n"
	if err := os.WriteFile(file, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Load(Options{
		File: file,
		Environ: []string{
			"HOME=/root", "WEIR_SLICE=30s", "WEIR_LOG_LEVEL=warn", "WEIR_SOURCES_STUB_COUNT=3", "WEIR_SOCKET=",
			"WEIR_CONFIG=" + file, "WEIR_SLIECS=1",
		},
		Set: []string{"slice=1m", "slice=2m", "sources.stub.count = 4"},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := l.Sources[1].Config.(*stub)
	if l.Slice.Duration != 2*time.Minute || l.Shards != 2 || l.Log.Level != "warn" || s.Count != 4 {
		t.Errorf("slice %s, shards %d, level %s, count %d", l.Slice, l.Shards, l.Log.Level, s.Count)
	}
	if l.Socket != Default().Socket {
		t.Errorf("an empty variable set the socket to %q", l.Socket)
	}
	want := []string{"environment WEIR_SLIECS: sets nothing; did you mean WEIR_SLICE?"}
	if diff := cmp.Diff(want, l.Warnings); diff != "" {
		t.Error(diff)
	}
}

func TestSetTakesAllKinds(t *testing.T) {
	l, err := Load(Options{File: "testdata/empty.good.toml", Set: []string{
		"home=10.0.0.0/8, br-lan", "memory.flows=128MiB", "memory.slices=67108864", "api.listen=127.0.0.1:1",
		"sources.stub.enabled=false", "sources.stub.ratio=0.25", `sources.stub.label=it's "x" \ # y`,
		`sources.stub.names=["p", "q,r"]`, "sources.stub.buffer=3", "socket_mode=0600",
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := &stub{Buffer: 3, Ratio: 0.25, Label: `it's "x" \ # y`, Names: []string{"p", "q,r"}}
	if diff := cmp.Diff(want, l.Sources[1].Config.(*stub)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Home{"10.0.0.0/8", "br-lan"}, l.Home); diff != "" {
		t.Error(diff)
	}
	if l.Memory.Flows != 128<<20 || l.Memory.Slices != 64<<20 || l.SocketMode != 0o600 {
		t.Errorf("%+v %o", l.Memory, l.SocketMode)
	}
}

func TestBadEnvironmentAndFlags(t *testing.T) {
	for _, c := range []struct {
		environ, set, want string
	}{
		{environ: "WEIR_SHARDS=two", want: "environment WEIR_SHARDS: shards: "},
		{environ: "WEIR_SHARDS=2 # or 3", want: "environment WEIR_SHARDS: shards: expected a whole number"},
		{environ: "WEIR_SLICE=7s", want: "environment WEIR_SLICE: slice: 7s does not divide a day"},
		{environ: "WEIR_SOURCES_STUB_ENABLED=yes", want: "environment WEIR_SOURCES_STUB_ENABLED: "},
		{environ: "WEIR_SOURCES_STUB_COUNT=99", want: "STUB_COUNT: sources.stub.count: 99 is too many"},
		{set: "slice", want: "--set slice: expected key=value"},
		{set: "slcie=1s", want: `--set: slcie: unknown key; did you mean "slice"?`},
		{set: "memory=1", want: "--set: memory: unknown key"},
		{set: "sources.suricata.enabled=true", want: "--set: sources.suricata.enabled: this build left the source out"},
		{set: "slice=10", want: `--set: slice: "10" is not a duration`},
		{set: "shards=1\nslice=3", want: "--set: shards: expected a whole number"},
		{set: `home=[3]`, want: "--set: home: expected a list of prefixes"},
		{set: `home=["a"`, want: "--set"},
	} {
		o := Options{File: "testdata/empty.good.toml", Features: known, Environ: []string{c.environ}}
		if c.set != "" {
			o.Set = []string{c.set}
		}
		_, err := Load(o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s%s:\ngot  %v\nwant %s", c.environ, c.set, err, c.want)
		}
	}
}

func TestVariablesAreUnique(t *testing.T) {
	seen := map[string]string{FileVariable: "the file"}
	for _, k := range Default().Keys() {
		if k.Env == "" {
			continue // It is in a list of tables.
		}
		if before, dup := seen[k.Env]; dup {
			t.Errorf("%s sets both %s and %s", k.Env, before, k.Path)
		}
		seen[k.Env] = k.Path
	}
	if seen["WEIR_COMPUTATIONS_GUESS_MOST"] != "computations.guess.most" {
		t.Errorf("%v", seen)
	}
	if seen["WEIR_SOURCES_STUB_COUNT"] != "sources.stub.count" || seen["WEIR_SOCKET"] != "socket" {
		t.Errorf("%v", seen)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"slice", "memory.slices", "home", "log.level"}
	for wrong, want := range map[string]string{
		"slcie": "slice", "SLICE": "slice", "slices": "memory.slices", "hom": "home", "level": "log.level", "xyz": "",
		"": "", strings.Repeat("s", 5000): "",
	} {
		if got := nearest(wrong, names); got != want {
			t.Errorf("nearest(%.20q) = %q, want %q", wrong, got, want)
		}
	}
}

// TestTablesOfAListAreOfTheFile says so where somebody tries to set them elsewhere.
func TestTablesOfAListAreOfTheFile(t *testing.T) {
	l, err := Load(Options{
		File: "testdata/empty.good.toml", Environ: []string{"WEIR_STORE_TIERS=[]", "WEIR_STORE_TIERS_NAME=x"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"environment WEIR_STORE_TIERS: sets nothing; tables of a list can be set in a file alone",
		"environment WEIR_STORE_TIERS_NAME: sets nothing; tables of a list can be set in a file alone",
	}
	if diff := cmp.Diff(want, l.Warnings); diff != "" {
		t.Error(diff)
	}
	for _, s := range []string{"store.tiers=[]", "store.tiers.name=x"} {
		_, err := Load(Options{File: "testdata/empty.good.toml", Set: []string{s}})
		if err == nil || !strings.Contains(err.Error(), "tables of a list can be set in a file alone") {
			t.Errorf("%s: %v", s, err)
		}
	}
}

// TestLadderFollowsSlice holds the default ladder to be sound for all slices that divide a day.
func TestLadderFollowsSlice(t *testing.T) {
	for s := time.Second; s <= units.Day; s += time.Second {
		if units.Day%s != 0 {
			continue
		}
		set := []string{"slice=" + s.String(), "memory.retention=1d"}
		l, err := Load(Options{File: "testdata/empty.good.toml", Set: set})
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		ladder := l.Store.Tiers
		if last := ladder[len(ladder)-1]; last.Retention.Duration != 3653*units.Day {
			t.Errorf("%s: the last tier keeps slices for %s only", s, last.Retention)
		}
	}
}
