package suricata

import (
	"cmp"
	"context"
	"net"
	"slices"
	"strings"
	"time"

	"weir/sources"
	"weir/sources/suricata/eve"
	"weir/sources/suricata/translate"
)

// decoding decodes lines and translates their events.
type decoding struct {
	lines      *eve.Lines
	translator *translate.Translator
	out        sources.Writer
	// each is a method value that is made once and not with every line.
	each func(*eve.Event)

	// Of the line in work.
	ctx      context.Context //nolint:containedctx // It lasts no longer than line.
	conn     uint64
	received time.Time
	err      error

	glued, bad uint64 // told by counts
}

func newDecoding(c *Config, out sources.Writer) handler {
	d := &decoding{
		lines: eve.NewLines(), out: out,
		translator: translate.New(translate.Options{Statistics: c.Statistics, OwnMACs: ownMACs()}),
	}
	d.each = d.event
	return d
}

// ownMACs are the hardware addresses of this machine. If they cannot be had, an end may get that of the router.
func ownMACs() (list [][6]byte) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil
	}
	for i := range interfaces {
		if mac := interfaces[i].HardwareAddr; len(mac) == 6 {
			list = append(list, [6]byte(mac))
		}
	}
	return list
}

func (d *decoding) line(ctx context.Context, conn uint64, raw []byte, received time.Time) error {
	d.ctx, d.conn, d.received, d.err = ctx, conn, received, nil
	d.lines.Line(raw, d.each)
	return d.err
}

func (d *decoding) event(e *eve.Event) {
	if d.err == nil {
		d.err = d.translator.Event(d.ctx, d.conn, e, d.received, d.out)
	}
}

func (d *decoding) forget(ctx context.Context, conn uint64) error {
	return d.translator.Forget(ctx, conn, d.out)
}

func (d *decoding) counts() (metrics []sources.Metric, glued, bad uint64) {
	lines, used := d.lines.Counts(), d.translator.Counts()
	unreadable := lines.BadJSON + lines.TooDeep
	glued, d.glued = lines.Glued-d.glued, lines.Glued
	bad, d.bad = unreadable-d.bad, unreadable
	metrics = append(lineMetrics(&lines), translateMetrics(&used)...)
	return append(metrics, typeMetrics(lines.Types)...), glued, bad
}

func counter(name, help string, v uint64) sources.Metric {
	return sources.Metric{Name: name, Help: help, Value: float64(v)}
}

func gauge(name, help string, v float64) sources.Metric {
	return sources.Metric{Name: name, Help: help, Value: v, Gauge: true}
}

func lineMetrics(c *eve.Counts) []sources.Metric {
	return []sources.Metric{
		counter("events_total", "events that were read", c.Events),
		counter("recovered_events_total", "of these, on one line with an event that was cut", c.Recovered),
		counter("joined_events_total", "of these, behind a whole event on the same line", c.Joined),
		counter("untyped_objects_total", "objects that are no events", c.NoType),
		counter("prefixed_lines_total", "lines with something before the event", c.Prefixed),
		counter("junk_total", "pieces of lines that are neither events nor cut ones", c.Junk),
		counter("odd_values_total", "values of events of another type than expected", c.Odd),
		counter("clipped_values_total", "values of events that were too long or too many", c.Clipped),
	}
}

func translateMetrics(c *translate.Counts) []sources.Metric {
	list := make([]sources.Metric, 0, 8+int(translate.Reasons))
	list = append(list,
		counter("used_events_total", "events that said something of use", c.Used),
		counter("updates_total", "updates of flows made of events", c.Updates),
		counter("tags_total", "tags in these updates", c.Tags),
		counter("facts_total", "facts made of events", c.Facts),
		counter("repeated_facts_total", "facts that were told a moment before", c.FactsRepeated),
		counter("excess_values_total", "values of one event beyond the bounds", c.Excess),
		counter("forgotten_flows_total", "flows of Suricata forgotten to make room", c.FlowsForgotten),
		gauge("remembered_flows", "flows of Suricata that are remembered", float64(c.FlowsKept)),
	)
	for r := range translate.Reasons {
		list = append(list, counter("unused_events_"+r.String()+"_total",
			"events that were not used, by reason", c.Unused[r]))
	}
	return list
}

// otherTypes is the metric of all types whose names are none.
const otherTypes = "other"

// typeMetrics counts events by type. The types come from outside: there is a bound to their number, and a name that
// Suricata would not give is not shown.
func typeMetrics(types map[string]uint64) []sources.Metric {
	sums := make(map[string]uint64, len(types))
	for name, n := range types {
		if !isWord(name) {
			name = otherTypes
		}
		sums[name] += n
	}
	list := make([]sources.Metric, 0, len(sums))
	for name, n := range sums {
		list = append(list, counter("events_"+name+"_total", "events that were read, by type", n))
	}
	slices.SortFunc(list, func(a, b sources.Metric) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

func isWord(s string) bool {
	return s != "" && len(s) <= 24 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}
