package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/internal/units"
	"weir/store/journal"
	"weir/store/tiers"
)

// known are the features that a fuller build would have.
var known = []string{"columns_ip", "computations_bestname", "sources_stub", "sources_suricata"}

// bad says for each file in testdata what its error must say.
var bad = map[string]string{
	"syntax":             "line 2, column 7: unexpected character",
	"duplicate":          "line 2, column 1: slice: key slice is already defined",
	"unknown_key":        `line 2, column 1: slcie: unknown key; did you mean "slice"?`,
	"unknown_case":       `line 1, column 1: Slice: unknown key; did you mean "slice"?`,
	"unknown_in_table":   `line 2, column 1: memory.flow: unknown key; did you mean "memory.flows"?`,
	"unknown_inline":     `line 1, column 12: memory.sliecs: unknown key; did you mean "memory.slices"?`,
	"unknown_elsewhere":  `line 1, column 1: retention: unknown key; did you mean "memory.retention"?`,
	"unknown_far":        "line 1, column 1: zzzzzzzzzz: unknown key; `weir config --defaults` lists all",
	"unknown_table":      "line 1, column 2: logging: unknown key; `weir config --defaults` lists all",
	"unknown_two":        `line 3, column 1: memory.flowz: unknown key; did you mean "memory.flows"?`,
	"unknown_source":     `line 1, column 2: sources.stubb: unknown source; this build has: other, stub; did`,
	"unknown_source_key": `line 2, column 1: sources.stub.bufer: unknown key; did you mean "sources.stub.buffer"?`,
	"left_out_source": "line 1, column 2: sources.suricata: this build left the source out: " +
		"build with the tag sources_suricata to add it (this build has: other, stub)",
	"unknown_computation": "line 1, column 2: computations.gess: unknown computation; this build has: guess; did you " +
		`mean "guess"?`,
	"unknown_computation_key": `line 2, column 1: computations.guess.list: unknown key; did you mean "computations`,
	"left_out_computation": "line 1, column 2: computations.bestname: this build left the computation out: " +
		"build with the tag computations_bestname to add it (this build has: guess)",
	"computation_validate":  "line 3, column 1: computations.guess.most: is negative",
	"type_computation_bool": "line 2, column 11: computations.guess.enabled: expected true or false, not a string",
	"type_duration":         `line 1, column 9: slice: expected a duration such as "10s", "90m" or "7d", not an`,
	"type_list":             `line 1, column 8: home: expected a list of prefixes and interface names, or "auto", not`,
	"type_list_item":        `line 1, column 23: home: expected a list of prefixes and interface names, or "auto", not`,
	"type_int":              "line 2, column 10: shards: expected a whole number, not a string",
	"type_table":            "line 1, column 10: memory: expected a table [memory], not a string",
	"type_key_as_table":     `line 1, column 2: slice: expected a duration such as "10s", "90m" or "7d", not a table`,
	"type_array_table":      "line 1, column 3: memory: expected a table [memory], not an array table",
	"type_source_bool":      "line 2, column 11: sources.stub.enabled: expected true or false, not a string",
	"type_source_int":       "line 2, column 9: sources.stub.count: expected a whole number, not a float",
	"range_int":             "line 1, column 10: shards: decimal number is too large",
	"value_duration":        `line 1, column 9: slice: "ten" is not a duration such as "10s", "90m" or "7d"`,
	"value_bytes":           `line 2, column 9: memory.flows: "64 megs" is not an amount such as "64MiB"`,
	"value_mode":            `line 1, column 15: socket_mode: "rw" is not permissions in octal such as "0660"`,
	"value_source_bytes":    `line 2, column 10: sources.stub.buffer: "many" is not an amount`,
	"slice_divides":         "line 1, column 1: slice: 7s does not divide a day",
	"slice_short":           "line 1, column 1: slice: 100ms does not divide a day into equal parts of at least",
	"slice_zero":            "line 1, column 1: slice: 0s does not divide a day",
	"deadline":              "line 2, column 1: deadline: 11s is longer than a slice (10s)",
	"shards":                "line 1, column 1: shards: -1 is not between 0 and 256",
	"data_dir":              `line 1, column 1: data_dir: "here" is not an absolute path`,
	"socket":                `line 1, column 1: socket: "weir.sock" is not an absolute path`,
	"socket_long":           "line 1, column 1: socket: the path is longer than 107 bytes",
	"home_empty":            "line 1, column 1: home: the list is empty",
	"home_prefix":           `line 1, column 1: home: "192.168.1.0/33" is neither a prefix`,
	"memory_small":          "line 2, column 1: memory.flows: 10KiB is not between 1MiB and 1TiB",
	"memory_negative":       "line 2, column 1: memory.slices: -1B is not between 1MiB and 1TiB",
	"retention":             "line 2, column 1: memory.retention: 1s is shorter than a slice (10s)",
	"log_level":             `line 2, column 1: log.level: "loud" is not one of trace, debug, info, warn, error`,
	"log_format":            `line 2, column 1: log.format: "xml" is not one of auto, human, json`,
	"listen":                `line 2, column 1: api.listen: "8017" is not an address such as`,
	"listen_remote":         `line 2, column 1: api.listen: "192.168.1.1:8017" can be reached from other machines`,
	"listen_any":            `line 2, column 1: api.listen: ":8017" can be reached from other machines`,
	"source_validate":       "line 2, column 1: sources.stub.count: 99 is too many",
	"source_validate_table": "line 1, column 2: sources.stub: bad luck",
	"store_key":             `line 2, column 1: store.sink: unknown key; did you mean "store.sync"?`,
	"store_sync":            `line 2, column 8: store.sync: "often" is not "slice", a duration such as "1m", or`,
	"store_disk":            "line 2, column 1: store.disk: 1MiB is neither 0B nor between 16MiB and",
	"store_writes":          "line 2, column 1: store.journal_writes_per_day: 1KiB is neither 0B nor at least 1MiB",
	"store_rate":            "line 2, column 1: store.rows_per_second: 5 is neither 0 nor at least 1000",
	"store_dir":             "line 2, column 1: store.dir: it is empty",
	"tiers_key":             `line 5, column 1: store.tiers.nmae: unknown key; did you mean "store.tiers.name"?`,
	"tiers_inline_key":      `line 2, column 25: store.tiers.nmae: unknown key; did you mean "store.tiers.name"?`,
	"tiers_table": "line 1, column 2: store.tiers: expected tables [[store.tiers]], of which there may be several, " +
		"not [store.tiers]",
	"tiers_number":       "line 2, column 9: store.tiers: expected tables [[store.tiers]], not an integer",
	"tiers_value":        `line 3, column 9: store.tiers.slice: expected a duration such as "10s", "90m" or "7d"`,
	"tiers_amount":       `line 3, column 9: store.tiers.bytes: "much" is not an amount such as "64MiB"`,
	"tiers_none":         "line 2, column 1: store.tiers: there is no tier",
	"tiers_first":        "line 4, column 1: store.tiers[0].slice: tier a: its slices are 10s long, but slices",
	"tiers_second":       "line 7, column 1: store.tiers[1].slice: tier b: its slices of 15s must be whole slices of",
	"tiers_twice":        "line 8, column 1: store.tiers[1].name: tier a: there are two of this name",
	"tiers_missing":      "line 1, column 3: store.tiers[0].bucket: tier a: its bucket of 0s must be whole slices of",
	"tiers_slice_inline": "line 3, column 16: store.tiers[1].slice: tier b: its slices of 15s must be whole slices of",
}

