package messages

import (
	"time"

	"weir/columns"
)

// SnapshotRequest asks a pull source for what it knows now, just before a slice closes.
type SnapshotRequest struct {
	// Seq is the number of the slice that is about to close.
	Seq uint64
	// Deadline is when the slice closes without this source.
	Deadline time.Time
}

// SnapshotTaken answers a SnapshotRequest. All updates of the snapshot were posted before it.
type SnapshotTaken struct {
	Seq    uint64
	Source string
	// Complete says that every live flow was in it: what was missing is gone.
	Complete bool
	// Began is when the snapshot began; what ended before that is not in it.
	Began time.Time
	// Records is how many flows it held.
	Records uint64
	// Err says why there is none, or nil.
	Err error
}

// FlushEvents asks a shard to hand its pending events to the computations, before those of some rank settle;
// EventsFlushed answers it.
type FlushEvents struct {
	Seq  uint64
	Rank int
}

// EventsFlushed answers FlushEvents.
type EventsFlushed struct {
	Seq   uint64
	Rank  int
	Shard int
}

// Settle asks a computation of some rank to issue what it still owes for the slice.
type Settle struct {
	Seq  uint64
	Rank int
}

// Settled answers Settle.
type Settled struct {
	Seq         uint64
	Computation string
}

// CloseSlice tells a shard to hand over the rows of the open slice.
type CloseSlice struct {
	Seq  uint64
	Span Span
	// Snapshots are the complete snapshots that this slice rests on, by source: a flow that is missing
	// from several of them in a row has vanished.
	Snapshots []SnapshotTaken
	// Accounts asks for the accounts of all live flows, not only of those that did something.
	Accounts bool
}

// SlicePart is what one shard contributes to a slice.
type SlicePart struct {
	Seq   uint64
	Shard int
	Rows  *Rows
	// Amendments say better what earlier slices say of flows of this shard.
	Amendments []Amendment
	// Accounts are those of the flows that did something in the slice, or of all if AllAccounts is set; none if
	// nobody keeps them.
	Accounts    []Account
	AllAccounts bool
	// Losses are what the shard itself knows to be missing.
	Losses []Loss
}

// SealSlice tells the memory tier which slice is closing, how many parts belong to it and, once the
// deadline has passed, to go on without the missing ones.
type SealSlice struct {
	Seq      uint64
	Span     Span
	Parts    int
	Losses   []Loss
	Complete bool
	// Now is set when the deadline has passed.
	Now bool
}

// SliceClosed is told to subscribers when a slice is published.
type SliceClosed struct {
	Slice *Slice
}

// ClockSet tells that the wall clock was set by Delta, at slice Seq. Unset says that the clock had
// never been right before, so what was labelled with it can be labelled anew.
type ClockSet struct {
	Delta time.Duration
	Unset bool
}

// Slice is one closed slice. It never changes.
type Slice struct {
	// Seq counts slices since the process began; it never jumps back as the clock may.
	Seq  uint64
	Span Span
	// Parts hold the rows, one part a shard.
	Parts []*Rows
	// Amendments are about earlier slices, and about rows in this one that came too late for an earlier one.
	Amendments []Amendment
	// Accounts are those of all shards; AllAccounts says that they are those of all live flows.
	Accounts    []Account
	AllAccounts bool
	// Losses touch this slice.
	Losses []Loss
	// Complete says that every participant answered in time.
	Complete bool
}

// Rows are rows of one slice, column by column. Row i has the cell Cells[j].Dict[Cells[j].IDs[i]] in
// column j.
type Rows struct {
	Cells []Cells
	// Up is local to remote.
	UpBytes, UpPackets, DownBytes, DownPackets []uint64
	// Started and Ended count flows that began and ended in the slice.
	Started, Ended []uint32
	// Flow names the incarnation of each row, the same in all slices of this process and never 0, for
	// amendments; nil if nobody will amend the rows.
	Flow []uint64
	// Other is what was folded away: it counts in totals and has no columns.
	Other Totals
}

// Cells is one column of Rows.
type Cells struct {
	Column *columns.Column
	// Dict holds the distinct cells; Dict[0] is always the empty one.
	Dict []columns.Value
	IDs  []uint32
}

// Totals sum rows.
type Totals struct {
	Up, Down Counter
	// Started and Ended count flows; Rows is how many rows went in.
	Started, Ended, Rows uint64
}

// Len is the number of rows.
func (r *Rows) Len() int { return len(r.UpBytes) }

// Totals sums all rows and what was folded.
func (r *Rows) Totals() Totals {
	t := r.Other
	for i := range r.UpBytes {
		t.Up.Bytes += r.UpBytes[i]
		t.Up.Packets += r.UpPackets[i]
		t.Down.Bytes += r.DownBytes[i]
		t.Down.Packets += r.DownPackets[i]
		t.Started += uint64(r.Started[i])
		t.Ended += uint64(r.Ended[i])
	}
	t.Rows += uint64(len(r.UpBytes))
	return t
}

// Add adds another sum.
func (t *Totals) Add(o Totals) {
	t.Up.Bytes += o.Up.Bytes
	t.Up.Packets += o.Up.Packets
	t.Down.Bytes += o.Down.Bytes
	t.Down.Packets += o.Down.Packets
	t.Started += o.Started
	t.Ended += o.Ended
	t.Rows += o.Rows
}

// Alias is the second key of a flow behind NAT, as told to the shard that owns its hash, so that an update
// under that key finds the flow.
type Alias struct {
	// Key is the second key, Owner the first one.
	Key, Owner Key
	// Gone says that the flow is no more.
	Gone bool
}

// LearnAliases tells a shard of aliases whose hashes it owns. It costs one credit of that shard; a
// shard without credit to give loses them, which is counted.
type LearnAliases struct {
	Shard   int
	Aliases []Alias
}
