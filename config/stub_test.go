package config

import (
	"errors"
	"testing"

	"weir/computations"
	"weir/internal/units"
	"weir/sources"
)

// stub is a source with keys of all kinds.
type stub struct {
	On     bool        `toml:"enabled" comment:"Whether."`
	Buffer units.Bytes `toml:"buffer" comment:"How much."`
	Count  int         `toml:"count" comment:"How many; \"quoted\"."`
	Ratio  float64     `toml:"ratio" comment:"What part."`
	Label  string      `toml:"label" comment:"A text."`
	Names  []string    `toml:"names" comment:"A list."`
	Secret int         `toml:"-"`
}

func (s *stub) Enabled() bool { return s.On }

func (s *stub) Validate() error {
	switch s.Count {
	case 13:
		return errors.New("bad luck")
	case 99:
		return errors.New("count: 99 is too many")
	}
	return nil
}

func (*stub) New(sources.Core) (sources.Source, error) { return nil, errors.ErrUnsupported }

// other is a second source, to see that two stand side by side.
type other struct {
	On   bool   `toml:"enabled" comment:"Whether."`
	Path string `toml:"path" comment:"Where."`
}

func (s *other) Enabled() bool                          { return s.On }
func (*other) Validate() error                          { return nil }
func (*other) New(sources.Core) (sources.Source, error) { return nil, errors.ErrUnsupported }

// guess is a computation.
type guess struct {
	On    bool     `toml:"enabled" comment:"Whether."`
	Lists []string `toml:"lists" comment:"Which files."`
	Most  int      `toml:"most" comment:"How many at most."`
}

func (g *guess) Enabled() bool { return g.On }

func (g *guess) Validate() error {
	if g.Most < 0 {
		return errors.New("most is negative")
	}
	return nil
}

func (*guess) New(computations.Core) (computations.Computation, error) {
	return nil, errors.ErrUnsupported
}

func TestMain(m *testing.M) {
	sources.Register(sources.Definition{
		Name: "stub", Doc: "A source for tests.",
		Defaults: func() sources.Config { return &stub{On: true, Buffer: units.MiB, Ratio: 1, Names: []string{"z"}} },
	})
	sources.Register(sources.Definition{
		Name: "other", Doc: "Another source for tests.",
		Defaults: func() sources.Config { return &other{} },
	})
	computations.Register(computations.Definition{
		Name: "guess", Doc: "A computation for tests.", Rank: 3,
		Defaults: func() computations.Config { return &guess{On: true, Lists: []string{"/etc/weir/*.list"}, Most: 9} },
	})
	m.Run()
}