// load loads a file with neither environment nor flags.
func load(t *testing.T, file string) (*Loaded, error) {
	t.Helper()
	return Load(Options{File: file, Features: known})
}

func TestBadFiles(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.bad.toml")
	if len(files) != len(bad) {
		t.Errorf("%d files, %d expectations", len(files), len(bad))
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".bad.toml")
		t.Run(name, func(t *testing.T) {
			_, err := load(t, file)
			if err == nil {
				t.Fatal("loaded without an error")
			}
			if want := file + ": " + bad[name]; bad[name] == "" || !strings.Contains(err.Error(), want) {
				t.Errorf("got  %s\nwant %s", err, want)
			}
		})
	}
}

func TestBadFileTellsAllUnknownKeys(t *testing.T) {
	_, err := load(t, "testdata/unknown_two.bad.toml")
	if n := strings.Count(err.Error(), "unknown key"); n != 2 {
		t.Errorf("%d unknown keys told, want 2:\n%v", n, err)
	}
	_, err = load(t, "testdata/unknown_table.bad.toml")
	if n := strings.Count(err.Error(), "unknown key"); n != 1 {
		t.Errorf("%d unknown keys told for one table, want 1:\n%v", n, err)
	}
}

func TestGoodFiles(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.good.toml")
	if len(files) == 0 {
		t.Fatal("no files")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			l, err := load(t, file)
			if err != nil {
				t.Fatal(err)
			}
			if l.File != file || len(l.Warnings) != 0 {
				t.Errorf("file %q, warnings %q", l.File, l.Warnings)
			}
			checkRoundTrip(t, l.Config)
		})
	}
}

// checkRoundTrip prints the configuration and loads what was printed.
func checkRoundTrip(t *testing.T, c *Config) {
	t.Helper()
	var text strings.Builder
	if err := c.Write(&text); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "weir.toml")
	if err := os.WriteFile(name, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	back, err := Load(Options{File: name})
	if err != nil {
		t.Fatalf("%v\n%s", err, text.String())
	}
	if diff := cmp.Diff(c, back.Config); diff != "" {
		t.Errorf("came back different (-was +is):\n%s", diff)
	}
}

