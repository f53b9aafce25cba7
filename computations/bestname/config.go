package bestname

import (
	"fmt"
	"path/filepath"

	"weir/computations"
	"weir/internal/units"
)

// Bounds of the cache.
const (
	minCache = 64 * units.KiB
	maxCache = units.GiB
)

// Heuristic says what becomes of an address for which several names fit and nothing tells which.
type Heuristic string

// The heuristics.
const (
	// HeuristicNone gives no name rather than a wrong one.
	HeuristicNone Heuristic = "none"
	// HeuristicShortest takes the shortest of the names.
	HeuristicShortest Heuristic = "shortest"
)

// Expects says in words what UnmarshalText reads.
func (Heuristic) Expects() string { return `"none" or "shortest"` }

// UnmarshalText reads a heuristic.
func (h *Heuristic) UnmarshalText(text []byte) error {
	switch v := Heuristic(text); v {
	case HeuristicNone, HeuristicShortest:
		*h = v
		return nil
	default:
		return fmt.Errorf("%.40q is not %s", text, h.Expects())
	}
}

// Config holds the parameters of the computation, [computations.bestname].
//
//nolint:lll // The manual of a key stands on one line with it.
type Config struct {
	On bool `toml:"enabled" comment:"Give the ends of flows the names that their users expect: local.name, remote.name and what belongs to them."`

	Lists []string `toml:"lists" comment:"Files of rules that put many hosts of one service under one name; * and ? stand for parts of a file's name. docs/names.md\nhas the format. Of two rules for the same hosts the one in the later file counts. A changed file is read again within seconds."`

	Curated bool `toml:"curated" comment:"Use the rules that come with weir, beneath those of the lists."`

	Heuristic Heuristic `toml:"heuristic" comment:"What to do when several names fit an address and nothing tells which: none gives no name, shortest takes the shortest one."`

	Cache units.Bytes `toml:"cache" comment:"Budget for what is remembered of DNS answers and of the devices at home. Beyond it the longest unused is forgotten."`
}

func defaults() computations.Config {
	return &Config{
		On: true, Lists: []string{"/etc/weir/names.d/*.list"}, Curated: true,
		Heuristic: HeuristicNone, Cache: 8 * units.MiB,
	}
}

// Enabled says whether the configuration asks for the computation.
func (c *Config) Enabled() bool { return c.On }

// Validate checks the parameters without touching anything.
func (c *Config) Validate() error {
	switch {
	case c.Cache < minCache || c.Cache > maxCache:
		return fmt.Errorf("cache: %s is not between %s and %s", c.Cache, minCache, maxCache)
	case c.Heuristic != HeuristicNone && c.Heuristic != HeuristicShortest:
		return fmt.Errorf("heuristic: %.40q is not %s", c.Heuristic, c.Heuristic.Expects())
	}
	for _, p := range c.Lists {
		if _, err := filepath.Match(p, ""); err != nil {
			return fmt.Errorf("lists: %.80q is no pattern: a bracket is not closed, or a \\ ends it", p)
		}
		if !filepath.IsAbs(p) {
			return fmt.Errorf("lists: %.80q is not an absolute path, in which * and ? may stand for parts of names", p)
		}
	}
	return nil
}

// New builds the computation.
func (c *Config) New(core computations.Core) (computations.Computation, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return newComputation(*c, core), nil
}

func init() {
	computations.Register(computations.Definition{
		Name:     "bestname",
		Doc:      "Gives each end of a flow the name that its user would expect, and tells what it rests on.",
		Rank:     10,
		Defaults: defaults,
	})
}

// MemoryBudget is what is remembered beside the view of live flows.
func (c *Config) MemoryBudget() int64 { return int64(c.Cache) }
