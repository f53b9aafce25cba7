package actors

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"weir/flows"
	"weir/messages"
	"weir/sources"
	"weir/store"
)

// bubbleClock is for tests in a synctest bubble, where Go's time is fake. The wall clock can be set.
type bubbleClock struct {
	runtimeClock
	offset atomic.Int64
}

func newBubbleClock() *bubbleClock { return &bubbleClock{runtimeClock: newRuntimeClock()} }

func (c *bubbleClock) Now() time.Time {
	return c.runtimeClock.Now().Add(time.Duration(c.offset.Load()))
}

func (c *bubbleClock) set(t time.Time) {
	c.offset.Store(int64(t.Sub(c.runtimeClock.Now())))
}

// noon is a moment on a boundary of all slices that tests use.
var noon = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// noonClock shows noon now.
func noonClock() *bubbleClock {
	c := newBubbleClock()
	c.set(noon)
	return c
}

// fakeTier keeps slices in a list.
type fakeTier struct {
	mu        sync.Mutex
	slices    []*messages.Slice
	relabels  []relabelSlices
	onAppend  func(*messages.Slice) error
	onRelabel func() error
}

func (t *fakeTier) Append(s *messages.Slice) error {
	if t.onAppend != nil {
		if err := t.onAppend(s); err != nil {
			return err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.slices = append(t.slices, s)
	return nil
}

func (t *fakeTier) Relabel(since uint64, delta time.Duration) error {
	if t.onRelabel != nil {
		if err := t.onRelabel(); err != nil {
			return err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.relabels = append(t.relabels, relabelSlices{since, delta})
	return nil
}

func (*fakeTier) Query(context.Context, *store.Request, *store.Partial) error { return nil }

func (t *fakeTier) Coverage() store.Coverage {
	t.mu.Lock()
	defer t.mu.Unlock()
	return store.Coverage{Name: "memory", Slices: uint64(len(t.slices))}
}

func (t *fakeTier) all() []*messages.Slice {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.slices)
}

// totals sums all slices.
func (t *fakeTier) totals() (sum messages.Totals) {
	for _, s := range t.all() {
		for _, p := range s.Parts {
			sum.Add(p.Totals())
		}
	}
	return sum
}

// losses sums the losses of a kind over all slices.
func (t *fakeTier) losses(kind messages.LossKind) (found []messages.Loss, count, bytes uint64) {
	for _, s := range t.all() {
		for _, l := range s.Losses {
			if l.Kind == kind {
				found = append(found, l)
				count += l.Count
				bytes += l.Bytes
			}
		}
	}
	return found, count, bytes
}

// config makes sources from a function.
type config func(core sources.Core) (sources.Source, error)

func (config) Enabled() bool                                   { return true }
func (config) Validate() error                                 { return nil }
func (c config) New(core sources.Core) (sources.Source, error) { return c(core) }

// push is a source that pushes.
type push func(ctx context.Context, ready func()) error

func (f push) Run(ctx context.Context, ready func()) error { return f(ctx, ready) }
func (push) Health() sources.Health                        { return sources.Health{State: sources.Running} }

type request = messages.SnapshotRequest

// pull is a source that can be asked.
type pull struct {
	push
	snapshot func(ctx context.Context, req messages.SnapshotRequest) (messages.SnapshotTaken, error)
}

func (p pull) Snapshot(ctx context.Context, req messages.SnapshotRequest) (messages.SnapshotTaken, error) {
	return p.snapshot(ctx, req)
}

// idle is a Run that only waits.
func idle(ctx context.Context, ready func()) error {
	ready()
	<-ctx.Done()
	return nil
}

// fakeTable sums updates in memory. It panics when told to.
type fakeTable struct {
	mu        sync.Mutex
	options   flows.Options
	sum       messages.Totals
	batches   int
	homes     []*flows.Home
	clockSets []messages.ClockSet
	rescued   int
	onApply   func(*messages.Batch)
	onClose   func(*messages.CloseSlice)
	onRescue  func(*messages.Batch)
	closes    []*messages.CloseSlice
	applied   func(*messages.Batch)
	account   func(*messages.CloseSlice) []messages.Account
}

func (t *fakeTable) Apply(b *messages.Batch) {
	if t.onApply != nil {
		t.onApply(b)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.batches++
	for i := range b.Updates {
		t.sum.Up.Bytes += b.Updates[i].Counters[0].Bytes
	}
	if t.applied != nil {
		t.applied(b)
	}
}

func (t *fakeTable) LearnAliases(*messages.LearnAliases) {}

func (t *fakeTable) Close(c *messages.CloseSlice) *messages.SlicePart {
	if t.onClose != nil {
		t.onClose(c)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closes = append(t.closes, c)
	p := &messages.SlicePart{Seq: c.Seq, Shard: t.options.Shard, Rows: &messages.Rows{Other: t.sum}}
	p.AllAccounts = c.Accounts
	if t.account != nil {
		p.Accounts = t.account(c)
	}
	t.sum = messages.Totals{}
	return p
}

func (t *fakeTable) ClockSet(m messages.ClockSet) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clockSets = append(t.clockSets, m)
}

func (t *fakeTable) SetHome(h *flows.Home) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.homes = append(t.homes, h)
}

func (t *fakeTable) Stats() flows.Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return flows.Stats{Live: uint64(t.batches)}
}

func (*fakeTable) TakeEvents(int) []messages.Event { return nil }
func (*fakeTable) Pending() int                    { return 0 }
func (*fakeTable) Retell()                         {}

func (t *fakeTable) rescue(b *messages.Batch) table {
	if t.onRescue != nil {
		t.onRescue(b)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rescued++
	return t
}

var errGiven = errors.New("given by the test")

// delta is an update that counts bytes from A to B of the flow number n.
func delta(n uint32, bytes uint64) *messages.Update {
	a := netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
	b := netip.AddrFrom4([4]byte{192, 0, 2, 1})
	k, _ := messages.MakeKey(17, 0, messages.MakeEnd(a, 1000), messages.MakeEnd(b, 53))
	return &messages.Update{
		Key: k, Kind: messages.Delta, Flags: messages.Oriented,
		Counters: [2]messages.Counter{{Packets: 1, Bytes: bytes}},
	}
}

// options are for most tests: two shards, short waits, no log.
func options(t *fakeTier, specs ...SourceSpec) Options {
	return Options{
		Log: zerolog.Nop(), Shards: 2, Slice: 10 * time.Second, Tiers: []store.Tier{t}, Sources: specs,
		Clock: newRuntimeClock(), // In a bubble all of it is fake; the machine's clock would be only half.
	}
}

func start(t *testing.T, o Options) *System {
	t.Helper()
	s := New(o)
	if err := s.Start(t.Context()); err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() { _ = s.Drain(context.Background()) }) // For tests that fail halfway.
	return s
}

func drain(t *testing.T, s *System) {
	t.Helper()
	if err := s.Drain(t.Context()); err != nil {
		t.Errorf("drain: %v", err)
	}
	// A system message to an actor that has just ended is a dead letter, for which the library has a goroutine
	// that sleeps for a millisecond: in a bubble it must have ended.
	time.Sleep(2 * time.Millisecond)
}

// eventually polls, for tests in real time.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if ok() {
			return
		}
		select {
		case <-time.After(time.Millisecond):
		case <-t.Context().Done():
		}
	}
	t.Fatalf("never: %s", what)
}

// rest lets time pass in a bubble, and then waits until everybody is idle.
func rest(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func actorOf(t *testing.T, s *System, name string) ActorStatus {
	t.Helper()
	for _, a := range s.Status().Actors {
		if a.Name == name {
			return a
		}
	}
	t.Fatalf("no actor %q", name)
	return ActorStatus{}
}
