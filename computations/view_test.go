package computations_test

import (
	"net/netip"
	"runtime"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"weir/columns"
	"weir/computations"
	"weir/messages"
)

// flow makes the event of a flow; behind NAT its responder really is at answers.
func flow(id uint64, client, server, answers netip.Addr, change messages.Change) messages.Event {
	key, swapped := messages.MakeKey(6, 0, messages.MakeEnd(client, 40000), messages.MakeEnd(server, 443))
	return messages.Event{
		Key: key, Flow: id, Start: int64(id), Oriented: true, InitiatorB: swapped, LocalIsA: !swapped, Change: change,
		Ends: columns.Flow{
			Local: columns.End{Addr: client, Port: 40000}, Remote: columns.End{Addr: answers, Port: 443}, Proto: 6,
		},
	}
}

func host(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
}

// model is a view that is too slow to be wrong: the flows in the order in which they got their addresses.
type model struct {
	flows     []messages.Event
	old, over []uint64
	limit     int
	refused   uint64
}

func (m *model) learn(e messages.Event) {
	i := slices.IndexFunc(m.flows, func(o messages.Event) bool { return o.Flow == e.Flow })
	switch {
	case i >= 0:
		m.flows[i] = e
	case len(m.flows) < m.limit:
		m.flows = append(m.flows, e)
	case len(m.old) > 0:
		m.forget(m.old[0])
		m.old = m.old[1:]
		m.flows = append(m.flows, e)
	default:
		m.refused++
		return
	}
	is := func(id uint64) bool { return id == e.Flow }
	switch {
	case e.Change&messages.FlowEnded == 0:
		m.old, m.over = slices.DeleteFunc(m.old, is), slices.DeleteFunc(m.over, is)
	case !slices.ContainsFunc(m.old, is) && !slices.ContainsFunc(m.over, is):
		m.over = append(m.over, e.Flow)
	}
}

func (m *model) forget(id uint64) {
	m.flows = slices.DeleteFunc(m.flows, func(e messages.Event) bool { return e.Flow == id })
}

func (m *model) sweep() {
	for _, id := range m.old {
		m.forget(id)
	}
	m.old, m.over = m.over, nil
}

func (m *model) with(a netip.Addr) (ids []uint64) {
	for _, e := range m.flows {
		if e.Ends.Local.Addr == a || e.Ends.Remote.Addr == a || e.Key.A.IP() == a || e.Key.B.IP() == a {
			ids = append(ids, e.Flow)
		}
	}
	return ids
}

func ids(seq func(func(*messages.Event) bool)) (ids []uint64) {
	for e := range seq {
		ids = append(ids, e.Flow)
	}
	return ids
}

// TestViewIsItsModel: whatever is told in whatever order, the view knows what the model knows. Two views that
// are told the same yield the same in the same order.
func TestViewIsItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 12).Draw(t, "limit")
		m, v, twin := &model{limit: limit}, computations.NewView(limit), computations.NewView(limit)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if rapid.IntRange(0, 9).Draw(t, "step") == 0 {
				m.sweep()
				v.Sweep()
				twin.Sweep()
			} else {
				e := drawFlow(t)
				m.learn(e)
				v.Learn([]messages.Event{e})
				twin.Learn([]messages.Event{e})
			}
			same(t, m, v, twin)
		}
	})
}

func drawFlow(t *rapid.T) messages.Event {
	addr := func(label string) netip.Addr { return host(rapid.IntRange(1, 4).Draw(t, label)) }
	change := messages.FlowStarted
	if rapid.IntRange(0, 3).Draw(t, "ended") == 0 {
		change |= messages.FlowEnded
	}
	return flow(rapid.Uint64Range(1, 16).Draw(t, "flow"), addr("client"), addr("server"), addr("real"), change)
}

func same(t *rapid.T, m *model, v, twin *computations.View) {
	t.Helper()
	if v.Len() != len(m.flows) || v.Refused() != m.refused {
		t.Fatalf("%d flows, %d refused, want %d and %d", v.Len(), v.Refused(), len(m.flows), m.refused)
	}
	for _, want := range m.flows {
		if e := v.Flow(want.Flow); e == nil || e.Key != want.Key || e.Change != want.Change || e.Ends != want.Ends {
			t.Fatalf("flow %d is %+v", want.Flow, e)
		}
	}
	for n := range 6 {
		got, want := ids(v.With(host(n))), m.with(host(n))
		if !slices.Equal(got, ids(twin.With(host(n)))) {
			t.Fatalf("two views that were told the same yield %v and %v", got, ids(twin.With(host(n))))
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) || v.CountWith(host(n)) != len(want) {
			t.Fatalf("with %s are %v (%d), want %v", host(n), got, v.CountWith(host(n)), want)
		}
	}
	all := ids(v.All())
	if !slices.Equal(all, ids(twin.All())) || len(all) != len(m.flows) {
		t.Fatalf("all are %v, want %d", all, len(m.flows))
	}
}

func TestFlowsThatAreOverStayForASlice(t *testing.T) {
	v := computations.NewView(10)
	v.Learn([]messages.Event{
		flow(1, host(1), host(2), host(2), messages.FlowStarted|messages.FlowEnded),
		flow(2, host(1), host(2), host(2), messages.FlowStarted),
	})
	for i, want := range [][]uint64{{1, 2}, {1, 2}, {2}, {2}} {
		if got := ids(v.With(host(2))); !slices.Equal(got, want) {
			t.Errorf("after %d sweeps: %v, want %v", i, got, want)
		}
		v.Sweep()
	}
}

