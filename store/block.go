package store

import "weir/messages"

// Head is what is known of a closed slice beside its rows.
type Head struct {
	// Seq numbers slices in the order in which they closed, over restarts of the program too.
	Seq      uint64
	Span     messages.Span
	Losses   []messages.Loss
	Complete bool
	// Other sums the rows of the slice that have no columns.
	Other messages.Totals
}

// Block is a stretch of rows that may be of several slices: how tiers on disk read them and hand them on. Its
// Part.Other is empty: what has no columns is told with the head of its slice.
type Block struct {
	Part
	// Starts tells of each row when its slice starts, in nanoseconds since 1970.
	Starts Ints
}
