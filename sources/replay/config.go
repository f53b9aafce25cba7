package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"weir/messages"
	"weir/sources"
	"weir/sources/recording"
)

// Config holds the parameters of the source, [sources.replay].
//
//nolint:lll // The manual of a key stands on one line with it.
type Config struct {
	File  string  `toml:"file" comment:"A recording to play, made with weir record; empty: none. Its flows count together with those of other sources."`
	Speed float64 `toml:"speed" comment:"1 plays in real time, 10 ten times as fast, 0 as fast as possible."`
	Loop  bool    `toml:"loop" comment:"Play the file again and again. Each time its flows are new ones."`

	// place is how far the file was played; see there.
	place *place
}

func defaults() sources.Config { return &Config{Speed: 1} }

// Enabled says whether the configuration asks for the source.
func (c *Config) Enabled() bool { return c.File != "" }

// Validate checks the parameters without touching anything.
func (c *Config) Validate() error {
	if c.Speed < 0 || math.IsNaN(c.Speed) || math.IsInf(c.Speed, 0) {
		return fmt.Errorf("speed: %v is not a factor of 0 or more", c.Speed)
	}
	return nil
}

// New builds the source; it opens nothing. A source for the same core goes on where the one before it
// ended.
func (c *Config) New(core sources.Core) (sources.Source, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.place == nil || !c.place.since.Equal(core.CountsSince) {
		c.place = &place{since: core.CountsSince}
	}
	return &source{config: c, core: core, place: c.place, told: told{state: sources.Starting}}, nil
}

// Check reads the whole recording and says whether it is sound.
func (c *Config) Check(ctx context.Context) []sources.Finding {
	if !c.Enabled() {
		return nil
	}
	finding := sources.Finding{Level: sources.Good, Subject: "sources.replay.file"}
	var torn *recording.TornError
	switch err := c.readAll(ctx); {
	case err == nil:
		finding.Text = c.File + " is a whole recording"
	case errors.As(err, &torn):
		finding.Level, finding.Text = sources.Notice, fmt.Sprintf("%s: %v; what comes before is used", c.File, err)
	default:
		finding.Level, finding.Text = sources.Broken, fmt.Sprintf("%s: %v", c.File, err)
		finding.Cure = "name another file, or make the recording anew with: weir record"
	}
	return []sources.Finding{finding}
}

// readAll reads the recording to its end and gives nothing to anybody.
func (c *Config) readAll(ctx context.Context) error {
	file, err := os.Open(c.File)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return cmp.Or(err, errors.New("not a regular file"))
	}
	r, err := recording.NewReader(file)
	for err == nil {
		b := messages.NewBatch()
		_, err = r.Next(b)
		b.Release()
		err = cmp.Or(err, ctx.Err())
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
