package actors

import (
	"strings"
	"time"

	"weir/flows"
	"weir/messages"
	"weir/messages/weirpb"
	"weir/sources"
	"weir/store"
)

// StatusToProto gives a status as it crosses a process.
func StatusToProto(s *Status) *weirpb.Status {
	return &weirpb.Status{
		StartedNs: nanos(s.Started), CountsSinceNs: nanos(s.CountsSince), Draining: s.Draining,
		Actors: each(s.Actors, actorToProto), Sources: each(s.Sources, sourceToProto),
		Shards: each(s.Shards, shardToProto), Slicer: slicerToProto(&s.Slicer), Tiers: each(s.Tiers, tierToProto),
		DeadLetters: s.DeadLetters, Losses: s.Losses, Computations: each(s.Computations, computationToProto),
		Archive: archiveToProto(&s.Archive),
	}
}

// StatusFromProto reads a status that came from another process.
func StatusFromProto(m *weirpb.Status) Status {
	return Status{
		Started: timeOf(m.GetStartedNs()), CountsSince: timeOf(m.GetCountsSinceNs()), Draining: m.GetDraining(),
		Actors: each(m.GetActors(), actorFromProto), Sources: each(m.GetSources(), sourceFromProto),
		Shards: each(m.GetShards(), shardFromProto), Slicer: slicerFromProto(m.GetSlicer()),
		Tiers: each(m.GetTiers(), tierFromProto), DeadLetters: m.GetDeadLetters(), Losses: m.GetLosses(),
		Computations: each(m.GetComputations(), computationFromProto), Archive: archiveFromProto(m.GetArchive()),
	}
}

func actorToProto(a ActorStatus) *weirpb.StatusActor {
	return &weirpb.StatusActor{
		Name: valid(a.Name), State: valid(a.State), SinceNs: nanos(a.Since), Failures: a.Failures,
		LastError: valid(a.LastError), LastFailureNs: nanos(a.LastFailure),
	}
}

func actorFromProto(m *weirpb.StatusActor) ActorStatus {
	return ActorStatus{
		Name: m.GetName(), State: m.GetState(), Since: timeOf(m.GetSinceNs()), Failures: m.GetFailures(),
		LastError: m.GetLastError(), LastFailure: timeOf(m.GetLastFailureNs()),
	}
}

func sourceToProto(s SourceStatus) *weirpb.StatusSource {
	return &weirpb.StatusSource{
		Name: valid(s.Name), Ready: s.Ready, Pull: s.Pull, State: valid(string(s.State)), Detail: valid(s.Detail),
		Metrics: each(s.Metrics, metricToProto), Batches: s.Batches, Updates: s.Updates,
		ShedBatches: s.ShedBatches, ShedUpdates: s.ShedUpdates, Backlog: s.Backlog,
	}
}

func sourceFromProto(m *weirpb.StatusSource) SourceStatus {
	return SourceStatus{
		Name: m.GetName(), Ready: m.GetReady(), Pull: m.GetPull(), State: sources.State(m.GetState()),
		Detail: m.GetDetail(), Metrics: each(m.GetMetrics(), metricFromProto), Batches: m.GetBatches(),
		Updates: m.GetUpdates(), ShedBatches: m.GetShedBatches(), ShedUpdates: m.GetShedUpdates(),
		Backlog: m.GetBacklog(),
	}
}

func computationToProto(c ComputationStatus) *weirpb.StatusComputation {
	return &weirpb.StatusComputation{
		Name: valid(c.Name), Rank: int64(c.Rank), Running: c.Running, Fresh: c.Fresh,
		Metrics: each(c.Metrics, metricToProto), Flows: c.Flows, FlowsRefused: c.FlowsRefused, Events: c.Events,
		Facts: c.Facts, EventsDropped: c.EventsDropped, FactsDropped: c.FactsDropped, GivenUp: c.GivenUp,
		Waiting: c.Waiting, Queued: c.Queued, Updates: c.Updates, UpdatesDropped: c.UpdatesDropped,
		Settled: c.Settled, Late: c.Late, LastSettleSeconds: c.LastSettle, Files: int64(c.Files),
		FileErrors: c.FileErrors, StateBytes: c.StateBytes, StateSavedNs: nanos(c.StateSaved),
		StateFailures: c.StateFailures,
	}
}

