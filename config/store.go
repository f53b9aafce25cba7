package config

import (
	"path/filepath"
	"slices"
	"time"

	"weir/internal/units"
	"weir/store/journal"
	"weir/store/tiers"
)

// Store is what is kept on disk.
//
//nolint:lll // The manual of a key stands on one line with it.
type Store struct {
	Enabled bool        `toml:"enabled" comment:"Keep history on disk. Without it all is forgotten that memory does not hold, and with each restart."`
	Dir     string      `toml:"dir" comment:"Directory of the history. A relative path is inside data_dir."`
	Sync    Sync        `toml:"sync" comment:"When closed slices are put on the medium: slice (a power cut costs the open slice, and so does kill -9), a duration such as\n1m (a power cut costs that much), or never (the system decides; a power cut may cost an hour). Each time wears flash."`
	Disk    units.Bytes `toml:"disk" comment:"What all files of the history may take; 0B sets no bound. Beyond it goes first what a coarser tier has too, the oldest of\nthe finest tier first; then the oldest of the coarsest tier."`

	JournalWrites units.Bytes `toml:"journal_writes_per_day" comment:"What is written to the journal in a day, to spare flash; 0B sets no bound. Beyond it slices are kept as sums alone, which are exact."`
	Rate          int         `toml:"rows_per_second" comment:"How many rows a second the work in the background reads, which moves the journal into files and rolls files up; 0 sets no bound."`

	Tiers []tiers.Level `toml:"tiers" comment:"The ladder of tiers, the finest first. Slices fall from the journal into the first, whose slices are as long as those that\nare closed, and are rolled up from each into the next. Without any [[store.tiers]] there are those for a home router."`
}

// storeMemory is what the work in the background takes at most, with the slices that wait for the disk.
const storeMemory = 64 * units.MiB

// Sync says when closed slices are put on the medium.
type Sync struct {
	Policy journal.SyncPolicy
	// Interval is that of the policy [journal.SyncInterval].
	Interval time.Duration
}

// Expects says in words what UnmarshalText reads.
func (Sync) Expects() string { return `"slice", a duration such as "1m", or "never"` }

// UnmarshalText reads a policy.
func (s *Sync) UnmarshalText(text []byte) error {
	switch string(text) {
	case "slice":
		*s = Sync{Policy: journal.SyncEvery}
		return nil
	case "never":
		*s = Sync{Policy: journal.SyncNever}
		return nil
	}
	d, err := units.ParseDuration(string(text))
	if err != nil || d <= 0 {
		return &Problem{Text: quote(clip(string(text))) + " is not " + s.Expects()}
	}
	*s = Sync{Policy: journal.SyncInterval, Interval: d}
	return nil
}

// MarshalText prints what UnmarshalText reads.
func (s Sync) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String prints what UnmarshalText reads.
func (s Sync) String() string {
	switch s.Policy {
	case journal.SyncEvery:
		return "slice"
	case journal.SyncNever:
		return "never"
	case journal.SyncInterval:
	}
	return units.FormatDuration(s.Interval)
}

// clip bounds what an error repeats of its input.
func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

func defaultStore() Store {
	return Store{
		Enabled: true, Dir: "store", Disk: 4 * units.GiB, Rate: 200_000, Tiers: defaultLadder(10 * time.Second),
	}
}

// StoreDir is the directory of the history.
func (c *Config) StoreDir() string {
	if filepath.IsAbs(c.Store.Dir) {
		return c.Store.Dir
	}
	return filepath.Join(c.DataDir, c.Store.Dir)
}

// defaultLadder is the ladder for slices of some length: that for a home router without the tiers that do not fit. A
// tier keeps slices for as long as those after it would have, which do not fit.
func defaultLadder(slice time.Duration) []tiers.Level {
	all := tiers.Default()
	first := all[0]
	if first.Slice.Duration != slice {
		first.Name, first.Slice = units.FormatDuration(slice), units.Duration{Duration: slice}
	}
	if slice > 0 && first.Bucket.Duration%slice != 0 {
		first.Bucket.Duration = units.Day
	}
	ladder := []tiers.Level{first}
	for _, l := range all[1:] {
		if longer := append(slices.Clone(ladder), l); tiers.Validate(longer, slice) == nil {
			ladder = longer
			continue
		}
		ladder[len(ladder)-1].Retention = l.Retention
	}
	return ladder
}

// fillLadder puts the ladder for the length of slices into the place of the default one, unless the file has one.
func (l *loader) fillLadder() {
	if _, set := l.origin[ladderPath]; !set {
		l.config.Store.Tiers = defaultLadder(l.config.Slice.Duration)
	}
	for i := range l.config.Store.Tiers {
		t := &l.config.Store.Tiers[i]
		if len(t.Columns) == 0 {
			t.Columns = nil
		}
		if len(t.Drop) == 0 {
			t.Drop = nil
		}
	}
}

// ladderPath is the key of the list of tiers.
const ladderPath = "store.tiers"

func (v *validator) store(c *Config) {
	s := &c.Store
	if !s.Enabled {
		return
	}
	v.check(s.Dir != "", "store.dir", "it is empty")
	v.check(s.Disk == 0 || s.Disk >= 16*units.MiB && s.Disk <= 1024*units.TiB, "store.disk",
		"%s is neither 0B nor between 16MiB and 1024TiB", s.Disk)
	v.check(s.JournalWrites == 0 || s.JournalWrites >= units.MiB, "store.journal_writes_per_day",
		"%s is neither 0B nor at least 1MiB", s.JournalWrites)
	v.check(s.Rate == 0 || s.Rate >= 1000, "store.rows_per_second", "%d is neither 0 nor at least 1000", s.Rate)
	if !v.good("slice") {
		return // What the ladder lacks follows from that.
	}
	for i := range s.Tiers {
		if err := tiers.Validate(s.Tiers[:i+1], c.Slice.Duration); err != nil {
			v.check(false, item(ladderPath, i)+"."+tiers.KeyOf(err), "%s", err)
			return
		}
	}
	v.check(len(s.Tiers) > 0, ladderPath, "there is no tier")
}

// good says that no problem was found with a key.
func (v *validator) good(key string) bool {
	return !slices.ContainsFunc(v.problems, func(p *Problem) bool { return p.Key == key })
}
