package household

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"weir/messages"
	"weir/sources/recording"
)

// traffic makes up a recording, slice by slice; it keeps no more than the flows that live.
type traffic struct {
	options Options
	rand    *rand.Rand
	world   *world
	writer  *recording.Writer
	made    Made
	live    []*flow
	// keys of the live flows, which must differ.
	keys map[messages.Key]struct{}
}

// news is something that is recorded of a flow.
type news struct {
	at       time.Duration
	flow     *flow
	status   messages.Status
	snapshot uint64
}

// tick is for how long news gather before they travel.
const tick = 250 * time.Millisecond

// olderShare of the flows are older than the recording.
const olderShare = 0.03

func (t *traffic) write() error {
	chooser := kindsByWeight()
	older := int(float64(t.options.Flows) * olderShare)
	for range older {
		t.add(chooser, -time.Duration(t.rand.Int64N(int64(time.Hour))))
	}
	left := t.options.Flows - older
	for i := range t.options.Slices {
		n := left / (t.options.Slices - i)
		if i < t.options.Slices-1 {
			n = min(left, int(float64(n)*t.wave(i)))
		}
		left -= n
		if err := t.slice(i, n, chooser); err != nil {
			return err
		}
	}
	for _, f := range t.live {
		t.settle(f)
	}
	return nil
}

// wave lets the evening swell and ebb.
func (t *traffic) wave(i int) float64 {
	return 1 + 0.4*math.Sin(float64(i)/9) + 0.2*(t.rand.Float64()-0.5)
}

// add makes up a flow. One that is older than the recording lives at least until the first snapshot, so that
// its baseline is known: a demonstration should be exact.
func (t *traffic) add(chooser chooser, begin time.Duration) *flow {
	f := t.world.newFlow(t.rand, &kinds[chooser.choose(t.rand)], begin)
	for t.taken(f) {
		f = t.world.newFlow(t.rand, &kinds[chooser.choose(t.rand)], begin)
	}
	if begin < 0 && f.end < t.options.Slice {
		f.end = t.options.Slice + time.Duration(t.rand.Int64N(int64(t.options.Slice)))
	}
	t.keys[f.update.Key] = struct{}{}
	t.live = append(t.live, f)
	t.made.Flows++
	return f
}

func (t *traffic) taken(f *flow) bool {
	_, taken := t.keys[f.update.Key]
	return taken
}

// slice records the i-th slice, in which n flows begin.
func (t *traffic) slice(i, n int, chooser chooser) error {
	start := time.Duration(i) * t.options.Slice
	stop := start + t.options.Slice
	var all []news
	for range n {
		f := t.add(chooser, start+time.Duration(t.rand.Int64N(int64(t.options.Slice))))
		all = append(all, news{at: f.begin, flow: f, status: messages.Started})
	}
	snapshot := stop - t.options.Slice/50
	for _, f := range t.live {
		if f.begin < snapshot && f.end > snapshot {
			all = append(all, news{at: snapshot, flow: f, snapshot: uint64(i) + 1}) //nolint:gosec // A count.
		}
		if f.end < stop {
			all = append(all, news{at: f.end, flow: f, status: messages.Ended})
		}
	}
	slices.SortStableFunc(all, func(a, b news) int { return cmp.Compare(a.at, b.at) })
	if err := t.record(all); err != nil {
		return err
	}
	t.live = slices.DeleteFunc(t.live, func(f *flow) bool { return f.end < stop && t.settle(f) })
	return nil
}

// settle sums a flow of which no more is recorded.
func (t *traffic) settle(f *flow) bool {
	delete(t.keys, f.update.Key)
	m := f.moved()
	t.made.Moved.Packets += m.Packets
	t.made.Moved.Bytes += m.Bytes
	return true
}

// record writes news, which are in order, as batches.
func (t *traffic) record(all []news) error {
	for len(all) > 0 {
		n := 1
		for n < len(all) && n < messages.BatchSize && together(&all[0], &all[n]) {
			n++
		}
		if err := t.batch(all[:n]); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

// together says whether two news travel in one batch.
func together(a, b *news) bool {
	return a.snapshot == b.snapshot && a.at/tick == b.at/tick
}

func (t *traffic) batch(all []news) error {
	b := messages.NewBatch()
	defer b.Release()
	b.Source, b.Snapshot = "conntrack", all[0].snapshot
	for _, n := range all {
		u := n.flow.at(n.at, t.options.Created, n.status)
		n.flow.record(&u)
		b.Add(&u, n.flow.alias, n.flow.tags)
	}
	t.made.Batches++
	t.made.Updates += uint64(len(all))
	return t.writer.Batch(t.options.Created.Add(all[len(all)-1].at), b)
}