func computationFromProto(m *weirpb.StatusComputation) ComputationStatus {
	return ComputationStatus{
		Name: m.GetName(), Rank: int(m.GetRank()), Running: m.GetRunning(), Fresh: m.GetFresh(),
		Metrics: each(m.GetMetrics(), metricFromProto), Flows: m.GetFlows(), FlowsRefused: m.GetFlowsRefused(),
		Events: m.GetEvents(), Facts: m.GetFacts(), EventsDropped: m.GetEventsDropped(),
		FactsDropped: m.GetFactsDropped(), GivenUp: m.GetGivenUp(), Waiting: m.GetWaiting(), Queued: m.GetQueued(),
		Updates: m.GetUpdates(), UpdatesDropped: m.GetUpdatesDropped(), Settled: m.GetSettled(), Late: m.GetLate(),
		LastSettle: m.GetLastSettleSeconds(), Files: int(m.GetFiles()), FileErrors: m.GetFileErrors(),
		StateBytes: m.GetStateBytes(), StateSaved: timeOf(m.GetStateSavedNs()), StateFailures: m.GetStateFailures(),
	}
}

func metricToProto(s MetricStatus) *weirpb.StatusMetric {
	return &weirpb.StatusMetric{Name: valid(s.Name), Help: valid(s.Help), Gauge: s.Gauge, Value: s.Value}
}

func metricFromProto(m *weirpb.StatusMetric) MetricStatus {
	return MetricStatus{Name: m.GetName(), Help: m.GetHelp(), Gauge: m.GetGauge(), Value: m.GetValue()}
}

func shardToProto(s ShardStatus) *weirpb.StatusShard {
	return &weirpb.StatusShard{
		Shard: int64(s.Shard), Flows: flowsToProto(&s.Flows), Fresh: s.Fresh, Waiting: int64(s.Waiting),
		Window: int64(s.Window), Waited: s.Waited, Refused: s.Refused,
	}
}

func shardFromProto(m *weirpb.StatusShard) ShardStatus {
	return ShardStatus{
		Shard: int(m.GetShard()), Flows: flowsFromProto(m.GetFlows()), Fresh: m.GetFresh(),
		Waiting: int(m.GetWaiting()), Window: int(m.GetWindow()), Waited: m.GetWaited(), Refused: m.GetRefused(),
	}
}

func flowsToProto(s *flows.Stats) *weirpb.StatusFlows {
	return &weirpb.StatusFlows{
		Live: s.Live, Limbo: s.Limbo, Ended: s.Ended, Announced: s.Announced, Folded: s.Folded, Aliases: s.Aliases,
		Bytes: s.Bytes, Budget: s.Budget, Baselined: s.Baselined, Vanished: s.Vanished, Forgotten: s.Forgotten,
		NeverSeen: s.NeverSeen, Zeroed: s.Zeroed, Reborn: s.Reborn, FoldedTotal: s.FoldedTotal, Refused: s.Refused,
		TooOld: s.TooOld, Forwarded: s.Forwarded, AliasMisses: s.AliasMisses, AliasesRefused: s.AliasesRefused,
		ForwardsRefused: s.ForwardsRefused, AliasesEvicted: s.AliasesEvicted, TagsRefused: s.TagsRefused,
		Rescues: s.Rescues, LostUpdates: s.LostUpdates, TagsUnclaimed: s.TagsUnclaimed,
		DerivedMisses: s.DerivedMisses, EventsPending: s.EventsPending, EventsLost: s.EventsLost,
		Amendments: s.Amendments, AmendmentsLost: s.AmendmentsLost,
	}
}

