// Package actors is the supervised tree: it runs sources, shards of live flows, the slicer and the memory
// tier, each as an actor that is restarted when it panics. It is the only package that knows the actor
// library; everybody else sees [System].
//
// # The tree
//
//	root ── tier/memory       puts the parts of slices together, the only writer of the tier
//	     ├─ archive           hands closed slices to what keeps them on disk, if there is such
//	     ├─ shard-0 … N-1     own the live flows, behind a gate each
//	     ├─ computation/NAME  derives tags from what the shards tell, behind an inlet for each shard
//	     ├─ slicer            closes slices
//	     └─ source/NAME       makes a source and runs it
//
// A child that panics is restarted by the root after 100 ms, then twice that, and so on up to 30 s; when it
// has run for 10 s the count begins anew. The root never gives up on a child. If the root itself fails,
// [System.Fatal] tells, and the process must end.
//
// What must survive a panic lies outside the actor, in its seat: the flow table, the half-closed slice, the
// slice that the tier has not taken yet, the slices that wait for the archive, the credits. The message that made an
// actor panic is given to it once more after the restart; if it fails again it is given up, and what was in
// it is told as loss.
//
// # Data
//
// Sources write updates into batches, one for each shard. A batch costs a credit of the shard's gate, which
// has 64. Who posts takes the credit before; it comes back when the shard takes the batch out of its
// mailbox. Control messages cost nothing. Whatever a writer has taken is delivered or told as loss: also what lies in
// the writers of a source that has failed or was stopped.
//
// # Closing a slice
//
// See slicer.go for the machine. A round asks the pull sources that are ready for a snapshot; for each rank of
// computations it has the shards flush their events and then the computations settle; and it has the shards hand
// their rows to the memory tier. Shards answer a flush behind all that was posted before, so that what they
// forwarded to each other is in the slice too. The whole round has one deadline, half a slice unless configured, of
// which each phase has its share; who misses it is told as loss of the kind late, and what he brings later is in a
// later slice. If the memory tier does not take slices, the open one stays open after the third.
//
// # The archive
//
// The memory tier's actor puts each slice that it has published onto a rack (rack.go), from which a goroutine of the
// archive's actor takes it; another goroutine has the archive do its work in the background, piece by piece, resting
// as long as it works. Nobody waits for either. If the archive refuses a slice, it is offered again, in order, after
// 1 s up to 1 min; if it panics, its actor is restarted, and a slice over which it panics twice is given up. At most 64
// slices and 65,536 rows wait. Beyond that the oldest is dropped; the next one tells how much was in it, and brings its
// accounts, so that a restart counts nothing twice, and all accounts are asked for.
//
// A start goes on from an earlier process if it is given its accounts (resume.go): slices are numbered on, the tables
// know up to which counters each flow is booked, and the first slice tells the time between as loss.
//
// # Computations
//
// The only loop, shard to computation to shard, cannot lock: a shard never waits for a computation. It hands over
// (herald.go) while the computation has credits (inlet.go), and keeps the rest: events in the table of flows or, with
// several computations, in a bounded queue (news.go); facts in a bounded queue. A computation's updates (tagger.go)
// wait for the credits of shards as those of sources do, for a bounded time. A shard answers a flush at once, and
// marks what it still owes; the computation settles when no shard owes it anything.
//
// A computation that fails is made anew and has all flows told again. It is late for the slice, which is complete all
// the same and tells a loss of the kind untagged. What it keeps lies in a file (kept.go); the files that it reads are
// looked after beside it (files.go).
//
// # The clock
//
// Slices are spans of the wall clock, all of the same length, aligned to it; numbers of slices only grow.
// The first begins when counting does, and is shorter.
// At least once a second the slicer compares what the wall clock and a monotonic clock moved, and takes
// a difference of more than 0.1 s (and a tenth of what passed, so that slewing is none) for a clock that
// was set. All shards are told before the next snapshot is asked for, and the open slice tells it as loss of
// the kind clock, because its label is not the time that it took. Then:
//
//   - Set forward, beyond the end of the open slice: it is closed at once with the label it has, and the next
//     one is that which holds the new time.
//   - Set back by no more than a slice: the open slice stays open until the clock has caught up.
//   - Set back by more: the open slice is closed at once, and the next one is that which holds the new time.
//     Its label, and later ones, may overlap those of older slices.
//   - Suspend and resume: both clocks jump, nothing was set. The open slice, overdue, is closed at once
//     and tells that it stayed open longer than its label says.
//   - A clock that shows a time before 2025 was never set: a router that boots without one. Slices get
//     the labels that it tells. When it is set for the first time, the memory tier moves the labels of all
//     slices since the first such one by as much.
//
// # Draining
//
// [System.Drain] asks the pull sources once more, stops the sources and posts what they hold, closes the open
// slice without asking any source, stops the computations, which save what they keep, and then stops shards, tier,
// archive and root, each behind all that waits for it.
// What a shard still applied after the last slice goes into one more slice. Each phase has a deadline; one
// that misses it is told, and the drain goes on.
package actors
