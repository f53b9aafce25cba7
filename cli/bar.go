package cli

import (
	"strings"
	"time"
)

// bar shows on a terminal how far something is.
type bar struct {
	screen *screen
	what   string
	unit   func(n uint64) string
	now    func() time.Time
	told   time.Time
}

func (a *App) bar(what string, unit func(n uint64) string) *bar {
	return &bar{screen: a.screen(a.Err), what: what, unit: unit, now: a.Now}
}

// barWidth is in letters.
const barWidth = 30

// show shows that so much of so much is done.
func (b *bar) show(done, of uint64) {
	now := b.now()
	if !b.screen.terminal || now.Sub(b.told) < 100*time.Millisecond {
		return
	}
	b.told = now
	full := barWidth
	if of > 0 && done < of {
		full = int(float64(done) / float64(of) * barWidth)
	}
	b.screen.printf("\r\x1b[K%s [%s%s] %s of %s", b.what, strings.Repeat("#", full), strings.Repeat(".", barWidth-full),
		b.unit(done), b.unit(of))
}

// clear removes the line.
func (b *bar) clear() {
	if b.screen.terminal && !b.told.IsZero() {
		b.screen.printf("\r\x1b[K")
	}
}
