package suricata

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unicode"

	"weir/internal/units"
	"weir/sources"
)

// Bounds of the configuration.
const (
	minLine  = 4 * units.KiB
	maxLine  = 10 * units.MiB // Suricata writes no longer ones.
	minQueue = 256 * units.KiB
	maxQueue = 256 * units.MiB
	// maxPath is what fits into the kernel's address of a unix socket, for Suricata as for us.
	maxPath = 107
)

// Config holds the parameters of the source, [sources.suricata].
//
//nolint:lll // The manual of a key stands on one line with it.
type Config struct {
	Stream   string `toml:"stream" comment:"Unix stream socket to listen on, such as \"/run/weir/eve.sock\"; Suricata connects to it (filetype: unix_stream). The best\nway: weir suricata-config prints what to put into suricata.yaml. Empty: none."`
	Datagram string `toml:"datagram" comment:"Unix datagram socket to listen on (filetype: unix_dgram). The kernel keeps net.unix.max_dgram_qlen events for a reader,\n10 unless set, so that events are lost where it is not raised. Empty: none."`
	File     string `toml:"file" comment:"File of Suricata to follow (filetype: regular), with its rotations. What it holds when weir starts is not read; a file\nthat appears later is read from its beginning. Empty: none."`

	Mode  units.FileMode `toml:"mode" comment:"Permissions of the sockets. Whoever may write to them can tell weir names."`
	Group string         `toml:"group" comment:"Group that owns the sockets, such as that of Suricata's user; empty: the daemon's own."`

	MaxLine units.Bytes `toml:"max_line" comment:"Longest event that is read, up to 10MiB; longer ones are skipped and counted."`
	Queue   units.Bytes `toml:"queue" comment:"Memory for events that were read and not yet looked at. When it is full, events from sockets are dropped and counted;\na file is read on later."`

	Statistics bool `toml:"statistics" comment:"Count bytes and packets from Suricata's flow records, which come when a flow has ended. Only for a machine where nothing\nelse counts: with sources.conntrack.enabled every byte would count twice, and is refused."`

	// place is how far the file was read; see there.
	place *place
}

func defaults() sources.Config {
	return &Config{Mode: 0o660, MaxLine: units.MiB, Queue: 8 * units.MiB}
}

// Enabled says whether the configuration asks for the source: it does if it names a way to listen.
func (c *Config) Enabled() bool { return c.Stream != "" || c.Datagram != "" || c.File != "" }

// CountsBy names the key that makes the source count the traffic, empty if it does not.
func (c *Config) CountsBy() string {
	if c.Statistics {
		return "statistics"
	}
	return ""
}

// Validate checks the parameters without touching anything.
func (c *Config) Validate() error {
	for _, p := range []struct {
		key, path string
		socket    bool
	}{{"stream", c.Stream, true}, {"datagram", c.Datagram, true}, {"file", c.File, false}} {
		if err := validatePath(p.key, p.path, p.socket); err != nil {
			return err
		}
	}
	switch {
	case c.Statistics && !c.Enabled():
		return errors.New("statistics: there is nothing to count from: set stream, datagram or file too")
	case c.Stream != "" && c.Stream == c.Datagram:
		return fmt.Errorf("datagram: is the same path as stream: %s", c.Stream)
	case c.File != "" && (c.File == c.Stream || c.File == c.Datagram):
		return fmt.Errorf("file: is the same path as that of a socket: %s", c.File)
	case c.MaxLine < minLine || c.MaxLine > maxLine:
		return fmt.Errorf("max_line: %s is not between %s and %s", c.MaxLine, minLine, maxLine)
	case c.Queue < minQueue || c.Queue > maxQueue:
		return fmt.Errorf("queue: %s is not between %s and %s", c.Queue, minQueue, maxQueue)
	case c.Queue < 2*c.MaxLine:
		return fmt.Errorf("queue: %s is less than twice max_line (%s)", c.Queue, c.MaxLine)
	}
	return nil
}

func validatePath(key, path string, socket bool) error {
	switch {
	case path == "":
		return nil
	case strings.ContainsFunc(path, unicode.IsControl):
		return fmt.Errorf("%s: %q has a character in it that does not print", key, path)
	case !filepath.IsAbs(path):
		return fmt.Errorf("%s: %q is not an absolute path", key, path)
	case socket && len(path) > maxPath:
		return fmt.Errorf("%s: the path is longer than %d bytes, the most for a socket", key, maxPath)
	}
	return nil
}

// New builds the source; it opens nothing. A source for the same core goes on with the file where the one before
// it ended.
func (c *Config) New(core sources.Core) (sources.Source, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.place == nil || !c.place.since.Equal(core.CountsSince) {
		c.place = &place{since: core.CountsSince}
	}
	return newSource(*c, core), nil
}
