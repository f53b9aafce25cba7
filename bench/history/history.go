// Package history makes up what a daemon has stored of a household after days: closed slices with all their
// columns. Benchmarks of storage and of queries stand on it.
//
// A world is a fixed cast: devices, names with the addresses behind them, applications. Few names are asked
// for often and most seldom; popular names own more addresses, and some share them. Flows begin and go on
// over slices: a day has a quiet night and a loud evening, and few flows move most of the bytes. The same
// options always give the same slices.
package history

import (
	"errors"
	"math"
	"math/rand/v2"
	"time"

	"weir/messages"
)

// Options size a history. A zero field takes its default.
type Options struct {
	Seed uint64
	// Rows is how many rows all slices have together; 10 million by default.
	Rows int
	// Span is how much time they cover, 4 days by default, and Slice how long one is, 10 seconds.
	Span, Slice time.Duration
	// Start is when the first begins; by default Monday the 1st of June 2026, 00:00 UTC.
	Start time.Time
	// Devices are 50, Names 20,000, Addresses (of the world) 100,000 and Apps 150 by default.
	Devices, Names, Addresses, Apps int
}

func (o Options) withDefaults() Options {
	set := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	set(&o.Rows, 10_000_000)
	set(&o.Devices, 50)
	set(&o.Names, 20_000)
	set(&o.Addresses, 100_000)
	set(&o.Apps, 150)
	if o.Span == 0 {
		o.Span = 4 * 24 * time.Hour
	}
	if o.Slice == 0 {
		o.Slice = 10 * time.Second
	}
	if o.Start.IsZero() {
		o.Start = time.Date(2026, time.June, 1, 0, 0, 0, 0, time.UTC)
	}
	return o
}

// maxDevices have addresses in the home network.
const maxDevices = 240

// validate says what is wrong with options.
func (o *Options) validate() error {
	switch {
	case o.Rows < 1 || o.Names < 1 || o.Addresses < 100 || o.Apps < len(knownApps):
		return errors.New("history: rows, names, addresses or apps are too few")
	case o.Devices < 1 || o.Devices > maxDevices:
		return errors.New("history: devices are not from 1 to 240")
	case o.Slice < time.Second || o.Span < o.Slice:
		return errors.New("history: the span holds no slice")
	}
	return nil
}

// Maker makes one slice after the other.
type Maker struct {
	opt   Options
	world *world
	r     *rand.Rand
	names *popularity // which name a flow is to
	devs  *popularity // which device begins one
	flows []flow
	now   time.Time
	seq   uint64
	made  int
	mean  float64 // of load, so that all slices together have the rows that were asked for
}

// New builds a maker.
func New(o Options) (*Maker, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	m := &Maker{
		opt: o, world: newWorld(o), r: rand.New(rand.NewPCG(o.Seed, 2)), now: o.Start,
		names: newPopularity(o.Names, 1.05), devs: newPopularity(o.Devices, 0.8),
	}
	n := 0
	for t := o.Start; t.Before(o.Start.Add(o.Span)); t = t.Add(o.Slice) {
		m.mean += load(t)
		n++
	}
	m.mean /= float64(n)
	return m, nil
}

// Device gives the hardware address of the device that is the i-th busiest, as the column mac formats it, and
// Name the i-th most popular name, both from 0: for questions about them.
func (m *Maker) Device(i int) string { return m.world.devices[i].text }

// Name gives the i-th most popular name.
func (m *Maker) Name(i int) string { return m.world.hosts[i].name }

// Next gives the next slice, or nil after the last one.
func (m *Maker) Next() *messages.Slice {
	left := m.opt.Rows - m.made
	if left <= 0 || !m.now.Before(m.opt.Start.Add(m.opt.Span)) {
		return nil
	}
	slices := float64(m.opt.Span / m.opt.Slice)
	want := float64(m.opt.Rows) / slices * load(m.now) / m.mean * max(0.2, 1+0.15*m.r.NormFloat64())
	b := newBuilder(m.world)
	m.fill(b, min(max(int(want), 1), left))
	m.made += b.rows.Len()
	m.seq++
	s := &messages.Slice{
		Seq: m.seq, Span: messages.Span{Start: m.now, End: m.now.Add(m.opt.Slice)},
		Parts: []*messages.Rows{b.finish()}, Complete: true,
	}
	m.now = m.now.Add(m.opt.Slice)
	return s
}

// fill adds rows of flows that go on, then of new ones, which are a fifth of the rows or more.
func (m *Maker) fill(b *builder, want int) {
	live := m.flows[:0]
	for i := range m.flows {
		f := &m.flows[i]
		if b.rows.Len() < want && m.r.Float64() < f.talks {
			b.add(f, m.move(f), false)
		}
		if f.left--; f.left > 0 {
			live = append(live, *f)
		}
	}
	m.flows = live
	for fresh := 0; b.rows.Len() < want || fresh < want/5; fresh++ {
		f := m.begin()
		b.add(&f, m.move(&f), true)
		if f.left > 0 {
			m.flows = append(m.flows, f)
		}
	}
}

// load is how busy the household is at some time.
func load(t time.Time) float64 {
	hour := float64(t.Hour()) + float64(t.Minute())/60
	bump := func(at, width float64) float64 {
		away := math.Mod(hour-at+36, 24) - 12
		return math.Exp(-away * away / (2 * width * width))
	}
	v := 0.12 + 0.45*bump(8, 1.5) + 0.4*bump(13, 3) + bump(20.5, 2)
	if day := t.Weekday(); day == time.Saturday || day == time.Sunday {
		v *= 1.25
	}
	return v
}

// popularity draws numbers of which the first ones come often (Zipf's law).
type popularity struct{ sums []float64 }

func newPopularity(n int, exponent float64) *popularity {
	p := &popularity{sums: make([]float64, n)}
	sum := 0.0
	for i := range p.sums {
		sum += math.Pow(float64(i+1), -exponent)
		p.sums[i] = sum
	}
	return p
}

func (p *popularity) draw(r *rand.Rand) int {
	x := r.Float64() * p.sums[len(p.sums)-1]
	low, high := 0, len(p.sums)-1
	for low < high {
		if mid := (low + high) / 2; p.sums[mid] < x {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}
