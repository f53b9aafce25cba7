package bestname

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"weir/columns"
	"weir/computations"
	"weir/messages"
)

// table stands for the flow table and the actor around the computation: it keeps the tags of flows as the
// real one does, tells the computation of what changed, and takes what it says.
type table struct {
	t     testing.TB
	c     *computation
	view  *computations.View
	flows map[uint64]*messages.Event
	// in is what the computation is told next, echo what its own tags have changed.
	in   messages.Events
	echo []uint64
	// said are the flows for which it said something since that was last asked, in order.
	said  []uint64
	calls int
}

func newTable(t testing.TB, config Config) *table {
	t.Helper()
	c, err := config.New(computations.Core{Name: "bestname", Log: zerolog.New(zerolog.NewTestWriter(t))})
	if err != nil {
		t.Fatal(err)
	}
	return &table{
		t: t, c: c.(*computation), view: computations.NewView(1 << 20), flows: map[uint64]*messages.Event{},
	}
}

func testConfig() Config { return *defaults().(*Config) }

// Tag does what a flow table does with the tags of an update.
func (x *table) Tag(e *messages.Event, tags []columns.Tag) {
	x.calls++
	f, ok := x.flows[e.Flow]
	if !ok {
		x.t.Fatalf("tags for the flow %d, which is not there", e.Flow)
	}
	before := f.Tags
	x.put(f, tags...)
	if slices.Equal(before, f.Tags) {
		x.t.Errorf("flow %d: said what it carries already: %s", e.Flow, cells(f, tags))
	}
	x.echo = append(x.echo, e.Flow)
	if !slices.Contains(x.said, e.Flow) {
		x.said = append(x.said, e.Flow)
	}
}

// put adds tags; a value in a column that holds one replaces the one that was there.
func (x *table) put(f *messages.Event, tags ...columns.Tag) {
	f.Tags = slices.Clone(f.Tags)
	for _, t := range tags {
		if t.Value == "" || slices.Contains(f.Tags, t) {
			continue
		}
		same := func(o columns.Tag) bool { return o.Column == t.Column && o.End == t.End }
		if !t.Column.Set {
			f.Tags = slices.DeleteFunc(f.Tags, same)
		}
		f.Tags = append(f.Tags, t)
	}
	slices.SortFunc(f.Tags, func(a, b columns.Tag) int {
		return cmp.Or(cmp.Compare(a.Column.Index(), b.Column.Index()), cmp.Compare(a.End, b.End),
			cmp.Compare(a.Value, b.Value))
	})
}

// hear takes a change of a flow down, to be told.
func (x *table) hear(e messages.Event) {
	x.flows[e.Flow] = &e
	x.tell(e.Flow, e.Change)
}

func (x *table) tell(id uint64, change messages.Change) {
	for i := range x.in.Flows {
		if x.in.Flows[i].Flow == id {
			change |= x.in.Flows[i].Change
			x.in.Flows[i] = *x.flows[id]
			x.in.Flows[i].Change = change
			return
		}
	}
	e := *x.flows[id]
	e.Change = change
	x.in.Flows = append(x.in.Flows, e)
}

// flush tells the computation what is new.
func (x *table) flush(now time.Time) {
	x.in.Time = now.UnixNano()
	in := x.in
	x.in = messages.Events{}
	x.view.Learn(in.Flows)
	x.c.Handle(&in, x.view, x)
}

// settle closes a slice, and tells the computation of its own tags.
func (x *table) settle(now time.Time) {
	x.flush(now)
	x.c.Settle(now.UnixNano(), x.view, x)
	x.view.Sweep()
	for _, id := range x.echo {
		x.tell(id, messages.FlowChanged)
	}
	x.echo = nil
}

// cells prints tags as the columns of the rows of a flow, without those that inspection made.
func cells(e *messages.Event, tags []columns.Tag) string {
	values := map[string][]string{}
	for _, t := range tags {
		side := columns.OfRemote
		if (t.End == columns.EndA) == e.LocalIsA {
			side = columns.OfLocal
		}
		c := t.Column.Sibling(side)
		if c.Base == "site" || strings.HasPrefix(c.Base, "name") {
			values[c.Name] = append(values[c.Name], c.Format(t.Value))
		}
	}
	var parts []string
	for _, end := range []string{"local.", "remote."} {
		for _, base := range []string{"name", "name.source", "name.sure", "site", "names"} {
			if v := values[end+base]; v != nil {
				parts = append(parts, end+base+"="+strings.Join(v, ","))
			}
		}
	}
	if parts == nil {
		return "no name"
	}
	return strings.Join(parts, " ")
}

// newFlow makes the event of a flow that a client opened to a server. The server answers from another address
// if real is valid.
func newFlow(id uint64, start time.Time, proto uint8, client, server netip.AddrPort, behind netip.Addr) messages.Event {
	key, swapped := messages.MakeKey(proto, 0, messages.MakeEnd(client.Addr(), client.Port()),
		messages.MakeEnd(server.Addr(), server.Port()))
	answers := server.Addr()
	if behind.IsValid() {
		answers = behind
	}
	e := messages.Event{
		Key: key, Flow: id, Start: start.UnixNano(), Oriented: true, InitiatorB: swapped,
		Change: messages.FlowStarted,
	}
	c, s := columns.End{Addr: client.Addr(), Port: client.Port()}, columns.End{Addr: answers, Port: server.Port()}
	atHome := func(a netip.Addr) bool {
		return a.IsPrivate() || a.IsLinkLocalUnicast() || netip.MustParsePrefix("2001:db8:1::/48").Contains(a)
	}
	e.Ends = columns.Flow{Local: c, Remote: s, Proto: proto}
	e.LocalIsA = !swapped
	switch {
	case atHome(client.Addr()) && atHome(answers):
		e.Ends.Direction = columns.DirectionLAN
	case atHome(client.Addr()):
		e.Ends.Direction = columns.DirectionOut
	case atHome(answers):
		e.Ends.Direction = columns.DirectionIn
		e.Ends.Local, e.Ends.Remote, e.LocalIsA = s, c, swapped
	default:
		e.Ends.Direction = columns.DirectionTransit
	}
	return e
}

// noAddr is for flows without NAT.
var noAddr netip.Addr

func worldPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func noCore() computations.Core { return computations.Core{Name: "bestname", Log: zerolog.Nop()} }
