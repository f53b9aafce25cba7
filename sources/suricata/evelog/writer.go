package evelog

import (
	"fmt"
	"path/filepath"
	"strings"
)

// writer writes the lines.
type writer struct{ strings.Builder }

// line writes one line, indented by so many steps.
func (w *writer) line(steps int, format string, args ...any) {
	fmt.Fprintf(&w.Builder, strings.Repeat("  ", steps)+format+"\n", args...)
}

// head says where it goes.
func (w *writer) head(o *Options) {
	w.line(1, "# Weir: what Suricata %d has to tell it (weir suricata-config --for %d).", o.Version, o.Version)
	w.line(1, "# Paste this below \"outputs:\" in /etc/suricata/suricata.yaml, beside what is there: other outputs go")
	w.line(1, "# on as they are. Then: suricata -T && systemctl restart suricata")
	w.line(1, "# Weir's side of it, in /etc/weir/weir.toml:")
	w.line(1, "#   [sources.suricata]")
	w.line(1, "#   %s = %q", o.Transport, o.Path)
	w.line(1, "# Suricata should see the home side of the router only, before NAT (af-packet: interface: br-lan). On")
	w.line(1, "# the other side every name seems to be asked for by the router, and on both every event comes twice.")
}

// item writes what is true of all types.
func (w *writer) item(o *Options) {
	w.line(1, "- eve-log:")
	w.line(3, "enabled: yes")
	for _, c := range transportComment(o) {
		w.line(3, "# %s", c)
	}
	w.line(3, "filetype: %s", o.Transport.filetype())
	w.line(3, "filename: %s", quoted(o.Path))
	w.line(3, "# Hardware addresses, off by default.")
	w.line(3, "ethernet: yes")
	w.line(3, "# Weir does not read these.")
	w.line(3, "metadata: no")
	w.line(3, "community-id: no")
	w.line(3, "pcap-file: no")
	w.line(3, "types:")
}

// transportComment says what to know of a transport.
func transportComment(o *Options) []string {
	switch o.Transport {
	case Datagram:
		return []string{
			"Weir listens here. The kernel keeps net.unix.max_dgram_qlen events, 10 on many systems, and Suricata",
			"drops what is more: sysctl net.unix.max_dgram_qlen=512 before Weir starts, or --transport stream.",
		}
	case File:
		return []string{"Weir follows this file. Nobody but you shortens it: rotate it, and send Suricata a SIGHUP."}
	default:
		return []string{
			"Weir listens here, and Suricata connects as soon as it has something to tell. It must be allowed to:",
			"by the mode and group in [sources.suricata], the directory " + filepath.Dir(o.Path) + ", AppArmor and",
			"security.landlock. docs/suricata.md has each of them.",
		}
	}
}

// quoted writes a text as YAML.
func quoted(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !plain(r) }) {
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	}
	return text
}

// plain says of characters that need no quotes in YAML anywhere in a path.
func plain(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("/._-", r)
}

// entry writes one type.
func (w *writer) entry(e *entry, o *Options) {
	for _, c := range e.why {
		w.line(4, "# %s", c)
	}
	options := e.options
	if e.ja4 && o.Fingerprints && o.Version >= 7 {
		options = append(options, "ja4: yes")
	}
	switch {
	case e.off:
		w.line(4, "#- %s", e.name)
	case len(options) == 0:
		w.line(4, "- %s", e.name)
	default:
		w.line(4, "- %s:", e.name)
	}
	for _, option := range options {
		w.line(6, "%s", option)
	}
}

// tail says what belongs elsewhere in the file.
func (w *writer) tail(o *Options) {
	if !o.Fingerprints {
		return
	}
	w.line(1, "# Fingerprints are switched on elsewhere in the file, in what is there already:")
	w.line(1, "#   app-layer:")
	w.line(1, "#     protocols:")
	w.line(1, "#       tls:")
	w.line(1, "#         ja3-fingerprints: yes")
	if o.Version >= 7 {
		w.line(1, "#         ja4-fingerprints: yes")
	}
}
