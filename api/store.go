package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"weir/messages"
	"weir/store/tiers"
)

// History is what is kept on disk.
type History interface {
	// State says how it does and what it holds.
	State() StoreState
	// Verify reads all of it and checks it.
	Verify(ctx context.Context, progress tiers.Progress) (*tiers.Verified, error)
	// Export writes the slices that start in a span, as "parquet" or "csv".
	Export(ctx context.Context, w io.Writer, format string, span messages.Span, progress tiers.Progress) error
}

// StoreState says how the history does and what it holds.
type StoreState struct {
	Dir string `json:"dir"`
	// Sync is the policy by which slices are put on the medium.
	Sync string `json:"sync"`
	// Open says that it could be opened.
	Open bool `json:"open"`
	// Cause says what keeps slices from the disk and Cure what to do, since when; empty if nothing does.
	Cause string    `json:"cause,omitempty"`
	Cure  string    `json:"cure,omitempty"`
	Since time.Time `json:"since,omitzero"`
	// Work is what the work in the background last failed with.
	Work string `json:"work,omitempty"`
	// Bytes is what all files take, of at most Budget, or of as much as there is room for if Budget is 0.
	Bytes  uint64 `json:"bytes"`
	Budget uint64 `json:"budget"`
	// JournalToday is what was written to the journal today, of at most JournalBudget; 0 is no bound. Spared counts the
	// slices that were kept as sums alone for its sake.
	JournalToday  uint64 `json:"journal_today"`
	JournalBudget uint64 `json:"journal_budget"`
	Spared        uint64 `json:"spared_total"`
	// Waiting counts slices that wait for the disk, Folded those that lost their rows meanwhile, Dropped those that
	// were given up.
	Waiting int    `json:"waiting"`
	Folded  uint64 `json:"folded_total"`
	Dropped uint64 `json:"dropped_total"`
	// Lost counts files that were removed to make room although no coarser tier had their rows.
	Lost uint64 `json:"lost_files_total"`
	// Cut is what was cut off the end of the journal when it was opened, in bytes; Damaged counts stretches of the
	// journal and files that cannot be read and were put aside.
	Cut     int64 `json:"cut_bytes"`
	Damaged int   `json:"damaged"`
	// Tiers are the journal and the tiers, the finest first.
	Tiers []StoreTier `json:"tiers"`
}

// StoreTier is what one tier holds.
type StoreTier struct {
	Name string `json:"name"`
	// Slice is the length of its slices, Bucket the span of a file, Retention how long it keeps slices; 0 for ever.
	Slice     time.Duration `json:"slice_ns"`
	Bucket    time.Duration `json:"bucket_ns"`
	Retention time.Duration `json:"retention_ns"`
	// Span runs from its first slice to the end of its last one.
	Span   messages.Span `json:"span"`
	Files  int           `json:"files"`
	Slices uint64        `json:"slices"`
	Rows   uint64        `json:"rows"`
	Folded uint64        `json:"folded"`
	Bytes  uint64        `json:"bytes"`
	Budget uint64        `json:"budget"`
	// Damaged counts files that were put aside, Losses the losses that are told in its files.
	Damaged int `json:"damaged"`
	Losses  int `json:"losses"`
	// Buckets are its files, if they were asked for.
	Buckets []StoreBucket `json:"buckets,omitempty"`
}

// StoreBucket is one file.
type StoreBucket struct {
	File   string        `json:"file"`
	Span   messages.Span `json:"span"`
	Slices uint64        `json:"slices"`
	Rows   uint64        `json:"rows"`
	Bytes  uint64        `json:"bytes"`
	Losses int           `json:"losses"`
}

// LongType is the media type of answers that take long: a line of JSON for each [LongEvent].
const LongType = "application/vnd.weir.events"

// LongEvent is a line of an answer that takes long. The last one has Result or Error.
type LongEvent struct {
	// Done of Of is the progress.
	Done uint64 `json:"done,omitempty"`
	Of   uint64 `json:"of,omitempty"`
	// Data says how many bytes of content follow the line.
	Data   int             `json:"data,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  string          `json:"error,omitempty"`
}

var (
	errNoHistory = errors.New("this daemon keeps no history on disk: store.enabled is false")
	errNotLocal  = errors.New("this is answered on the unix socket alone")
)

// store tells how the history does.
func (s *Server) store(w http.ResponseWriter, _ *http.Request) {
	if s.history == nil {
		fail(w, http.StatusNotFound, errNoHistory)
		return
	}
	writeJSON(w, http.StatusOK, s.history.State())
}

// storeVerify checks all that is stored.
func (s *Server) storeVerify(w http.ResponseWriter, r *http.Request) {
	s.long(w, r, func(ctx context.Context, out *longAnswer) (any, error) {
		return s.history.Verify(ctx, out.progress)
	})
}

// storeExport hands out what is stored.
func (s *Server) storeExport(w http.ResponseWriter, r *http.Request) {
	format, span, err := exportOf(r.URL.Query())
	if err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	s.long(w, r, func(ctx context.Context, out *longAnswer) (any, error) {
		return struct{}{}, s.history.Export(ctx, out, format, span, out.progress)
	})
}

// exportOf reads what to export: format, from and to.
func exportOf(q url.Values) (format string, span messages.Span, err error) {
	format = q.Get("format")
	if format != "parquet" && format != "csv" {
		return "", span, fmt.Errorf("format is parquet or csv, not %q", format)
	}
	for name, t := range map[string]*time.Time{"from": &span.Start, "to": &span.End} {
		if *t, err = time.Parse(time.RFC3339Nano, q.Get(name)); err != nil {
			return "", span, fmt.Errorf("%s is not a time as in RFC 3339", name)
		}
	}
	if !span.Start.Before(span.End) {
		return "", span, errors.New("the range is empty")
	}
	return format, span, nil
}

// long answers with events, for work that takes long. One at a time is done, and only on the unix socket: a web page
// could let a browser ask the loopback for it.
func (s *Server) long(
	w http.ResponseWriter, r *http.Request, work func(ctx context.Context, out *longAnswer) (any, error),
) {
	if _, tcp := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); tcp {
		fail(w, http.StatusForbidden, errNotLocal)
		return
	}
	if s.history == nil {
		fail(w, http.StatusNotFound, errNoHistory)
		return
	}
	if !s.take(w, s.jobs, "jobs on the history") {
		return
	}
	defer func() { <-s.jobs }()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()
	declare(w, LongType)
	out := &longAnswer{out: &chunks{w: w, control: http.NewResponseController(w)}, now: s.now}
	result, err := work(ctx, out)
	last := LongEvent{}
	if err != nil {
		last.Error = err.Error()
	} else {
		last.Result, err = json.Marshal(result)
		if err != nil {
			last.Error = err.Error()
		}
	}
	// The client may be gone, and nobody else could be told.
	_ = out.event(&last)
}

// longAnswer writes events. It belongs to one goroutine.
type longAnswer struct {
	out  io.Writer
	now  func() time.Time
	told time.Time
}

// progressEvery is the least time between two events of progress.
const progressEvery = 200 * time.Millisecond

func (a *longAnswer) progress(done, of uint64) {
	if now := a.now(); now.Sub(a.told) >= progressEvery {
		a.told = now
		// If the client is gone the context of the work is done.
		_ = a.event(&LongEvent{Done: done, Of: of})
	}
}

func (a *longAnswer) event(e *LongEvent) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = a.out.Write(append(line, '\n'))
	return err
}

// Write sends content.
func (a *longAnswer) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := a.event(&LongEvent{Data: len(p)}); err != nil {
		return 0, err
	}
	return a.out.Write(p)
}
