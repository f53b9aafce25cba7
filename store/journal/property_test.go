package journal_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"weir/columns"
	"weir/internal/disk/disktest"
	"weir/messages"
	"weir/store"
	"weir/store/storetest"
)

// world makes slices of flows that live, change, are amended and end, and remembers all that it said.
type world struct {
	*storetest.Maker
	flows []*flow
	said  []*messages.Slice
	// all says how often a slice has the accounts of all live flows: one in so many.
	all int
	// births bounds the flows that begin in a slice.
	births int
}

// flow is a flow of the world.
type flow struct {
	messages.Account
	cells map[*columns.Column]columns.Value
	ended uint64
}

func newWorld(seed uint64) *world { return &world{Maker: storetest.NewMaker(seed), all: 7, births: 6} }

// born makes a flow, whose key shows in its cells more often than not.
func (w *world) born() *flow {
	f := &flow{cells: map[*columns.Column]columns.Value{}}
	f.Flow = w.R.Uint64() | 1
	var ends [2]messages.End
	proto := uint8(w.R.IntN(3) * 6)
	for i, side := range []string{"local", "remote"} {
		cell := func(name string) columns.Value {
			c, _ := columns.Lookup(side + "." + name)
			v := c.Random(w.R)
			if w.R.IntN(8) > 0 {
				f.cells[c] = v
			}
			return v
		}
		ip := cell("ip")
		addr := []byte(ip)
		if len(addr) == 4 {
			addr = append([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, addr...)
		}
		port := cell("port")
		ends[i] = messages.End{Addr: [16]byte(addr), Port: uint16(port[0])<<8 | uint16(port[1])}
	}
	c, _ := columns.Lookup("proto")
	f.cells[c] = columns.Value([]byte{proto})
	var swapped bool
	f.Key, swapped = messages.MakeKey(proto, uint16(w.R.IntN(2)*w.R.IntN(9)), ends[0], ends[1])
	f.LocalIsA = !swapped
	if w.R.IntN(5) > 0 {
		f.Start = storetest.Begin().UnixNano() + w.R.Int64N(1e12)
	}
	if w.R.IntN(5) > 0 {
		f.ID = w.R.Uint32()
	}
	for range w.R.IntN(3) {
		w.tag(f)
	}
	return f
}

// tag changes a tag of a flow, in its rows or, now and then, in its account alone.
func (w *world) tag(f *flow) {
	var free []*columns.Column
	for _, c := range w.Columns {
		if !c.Derived && c.Side != columns.OfRemote {
			free = append(free, c)
		}
	}
	c := free[w.R.IntN(len(free))]
	t := columns.Tag{Column: c, Value: c.Random(w.R)}
	if c.Side == columns.OfLocal {
		t.End = columns.EndA + columns.KeyEnd(w.R.IntN(2))
	}
	same := func(o columns.Tag) bool { return o.Column == c && o.End == t.End && (!c.Set || o.Value == t.Value) }
	tags := slices.DeleteFunc(slices.Clone(f.Tags), same)
	tags = append(tags, t)
	slices.SortFunc(tags, func(a, b columns.Tag) int {
		return cmp.Or(cmp.Compare(a.Column.Index(), b.Column.Index()), cmp.Compare(a.End, b.End),
			cmp.Compare(a.Value, b.Value))
	})
	f.Tags = tags
	if w.R.IntN(6) == 0 {
		return
	}
	var values []columns.Value
	for _, o := range tags {
		if o.Column == c && o.End == t.End {
			values = append(values, o.Value)
		}
	}
	cell := t.Value
	if c.Set {
		cell = columns.JoinSet(values)
	}
	shown := c
	if t.End != columns.NoEnd && (t.End == columns.EndA) != f.LocalIsA {
		shown = c.Sibling(columns.OfRemote)
	}
	f.cells[shown] = cell
}

// next makes the next slice.
func (w *world) next() *messages.Slice {
	s := w.Slice(0)
	s.Seq++ // Numbers begin with 1.
	s.Parts, s.Complete = nil, w.R.IntN(5) > 0
	if w.R.IntN(6) == 0 {
		s.Losses = []messages.Loss{{
			Source: "conntrack", Kind: messages.LossOverrun, Count: w.R.Uint64N(9), Span: s.Span, Detail: "Too slow.",
		}}
	}
	for range w.R.IntN(w.births) {
		w.flows = append(w.flows, w.born())
	}
	s.AllAccounts = w.R.IntN(w.all) == 0
	parts := [2]*messages.Rows{{}, {}}
	for i, f := range w.flows {
		if f.Ended {
			continue
		}
		if w.R.IntN(3) == 0 {
			w.tag(f)
		}
		moved := w.R.IntN(2) == 0
		if moved {
			w.row(parts[i%2], f)
		}
		if moved && w.R.IntN(6) == 0 {
			f.Ended, f.ended = true, s.Seq
			p := parts[i%2]
			p.Ended[len(p.Ended)-1] = 1
		}
		if moved || s.AllAccounts {
			s.Accounts = append(s.Accounts, f.Account)
		}
		if w.R.IntN(10) == 0 {
			s.Amendments = append(s.Amendments, w.amendment(f.Flow))
		}
	}
	if w.R.IntN(3) == 0 {
		parts[0].Other = messages.Totals{Up: messages.Counter{Bytes: w.R.Uint64N(1e9), Packets: 1}, Rows: 2}
	}
	s.Parts = []*messages.Rows{parts[0], nil, parts[1]}
	w.said = append(w.said, s)
	return s
}

func (w *world) amendment(flow uint64) messages.Amendment {
	a := messages.Amendment{Flow: flow}
	for range 1 + w.R.IntN(2) {
		c := w.Columns[w.R.IntN(len(w.Columns))]
		v := c.Random(w.R)
		if c.Set {
			v = columns.JoinSet([]columns.Value{v})
		}
		if w.R.IntN(5) == 0 {
			v = ""
		}
		a.Cells = append(a.Cells, messages.AmendedCell{Column: c, Value: v})
	}
	return a
}

// row adds a row of a flow.
func (w *world) row(p *messages.Rows, f *flow) {
	n := p.Len()
	for c, v := range f.cells {
		at := slices.IndexFunc(p.Cells, func(o messages.Cells) bool { return o.Column == c })
		if at < 0 {
			at = len(p.Cells)
			p.Cells = append(p.Cells, messages.Cells{Column: c, Dict: []columns.Value{""}, IDs: make([]uint32, n)})
		}
		p.Cells[at].Dict = append(p.Cells[at].Dict, v)
		p.Cells[at].IDs = append(p.Cells[at].IDs, uint32(len(p.Cells[at].Dict)-1))
	}
	for i := range p.Cells {
		if len(p.Cells[i].IDs) == n {
			p.Cells[i].IDs = append(p.Cells[i].IDs, 0)
		}
	}
	counts := [2]messages.Counter{{Bytes: w.R.Uint64N(1e6), Packets: w.R.Uint64N(1e3)}, {}}
	if w.R.IntN(4) > 0 {
		counts[1] = messages.Counter{Bytes: w.R.Uint64N(1e6), Packets: w.R.Uint64N(1e3)}
	}
	p.UpBytes, p.UpPackets = append(p.UpBytes, counts[0].Bytes), append(p.UpPackets, counts[0].Packets)
	p.DownBytes, p.DownPackets = append(p.DownBytes, counts[1].Bytes), append(p.DownPackets, counts[1].Packets)
	p.Started, p.Ended = append(p.Started, uint32(w.R.IntN(3))), append(p.Ended, 0)
	p.Flow = append(p.Flow, f.Flow)
	a, b := 0, 1
	if !f.LocalIsA {
		a, b = 1, 0
	}
	if w.R.IntN(9) == 0 {
		f.Last[0].Bytes += 77 // Somebody else booked it.
	}
	f.Last[0].Bytes += counts[a].Bytes
	f.Last[0].Packets += counts[a].Packets
	f.Last[1].Bytes += counts[b].Bytes
	f.Last[1].Packets += counts[b].Packets
}

// books is what the slices say of accounts in the end.
func books(said []*messages.Slice) map[string]messages.Account {
	type entry struct {
		messages.Account
		seq uint64
	}
	all := map[string]entry{}
	seq := uint64(0)
	for _, s := range said {
		seq = s.Seq
		if s.AllAccounts {
			clear(all)
		}
		for _, a := range s.Accounts {
			a.Flow = 0
			all[fmt.Sprint(a.Key, a.Start, a.ID)] = entry{Account: a, seq: s.Seq}
		}
	}
	out := map[string]messages.Account{}
	for k, e := range all {
		if !e.Ended || e.seq+3 > seq {
			out[k] = e.Account
		}
	}
	return out
}

// checkBooks compares accounts.
func checkBooks(t testing.TB, want map[string]messages.Account, got []messages.Account) {
	t.Helper()
	for _, a := range got {
		k := fmt.Sprint(a.Key, a.Start, a.ID)
		w, ok := want[k]
		if !ok {
			t.Fatalf("an account too many: %+v", a)
		}
		if g, w := fmt.Sprintf("%+v", plain(a)), fmt.Sprintf("%+v", plain(w)); g != w {
			t.Fatalf("want %s\ngot %s", w, g)
		}
		delete(want, k)
	}
	for k := range maps.Keys(want) {
		t.Fatalf("missing: %v", k)
	}
}

// plain gives an account such that it can be printed.
func plain(a messages.Account) any {
	var tags []string
	for _, t := range a.Tags {
		tags = append(tags, fmt.Sprintf("%s/%d=%x", t.Column.Name, t.End, t.Value))
	}
	slices.Sort(tags)
	a.Tags = nil
	return struct {
		messages.Account
		tags []string
	}{a, tags}
}

// checkRows compares all that can be asked with the simplest tier.
func checkRows(t testing.TB, w *world, j store.Tier, said []*messages.Slice) {
	t.Helper()
	model := &storetest.Model{Resolution: storetest.Resolution, Amends: true}
	for _, s := range said {
		n := *s
		n.Parts = slices.DeleteFunc(slices.Clone(s.Parts), func(p *messages.Rows) bool { return p == nil })
		if err := model.Append(&n); err != nil {
			t.Fatal(err)
		}
	}
	requests := []*store.Request{storetest.Everything(), storetest.Everything(), w.Request(), w.Request(), w.Request()}
	requests[1].By = w.Columns
	for _, r := range requests {
		want, got := store.NewPartial(r), store.NewPartial(r)
		if err := model.Query(context.Background(), r, want); err != nil {
			t.Fatal(err)
		}
		if err := j.Query(context.Background(), r, got); err != nil {
			t.Fatal(err)
		}
		got.Losses = ofOthers(got.Losses)
		if d := storetest.Diff(want, got); d != "" {
			t.Fatalf("request by %d: %s", len(r.By), d)
		}
	}
}

// TestModel writes random slices, opens the journal again and again, and compares all that it says.
func TestModel(t *testing.T) {
	for seed := range uint64(20) {
		d := disktest.New()
		w := newWorld(seed)
		r := rand.New(rand.NewPCG(seed, 5))
		o := options()
		var opened time.Duration
		j, _ := open(t, d, "/journal", o)
		session := 0
		for range 60 {
			if err := j.Append(w.next()); err != nil {
				t.Fatal(err)
			}
			if r.IntN(10) > 0 {
				continue
			}
			checkRows(t, w, j, w.said)
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			j, _ = open(t, d, "/journal", o)
			restore := j.Restore()
			last := w.said[len(w.said)-1]
			if !restore.SameBoot || restore.Seq != last.Seq || !restore.Span.Start.Equal(last.Span.Start) ||
				!restore.Began.Equal(o.Now) {
				t.Fatalf("seed %d: %+v after %d", seed, restore, last.Seq)
			}
			checkBooks(t, books(w.said), restore.Accounts)
			checkRows(t, w, j, w.said)
			session++
			for _, f := range w.flows { // What a new process knows flows by.
				f.Flow = f.Flow*3 + 2
			}
			opened += time.Second
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
