// Package replay plays recordings of what sources sent, as a source: in real time, faster, or as fast as the
// shards take it. Package recording reads them.
//
// A played flow has the times of its recording, shifted so that the recording's CountsSince falls on that of
// the running core: what was older than the recording then is older than the core's counting now, and
// enters with a baseline.
package replay

import (
	"context"
	"fmt"
	"os"
	"time"

	"weir/messages"
	"weir/sources"
	"weir/sources/recording"
)

// source plays one file. All but told belongs to the goroutine of Run.
type source struct {
	config *Config
	core   sources.Core
	place  *place
	told   told
}

// place is how far a file was played. It belongs to the configuration and so outlives a source that
// fails: the next one goes on behind the last update that was handed over, because none may count twice.
type place struct {
	// since is the CountsSince of the core that it is for.
	since time.Time
	// began is when this pass over the file began.
	began time.Time
	// pass counts the passes before this one, and shift is how long they were.
	pass  int64
	shift time.Duration
	// frames and taken are how many batches of this pass, and how many facts and updates of the batch after
	// them, were handed over.
	frames uint64
	taken  int
	// missed is how many batches of this pass were told as missing from the recording.
	missed uint64
	// open are the flows of this pass that have not ended.
	open map[incarnation]struct{}
}

// incarnation names a flow as updates do.
type incarnation struct {
	key   messages.Key
	start int64
	id    uint32
}

// follow keeps in mind which flows are open.
func (p *place) follow(u *messages.Update) {
	i := incarnation{key: u.Key, start: u.Start, id: u.ID}
	switch {
	case u.Status == messages.Ended:
		delete(p.open, i)
	case u.Kind != messages.NoCounters:
		if p.open == nil {
			p.open = map[incarnation]struct{}{}
		}
		p.open[i] = struct{}{}
	}
}

// Health tells how far the replay is.
func (s *source) Health() sources.Health { return s.told.health() }

// Run plays the file, then waits for ctx.
func (s *source) Run(ctx context.Context, ready func()) error {
	out := s.core.Out.Writer(sources.Wait)
	if err := s.play(ctx, out, ready); err != nil && ctx.Err() == nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// play plays the file as often as it is asked to.
func (s *source) play(ctx context.Context, out sources.Writer, ready func()) error {
	for {
		p, err := s.open()
		if err != nil {
			return err
		}
		ready()
		ready = func() {}
		err = p.play(ctx, out)
		_ = p.file.Close()
		if err == nil {
			err = s.endOpen(ctx, out)
		}
		if err != nil {
			return err
		}
		s.told.passed()
		if why := s.last(p); why != "" {
			s.told.finish(why + p.cut)
			s.core.Log.Info().Str("file", s.config.File).Msg(why + p.cut)
			return nil
		}
		s.place.next(p.length(), s.config.Speed)
	}
}

// endOpen ends the flows that the recording left open: nothing more is heard of them, and nobody else would
// ever find out that they are gone.
func (s *source) endOpen(ctx context.Context, out sources.Writer) error {
	for i := range s.place.open {
		u := messages.Update{Key: i.key, Start: i.start, ID: i.id, Status: messages.Ended}
		if err := out.Add(ctx, &u, nil, nil); err != nil {
			return err
		}
		delete(s.place.open, i)
	}
	return out.Flush(ctx)
}

// last says why no other pass follows, or nothing. A pass without updates and facts is the last one, because it would
// be repeated without pause.
func (s *source) last(p *pass) string {
	switch {
	case !s.config.Loop:
		return "the recording was played to its end"
	case p.news == 0:
		return "the recording holds no updates"
	}
	return ""
}

// open begins a pass over the file, or continues one.
func (s *source) open() (*pass, error) {
	file, err := os.Open(s.config.File)
	if err != nil {
		return nil, fmt.Errorf("open recording: %w", err)
	}
	r, err := recording.NewReader(file)
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("%s: %w", s.config.File, err)
	}
	if s.place.began.IsZero() {
		s.place.began = time.Now()
	}
	h := r.Header()
	s.told.start()
	s.core.Log.Info().Str("file", s.config.File).Time("recorded", h.Created).Str("version", h.Version).
		Float64("speed", s.config.Speed).Int64("pass", s.place.pass).Uint64("behind", s.place.frames).
		Msg("play a recording")
	return &pass{source: s, file: file, reader: r, shift: newShift(&h, s.place)}, nil
}

// next goes back to the start of the file, for another pass that begins when one of this length ends.
func (p *place) next(length time.Duration, speed float64) {
	*p = place{
		since: p.since,
		began: p.began.Add(scale(length, speed)),
		pass:  p.pass + 1,
		shift: min(p.shift+length, maxShift),
	}
}

// scale is how long a stretch of the recording takes to play.
func scale(d time.Duration, speed float64) time.Duration {
	if speed == 0 {
		return 0
	}
	return time.Duration(min(float64(d)/speed, recording.MaxTime))
}
