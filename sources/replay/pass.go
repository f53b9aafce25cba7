package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"weir/messages"
	"weir/sources"
	"weir/sources/recording"
)

// pass is one reading of the file from its start.
type pass struct {
	*source
	file   *os.File
	reader *recording.Reader
	shift  shift
	// read counts batches, news the updates and facts that they held, and furthest is the latest time of any.
	read, news uint64
	furthest   time.Duration
	// missed counts batches that the recorder could not take.
	missed uint64
	// cut says that the file was cut off, and where.
	cut string
}

// play hands over all that the file holds. It returns nil at the end of the file, cut off or not.
func (p *pass) play(ctx context.Context, out sources.Writer) error {
	for {
		b := messages.NewBatch()
		info, err := p.reader.Next(b)
		if err == nil {
			err = p.batch(ctx, out, b, info)
		}
		b.Release()
		p.lost(info)
		if err != nil {
			return errors.Join(p.ended(err), out.Flush(ctx))
		}
	}
}

// ended tells the end of the file from a failure.
func (p *pass) ended(err error) error {
	var torn *recording.TornError
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case errors.As(err, &torn):
		p.cut = "; " + torn.Error() + ", what came before was used"
		p.told.torn()
		p.core.Log.Warn().Err(err).Str("file", p.config.File).Msg("what came before is used")
		return nil
	default:
		return fmt.Errorf("%s: %w", p.config.File, err)
	}
}

// batch hands over a batch when its time has come. One that was handed over before a failure is only
// looked at.
func (p *pass) batch(ctx context.Context, out sources.Writer, b *messages.Batch, info recording.Info) error {
	p.furthest = max(p.furthest, info.At)
	p.news += uint64(len(b.Updates)) + uint64(len(b.Facts))
	p.shift.see(b)
	if p.read++; p.read <= p.place.frames {
		return nil
	}
	if err := p.wait(ctx, out, info.At); err != nil {
		return err
	}
	if err := p.handOver(ctx, out, b); err != nil {
		return err
	}
	p.told.played(b, info)
	return nil
}

// handOver notes its place before each fact and update: should the writer panic, nobody knows whether it took
// the update, and to lose one is better than to count it twice. Facts go first, since they say what the
// updates' addresses are called.
func (p *pass) handOver(ctx context.Context, out sources.Writer, b *messages.Batch) error {
	for i := p.place.taken; i < len(b.Facts)+len(b.Updates); i++ {
		p.place.taken = i + 1
		if err := p.item(ctx, out, b, i); err != nil {
			p.place.taken = i
			return err
		}
	}
	p.place.frames, p.place.taken = p.read, 0
	return nil
}

// item hands over one fact, or with the numbers behind those one update.
func (p *pass) item(ctx context.Context, out sources.Writer, b *messages.Batch, i int) error {
	if i < len(b.Facts) {
		p.shift.retimeFact(&b.Facts[i])
		return out.Tell(ctx, &b.Facts[i])
	}
	u := &b.Updates[i-len(b.Facts)]
	alias, tags := b.AliasOf(u), b.TagsOf(u)
	p.shift.retime(u)
	if err := out.Add(ctx, u, alias, tags); err != nil {
		return err
	}
	p.place.follow(u)
	return nil
}

// wait returns when a batch is due, and has all flushed before it waits.
func (p *pass) wait(ctx context.Context, out sources.Writer, at time.Duration) error {
	due := time.Until(p.place.began.Add(scale(at, p.config.Speed)))
	if due <= 0 {
		return ctx.Err()
	}
	if err := out.Flush(ctx); err != nil {
		return err
	}
	timer := time.NewTimer(due)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lost passes on what the recorder missed, unless the source before this one did.
func (p *pass) lost(info recording.Info) {
	p.missed += info.Lost
	if p.missed <= p.place.missed {
		return
	}
	n := p.missed - p.place.missed
	p.place.missed = p.missed
	p.told.recorderLost(n)
	p.core.Out.Lost(messages.Loss{
		Source: p.core.Name,
		Kind:   messages.LossShed,
		Detail: fmt.Sprintf("%d batches are missing from the recording, because the recorder was too slow", n),
	})
}

// length is how long a pass takes, with the slice that the last batch fell into.
func (p *pass) length() time.Duration {
	return p.furthest + max(p.reader.Header().Slice, time.Second)
}
