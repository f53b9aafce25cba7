// Package computations says what a computation is: the part that derives tags from what is already known,
// such as the best name for an address.
//
// A computation is a pure type: it is told of news and answers with tags, for these or any other live
// flows. It has no clock, no files and no goroutines of its own; what it gets decides what it says. The
// core runs each in an actor of its own, feeds it, keeps what it wants to keep over a restart of the
// program, and reads the files that it wants read.
package computations

import (
	"io"

	"github.com/rs/zerolog"

	"weir/columns"
	"weir/messages"
)

// Computation is a running computation. Its methods are called by one goroutine at a time.
type Computation interface {
	// Handle takes news. View holds them already.
	Handle(in *messages.Events, view *View, out Out)
	// Settle issues what is still owed before a slice closes, of which now is the time in nanoseconds since
	// 1970. Nothing else tells a computation that time passes.
	Settle(now int64, view *View, out Out)
	// Metrics tell how it goes, in the order in which to show them.
	Metrics() []messages.Metric
}

// Out takes what a computation says.
type Out interface {
	// Tag puts tags on the flow of an event that the computation was told of. The tags must never change
	// afterwards. If the flow is no more, they are dropped.
	Tag(e *messages.Event, tags []columns.Tag)
}

// Keeper is a computation that keeps something over a restart of the program.
type Keeper interface {
	// Save writes all that is to be kept.
	Save(w io.Writer) error
	// Load reads what Save wrote, before the first call of Handle. After an error the computation is as if
	// nothing had been kept.
	Load(r io.Reader) error
}

// Reader is a computation that wants files read, at the start and again when one of them has changed.
type Reader interface {
	// Patterns are the paths of the files, with the wildcards of filepath.Match.
	Patterns() []string
	// Read takes the contents of all files that are there, sorted by path, and puts them in the place of
	// what was read before. Each error is about one line; the rest of the file is used.
	Read(files []File, view *View, out Out) []error
}

// File is a file that was read.
type File struct {
	Path    string
	Content []byte
}

// Config holds the parameters of one kind of computation, filled from its table in the configuration file.
// Its fields carry toml tags and a comment tag for each key.
type Config interface {
	// Enabled says whether the configuration asks for the computation at all.
	Enabled() bool
	// Validate checks the parameters without touching anything.
	Validate() error
	// New builds a computation.
	New(core Core) (Computation, error)
}

// Core is what all running computations share.
type Core struct {
	// Name is the name of the computation, as in the configuration.
	Name string
	Log  zerolog.Logger
}