func flowsFromProto(m *weirpb.StatusFlows) flows.Stats {
	return flows.Stats{
		Live: m.GetLive(), Limbo: m.GetLimbo(), Ended: m.GetEnded(), Announced: m.GetAnnounced(),
		Folded: m.GetFolded(), Aliases: m.GetAliases(), Bytes: m.GetBytes(), Budget: m.GetBudget(),
		Baselined: m.GetBaselined(), Vanished: m.GetVanished(), Forgotten: m.GetForgotten(),
		NeverSeen: m.GetNeverSeen(), Zeroed: m.GetZeroed(), Reborn: m.GetReborn(),
		FoldedTotal: m.GetFoldedTotal(), Refused: m.GetRefused(), TooOld: m.GetTooOld(),
		Forwarded: m.GetForwarded(), AliasMisses: m.GetAliasMisses(), AliasesRefused: m.GetAliasesRefused(),
		ForwardsRefused: m.GetForwardsRefused(), AliasesEvicted: m.GetAliasesEvicted(),
		TagsRefused: m.GetTagsRefused(), Rescues: m.GetRescues(), LostUpdates: m.GetLostUpdates(),
		TagsUnclaimed: m.GetTagsUnclaimed(), DerivedMisses: m.GetDerivedMisses(),
		EventsPending: m.GetEventsPending(), EventsLost: m.GetEventsLost(), Amendments: m.GetAmendments(),
		AmendmentsLost: m.GetAmendmentsLost(),
	}
}

func slicerToProto(s *SlicerStatus) *weirpb.StatusSlicer {
	return &weirpb.StatusSlicer{
		Seq: s.Seq, Open: spanToProto(s.Open), Closing: s.Closing, LastClosed: spanToProto(s.LastClosed),
		LastRoundSeconds: s.LastRound, Closed: s.Closed, Incomplete: s.Incomplete, Failed: s.Failed, Late: s.Late,
		LateAnswers: s.LateAnswers, Unpublished: s.Unpublished, ClockJumps: s.ClockJumps, ClockUnset: s.ClockUnset,
	}
}

func slicerFromProto(m *weirpb.StatusSlicer) SlicerStatus {
	return SlicerStatus{
		Seq: m.GetSeq(), Open: spanFromProto(m.GetOpen()), Closing: m.GetClosing(),
		LastClosed: spanFromProto(m.GetLastClosed()), LastRound: m.GetLastRoundSeconds(), Closed: m.GetClosed(),
		Incomplete: m.GetIncomplete(), Failed: m.GetFailed(), Late: m.GetLate(), LateAnswers: m.GetLateAnswers(),
		Unpublished: m.GetUnpublished(), ClockJumps: m.GetClockJumps(), ClockUnset: m.GetClockUnset(),
	}
}

func tierToProto(c store.Coverage) *weirpb.StatusTier {
	return &weirpb.StatusTier{
		Name: valid(c.Name), Span: spanToProto(Period(c.Span)), ResolutionNs: int64(c.Resolution), Slices: c.Slices,
		Rows: c.Rows, Folded: c.Folded, Bytes: c.Bytes, Budget: c.Budget, Amended: c.Amended,
		AmendmentsCut: c.AmendmentsCut,
	}
}

func tierFromProto(m *weirpb.StatusTier) store.Coverage {
	return store.Coverage{
		Name: m.GetName(), Span: messages.Span(spanFromProto(m.GetSpan())),
		Resolution: time.Duration(m.GetResolutionNs()), Slices: m.GetSlices(), Rows: m.GetRows(),
		Folded: m.GetFolded(), Bytes: m.GetBytes(), Budget: m.GetBudget(), Amended: m.GetAmended(),
		AmendmentsCut: m.GetAmendmentsCut(),
	}
}

func spanToProto(p Period) *weirpb.StatusSpan {
	return &weirpb.StatusSpan{StartNs: nanos(p.Start), EndNs: nanos(p.End)}
}

func spanFromProto(m *weirpb.StatusSpan) Period {
	return Period{Start: timeOf(m.GetStartNs()), End: timeOf(m.GetEndNs())}
}

// nanos gives 0 for a time that is not set, whose nanoseconds would be any number.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func timeOf(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

// valid gives a text that the schema may hold; another one would make the whole status fail.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

func each[A, B any](list []A, f func(A) B) []B {
	out := make([]B, len(list))
	for i, a := range list {
		out[i] = f(a)
	}
	return out
}
