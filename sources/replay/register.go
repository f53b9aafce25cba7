package replay

import "weir/sources"

func init() {
	sources.Register(sources.Definition{
		Name:     "replay",
		Doc:      "Plays a recording of what other sources sent, for tests, demonstrations and benchmarks.",
		Defaults: defaults,
	})
}
