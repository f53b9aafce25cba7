package flows

import "weir/messages"

// TakeEvents gives up to most pieces of news, oldest first. Each flow is told once, with all that is new
// since it was taken last. A flow that is over says so in each piece of news that comes after its end.
func (t *Table) TakeEvents(most int) []messages.Event { return nil }

// Pending is how many flows have news.
func (t *Table) Pending() int { return 0 }

// Retell makes news of every flow that lives, as if it had just begun: for a computation that has forgotten
// them.
func (t *Table) Retell() {}
