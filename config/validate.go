package config

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"weir/internal/units"
	"weir/sources"
)

// Levels and formats of the log.
var (
	logLevels  = []string{"trace", "debug", "info", "warn", "error"} //nolint:gochecknoglobals // A constant list.
	logFormats = []string{"auto", "human", "json"}                   //nolint:gochecknoglobals // A constant list.
)

// maxSocket is what fits into the kernel's address of a unix socket.
const maxSocket = 107

// validate checks what the types cannot say, and adds where the wrong value came from.
func (l *loader) validate() error {
	found := l.config.Validate()
	problems := make([]error, 0, len(found))
	for _, p := range found {
		p.Where = l.where(p.Key)
		problems = append(problems, p)
	}
	return errors.Join(problems...)
}

// where says where a key was set, or the nearest table around it.
func (l *loader) where(path string) string {
	for path != "" {
		if at, ok := l.origin[path]; ok {
			return at
		}
		dot := max(strings.LastIndexByte(path, '.'), 0)
		path = path[:dot]
	}
	return ""
}

// Validate lists all that is wrong with the values. It touches nothing of the machine.
func (c *Config) Validate() []*Problem {
	v := &validator{schema: newSchema(c)}
	v.paths(c)
	v.slices(c)
	v.home(c.Home)
	v.memory(c)
	v.store(c)
	v.oneOf("log.level", c.Log.Level, logLevels)
	v.oneOf("log.format", c.Log.Format, logFormats)
	v.listen(c.API)
	for _, k := range c.kinds() {
		k.validate(v)
	}
	v.counting(c.Sources)
	return v.problems
}

// validator gathers problems.
type validator struct {
	schema   *schema
	problems []*Problem
}

// check adds a problem unless the value is right.
func (v *validator) check(right bool, key, format string, args ...any) {
	if !right {
		v.problems = append(v.problems, &Problem{Key: key, Text: fmt.Sprintf(format, args...)})
	}
}

func (v *validator) paths(c *Config) {
	v.check(filepath.IsAbs(c.DataDir), "data_dir", "%q is not an absolute path", c.DataDir)
	v.check(filepath.IsAbs(c.Socket), "socket", "%q is not an absolute path", c.Socket)
	v.check(len(c.Socket) <= maxSocket, "socket", "the path is longer than %d bytes, the most for a socket", maxSocket)
}

func (v *validator) slices(c *Config) {
	s := c.Slice.Duration
	whole := s >= time.Second && units.Day%s == 0
	v.check(whole, "slice",
		"%s does not divide a day into equal parts of at least a second; try 10s, 30s or 1m", c.Slice)
	v.check(c.Deadline.Duration <= s, "deadline", "%s is longer than a slice (%s)", c.Deadline, c.Slice)
	v.check(c.Shards >= 0 && c.Shards <= 256, "shards", "%d is not between 0 and 256", c.Shards)
}

func (v *validator) home(h Home) {
	v.check(len(h) > 0, "home", "the list is empty; \"auto\" finds the home networks by itself")
	for _, item := range h {
		_, errPrefix := netip.ParsePrefix(item)
		_, errAddr := netip.ParseAddr(item)
		v.check(errPrefix == nil || errAddr == nil || isInterface(item), "home",
			"%q is neither a prefix such as \"192.168.1.0/24\", nor the name of an interface, nor \"auto\"", item)
	}
}

// isInterface says whether the kernel could have an interface of this name.
func isInterface(s string) bool {
	return s != "" && len(s) <= 15 && s != "." && s != ".." && !strings.ContainsAny(s, "/: \t\r\n")
}

func (v *validator) memory(c *Config) {
	v.budget("memory.flows", c.Memory.Flows)
	v.budget("memory.slices", c.Memory.Slices)
	v.check(c.Memory.Retention.Duration >= c.Slice.Duration, "memory.retention",
		"%s is shorter than a slice (%s)", c.Memory.Retention, c.Slice)
}

func (v *validator) budget(key string, b units.Bytes) {
	v.check(b >= units.MiB && b <= units.TiB, key, "%s is not between 1MiB and 1TiB", b)
}

func (v *validator) oneOf(key, value string, known []string) {
	v.check(slices.Contains(known, value), key, "%q is not one of %s", value, strings.Join(known, ", "))
}

func (v *validator) listen(a API) {
	if a.Listen == "" {
		return
	}
	host, port, err := net.SplitHostPort(a.Listen)
	if err != nil || port == "" {
		v.check(false, "api.listen", "%q is not an address such as \"127.0.0.1:8017\"", a.Listen)
		return
	}
	addr, err := netip.ParseAddr(host)
	loopback := host == "localhost" || err == nil && addr.IsLoopback()
	v.check(loopback || a.AllowRemote, "api.listen",
		"%q can be reached from other machines and there is no password: set api.allow_remote = true if that is meant",
		a.Listen)
}

// counting refuses two sources that count the same traffic.
func (v *validator) counting(list []Source) {
	first := ""
	for _, s := range list {
		c, ok := s.Config.(sources.Counting)
		if !ok || !s.Config.Enabled() || c.CountsBy() == "" {
			continue
		}
		key := "sources." + s.Name + "." + c.CountsBy()
		v.check(first == "", key,
			"counts what is counted already because of %s, and every byte would count twice: set one of them to false",
			first)
		first = cmp.Or(first, key)
	}
}
