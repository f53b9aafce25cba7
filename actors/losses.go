package actors

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"weir/messages"
)

// maxLosses is how many different losses one slice may tell; further ones are summed by source and kind.
const maxLosses = 64

// lossBook gathers losses, from any goroutine, until the next slice tells them.
type lossBook struct {
	mu   sync.Mutex
	all  []messages.Loss
	told uint64
}

// add books a loss. Losses that differ in extent only become one.
func (l *lossBook) add(loss messages.Loss) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told++
	same := func(o messages.Loss) bool {
		return o.Source == loss.Source && o.Kind == loss.Kind && o.Detail == loss.Detail
	}
	alike := func(o messages.Loss) bool { return o.Source == loss.Source && o.Kind == loss.Kind }
	i := slices.IndexFunc(l.all, same)
	if i < 0 && len(l.all) >= maxLosses {
		if i = slices.IndexFunc(l.all, alike); i < 0 {
			i = len(l.all) - 1
		}
	}
	if i < 0 {
		l.all = append(l.all, loss)
		return
	}
	merge(&l.all[i], &loss)
}

func merge(into, loss *messages.Loss) {
	into.Count += loss.Count
	into.Bytes += loss.Bytes
	if loss.Span.Start.Before(into.Span.Start) {
		into.Span.Start = loss.Span.Start
	}
	if loss.Span.End.After(into.Span.End) {
		into.Span.End = loss.Span.End
	}
}

// take hands out what was gathered.
func (l *lossBook) take() []messages.Loss {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.all
	l.all = nil
	return all
}

// presence knows when a source was able to deliver.
type presence struct {
	mu sync.Mutex
	// up is set while it can deliver; since is when that last changed, or when the last slice told it.
	up    bool
	since time.Time
	// ever is set once it was ready, or once a slice has told that it was not: only from then on
	// is being down a loss.
	ever bool
	// gone sums the times that it was down and that no slice has told, first and last bound them.
	gone        time.Duration
	first, last time.Time
	times       int
	// ended is set when the source was stopped on purpose: what comes after is no loss of this run.
	ended bool
}

// newPresence begins at the start of the program.
func newPresence(now time.Time) *presence { return &presence{since: now} }

func (p *presence) ready() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.up
}

func (p *presence) set(up bool, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.up == up || p.ended {
		return
	}
	if up && p.ever {
		p.note(now)
	}
	p.up, p.since = up, now
	p.ever = p.ever || up
}

// end is called when the source is stopped for good.
func (p *presence) end(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.up && !p.ended && p.ever {
		p.note(now)
	}
	p.up, p.ended = false, true
}

// note books the time until now as down. The lock is held.
func (p *presence) note(now time.Time) {
	if p.times == 0 {
		p.first = p.since
	}
	p.times++
	p.last = now
	p.gone += max(0, now.Sub(p.since)) // The clock may have been set back.
}

// take gives the loss to tell in the slice that closes now, and whether the source is down.
func (p *presence) take(source string, now time.Time) (loss messages.Loss, lost, down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	down = !p.up && !p.ended
	if down {
		p.note(now)
		p.since, p.ever = now, true
	}
	if p.times == 0 {
		return loss, false, down
	}
	loss = messages.Loss{
		Source: source, Kind: messages.LossDown, Span: messages.Span{Start: p.first, End: p.last},
		Detail: fmt.Sprintf("%s did not run for %s", source, p.gone.Round(time.Millisecond)),
	}
	p.gone, p.times = 0, 0
	return loss, true, down
}

// count is how many losses were booked.
func (l *lossBook) count() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.told
}
