package bestname

import "weir/computations"

// Patterns are the paths of the lists.
func (c *computation) Patterns() []string { return c.config.Lists }

// Read takes lists in the place of those that were read before. All live flows are looked at again before
// the slice closes.
func (c *computation) Read(files []computations.File, view *computations.View, _ computations.Out) []error {
	base := noRules()
	if c.config.Curated {
		base = curatedRules()
	}
	r, errs := base.with(files)
	c.rules = r
	for e := range view.All() {
		c.enqueue(e.Flow, c.now)
	}
	return errs
}
