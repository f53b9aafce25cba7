package flows

// Stats are the numbers of a table: gauges, then counters since the program began.
type Stats struct {
	// Live, Limbo, Ended and Announced count entries as the last closing found them; Folded counts flows
	// that had to leave the table but are still accounted for; Aliases counts keys behind NAT.
	Live      uint64 `json:"live"`
	Limbo     uint64 `json:"limbo"`
	Ended     uint64 `json:"ended"`
	Announced uint64 `json:"announced"`
	Folded    uint64 `json:"folded"`
	Aliases   uint64 `json:"aliases"`
	// Bytes is the memory that the table takes with what it holds in reserve; Budget what its contents may
	// take.
	Bytes  int64 `json:"bytes"`
	Budget int64 `json:"budget"`

	// Baselined counts incarnations that entered with a baseline, Vanished those that went into limbo,
	// Forgotten those that left it without an end, NeverSeen announcements that nothing confirmed.
	Baselined uint64 `json:"baselined_total"`
	Vanished  uint64 `json:"vanished_total"`
	Forgotten uint64 `json:"forgotten_total"`
	NeverSeen uint64 `json:"never_seen_total"`
	// Zeroed counts counters that another program set back, Reborn those taken for a new incarnation.
	Zeroed uint64 `json:"zeroed_total"`
	Reborn uint64 `json:"reborn_total"`
	// FoldedTotal counts flows folded, Refused updates of flows for which there was no room at all.
	FoldedTotal uint64 `json:"folded_total"`
	Refused     uint64 `json:"refused_total"`
	// TooOld counts records of flows that are not known, in snapshots older than any tombstone.
	TooOld uint64 `json:"too_old_total"`
	// Forwarded counts updates passed on to the owner of an alias, AliasMisses those that found nobody,
	// AliasesRefused and ForwardsRefused what another shard did not take, AliasesEvicted those forgotten
	// over budget.
	Forwarded       uint64 `json:"forwarded_total"`
	AliasMisses     uint64 `json:"alias_misses_total"`
	AliasesRefused  uint64 `json:"aliases_refused_total"`
	ForwardsRefused uint64 `json:"forwards_refused_total"`
	AliasesEvicted  uint64 `json:"aliases_evicted_total"`
	// TagsRefused counts tags for which a flow had no room.
	TagsRefused uint64 `json:"tags_refused_total"`
	// Rescues counts panics survived, LostUpdates the updates that they cost.
	Rescues     uint64 `json:"rescues_total"`
	LostUpdates uint64 `json:"lost_updates_total"`

	// TagsUnclaimed counts tags that waited for a flow and found none, or fitted no single one; DerivedMisses
	// updates of computations for flows that are no more.
	TagsUnclaimed uint64 `json:"tags_unclaimed_total"`
	DerivedMisses uint64 `json:"derived_misses_total"`
	// EventsPending is how many flows have news for the computations; EventsLost counts ends of folded flows
	// that could not be told.
	EventsPending uint64 `json:"events_pending"`
	EventsLost    uint64 `json:"events_lost_total"`
	// Amendments counts amendments of earlier slices that were handed over, AmendmentsLost those of flows that
	// left the table before.
	Amendments     uint64 `json:"amendments_total"`
	AmendmentsLost uint64 `json:"amendments_lost_total"`

	warmed entryFlags
}

// Stats gives the table's numbers. Like all methods it is for the goroutine that owns the table.
func (t *Table) Stats() Stats {
	s := t.stats
	s.Folded = uint64(t.folded.used())                            //nolint:gosec // Never negative.
	s.Aliases = uint64(len(t.aliases.keys) - len(t.aliases.free)) //nolint:gosec // Never negative.
	s.TagsRefused = t.tags.refused
	s.EventsPending = uint64(t.Pending()) //nolint:gosec // Never negative.
	s.Bytes = t.bytes()
	s.Budget = t.opt.Budget
	return s
}

// bytes is the memory that the table has taken.
func (t *Table) bytes() int64 {
	return t.arena.bytes() + t.index.bytes() + t.rows.bytes() + t.tags.memory +
		int64(cap(t.aliases.keys))*40 + int64(len(t.aliases.owner))*32 + t.folded.bytes() +
		t.queue.bytes() + int64(cap(t.amends))*16 + t.books.bytes()
}