// TestFlowsThatComeBackStay: one that had vanished, or was folded, is over, and then it is not.
func TestFlowsThatComeBackStay(t *testing.T) {
	for sweeps := range 2 {
		v := computations.NewView(10)
		v.Learn([]messages.Event{flow(1, host(1), host(2), host(2), messages.FlowStarted|messages.FlowEnded)})
		for range sweeps {
			v.Sweep()
		}
		v.Learn([]messages.Event{flow(1, host(1), host(2), host(2), messages.FlowStarted)})
		v.Sweep()
		v.Sweep()
		if v.Flow(1) == nil {
			t.Errorf("gone after it came back behind %d sweeps", sweeps)
		}
		v.Learn([]messages.Event{flow(1, host(1), host(2), host(2), messages.FlowEnded)})
		v.Sweep()
		v.Sweep()
		if v.Len() != 0 {
			t.Error("not gone after its end")
		}
	}
}

func TestFullViewPrefersTheLiving(t *testing.T) {
	v := computations.NewView(2)
	ended := messages.FlowStarted | messages.FlowEnded
	v.Learn([]messages.Event{flow(1, host(1), host(9), host(9), ended), flow(2, host(2), host(9), host(9), ended)})
	v.Learn([]messages.Event{flow(3, host(3), host(9), host(9), messages.FlowStarted)})
	if v.Flow(3) != nil || v.Refused() != 1 {
		t.Error("a flow that ended in this slice made room")
	}
	v.Sweep()
	v.Learn([]messages.Event{flow(3, host(3), host(9), host(9), messages.FlowStarted)})
	if got := ids(v.With(host(9))); !slices.Equal(got, []uint64{2, 3}) || v.Refused() != 1 {
		t.Errorf("%v, %d refused", got, v.Refused())
	}
	v.Sweep()
	if got := ids(v.All()); !slices.Equal(got, []uint64{3}) {
		t.Errorf("%v", got)
	}
}

// TestViewFollowsTheAddresses: when the end behind NAT becomes known, the flow is found by it.
func TestViewFollowsTheAddresses(t *testing.T) {
	v := computations.NewView(10)
	v.Learn([]messages.Event{flow(1, host(1), host(2), host(2), messages.FlowStarted)})
	v.Learn([]messages.Event{flow(1, host(1), host(2), host(3), messages.FlowChanged)})
	for n, want := range map[int]int{1: 1, 2: 1, 3: 1, 4: 0} {
		if got := v.CountWith(host(n)); got != want {
			t.Errorf("%d flows with %s, want %d", got, host(n), want)
		}
	}
	v.Learn([]messages.Event{flow(1, host(1), host(2), host(2), messages.FlowChanged)})
	if v.CountWith(host(3)) != 0 || v.Flow(7) != nil || v.Len() != 1 {
		t.Error("found by an address that it has no more")
	}
}

func TestIterationStops(t *testing.T) {
	v := computations.NewView(10)
	for id := range uint64(5) {
		v.Learn([]messages.Event{flow(id+1, host(1), host(2), host(2), messages.FlowStarted)})
	}
	for e := range v.With(host(1)) {
		if e.Flow != 1 {
			t.Errorf("yields %d after a break", e.Flow)
		}
		break
	}
	for e := range v.All() {
		if e.Flow != 1 {
			t.Errorf("yields %d after a break", e.Flow)
		}
		break
	}
}

// sizes are how many flows the benchmarks work on: five for each remote address.
var sizes = []struct {
	name  string
	flows int
}{{"10k", 10_000}, {"100k", 100_000}}

func manyFlows(n int) []messages.Event {
	events := make([]messages.Event, n)
	for i := range events {
		server := host(1000 + i%(n/5))
		events[i] = flow(uint64(i+1), host(i%250), server, server, messages.FlowStarted)
	}
	return events
}

// BenchmarkLearnNew fills a view; an operation is one flow. It tells the bytes that the view takes for each.
func BenchmarkLearnNew(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			events := manyFlows(size.flows)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			v := computations.NewView(size.flows)
			b.ResetTimer()
			for i := range b.N {
				if i > 0 && i%size.flows == 0 {
					v = computations.NewView(size.flows)
				}
				v.Learn(events[i%size.flows : i%size.flows+1])
			}
			b.StopTimer()
			v.Learn(events)
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(size.flows), "B/flow")
			runtime.KeepAlive(v)
			runtime.KeepAlive(events)
		})
	}
}

// BenchmarkLearnKnown tells more of flows that the view has; an operation is one flow.
func BenchmarkLearnKnown(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			events := manyFlows(size.flows)
			v := computations.NewView(size.flows)
			v.Learn(events)
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				v.Learn(events[i%size.flows : i%size.flows+1])
			}
		})
	}
}

// BenchmarkWith yields the flows of an address that has them all; an operation is one flow.
func BenchmarkWith(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			v := computations.NewView(size.flows)
			for i := range size.flows {
				e := flow(uint64(i+1), host(i), host(1<<20), host(1<<20), messages.FlowStarted)
				v.Learn([]messages.Event{e})
			}
			b.ResetTimer()
			for n := 0; n < b.N; {
				for range v.With(host(1 << 20)) {
					if n++; n >= b.N {
						break
					}
				}
			}
		})
	}
}
