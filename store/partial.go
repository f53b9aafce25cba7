package store

import (
	"time"

	"weir/columns"
	"weir/messages"
)

// Partial gathers the answers of tiers to one request. It belongs to one goroutine.
type Partial struct {
	// By is what Groups are grouped by, as in the request.
	By []*columns.Column
	// Groups maps an encoded [GroupKey] to its sums.
	Groups map[string]*messages.Totals
	// Other sums, for each step, the rows that a budget folded: they have no columns, so that a filter
	// cannot choose among them. With a filter they are told in the answer and not counted in it.
	Other map[int]*messages.Totals
	// Overflow sums, for each step, the groups that did not fit into Request.MaxGroups.
	Overflow map[int]*messages.Totals
	// Losses of all slices that were read.
	Losses []messages.Loss
	// Incomplete counts slices that closed without some participant.
	Incomplete uint64
	// Covered is what the tiers really hold of the request's span, in whole slices; zero if nothing.
	Covered messages.Span
	// Resolution is the longest slice that was read.
	Resolution time.Duration
	// Slices and Rows count what was read.
	Slices, Rows uint64
}

// GroupKey is what tells two groups of an answer apart.
type GroupKey struct {
	// Step is the number of the step, from 0.
	Step int
	// Cells are the cells of the columns of Request.By, in that order.
	Cells []columns.Value
}
