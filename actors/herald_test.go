package actors

import (
	"testing"

	"weir/messages"
)

// toldTable has news of so many flows, each told once.
type toldTable struct {
	first, end uint64
	retold     int
	empty      int // news that come to nothing
}

func (t *toldTable) Pending() int { return int(t.end-t.first) + t.empty }

func (t *toldTable) TakeEvents(most int) []messages.Event {
	if n := min(most, t.empty); n > 0 {
		t.empty -= n
		return nil
	}
	end := min(t.end, t.first+uint64(most))
	all := eventsOf(t.first, end, messages.FlowStarted)
	t.first = end
	return all
}

func (t *toldTable) Retell() {
	t.retold++
	t.first = 0
}

// reader is a computation that takes messages when the test wants it to.
type reader struct {
	in    *inlet
	box   []any
	woken int
}

func newReader() *reader {
	r := &reader{}
	r.in = &inlet{post: func(m any) { r.box = append(r.box, m) }, wake: func() { r.woken++ }}
	return r
}

// read takes a message out of the mailbox.
func (r *reader) read() any {
	m := r.box[0]
	r.box = r.box[1:]
	if _, free := m.(*settleAgain); !free {
		r.in.release()
	}
	return m
}

// rest reads all, and counts.
func (r *reader) rest() (events, facts, again, missed int) {
	for len(r.box) > 0 {
		switch m := r.read().(type) {
		case *messages.Events:
			events += len(m.Flows)
			facts += len(m.Facts)
		case *settleAgain:
			again++
		case *missedNews:
			missed++
		}
	}
	return events, facts, again, missed
}

func heraldTo(rs ...*reader) *herald {
	var to []*inlet
	for _, r := range rs {
		to = append(to, r.in)
	}
	return newHerald(3, newRuntimeClock(), to)
}

func TestFlushHandsOverAll(t *testing.T) {
	r := newReader()
	h := heraldTo(r)
	tab := &toldTable{end: 100, empty: 7}
	h.heard(&messages.Batch{Facts: make([]messages.Fact, 3)}, tab)
	if len(r.box) != 0 {
		t.Fatal("a few news are handed over before the flush")
	}
	h.flush(tab)
	if len(r.box) != 1 || r.in.owes.Load() {
		t.Fatalf("%d messages, owes %v", len(r.box), r.in.owes.Load())
	}
	m := r.read().(*messages.Events)
	if m.Shard != 3 || m.Time == 0 || len(m.Flows) != 100 || len(m.Facts) != 3 {
		t.Errorf("message of shard %d at %d with %d events and %d facts", m.Shard, m.Time, len(m.Flows), len(m.Facts))
	}
	h.flush(tab)
	if len(r.box) != 0 {
		t.Error("a flush without news posts a message")
	}
}

func TestManyNewsDoNotWaitForTheFlush(t *testing.T) {
	r := newReader()
	h := heraldTo(r)
	h.heard(&messages.Batch{}, &toldTable{end: eagerNews})
	if len(r.box) != 1 {
		t.Errorf("%d messages", len(r.box))
	}
}

// A computation that does not read costs nothing but the window; what is owed is handed over as it reads.
func TestWindowBoundsWhatIsHandedOver(t *testing.T) {
	r := newReader()
	h := heraldTo(r)
	tab := &toldTable{end: 10 * maxNews}
	for range 3 {
		h.flush(tab)
	}
	if len(r.box) != inletWindow || !r.in.owes.Load() || h.lanes[0].waiting() != 0 {
		t.Fatalf("%d messages, owes %v, %d wait", len(r.box), r.in.owes.Load(), h.lanes[0].waiting())
	}
	events := 0
	for len(r.box) > 0 {
		woken := r.woken
		switch m := r.read().(type) {
		case *messages.Events:
			events += len(m.Flows)
		case *settleAgain:
			if r.in.owes.Load() || events < 10*maxNews {
				t.Errorf("all is said to be handed over after %d events", events)
			}
		}
		if r.woken > woken {
			h.work(tab)
		}
	}
	if events != 10*maxNews || r.in.owes.Load() || r.in.taken.Load() != 0 {
		t.Errorf("%d events, owes %v, %d credits taken", events, r.in.owes.Load(), r.in.taken.Load())
	}
}

// Under load there is always more; a flush is done when what was there then is handed over.
func TestFlushIsDoneThoughNewsGoOn(t *testing.T) {
	r := newReader()
	h := heraldTo(r)
	tab := &toldTable{end: (inletWindow + 1) * maxNews}
	h.flush(tab)
	for i := range 3 {
		tab.end += maxNews
		r.read()
		h.work(tab)
		if i == 0 && r.in.owes.Load() {
			t.Error("still owes")
		}
	}
	if _, _, again, _ := r.rest(); again != 1 {
		t.Errorf("told %d times that all is handed over", again)
	}
}

// A computation that lags too far behind begins anew, and brakes no other.
func TestSlowComputationBeginsAnew(t *testing.T) {
	slow, fast := newReader(), newReader()
	h := heraldTo(slow, fast)
	tab := &toldTable{}
	total := 0
	for range 20 {
		tab.end += maxNews
		h.flush(tab)
		events, _, _, missed := fast.rest()
		total += events
		if missed != 0 {
			t.Error("the fast one missed something")
		}
	}
	h.heard(&messages.Batch{Facts: make([]messages.Fact, 5)}, tab)
	if total != 20*maxNews || !h.lanes[0].missed || len(slow.box) != inletWindow {
		t.Fatalf("the fast one heard %d, the slow one missed %v, %d wait", total, h.lanes[0].missed, len(slow.box))
	}
	dropped := slow.in.eventsDropped.Load()
	var events, facts, missed int
	for range 100 {
		e, f, _, m := slow.rest()
		missed += m
		facts += f
		if events += e; m > 0 {
			events = 0 // What it heard before is forgotten.
		}
		fast.rest()
		h.work(tab)
	}
	if missed != 1 || tab.retold != 1 || events == 0 || facts != 5 || dropped < maxEvents {
		t.Errorf("missed %d, retold %d times, heard %d events and %d facts, %d dropped", missed, tab.retold, events,
			facts, dropped)
	}
	if h.lanes[0].waiting() != 0 || slow.in.taken.Load() != 0 || fast.in.taken.Load() != 0 {
		t.Error("something is left")
	}
}

func TestLostTableIsToldAnew(t *testing.T) {
	r := newReader()
	h := heraldTo(r)
	tab := &toldTable{end: 5}
	h.lost(tab)
	if events, _, _, missed := r.rest(); missed != 1 || events != 5 || tab.retold != 1 {
		t.Errorf("%d events, missed %d, retold %d", events, missed, tab.retold)
	}
}

// brokenTable panics when news are taken.
type brokenTable struct{ toldTable }

func (*brokenTable) TakeEvents(int) []messages.Event { panic("given by the test") }

// A table that panics costs no credit, however often it does.
func TestAPanicKeepsNoCredit(t *testing.T) {
	r := newReader()
	h := heraldTo(r)
	for range 2 * inletWindow {
		if err := protect("test", func() { h.work(&brokenTable{toldTable{end: 5}}) }); err == nil {
			t.Fatal("no panic")
		}
	}
	h.work(&toldTable{end: 5})
	if events, _, _, _ := r.rest(); events != 5 || r.in.taken.Load() != 0 {
		t.Errorf("%d events, %d credits are taken", events, r.in.taken.Load())
	}
}
