package computations

// Budgeted is a [Config] that knows how much memory its computation takes beside its view.
type Budgeted interface {
	// MemoryBudget is that in bytes.
	MemoryBudget() int64
}

const (
	// flowCost is more than what a flow takes in a view, in bytes: a view takes at most as much as the live flows
	// may.
	flowCost         = 512
	minRoom, maxRoom = 1 << 12, 1 << 18
	// flowBytes is what a flow takes in a view that is full.
	flowBytes = 265
)

// Room is how many flows a computation may look into, by the budget of live flows in bytes, 0 for none.
func Room(budget int64) int {
	if budget <= 0 {
		return maxRoom
	}
	return int(min(max(budget/flowCost, minRoom), maxRoom))
}

// ViewBytes is what a view with so much room takes at most.
func ViewBytes(budget int64) int64 { return int64(Room(budget)) * flowBytes }
