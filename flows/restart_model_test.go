package flows

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"weir/messages"
)

// life is one incarnation in the model of restarts.
type life struct {
	update messages.Update // as the kernel tells it now
	base   [2]messages.Counter
	older  bool // it was there before counting began
	// lost is set when its end was not heard, or forgotten with the open slice: what it moved last is lost.
	lost   bool
	known  bool                // of one that was lost: something of it is in a closed slice,
	final  [2]messages.Counter // up to these counters
	ended  bool
	sealed bool // its end is in a closed slice
}

// incarnationID is how the archive knows a flow over restarts.
type incarnationID struct {
	key   messages.Key
	start int64
	id    uint32
}

// restarts is a daemon that is killed and started again, beside a kernel that goes on.
type restarts struct {
	*bench
	rt      *rapid.T
	options Options
	starts  bool // the kernel tells starts
	now     time.Duration
	ids     uint32
	live    map[int]*life
	all     map[incarnationID]*life
	kept    map[incarnationID]messages.Account
	booked  map[incarnationID]*[2]messages.Counter
	byFlow  map[uint64]incarnationID
	folds   bool
}

func (r *restarts) id(u *messages.Update) incarnationID {
	return incarnationID{key: u.Key, start: u.Start, id: u.ID}
}

func (r *restarts) begin(i int, older bool) {
	r.ids++
	at := r.now
	if older {
		at = -time.Hour
	}
	l := &life{update: nth(i, 0), older: older}
	l.update.Start, l.update.ID, l.update.Counters = born.Add(at).UnixNano(), r.ids, [2]messages.Counter{}
	if !r.starts {
		l.update = without(l.update, r.ids)
	}
	r.live[i], r.all[r.id(&l.update)] = l, l
}

func (r *restarts) move(i int, n uint64) {
	if r.live[i] == nil {
		r.begin(i, false)
	}
	c := &r.live[i].update.Counters
	c[0].Bytes, c[0].Packets = c[0].Bytes+n, c[0].Packets+1
	c[1].Bytes, c[1].Packets = c[1].Bytes+3*n, c[1].Packets+2
}

func (r *restarts) end(i int, heard bool) {
	l := r.live[i]
	if l == nil {
		return
	}
	delete(r.live, i)
	l.ended, l.lost = true, !heard
	if heard {
		r.events(ended(l.update))
	}
}

func (r *restarts) records() []messages.Update {
	var us []messages.Update
	for i := range 10 {
		if l := r.live[i]; l != nil {
			us = append(us, l.update)
		}
	}
	return us
}

// seal closes a slice and keeps what an archive would keep of it.
func (r *restarts) seal(all bool) {
	r.snapshot(r.records()...)
	p := r.tab.Close(&messages.CloseSlice{
		Seq: r.seq, Accounts: all,
		Snapshots: []messages.SnapshotTaken{{Seq: r.seq, Source: "conntrack", Complete: true}},
	})
	r.seq++
	r.sum.Add(p.Rows.Totals())
	if p.AllAccounts && !all {
		r.rt.Fatalf("all accounts, and nobody wanted them")
	}
	if p.AllAccounts {
		clear(r.kept)
	}
	seen := map[uint64]bool{}
	for _, a := range p.Accounts {
		id := incarnationID{key: a.Key, start: a.Start, id: a.ID}
		if r.all[id] == nil || seen[a.Flow] {
			r.rt.Fatalf("account %+v is of nobody, or there twice", a)
		}
		seen[a.Flow] = true
		r.kept[id], r.byFlow[a.Flow] = a, id
	}
	for i, flow := range p.Rows.Flow {
		if !seen[flow] {
			r.rt.Fatalf("row %d has no account", i)
		}
		b := r.booked[r.byFlow[flow]]
		if b == nil {
			b = &[2]messages.Counter{}
			r.booked[r.byFlow[flow]] = b
		}
		a := r.kept[r.byFlow[flow]]
		up, down := 0, 1
		if !a.LocalIsA {
			up, down = 1, 0
		}
		b[up].Bytes += p.Rows.UpBytes[i]
		b[down].Bytes += p.Rows.DownBytes[i]
	}
	for _, l := range r.all {
		l.sealed = l.sealed || l.ended
	}
}

// kill throws the table away with the open slice, lets the kernel go on, and makes a table of what was kept.
func (r *restarts) kill(meanwhile func()) {
	meanwhile()
	for id, l := range r.all {
		if l.ended && !l.sealed {
			l.lost, l.sealed = true, true
			l.final, l.known = r.kept[id].Last, r.kept[id].Key == id.key
		}
	}
	o := r.options
	o.FirstSeq, o.Restore = r.seq, []messages.Account{}
	for id := range r.kept {
		o.Restore = append(o.Restore, r.kept[id])
	}
	slices.SortFunc(o.Restore, func(a, b messages.Account) int { return cmp.Compare(a.ID, b.ID) })
	r.tab = NewTable(o)
}

