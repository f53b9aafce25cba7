package suricata

import "weir/sources"

func init() {
	sources.Register(sources.Definition{
		Name:     "suricata",
		Doc:      "Learns names and protocols of flows from what Suricata writes; off until a path is set.",
		Defaults: defaults,
	})
}
