package conntrack

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir/sources"
)

// condition is something that the user should know; the order is the order in which they are told.
type condition int

const (
	dumpsFail condition = iota
	eventsOff
	eventsSilent
	noTracking
	noCounters
	noTimestamps
	reliableOff
	bufferCapped // the only one that takes nothing away as yet
	conditionCount
)

// conditions are what holds now, each with its sentence.
type conditions struct {
	mu    sync.Mutex
	texts [conditionCount]string
}

// set says that a condition holds; it is true if it did not before.
func (c *conditions) set(n condition, text string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	fresh := c.texts[n] == ""
	c.texts[n] = text
	return fresh
}

func (c *conditions) clear(n condition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.texts[n] = ""
}

// state tells all conditions that hold.
func (c *conditions) state() (sources.State, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	state, texts := sources.Running, []string(nil)
	for n, text := range c.texts {
		if text == "" {
			continue
		}
		texts = append(texts, text)
		if condition(n) != bufferCapped {
			state = sources.Degraded
		}
	}
	return state, strings.Join(texts, "; ")
}

// metrics are the numbers of the source, for any goroutine.
type metrics struct {
	ready atomic.Bool

	dumps, failedDumps, redumps              atomic.Uint64
	dumpNanos, records, uncounted, offloaded atomic.Uint64 // of the last dump
	emptyDumps                               atomic.Uint64 // in a row
	destroys, starts                         atomic.Uint64
	overruns, lostEnds, delayed, lostStarts  atomic.Uint64
	malformed, foreign                       atomic.Uint64
	eventsBuffer, reliable                   atomic.Uint64
	entries, maxEntries                      atomic.Uint64 // of the kernel, as are those below
	dropped, earlyDropped, insertFailed      atomic.Uint64
}

// Health tells how it goes.
func (s *Source) Health() sources.Health {
	h := sources.Health{Metrics: s.metrics.list()}
	h.State, h.Detail = s.conditions.state()
	if !s.metrics.ready.Load() {
		h.State = sources.Starting
	}
	return h
}

func (m *metrics) list() []sources.Metric {
	counter := func(name, help string, v *atomic.Uint64) sources.Metric {
		return sources.Metric{Name: name, Help: help, Value: float64(v.Load())}
	}
	gauge := func(name, help string, v *atomic.Uint64) sources.Metric {
		return sources.Metric{Name: name, Help: help, Value: float64(v.Load()), Gauge: true}
	}
	seconds := time.Duration(m.dumpNanos.Load()).Seconds() //nolint:gosec // It came from a Duration.
	return []sources.Metric{
		gauge("flows", "flows in the last dump", &m.records),
		gauge("flows_without_counters", "of these, without counters: older than accounting", &m.uncounted),
		gauge("offloaded_flows", "of these, on a fast path past the kernel's stack", &m.offloaded),
		{Name: "dump_seconds", Help: "how long the last dump took", Value: seconds, Gauge: true},
		counter("dumps_total", "complete dumps", &m.dumps),
		counter("failed_dumps_total", "dumps that failed or were broken off", &m.failedDumps),
		counter("redumps_total", "dumps that an overrun made necessary", &m.redumps),
		counter("destroy_events_total", "ends of flows that were heard", &m.destroys),
		counter("new_events_total", "starts of flows that were heard", &m.starts),
		counter("enobufs_total", "overruns of the socket for ends", &m.overruns),
		counter("lost_events_total", "ends of flows that the kernel dropped", &m.lostEnds),
		counter("delayed_events_total", "ends of flows that the kernel kept to tell them again", &m.delayed),
		counter("lost_new_events_total", "starts of flows that the kernel dropped; they cost nothing", &m.lostStarts),
		counter("malformed_total", "messages that could not be read", &m.malformed),
		counter("foreign_total", "messages that did not come from the kernel", &m.foreign),
		gauge("events_buffer_bytes", "socket buffer for ends that the kernel gave", &m.eventsBuffer),
		gauge("reliable", "1 if the kernel keeps ends that it cannot deliver", &m.reliable),
		gauge("nf_conntrack_count", "entries of the kernel's table, with those that are dying", &m.entries),
		gauge("nf_conntrack_max", "entries that the kernel's table may have", &m.maxEntries),
		counter("drop_total", "packets that the kernel dropped because the table was full", &m.dropped),
		counter("early_drop_total", "entries that the kernel gave up to make room", &m.earlyDropped),
		counter("insert_failed_total", "entries that the kernel could not insert", &m.insertFailed),
	}
}
