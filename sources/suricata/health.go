package suricata

import (
	"fmt"
	"time"

	"weir/sources"
)

// freshFor is how long a trouble that has passed is shown.
const freshFor = time.Minute

// Health tells how it goes.
func (s *Source) Health() sources.Health {
	if !s.ready.Load() {
		return sources.Health{State: sources.Starting, Metrics: s.metrics()}
	}
	var h health
	now := time.Now()
	if s.losses.shedSince(now.Add(-freshFor)) {
		h.say(true, "events are dropped because they come faster than they can be used; let Suricata log fewer types "+
			"(weir suricata-config prints those that weir uses)")
	}
	if at := s.stats.refusedAt.Load(); at > 0 && now.Sub(time.Unix(0, at)) < freshFor {
		h.say(true, fmt.Sprintf("a connection to %s was refused, since %d are open", s.cfg.Stream, maxConnections))
	}
	s.notes.tell(&h)
	if s.cfg.Stream != "" && s.stats.connections.Load() == 0 {
		h.say(false, fmt.Sprintf("nobody is connected to %s; Suricata connects when it starts and with each event, if "+
			"its eve-log has filetype: unix_stream and this filename (weir suricata-config prints it)", s.cfg.Stream))
	}
	if s.cfg.Datagram != "" && s.stats.datagrams.Load() == 0 {
		h.say(false, fmt.Sprintf("nothing came to %s yet; Suricata's eve-log needs filetype: unix_dgram and this "+
			"filename", s.cfg.Datagram))
	}
	state, detail := h.result()
	return sources.Health{State: state, Detail: detail, Metrics: s.metrics()}
}

func (s *Source) metrics() []sources.Metric {
	bytes, lines := s.queue.level()
	n := s.stats
	list := []sources.Metric{
		gauge("connections", "Suricatas that are connected", float64(n.connections.Load())),
		counter("connections_total", "connections that were accepted", n.conns.Load()),
		counter("refused_connections_total", "connections refused because there were too many", n.refused.Load()),
		counter("datagrams_total", "datagrams that were received", n.datagrams.Load()),
		counter("rotations_total", "changes to a new file", n.rotations.Load()),
		counter("truncations_total", "times that the file was made shorter", n.truncations.Load()),
		counter("lines_total", "lines that were read, with those that were dropped at the queue", n.lines.Load()),
		counter("received_bytes_total", "bytes that were read", n.bytes.Load()),
		gauge("queue_bytes", "memory of the queue in use", float64(bytes)),
		gauge("queue_lines", "lines in the queue", float64(lines)),
	}
	list = append(list, s.losses.metrics()...)
	if told := s.worker.told.Load(); told != nil {
		list = append(list, *told...)
	}
	return list
}
