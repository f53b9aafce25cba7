package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"weir/config"
	"weir/sources"
	"weir/sources/suricata/evelog"
)

// checkSources asks each enabled source what is wrong with this machine. A build or a configuration without
// any source is a finding too.
func checkSources(ctx context.Context, c *config.Config) []sources.Finding {
	var found []sources.Finding
	enabled := 0
	for _, s := range c.Sources {
		if !s.Config.Enabled() {
			continue
		}
		enabled++
		if checker, ok := s.Config.(sources.Checker); ok {
			found = append(found, checker.Check(ctx)...)
		}
	}
	if enabled == 0 {
		found = append(found, noSource(c))
	}
	if err := ownSocket(c); err != nil {
		found = append(found, sources.Finding{Level: sources.Broken, Subject: "sources", Text: err.Error()})
	}
	return append(found, nothingCounts(c)...)
}

// nothingCounts warns if all sources that are enabled bring names and no bytes.
func nothingCounts(c *config.Config) []sources.Finding {
	tells := ""
	for _, s := range c.Sources {
		if !s.Config.Enabled() {
			continue
		}
		if counting, says := s.Config.(sources.Counting); !says || counting.CountsBy() != "" {
			return nil
		}
		tells = s.Name
	}
	if tells == "" {
		return nil
	}
	return []sources.Finding{{
		Level: sources.Warning, Subject: "sources", Text: "nothing counts: " + tells + " only tells names of flows",
		Cure: "sources.conntrack.enabled = true, or sources." + tells +
			".statistics = true where the kernel tracks nothing",
	}}
}

// ownSocket refuses a source that would listen, or read, where the daemon itself answers.
func ownSocket(c *config.Config) error {
	for _, s := range c.Sources {
		l, ok := s.Config.(listening)
		if !ok || c.Socket == "" {
			continue
		}
		for _, t := range evelog.Transports() {
			if path := l.Where(string(t)); path != "" && filepath.Clean(path) == filepath.Clean(c.Socket) {
				return fmt.Errorf("sources.%s.%s: %s is the socket on which weir answers (key socket): "+
					"choose another path", s.Name, t, path)
			}
		}
	}
	return nil
}

// listening is a source that says where it listens or reads.
type listening interface{ Where(key string) string }

func noSource(c *config.Config) sources.Finding {
	f := sources.Finding{
		Level: sources.Broken, Subject: "sources",
		Text: "no source is enabled, so there can be no data",
	}
	if len(c.Sources) == 0 {
		f.Cure = "build weir with a source, for example: make build"
	} else {
		f.Cure = "weir run --set sources." + c.Sources[0].Name + ".enabled=true, or set it in the configuration"
		if _, ok := c.Sources[0].Config.(listening); ok { // It has no such key.
			f.Cure = "set stream, datagram or file of sources." + c.Sources[0].Name + ", and statistics = true"
		}
	}
	return f
}

// mark is the sign in front of a finding.
func (s *screen) mark(l sources.Level) string {
	ascii, sign, st := "-", "·", plain
	switch l {
	case sources.Good:
		ascii, sign, st = "ok", "✔", green
	case sources.Notice:
		ascii, sign, st = "i", "i", plain
	case sources.Warning:
		ascii, sign, st = "!", "!", yellow
	case sources.Broken:
		ascii, sign, st = "x", "✗", red
	}
	if s.marks {
		return s.paint(st, sign)
	}
	return s.paint(st, ascii+strings.Repeat(" ", 2-len(ascii)))
}

// finding prints one finding with its cure.
func (s *screen) finding(f sources.Finding) {
	s.printf("%s %s: %s\n", s.mark(f.Level), s.paint(bold, escape(f.Subject)), escape(f.Text))
	if f.Cure == "" {
		return
	}
	lines := strings.Split(f.Cure, "\n")
	s.printf("     cure: %s\n", escape(lines[0]))
	for _, line := range lines[1:] {
		s.printf("           %s\n", escape(line))
	}
}

// has says whether any finding is of this level.
func has(found []sources.Finding, l sources.Level) bool {
	return slices.ContainsFunc(found, func(f sources.Finding) bool { return f.Level == l })
}

// changes gathers what setup can do about the findings.
func changes(found []sources.Finding) []sources.Change {
	var list []sources.Change
	for _, f := range found {
		list = append(list, f.Changes...)
	}
	return list
}
