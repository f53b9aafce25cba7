// Package store says what a storage tier is: it keeps closed slices and answers queries about them.
// Every tier passes the contract suite in package storetest.
package store

import (
	"context"
	"time"

	"weir/columns"
	"weir/messages"
)

// Tier keeps closed slices. Append and Relabel are called by one goroutine; the rest may be called by many at
// any time, also during an Append. An Append that panics or fails leaves what was there before.
type Tier interface {
	// Append keeps a slice, which nobody changes any more.
	Append(s *messages.Slice) error
	// Relabel adds delta to the times of all slices since and including number seq, rounded down to
	// whole slices: the clock had not been set when they closed.
	Relabel(since uint64, delta time.Duration) error
	// Query adds what the tier knows about the request into the answer.
	Query(ctx context.Context, r *Request, into *Partial) error
	// Coverage says what the tier holds.
	Coverage() Coverage
}

// Coverage is what a tier holds and what it costs.
type Coverage struct {
	// Name of the tier.
	Name string `json:"name"`
	// Span runs from the earliest start of a slice to the latest end; zero if there is none.
	Span messages.Span `json:"span"`
	// Resolution is the length of its slices, in JSON in nanoseconds.
	Resolution time.Duration `json:"resolution_ns"`
	// Slices and Rows are counts of what is held.
	Slices uint64 `json:"slices"`
	Rows   uint64 `json:"rows"`
	// Folded counts rows that lost their columns to a budget and now count in (other).
	Folded uint64 `json:"folded_total"`
	// Amended counts rows that were amended, AmendmentsCut the amendments that could not reach all slices that
	// were held then.
	Amended       uint64 `json:"amended_total"`
	AmendmentsCut uint64 `json:"amendments_cut_total"`
	// Bytes is the memory or disk that it takes, Budget what it may take.
	Bytes  uint64 `json:"bytes"`
	Budget uint64 `json:"budget"`
}

// Request is a query as every tier understands it.
type Request struct {
	// Span chooses the slices that start in it.
	Span messages.Span
	// Step cuts the answer into a timeline; 0 sums the whole span. A slice counts in the step in
	// which it starts; steps begin at Origin.
	Step time.Duration
	// Origin is where step 0 begins. A planner that cuts Span leaves it as it is, so that the parts fit.
	Origin time.Time
	// Filter chooses rows; nil takes all.
	Filter Filter
	// By are the columns to group by.
	By []*columns.Column
	// MaxGroups bounds the answer's memory; what does not fit is summed in Partial.Overflow. 0 sets no bound.
	MaxGroups int
	// Skip are measures at which nobody will look: a tier that need not read them may leave them 0.
	Skip [Measures]bool
}

// Holds says whether a slice that starts then is asked for.
func (r *Request) Holds(start time.Time) bool {
	return !start.Before(r.Span.Start) && start.Before(r.Span.End)
}

// StepOf is the number of the step in which a slice that starts then counts.
func (r *Request) StepOf(start time.Time) int {
	if r.Step <= 0 {
		return 0
	}
	return max(0, int(start.Sub(r.Origin)/r.Step))
}

// Filter is a test on rows, as a tree of [And], [Or], [Not] and [Match].
type Filter interface{ filter() }

// And passes if all of its parts do; the empty And passes always.
type And []Filter

// Or passes if any of its parts does; the empty Or never does.
type Or []Filter

// Not passes if its part does not.
type Not struct{ Filter Filter }

// Match passes if the row's cell in Column does. It is called once for each distinct cell of a part,
// the empty cell too.
type Match struct {
	Column *columns.Column
	Cell   func(cell columns.Value) bool
	// Equals is what Cell comes down to, or nil if that cannot be told: a cell passes if it is one of these
	// values or, of a column with sets, if one of these is in it. It lets a tier look values up.
	Equals []columns.Value
}

func (And) filter()   {}
func (Or) filter()    {}
func (Not) filter()   {}
func (Match) filter() {}
