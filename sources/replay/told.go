package replay

import (
	"sync"
	"time"

	"weir/messages"
	"weir/sources"
	"weir/sources/recording"
)

// told is what the source tells of itself.
type told struct {
	mu     sync.Mutex // guards all
	state  sources.State
	detail string

	batches, updates, facts, leftOut, leftOutFacts, lost, passes, cuts uint64
	at                                                                 time.Duration
}

func (t *told) start() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state = sources.Running
}

func (t *told) finish(detail string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state, t.detail = sources.Finished, detail
}

func (t *told) played(b *messages.Batch, info recording.Info) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.batches++
	t.updates += uint64(len(b.Updates))
	t.facts += uint64(len(b.Facts))
	t.leftOut += uint64(info.LeftOut)           //nolint:gosec // A count.
	t.leftOutFacts += uint64(info.LeftOutFacts) //nolint:gosec // A count.
	t.at = info.At
}

func (t *told) recorderLost(batches uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lost += batches
}

func (t *told) torn() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cuts++
}

func (t *told) passed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.passes++
}

func (t *told) health() sources.Health {
	t.mu.Lock()
	defer t.mu.Unlock()
	count := func(name, help string, n uint64) sources.Metric {
		return sources.Metric{Name: name, Help: help, Value: float64(n)}
	}
	return sources.Health{
		State:  t.state,
		Detail: t.detail,
		Metrics: []sources.Metric{
			{
				Name: "position_seconds", Help: "time since the start of the recording",
				Gauge: true, Value: t.at.Seconds(),
			},
			count("batches_total", "batches played", t.batches),
			count("updates_total", "updates played", t.updates),
			count("facts_total", "facts played, which belong to no flow", t.facts),
			count("passes_total", "times that the file was played to its end", t.passes),
			count("left_out_tags_total", "tags of unknown columns or with foreign values", t.leftOut),
			count("left_out_facts_total", "facts of unknown kinds or with foreign texts", t.leftOutFacts),
			count("recorder_lost_batches_total", "batches that the recorder could not take", t.lost),
			count("cut_off_total", "times that the file ended without its end frame", t.cuts),
		},
	}
}
