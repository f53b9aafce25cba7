package conntrack

import "weir/sources"

func init() {
	sources.Register(sources.Definition{
		Name:     "conntrack",
		Doc:      "Counts every flow that the kernel's connection tracking sees, by its dumps and its events.",
		Defaults: defaults,
	})
}
