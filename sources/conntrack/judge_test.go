package conntrack

import (
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir/internal/units"
	"weir/messages"
	"weir/sources"
)

func TestSilenceIsJudged(t *testing.T) {
	type dump struct {
		survivors, present, heard uint64
		missing                   uint64
		silent                    bool
	}
	for _, c := range []struct {
		name  string
		dumps []dump
	}{
		{"nothing ends", []dump{
			{0, 9, 0, 0, false}, {9, 20, 0, 0, false}, {20, 20, 0, 0, false}, {20, 20, 0, 0, false},
		}},
		{"ends are heard", []dump{
			{0, 90, 0, 0, false}, {50, 90, 40, 0, false}, {50, 90, 80, 0, false}, {50, 90, 120, 0, false},
		}},
		{"ends are not heard", []dump{
			{0, 90, 0, 0, false},
			{80, 90, 0, 10, false},
			{80, 90, 0, 10, false},
			{80, 90, 0, 10, true},
			{90, 90, 0, 0, true},
			{50, 90, 1, 0, false},
			{80, 90, 1, 10, false},
		}},
		{"a few may be counted twice", []dump{
			{0, 90, 0, 0, false},
			{89, 90, 0, 1, false},
			{89, 90, 0, 1, false},
			{89, 90, 0, 1, false},
			{89, 90, 0, 1, false},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s silence
			for i, d := range c.dumps {
				missing, silent := s.judge(&census{survivors: d.survivors, present: d.present}, d.heard)
				if missing != d.missing || silent != d.silent {
					t.Errorf("dump %d: %d missing, silent %v; want %d, %v", i, missing, silent, d.missing, d.silent)
				}
			}
		})
	}
}

func TestCensus(t *testing.T) {
	v := view{joined: 100, last: 200, began: 300}
	var c census
	for _, start := range []uint64{0, 99, 100, 199, 200, 299, 300, math.MaxUint64} {
		c.add(&record{start: start, have: haveTuples | haveCounters}, &v)
	}
	c.add(&record{status: statusOffload}, &v)
	c.add(&record{status: statusHWOffload, have: haveOrigCounters}, &v)
	want := census{records: 10, uncounted: 2, offloaded: 2, survivors: 2, present: 4}
	if c != want {
		t.Errorf("census = %+v, want %+v", c, want)
	}
	if !c.whole() || (&census{malformed: 1}).whole() || (&census{interrupted: true}).whole() {
		t.Error("whole is wrong")
	}
}

func TestWatchdog(t *testing.T) {
	full, empty := memInfo{queued: 90, limit: 100}, memInfo{limit: 100}
	var w watchdog
	expect := func(drained uint64, m memInfo, change, on bool) {
		t.Helper()
		if c, o := w.tick(drained, m); c != change || o != on {
			t.Fatalf("tick = %v, %v; want %v, %v", c, o, change, on)
		}
	}
	for i := range uint64(100) {
		expect(i+1, full, false, false) // It is full at times, and keeps up.
	}
	for range 100 {
		expect(100, empty, false, false) // Nothing comes.
	}
	for range lagLimit - 1 {
		expect(100, full, false, false)
	}
	expect(100, full, true, false)
	for range 2 * steadyLimit {
		expect(100, full, false, false) // It still lags.
	}
	for range steadyLimit - 1 {
		expect(101, empty, false, false)
	}
	expect(101, empty, true, true)
	expect(101, empty, false, false)
}

func TestConfig(t *testing.T) {
	cfg := defaults().(*Config)
	if err := cfg.Validate(); err != nil || !cfg.Enabled() {
		t.Fatalf("defaults: %v, enabled %v", err, cfg.Enabled())
	}
	for _, c := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.EventsBuffer = 1 }, "events_buffer: 1B is not between"},
		{func(c *Config) { c.EventsBuffer = units.GiB }, "events_buffer: 1GiB is not between"},
		{func(c *Config) { c.EventsBuffer, c.Reliable = units.MiB, true }, "reliable: needs events_buffer"},
		{func(c *Config) { c.DumpBuffer = 4 * units.KiB }, "dump_buffer: 4KiB is not between"},
		{func(c *Config) { c.DumpBuffer = units.GiB }, "dump_buffer: 1GiB is not between"},
		{func(c *Config) { c.Netns = ".." }, "netns:"},
	} {
		cfg := defaults().(*Config)
		c.change(cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("validate = %v, want %q", err, c.want)
		}
		if src, err := cfg.New(sources.Core{}); err == nil || src != nil {
			t.Errorf("new with a bad configuration = %v, %v", src, err)
		}
	}
	for netns, want := range map[string]string{"": "", "lan": "/run/netns/lan", "/proc/7/ns/net": "/proc/7/ns/net"} {
		if got := (&Config{Netns: netns}).netnsPath(); got != want {
			t.Errorf("path of %q = %q, want %q", netns, got, want)
		}
	}
}

func TestRegistered(t *testing.T) {
	for _, d := range sources.All() {
		if d.Name != "conntrack" {
			continue
		}
		src, err := d.Defaults().New(sources.Core{Name: "conntrack"})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := src.(sources.Puller); !ok {
			t.Error("the source cannot be asked")
		}
		return
	}
	t.Error("the source is not registered")
}

func TestHealthTellsAll(t *testing.T) {
	s := newSource(*defaults().(*Config), sources.Core{})
	s.metrics.ready.Store(true)
	seen := map[string]bool{}
	for _, m := range s.Health().Metrics {
		if seen[m.Name] || m.Help == "" || m.Gauge == strings.HasSuffix(m.Name, "_total") {
			t.Errorf("metric %+v", m)
		}
		seen[m.Name] = true
	}
	s.conditions.set(bufferCapped, "a")
	if h := s.Health(); h.State != sources.Running || h.Detail != "a" {
		t.Errorf("health = %+v", h)
	}
	if !s.conditions.set(eventsOff, "b") || s.conditions.set(eventsOff, "c") {
		t.Error("set does not tell what is new")
	}
	if h := s.Health(); h.State != sources.Degraded || h.Detail != "c; a" {
		t.Errorf("health = %+v", h)
	}
}

// TestDropsAreCountedOverTheWrap has the kernel's counter of drops wrap.
func TestDropsAreCountedOverTheWrap(t *testing.T) {
	s := newSpace(t)
	var sock *socket
	s.in(t, func() (err error) { sock, err = dial(1<<12, new(atomic.Uint64)); return err })
	defer sock.close()
	var told []uint64
	l := &listener{sock: sock, drops: math.MaxUint32 - 4, overran: func(n uint64, span messages.Span) {
		told = append(told, n)
		if span.Duration() != time.Second {
			t.Errorf("span = %v", span)
		}
	}}
	l.lastGood = time.Now()
	now := l.lastGood.Add(time.Second)
	if err := errors.Join(l.tellDrops(now), l.tellDrops(now)); err != nil {
		t.Fatal(err)
	}
	if len(told) != 2 || told[0] != 5 || told[1] != 0 {
		t.Errorf("told %v, want 5 and 0", told)
	}
}