// truth is what all slices must sum to.
func (r *restarts) truth() (t messages.Totals) {
	for id, l := range r.all {
		c := l.update.Counters
		if l.lost && !l.known {
			continue // Nobody has ever heard of it.
		}
		if l.lost {
			c = l.final
		}
		moved := [2]messages.Counter{
			{Bytes: c[0].Bytes - l.base[0].Bytes}, {Bytes: c[1].Bytes - l.base[1].Bytes},
		}
		up := 0
		if b := l.update.Flags&messages.InitiatorB != 0; b { // All of nth begin at home.
			up = 1
		}
		addTo(&t, &moved, up, !l.older, l.ended)
		if b := r.booked[id]; !r.folds && b != nil && (b[0].Bytes != moved[0].Bytes || b[1].Bytes != moved[1].Bytes) {
			r.rt.Errorf("flow %+v: booked %+v, moved %+v", id, b, moved)
		}
	}
	return t
}

// Every byte once, over restarts: the table is thrown away at any moment, and made anew of the accounts that left it
// with closed slices.
func TestEveryByteOnceOverRestarts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := &restarts{
			rt: rt, starts: rapid.Bool().Draw(rt, "starts"), live: map[int]*life{}, all: map[incarnationID]*life{},
			kept: map[incarnationID]messages.Account{}, booked: map[incarnationID]*[2]messages.Counter{},
			byFlow: map[uint64]incarnationID{},
		}
		r.options = Options{
			Shards: 1, Seed: seed, Home: home, CountsSince: born, Accounts: true,
			Events: rapid.Bool().Draw(rt, "events"),
		}
		r.bench = newBench(t, func(o *Options) { *o = r.options })
		for i := range rapid.IntRange(0, 3).Draw(rt, "older") {
			r.begin(i, true)
			r.move(i, 5000)
			r.live[i].base = r.live[i].update.Counters
		}
		r.seal(false)
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			r.now += time.Second
			r.step(rapid.IntRange(0, 9).Draw(rt, "flow"))
			if fault := r.tab.fault(); fault != "" {
				rt.Fatal(fault)
			}
		}
		r.settle()
		want := r.truth()
		if r.folds && r.sum.Ended > want.Ended {
			r.sum.Ended = want.Ended // Nobody keeps the keys of folded flows: one that vanishes again ends again.
		}
		if r.sum.Up.Bytes != want.Up.Bytes || r.sum.Down.Bytes != want.Down.Bytes || r.sum.Started != want.Started ||
			r.sum.Ended != want.Ended {
			rt.Fatalf("counted %+v\nmoved   %+v", r.sum, want)
		}
	})
}

// settle lets what is gone vanish, and the rest be told.
func (r *restarts) settle() {
	for range vanishAfter + 3 {
		r.seal(false)
	}
}

func (r *restarts) step(i int) {
	rt := r.rt
	bytes := func() uint64 { return uint64(rapid.IntRange(1, 500).Draw(rt, "bytes")) }
	switch rapid.SampledFrom([]string{
		"move", "move", "end", "dump", "seal", "seal", "all", "announce", "fold", "rescue", "kill", "hear",
	}).Draw(rt, "step") {
	case "move":
		r.move(i, bytes())
	case "end":
		r.end(i, true)
	case "dump":
		r.snapshot(r.records()...)
	case "seal":
		r.seal(false)
	case "all":
		r.seal(true)
		r.seal(true) // Folded flows need a whole slice.
	case "announce":
		if l := r.live[i]; l != nil {
			r.events(announced(l.update))
		}
	case "fold":
		if n := r.tab.coldest(); n != 0 {
			r.folds = true
			r.tab.fold(n)
		}
	case "rescue":
		r.tab = r.tab.Rescue(nil)
	case "hear":
		r.tab.TakeEvents(rapid.IntRange(1, 20).Draw(rt, "most"))
	case "kill":
		r.kill(func() {
			for range rapid.IntRange(0, 5).Draw(rt, "meanwhile") {
				j := rapid.IntRange(0, 9).Draw(rt, "other flow")
				r.now += time.Second
				if rapid.Bool().Draw(rt, "ends") {
					r.end(j, false)
				} else {
					r.move(j, bytes())
				}
			}
		})
	}
}
