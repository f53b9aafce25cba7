package messages

import "weir/columns"

// Account says up to which counters one incarnation of a flow is booked, so that a daemon that is started
// again goes on from there and counts nothing twice.
type Account struct {
	// Flow is as in Rows.Flow, of the process that wrote the account.
	Flow  uint64
	Key   Key
	Start int64
	ID    uint32
	// Last are the counters up to which everything is booked, of what A and what B sent.
	Last [2]Counter
	// LocalIsA: the local end is A of the key.
	LocalIsA bool
	// Ended: the end is booked; the account is needed for a few slices more only.
	Ended bool
	// Vanished: the end is booked, since the flow is missing from snapshots, but it may come back. Who does not
	// keep this may book an end twice, and no byte.
	Vanished bool
	// Tags are what the flow carries. They never change.
	Tags []columns.Tag
}
