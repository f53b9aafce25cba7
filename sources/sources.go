// Package sources says what a source is: the part that brings data from outside as updates.
//
// A source is made in two phases. In main, its [Definition] is registered with the parameters of its own
// that the configuration may set. Later the core calls [Config.New] with what all running sources
// share; that builds the source and touches nothing. Then Run does the work. A source that can be
// asked for a snapshot just before a slice closes is a [Puller] too.
//
// A source is plain Go and knows no actor. Each of its goroutines is started with [Core.Go], so that a
// panic in it becomes a failure of the source, which is restarted with back-off.
package sources

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"weir/columns"
	"weir/messages"
)

// Source is a running source.
type Source interface {
	// Run works until ctx is done, then returns nil after all that it learned was flushed. Any other
	// return is a failure: the source is made anew with New and run again after a while. Run calls
	// ready once, as soon as the source is able to deliver; slices count it as down until then.
	Run(ctx context.Context, ready func()) error
	// Health tells how it goes. It may be called at any time, from any goroutine.
	Health() Health
}

// Puller is a source that can be asked.
type Puller interface {
	// Snapshot delivers what is known now, and returns when all of it was flushed to the writers, or
	// as soon as ctx is done. It is never called twice at once, and only while Run runs and is ready.
	Snapshot(ctx context.Context, req messages.SnapshotRequest) (messages.SnapshotTaken, error)
}

// Config holds the parameters of one kind of source, filled from its table in the configuration file.
// Its fields carry toml tags and a comment tag for each key.
type Config interface {
	// Enabled says whether the configuration asks for the source at all.
	Enabled() bool
	// Validate checks the parameters without touching anything.
	Validate() error
	// New builds a source; it starts nothing and opens nothing.
	New(core Core) (Source, error)
}

// Counting is a [Config] that says whether its source counts all traffic of this router. Two of these together would
// count every byte twice, so that such a configuration is refused.
type Counting interface {
	// CountsBy names the key that makes the source count, empty if it does not.
	CountsBy() string
}

// Core is what all running sources share.
type Core struct {
	// Name is the name of the source, as in the configuration.
	Name string
	Log  zerolog.Logger
	Out  Outlet
	// Go starts a goroutine that belongs to the source: Run may not return before it has ended. An
	// error or a panic in it makes the source fail. f must return soon after its ctx is done.
	Go func(ctx context.Context, name string, f func(ctx context.Context) error)
	// CountsSince is the time from which the core counts: flows that began before it enter with a
	// baseline. It is the same again after a restart of the source.
	CountsSince time.Time
}

// Outlet takes what a source has to say.
type Outlet interface {
	// Writer makes a writer for one goroutine.
	Writer(m Mode) Writer
	// Lost records a loss in the slices that it touches.
	Lost(l messages.Loss)
}

// Mode says what a writer does when a shard takes no more.
type Mode uint8

// The modes.
const (
	// Wait: Add waits for credit. For snapshots and streams, where the sender can be slowed down.
	Wait Mode = iota
	// Shed: Add keeps a bounded backlog and beyond it drops batches, which are counted and told as
	// loss. For datagrams and events, where waiting means that the kernel drops unseen.
	Shed
)

// Writer posts updates to the shards that own the flows. It belongs to one goroutine.
type Writer interface {
	// Snapshot marks all that follows as part of the snapshot with this number; 0 ends it. Flush first.
	Snapshot(seq uint64)
	// Add hands over a copy of the update, with the key that the flow has behind NAT and its tags,
	// both nil if there are none. The tags must never change afterwards. The error is ctx.Err(), or
	// says that the shards are gone.
	Add(ctx context.Context, u *messages.Update, alias *messages.Key, tags []columns.Tag) error
	// Tell hands over a fact, with the same errors as Add.
	Tell(ctx context.Context, f *messages.Fact) error
	// Flush posts what is still gathered.
	Flush(ctx context.Context) error
}

// State is how a source is.
type State string

// The states.
const (
	// Starting: Run has not called ready yet.
	Starting State = "starting"
	// Running: all is well.
	Running State = "running"
	// Degraded: it delivers, but less than it should; Health.Detail says what and the cure.
	Degraded State = "degraded"
	// Finished: it has delivered all there was (a replayed file).
	Finished State = "finished"
)

// Health is what `weir status` shows of a source.
type Health struct {
	State State
	// Detail is one sentence for the user; empty if all is well.
	Detail string
	// Metrics are its counters and gauges, in the order in which to show them.
	Metrics []Metric
}

// Metric is one number that a source tells about itself.
type Metric = messages.Metric
