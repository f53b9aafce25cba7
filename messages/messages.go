// Package messages is what the parts of Weir say to each other. It holds no logic beyond what keeps a
// message well formed.
//
// Messages that stay inside the process are plain Go and are never written to after they are sent; a
// [Batch] is the one exception, it belongs to whoever received it last. What crosses a process or
// reaches a disk has a protobuf schema in package weirpb.
package messages

import "time"

// Span is a half-open stretch of time [Start, End).
type Span struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// Duration is End − Start.
func (s Span) Duration() time.Duration { return s.End.Sub(s.Start) }

// Overlaps says whether the two spans share an instant.
func (s Span) Overlaps(o Span) bool { return s.Start.Before(o.End) && o.Start.Before(s.End) }

// Loss is what the program knows it did not see. It is stored with the slice it touches and shown with
// every answer whose range holds that slice.
type Loss struct {
	// Source names who lost it: "conntrack", "shard-1", "slicer".
	Source string
	// Kind is one of the Loss… constants.
	Kind LossKind
	// Count says how many Units were lost; 0 if that is unknown.
	Count uint64
	// Bytes says how many bytes of traffic are missing from the rows; 0 if that is unknown.
	Bytes uint64
	// Span is when it happened.
	Span Span
	// Detail is one sentence for the user.
	Detail string
}

// LossKind says what was lost and thus what an answer may lack.
type LossKind string

// The kinds of loss. The texts are part of the JSON answers.
const (
	// LossOverrun: the kernel dropped Count events because the reader was too slow.
	LossOverrun LossKind = "overrun"
	// LossShed: a source without credit dropped Count updates.
	LossShed LossKind = "shed"
	// LossDown: a source did not run for a while.
	LossDown LossKind = "source-down"
	// LossLate: a participant missed the deadline of the slice; its data land in the next one.
	LossLate LossKind = "late"
	// LossRestart: a shard or tier was restarted; Count updates could not be applied.
	LossRestart LossKind = "restart"
	// LossZeroed: another program set Count flows' counters back to zero.
	LossZeroed LossKind = "zeroed"
	// LossUncounted: Count flows have no counters, since they are older than accounting.
	LossUncounted LossKind = "uncounted"
	// LossUnseen: Count flows ended before their first counters were known.
	LossUnseen LossKind = "unseen"
	// LossClock: the clock was set while the slice was open; its span is not the time it took.
	LossClock LossKind = "clock"
	// LossUntagged: nothing is lost from the totals, but tags may be missing: a computation was late, or
	// Count of its updates were dropped.
	LossUntagged LossKind = "untagged"
	// LossFolded: nothing is lost from the totals, but Count rows lost their columns to a budget.
	LossFolded LossKind = "folded"
	// LossDamaged: Count slices that were stored cannot be read any more, or could not be stored.
	LossDamaged LossKind = "damaged"
)

// Metric is one number that a part tells about itself.
type Metric struct {
	// Name is lower case with underscores, and its unit at the end: "destroy_events_total", "dump_seconds".
	Name string
	// Help is half a sentence.
	Help string
	// Gauge may fall; any other metric is a counter.
	Gauge bool
	Value float64
}