func TestFullFile(t *testing.T) {
	l, err := load(t, "testdata/full.good.toml")
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		DataDir: "/srv/weir", Socket: "/run/weir/other.sock", SocketMode: 0o600, SocketGroup: "adm",
		Slice: units.Duration{Duration: 30 * time.Second}, Deadline: units.Duration{Duration: 5 * time.Second},
		Shards: 2,
		Home:   Home{"192.168.1.0/24", "2001:db8::/48", "10.0.0.1", "br-lan"},
		Memory: Memory{
			Flows: 32e6, Slices: 16 * units.MiB, Retention: units.Duration{Duration: units.Day},
		},
		Store: Store{
			Enabled: true, Dir: "history", Sync: Sync{Policy: journal.SyncInterval, Interval: time.Minute},
			Disk: units.GiB, JournalWrites: 50e6, Rate: 1000,
			Tiers: []tiers.Level{{
				Name: "all", Slice: units.Duration{Duration: 30 * time.Second},
				Bucket: units.Duration{Duration: time.Hour}, Drop: []string{"http.url"},
				Retention: units.Duration{Duration: units.Day},
				Bytes:     units.GiB, TopK: 7, MinBytes: units.KiB,
			}},
		},
		Log: Log{Level: "debug", Format: "json"},
		API: API{Listen: "[::1]:8017"},
		Sources: []Source{
			{Name: "other", Doc: "Another source for tests.", Config: &other{Path: "/tmp/x"}},
			{Name: "stub", Doc: "A source for tests.", Config: &stub{
				On: true, Buffer: 8 * units.MiB, Count: 7, Ratio: 0.5, Label: "x", Names: []string{"a", "b"},
			}},
		},
		Computations: []Computation{{
			Name: "guess", Doc: "A computation for tests.", Rank: 3,
			Config: &guess{Lists: []string{"/srv/names.list"}, Most: 2},
		}},
	}
	if diff := cmp.Diff(want, l.Config); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMissingFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "none.toml")
	if _, err := load(t, name); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("got %v", err)
	}
}

func TestHugeFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "huge.toml")
	if err := os.WriteFile(name, []byte(strings.Repeat("#\n", maxFile)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := load(t, name); err == nil || !strings.Contains(err.Error(), "larger than 1MiB") {
		t.Errorf("got %v", err)
	}
}

func TestPrintHasEveryKeyWithItsManual(t *testing.T) {
	var text strings.Builder
	if err := Default().Write(&text); err != nil {
		t.Fatal(err)
	}
	for _, k := range Default().Keys() {
		name := k.Path[strings.LastIndexByte(k.Path, '.')+1:]
		manual := k.Doc[strings.LastIndexByte(k.Doc, '\n')+1:]
		if manual == "" || !strings.Contains(text.String(), manual+"\n"+name+" = ") {
			t.Errorf("%s: no manual above it in\n%s", k.Path, text.String())
		}
	}
}

func TestDefaultSocket(t *testing.T) {
	for _, c := range []struct {
		uid       int
		run, want string
	}{
		{0, "/run/user/0", "/run/weir/weir.sock"},
		{7, "/run/user/7", "/run/user/7/weir.sock"},
		{7, "", "/tmp/weir-7/weir.sock"},
	} {
		if got := DefaultSocket(c.uid, c.run, "/tmp"); got != c.want {
			t.Errorf("user %d: %s, want %s", c.uid, got, c.want)
		}
	}
}

func TestDerivedValues(t *testing.T) {
	c := Default()
	if c.SliceDeadline() != 5*time.Second {
		t.Errorf("deadline %v", c.SliceDeadline())
	}
	c.Deadline.Duration = time.Second
	if c.SliceDeadline() != time.Second {
		t.Errorf("deadline %v", c.SliceDeadline())
	}
	// Flows, slices, the background work of the store, the view of a computation: 131,072 flows.
	budgets := 64<<20 + 64<<20 + 64<<20 + 131072*265
	if want := int64(budgets + budgets/2 + 64<<20); c.MemoryLimit() != want {
		t.Errorf("limit %d, want %d", c.MemoryLimit(), want)
	}
	c.Store.Enabled = false
	c.Computations = nil
	if want := int64(256 * units.MiB); c.MemoryLimit() != want {
		t.Errorf("limit %d, want %d", c.MemoryLimit(), want)
	}
}

func TestFieldsThatAreNotInTheFileStay(t *testing.T) {
	reflected := reflect.TypeFor[stub]()
	for _, k := range Default().Keys() {
		if strings.Contains(k.Path, "Secret") || strings.HasSuffix(k.Path, ".-") {
			t.Errorf("%s of %s is a key", k.Path, reflected)
		}
	}
}

func FuzzDocument(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.toml")
	for _, file := range files {
		doc, _ := os.ReadFile(file)
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		l := newLoader(Default(), known)
		if l.document("", doc) != nil || l.validate() != nil {
			return
		}
		var text strings.Builder
		if err := l.config.Write(&text); err != nil {
			t.Fatal(err)
		}
		again := newLoader(Default(), nil)
		if err := again.document("", []byte(text.String())); err != nil {
			t.Fatalf("%v\n%s", err, text.String())
		}
	})
}
