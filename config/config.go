// Package config holds what can be configured: the defaults, the one TOML file, the environment and the
// flags, in that order, each over the one before it.
//
// Loading is strict: an unknown key or a value of the wrong kind is an error that says where it is and what
// was expected. The tables of sources and computations come from the registries of these packages, so that each brings
// its keys along and no line here changes.
package config

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"weir/computations"
	"weir/internal/units"
	"weir/sources"
)

// DefaultFile is read if it exists and no other file is named.
const DefaultFile = "/etc/weir/weir.toml"

// SystemSocket is where a daemon that runs as root listens unless configured otherwise.
const SystemSocket = "/run/weir/weir.sock"

// Config is the effective configuration. The comment tags are the user's manual: `weir config` prints
// them.
//
//nolint:lll // The manual of a key stands on one line with it.
type Config struct {
	DataDir     string         `toml:"data_dir" comment:"Directory for what must survive a restart."`
	Socket      string         `toml:"socket" comment:"Unix socket on which the daemon answers the commands. --socket or WEIR_SOCKET name it for one call."`
	SocketMode  FileMode       `toml:"socket_mode" comment:"Permissions of the socket. Whoever may write to it may ask everything."`
	SocketGroup string         `toml:"socket_group" comment:"Group that owns the socket, so that its members may ask without being root; empty: the daemon's own."`
	Slice       units.Duration `toml:"slice" comment:"Length of a slice, the finest resolution of answers. It must divide a day into equal parts."`
	Deadline    units.Duration `toml:"deadline" comment:"How long after its end a slice waits for participants that are late; 0s: half a slice."`
	Shards      int            `toml:"shards" comment:"How many actors share the live flows; 0: one for each core."`
	Home        Home           `toml:"home" comment:"What is home: a list of prefixes (\"192.168.1.0/24\") and interface names (\"br-lan\"), or \"auto\": found from the machine's interfaces."`

	Memory Memory `toml:"memory" comment:"Budgets of memory. Beyond a budget the coldest are folded into (other) and counted.\nThe Go runtime's soft limit follows from them (1.5 times what they and those of computations and of the store sum to, plus 64MiB) unless GOMEMLIMIT is set."`
	Store  Store  `toml:"store" comment:"History on disk: a journal, into which slices fall as they close, and a ladder of tiers of Parquet files, each coarser than the\none before."`
	Log    Log    `toml:"log" comment:"The daemon's log, written to standard error."`
	API    API    `toml:"api" comment:"HTTP for programs. The unix socket is always there."`

	// Sources are the kinds of sources of this build, sorted by name.
	Sources []Source `toml:"-"`
	// Computations are the kinds of computations of this build, sorted by name.
	Computations []Computation `toml:"-"`
}

// Memory bounds what the daemon keeps in memory.
//
//nolint:lll // The manual of a key stands on one line with it.
type Memory struct {
	Flows     units.Bytes    `toml:"flows" comment:"Budget of the table of live flows, all shards together."`
	Slices    units.Bytes    `toml:"slices" comment:"Budget of the closed slices that are kept in memory."`
	Retention units.Duration `toml:"retention" comment:"How long closed slices are kept in memory, as far as their budget allows."`
}

// Log says what is logged and how.
type Log struct {
	Level  string `toml:"level" comment:"trace, debug, info, warn or error."`
	Format string `toml:"format" comment:"human, json, or auto: human on a terminal, else json."`
}

// API is HTTP over TCP.
//
//nolint:lll // The manual of a key stands on one line with it.
type API struct {
	Listen      string `toml:"listen" comment:"TCP address such as \"127.0.0.1:8017\"; empty: none. There is no password: keep it on the loopback."`
	AllowRemote bool   `toml:"allow_remote" comment:"Allows an address in listen that other machines can reach."`
}

// Source is the table of one kind of source.
type Source struct {
	Name string
	Doc  string
	// Config is a pointer to the struct that the source registered, with the effective values.
	Config sources.Config
}

// Computation is the table of one kind of computation.
type Computation struct {
	Name string
	Doc  string
	Rank int
	// Config is a pointer to the struct that the computation registered, with the effective values.
	Config computations.Config
}

// FileMode is a set of permissions, written in octal.
type FileMode = units.FileMode

// Home lists prefixes, interface names, or "auto". In the file one text stands for a list of one.
type Home []string

// Auto in Home stands for what the machine's interfaces tell.
const Auto = "auto"

// UnmarshalText reads one text.
func (h *Home) UnmarshalText(text []byte) error {
	*h = Home{string(text)}
	return nil
}

// Expects says in words what the key takes.
func (Home) Expects() string { return `a list of prefixes and interface names, or "auto"` }

// IsAuto says whether the machine's interfaces decide.
func (h Home) IsAuto() bool { return len(h) == 1 && h[0] == Auto }

// Default makes the configuration without any file, environment or flags.
func Default() *Config {
	c := &Config{
		DataDir:    "/var/lib/weir",
		Socket:     DefaultSocket(os.Geteuid(), os.Getenv("XDG_RUNTIME_DIR"), os.TempDir()),
		SocketMode: 0o660,
		Slice:      units.Duration{Duration: 10 * time.Second},
		Home:       Home{Auto},
		Memory: Memory{
			Flows:     64 * units.MiB,
			Slices:    64 * units.MiB,
			Retention: units.Duration{Duration: time.Hour},
		},
		Store: defaultStore(),
		Log:   Log{Level: "info", Format: "auto"},
	}
	for _, d := range sources.All() {
		c.Sources = append(c.Sources, Source{Name: d.Name, Doc: d.Doc, Config: d.Defaults()})
	}
	for _, d := range computations.All() {
		c.Computations = append(c.Computations, Computation{
			Name: d.Name, Doc: d.Doc, Rank: d.Rank, Config: d.Defaults(),
		})
	}
	return c
}

// DefaultSocket says where a daemon of some user listens: root has a fixed place, others have a directory
// of their own.
func DefaultSocket(uid int, runtimeDir, tempDir string) string {
	if uid == 0 {
		return SystemSocket
	}
	own := filepath.Join(tempDir, fmt.Sprintf("weir-%d", uid))
	return filepath.Join(cmp.Or(runtimeDir, own), "weir.sock")
}

// SliceDeadline is how long a slice waits for the late.
func (c *Config) SliceDeadline() time.Duration {
	return cmp.Or(c.Deadline.Duration, c.Slice.Duration/2)
}

// MemoryLimit is the soft limit for the Go runtime: the budgets, half as much again for what the garbage
// collector has not yet taken back, and what the program needs beside them. Without it the heap may grow
// to twice of what is live, which a router may not have.
func (c *Config) MemoryLimit() int64 {
	budgets := int64(c.Memory.Flows) + int64(c.Memory.Slices)
	for _, n := range c.Computations {
		if !n.Config.Enabled() {
			continue
		}
		budgets += computations.ViewBytes(int64(c.Memory.Flows))
		if b, ok := n.Config.(computations.Budgeted); ok {
			budgets += b.MemoryBudget()
		}
	}
	if c.Store.Enabled {
		budgets += int64(storeMemory)
	}
	return budgets + budgets/2 + int64(64*units.MiB)
}
