package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"weir/messages"
	"weir/sources/recording"
)

// RecordingType is the media type of recordings.
const RecordingType = "application/vnd.weir.recording"

// chunkTimeout is how long a client may take to read what one batch becomes; a slower one is cut off.
const chunkTimeout = 30 * time.Second

// record streams what sources send, until the client goes away or the daemon ends.
func (s *Server) record(w http.ResponseWriter, r *http.Request) {
	if !s.take(w, s.recordings, "recordings") {
		return
	}
	defer func() { <-s.recordings }()
	w.Header().Set("Content-Type", RecordingType)
	out := &chunks{w: w, control: http.NewResponseController(w)}
	rec, err := recording.NewWriter(out, recording.Header{Created: s.now(), Slice: s.slice, Version: s.version})
	if err != nil {
		return // The client is gone.
	}
	if err := s.stream(r.Context(), rec); err == nil {
		_ = rec.Close() // The client may be gone; nobody else could be told.
	}
}

// stream copies batches into the recording. An error means that the client is gone.
func (s *Server) stream(ctx context.Context, rec *recording.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	h := &handover{ctx: ctx, batches: make(chan *messages.Batch), taken: make(chan struct{})}
	dropped := s.core.Tap(ctx, h.give)
	var told uint64
	for {
		select {
		case b := <-h.batches:
			now := dropped()
			rec.Lost(now - told)
			told = now
			if err := s.append(rec, b, h.taken); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		case <-s.stopping:
			rec.Lost(dropped() - told)
			return nil
		}
	}
}

// append writes one batch and hands it back, even if that panics. What is too large for a frame is counted
// in the recording as lost.
func (s *Server) append(rec *recording.Writer, b *messages.Batch, taken chan<- struct{}) error {
	defer func() { taken <- struct{}{} }()
	if err := rec.Batch(s.now(), b); err != nil && !errors.Is(err, recording.ErrTooLarge) {
		return err
	}
	return nil
}

// handover passes batches from the goroutine of the tap to that of the request, which alone may write.
type handover struct {
	ctx     context.Context //nolint:containedctx // The tap calls give without one.
	batches chan *messages.Batch
	taken   chan struct{}
}

// give waits until the batch was written, since it belongs to the tap again afterwards.
func (h *handover) give(b *messages.Batch) {
	select {
	case h.batches <- b:
		<-h.taken
	case <-h.ctx.Done():
	}
}

// chunks sends each write at once.
type chunks struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// Write writes one frame of a recording.
func (c *chunks) Write(p []byte) (int, error) {
	err := c.control.SetWriteDeadline(time.Now().Add(chunkTimeout))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	n, err := c.w.Write(p)
	if err != nil {
		return n, err
	}
	return n, c.control.Flush()
}
