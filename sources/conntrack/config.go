package conntrack

import (
	"fmt"
	"path/filepath"
	"strings"

	"weir/internal/units"
	"weir/sources"
)

// Bounds of the buffers.
const (
	minEventsBuffer = 4 * units.KiB
	// SO_RCVBUFFORCE takes an int, which the kernel doubles.
	maxEventsBuffer = 512 * units.MiB
	// An undeliverable event occupies the table until it is delivered, hence much room is the condition.
	minReliableBuffer = 8 * units.MiB
	minDumpBuffer     = 16 * units.KiB
	maxDumpBuffer     = units.MiB
)

// Config holds the parameters of the source, [sources.conntrack].
//
//nolint:lll // The manual of a key stands on one line with it.
type Config struct {
	On bool `toml:"enabled" comment:"Count what the kernel's connection tracking sees."`

	EventsBuffer units.Bytes `toml:"events_buffer" comment:"Socket buffer for the ends of flows. One event takes 1280 bytes of it. The kernel is forced to give it where\nCAP_NET_ADMIN allows that, else net.core.rmem_max caps it; the log and weir status say what was given."`

	DumpBuffer units.Bytes `toml:"dump_buffer" comment:"How much of the table one read takes. The kernel fills at most 32KiB."`

	Reliable bool `toml:"reliable" comment:"Let the kernel deliver the end of a flow again until there is room for it. Then nothing is lost in an overrun, at a\nprice: an ended flow fills the connection table until it is delivered, so that a reader that hangs makes the router\nrefuse new connections (a watchdog switches it off when the reader lags for 5s, and on again when it has kept up for\na minute), and other programs that listen to the same events get some of them twice. Needs events_buffer of 8MiB."`

	ManageSysctl bool `toml:"manage_sysctl" comment:"At start set net.netfilter.nf_conntrack_acct, _timestamp and _events to 1 and log what they were."`

	Announce bool `toml:"announce" comment:"Show flows as soon as they start, not only with the next slice."`

	Netns string `toml:"netns" comment:"Watch another network namespace: a name in /run/netns or a path. Empty: the daemon's own."`
}

func defaults() sources.Config {
	return &Config{
		On:           true,
		EventsBuffer: 8 * units.MiB,
		DumpBuffer:   32 * units.KiB,
		ManageSysctl: true,
		Announce:     true,
	}
}

// Enabled says whether the configuration asks for the source.
func (c *Config) Enabled() bool { return c.On }

// CountsBy names the key that makes the source count: it always does.
func (c *Config) CountsBy() string { return "enabled" }

// Validate checks the parameters without touching anything.
func (c *Config) Validate() error {
	switch {
	case c.EventsBuffer < minEventsBuffer || c.EventsBuffer > maxEventsBuffer:
		return fmt.Errorf("events_buffer: %s is not between %s and %s",
			c.EventsBuffer, minEventsBuffer, maxEventsBuffer)
	case c.Reliable && c.EventsBuffer < minReliableBuffer:
		return fmt.Errorf("reliable: needs events_buffer of at least %s, it is %s", minReliableBuffer, c.EventsBuffer)
	case c.DumpBuffer < minDumpBuffer || c.DumpBuffer > maxDumpBuffer:
		return fmt.Errorf("dump_buffer: %s is not between %s and %s", c.DumpBuffer, minDumpBuffer, maxDumpBuffer)
	case strings.ContainsRune(c.Netns, 0) || c.Netns == "." || c.Netns == "..":
		return fmt.Errorf("netns: %q is neither a name in %s nor a path", c.Netns, netnsDir)
	}
	return nil
}

// New builds the source; it opens nothing.
func (c *Config) New(core sources.Core) (sources.Source, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return newSource(*c, core), nil
}

// netnsDir is where ip-netns keeps its names.
const netnsDir = "/run/netns"

// netnsPath is the file of the namespace to watch, empty for our own.
func (c *Config) netnsPath() string {
	if c.Netns == "" || strings.ContainsRune(c.Netns, '/') {
		return c.Netns
	}
	return filepath.Join(netnsDir, c.Netns)
}
