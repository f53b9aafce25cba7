package store

import (
	"context"
	"time"

	"weir/messages"
)

// Archive keeps closed slices for longer than memory does. Append and Relabel are called by one goroutine, Step by
// another one at the same time, the rest by many at any time.
type Archive interface {
	// Append keeps a slice, which nobody changes any more. Slices come in the order of their numbers; numbers may be
	// missing. After an error or a panic the archive is as it was, and the slice is offered again.
	Append(s *messages.Slice) error
	// Relabel is as in Tier.
	Relabel(since uint64, delta time.Duration) error
	// Step does one piece of the work that can wait, bounded in time, memory and what it reads and writes; it
	// returns soon after ctx is done. more says that there is more to do now.
	Step(ctx context.Context) (more bool, err error)
	// NeedsAccounts says that the next slice should bring the accounts of all live flows.
	NeedsAccounts() bool
	// Status says how it does.
	Status() ArchiveStatus
}

// ArchiveStatus is what an archive tells about itself.
type ArchiveStatus struct {
	// Detail says in a sentence or two what is wrong, with its cause and its cure; empty if nothing is.
	Detail string
	// Waiting counts slices that it has taken and that are not on the medium yet, Dropped those that it had to give
	// up since.
	Waiting, Dropped uint64
	// WrittenToday is how many bytes it has written to the medium today.
	WrittenToday uint64
}
