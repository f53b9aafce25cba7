package messages

import (
	"weir/columns"
)

// Change says what is new about a flow; the bits of several changes add up.
type Change uint8

// The changes.
const (
	// FlowStarted: computations hear of the flow for the first time.
	FlowStarted Change = 1 << iota
	// FlowChanged: it carries other tags, or more is known of who opened it or of its NAT.
	FlowChanged
	// FlowEnded: it is over. Tags that come now still reach its rows.
	FlowEnded
)

// Event is news of one flow for the computations: what is known of it now. It never changes.
type Event struct {
	Key Key
	// Start is when the incarnation began, as in Update.
	Start int64
	// Flow tells this incarnation apart from all others; see Rows.Flow.
	Flow uint64
	// Ends are the flow's real ends as its rows show them: behind NAT, Remote or Local may be another end than
	// those of the key.
	Ends columns.Flow
	// Tags are all that the flow carries. They never change.
	Tags []columns.Tag
	// LocalIsA: the local end is A of the key; otherwise B.
	LocalIsA bool
	// InitiatorB: B of the key opened the flow; otherwise A. It means something only if Oriented is set.
	InitiatorB bool
	Oriented   bool
	Change     Change
}

// Responder is the end of the key that did not open the flow, with the address that its peer knows it by,
// which under DNAT is not the real one. If nobody knows who opened the flow it is the remote end.
func (e *Event) Responder() (columns.KeyEnd, End) {
	if (e.Oriented && e.InitiatorB) || (!e.Oriented && !e.LocalIsA) {
		return columns.EndA, e.Key.A
	}
	return columns.EndB, e.Key.B
}

// Initiator is the other end than Responder.
func (e *Event) Initiator() (columns.KeyEnd, End) {
	if end, _ := e.Responder(); end == columns.EndA {
		return columns.EndB, e.Key.B
	}
	return columns.EndA, e.Key.A
}

// Events carry news from one shard to a computation. They never change.
type Events struct {
	Shard int
	// Time is when they were sent, in nanoseconds since 1970: what a computation takes for now.
	Time int64
	// Flows hold each flow once.
	Flows []Event
	Facts []Fact
}

// Amendment says better what slices that are closed already say of a flow: the cells replace what its
// rows have in those columns. Only tiers that can still change slices take it.
type Amendment struct {
	// Flow is as in Rows.Flow.
	Flow  uint64
	Cells []AmendedCell
}

// AmendedCell is a new value of a column that holds one.
type AmendedCell struct {
	Column *columns.Column
	Value  columns.Value
}
