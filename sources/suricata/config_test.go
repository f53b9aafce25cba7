package suricata

import (
	"strings"
	"testing"

	"weir/internal/units"
	"weir/sources"
)

func TestDefaultsAreOff(t *testing.T) {
	for _, d := range sources.All() {
		if d.Name != "suricata" {
			continue
		}
		c := d.Defaults().(*Config)
		if c.Enabled() || c.Validate() != nil || c.CountsBy() != "" || c.Mode != 0o660 || c.MaxLine != units.MiB {
			t.Errorf("%+v", c)
		}
		return
	}
	t.Error("not registered")
}

func TestValidate(t *testing.T) {
	long := "/" + strings.Repeat("x", maxPath-1)
	for want, change := range map[string]func(*Config){
		"":                                 func(c *Config) { c.Stream, c.Datagram, c.File = long, "/d", long+"x" },
		"stream: \"s\" is not an absolute": func(c *Config) { c.Stream = "s" },
		"datagram: the path is longer than 107 bytes":    func(c *Config) { c.Datagram = long + "x" },
		"file: \"../eve.json\" is not an absolute":       func(c *Config) { c.File = "../eve.json" },
		"file: \"/a\\x00b\" has a character in it":       func(c *Config) { c.File = "/a\x00b" },
		"stream: \"/a\\nb\" has a character in it":       func(c *Config) { c.Stream = "/a\nb" },
		"datagram: is the same path as stream":           func(c *Config) { c.Stream, c.Datagram = "/s", "/s" },
		"file: is the same path as that of a socket":     func(c *Config) { c.Stream, c.File = "/s", "/s" },
		"statistics: there is nothing to count from":     func(c *Config) { c.Statistics = true },
		"max_line: 100B is not between 4KiB and 10MiB":   func(c *Config) { c.MaxLine = 100 },
		"max_line: 11MiB is not between":                 func(c *Config) { c.MaxLine = 11 * units.MiB },
		"queue: 1KiB is not between":                     func(c *Config) { c.Queue = units.KiB },
		"queue: 1GiB is not between":                     func(c *Config) { c.Queue = units.GiB },
		"queue: 8MiB is less than twice max_line (5MiB)": func(c *Config) { c.MaxLine = 5 * units.MiB },
	} {
		c := defaults().(*Config)
		change(c)
		err := c.Validate()
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if src, bad := c.New(sources.Core{}); (bad == nil) != (err == nil) || (src == nil) != (err != nil) {
			t.Errorf("New: %v, %v", src, bad)
		}
	}
}

func TestCountsBy(t *testing.T) {
	if c := (&Config{Statistics: true}); c.CountsBy() != "statistics" {
		t.Error(c.CountsBy())
	}
}

// TestPlaceIsForOneCore says that another core does not go on where this one was.
func TestPlaceIsForOneCore(t *testing.T) {
	c := defaults().(*Config)
	c.File = "/f"
	place := func(since int64) *place {
		s, err := c.New(sources.Core{CountsSince: unixTime(since)})
		if err != nil {
			t.Fatal(err)
		}
		return s.(*Source).cfg.place
	}
	one := place(1)
	if place(1) != one || place(2) == one {
		t.Error("the place does not follow the core")
	}
}
