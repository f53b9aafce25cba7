package cli

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"

	"weir/api"
	"weir/internal/disk"
	"weir/messages"
	"weir/store"
	"weir/store/tiers"
)

// State says how the history does and what it holds.
func (h *history) State() api.StoreState {
	st := h.store.State()
	out := api.StoreState{
		Dir: h.dir, Sync: h.config.Sync.String(), Open: h.isOpen(), Cause: st.Cause, Cure: st.Cure, Since: st.Since,
		Work: st.Work, JournalToday: st.JournalToday, Spared: st.Spared, Waiting: st.Waiting, Folded: st.Folded,
		Dropped: st.Dropped, Lost: st.Lost,
		Budget: uint64(h.config.Disk), JournalBudget: uint64(h.config.JournalWrites), //nolint:gosec // Not negative.
	}
	report := h.store.JournalReport()
	for _, d := range report.Cut {
		out.Cut += d.Bytes
	}
	out.Damaged = len(report.Damaged)
	coverages, held := h.store.Coverages(), h.store.Holdings()
	for i := range coverages {
		t := tierState(&coverages[i])
		if i > 0 {
			t.hold(&held[i-1])
		}
		out.Bytes += t.Bytes
		out.Damaged += t.Damaged
		out.Tiers = append(out.Tiers, t.StoreTier)
	}
	return out
}

// heldTier is the state of a tier in the making.
type heldTier struct{ api.StoreTier }

func tierState(c *store.Coverage) *heldTier {
	return &heldTier{api.StoreTier{
		Name: c.Name, Slice: c.Resolution, Span: c.Span, Slices: c.Slices, Rows: c.Rows, Folded: c.Folded,
		Bytes: c.Bytes, Budget: c.Budget,
	}}
}

// hold adds what is known of the files.
func (t *heldTier) hold(h *tiers.Holding) {
	t.Bucket, t.Retention = h.Level.Bucket.Duration, h.Level.Retention.Duration
	t.Files, t.Damaged = len(h.Files), h.Damaged
	for i := range h.Files {
		f := &h.Files[i]
		t.Losses += len(f.Losses)
		t.Buckets = append(t.Buckets, api.StoreBucket{
			File: filepath.Base(f.Path), Span: f.Span, Slices: f.Slices, Rows: f.Rows, Bytes: f.Bytes,
			Losses: len(f.Losses),
		})
	}
}

// Verify reads all of it and checks it.
func (h *history) Verify(ctx context.Context, progress tiers.Progress) (*tiers.Verified, error) {
	if !h.isOpen() {
		return nil, h.whyClosed()
	}
	return h.store.Verify(ctx, progress)
}

// Export writes the slices that start in a span.
func (h *history) Export(
	ctx context.Context, w io.Writer, format string, span messages.Span, progress tiers.Progress,
) error {
	if !h.isOpen() {
		return h.whyClosed()
	}
	if format == formatCSV {
		return h.store.ExportCSV(ctx, w, span, progress)
	}
	_, err := h.store.Export(ctx, stream{w: w}, "export", span, progress)
	return err
}

// stream is a file system with one file, which is only written: it goes to somebody who reads it meanwhile.
type stream struct {
	disk.FS // nil: nothing else is asked

	w io.Writer
}

var errStream = errors.New("a stream can only be written")

func (s stream) Create(string) (disk.File, error) { return streamFile{s.w}, nil }
func (stream) Rename(string, string) error        { return nil }
func (stream) SyncDir(string) error               { return nil }
func (stream) Remove(name string) error {
	return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
}

type streamFile struct{ io.Writer }

func (streamFile) Read([]byte) (int, error)          { return 0, errStream }
func (streamFile) ReadAt([]byte, int64) (int, error) { return 0, errStream }
func (streamFile) Truncate(int64) error              { return errStream }
func (streamFile) Size() (int64, error)              { return 0, errStream }
func (streamFile) Sync() error                       { return nil }
func (streamFile) Close() error                      { return nil }
