// Package replay_test plays recordings through the whole core, and records what the core is told. It needs
// no network and no rights.
package replay_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"weir/actors"
	"weir/bench/household"
	"weir/flows"
	"weir/messages"
	"weir/sources"
	"weir/sources/recording"
	"weir/sources/replay"
	"weir/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sum is a tier that keeps nothing but totals.
type sum struct {
	mu     sync.Mutex // guards all
	total  messages.Totals
	losses []messages.Loss
	slices int
}

func (s *sum) Append(c *messages.Slice) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, part := range c.Parts {
		s.total.Add(part.Totals())
	}
	s.losses = append(s.losses, c.Losses...)
	s.slices++
	return nil
}

func (s *sum) Relabel(uint64, time.Duration) error                         { return nil }
func (s *sum) Query(context.Context, *store.Request, *store.Partial) error { return nil }
func (s *sum) Coverage() store.Coverage                                    { return store.Coverage{Name: "sum"} }

// moved is what was counted, in both directions.
func (s *sum) moved() messages.Counter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return messages.Counter{
		Packets: s.total.Up.Packets + s.total.Down.Packets, Bytes: s.total.Up.Bytes + s.total.Down.Bytes,
	}
}

// lost lists the losses of some kinds.
func (s *sum) lost(kinds ...messages.LossKind) []messages.Loss {
	s.mu.Lock()
	defer s.mu.Unlock()
	other := func(l messages.Loss) bool { return !slices.Contains(kinds, l.Kind) }
	return slices.DeleteFunc(slices.Clone(s.losses), other)
}

// core is a running core that plays a file.
type core struct {
	*actors.System
	sum *sum
}

func start(t *testing.T, file string, speed float64) *core {
	t.Helper()
	c := &core{sum: &sum{}}
	c.System = actors.New(actors.Options{
		Log: zerolog.Nop(), Shards: 2, Slice: 250 * time.Millisecond, FlowBudget: 64 << 20,
		Home:  flows.NewHome(household.Networks(), nil),
		Tiers: []store.Tier{c.sum}, MaxBackoff: 5 * time.Millisecond,
		Sources: []actors.SourceSpec{{Name: "replay", Config: &replay.Config{File: file, Speed: speed}}},
	})
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// finished says whether the recording was played to its end.
func (c *core) finished() bool {
	return slices.ContainsFunc(c.Status().Sources, func(s actors.SourceStatus) bool {
		return s.State == sources.Finished
	})
}

// play waits until the recording was played, and does something again and again until then.
func (c *core) play(t *testing.T, every time.Duration, meanwhile func()) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for !c.finished() {
		select {
		case <-ticker.C:
			meanwhile()
		case err := <-c.Fatal():
			t.Fatal(err)
		case <-deadline.C:
			t.Fatalf("not finished: %+v", c.Status().Sources)
		}
	}
}

func (c *core) drain(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := c.Drain(ctx); err != nil {
		t.Fatal(err)
	}
}

// makeRecording makes up a household of a minute.
func makeRecording(t *testing.T) (path string, made household.Made) {
	t.Helper()
	o := household.Defaults()
	o.Flows, o.Slices = 1500, 6
	var file bytes.Buffer
	made, err := household.Write(&file, o)
	if err != nil {
		t.Fatal(err)
	}
	return save(t, file.Bytes()), made
}

func save(t *testing.T, file []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "home.weir")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestCountsWhatWasMade: whatever the speed, the core counts what the maker of the recording says.
func TestCountsWhatWasMade(t *testing.T) {
	path, made := makeRecording(t)
	for _, speed := range []float64{0, 60} {
		c := start(t, path, speed)
		c.play(t, 10*time.Millisecond, func() {})
		c.drain(t)
		if got := c.sum.moved(); got != made.Moved {
			t.Errorf("speed %v: counted %+v, made %+v", speed, got, made.Moved)
		}
		if c.sum.slices == 0 || speed != 0 && c.sum.slices < 4 {
			t.Errorf("speed %v: %d slices", speed, c.sum.slices)
		}
	}
}

// TestCountsOnceWhenKilled kills the source again and again while it plays.
func TestCountsOnceWhenKilled(t *testing.T) {
	path, made := makeRecording(t)
	c := start(t, path, 20)
	kills := 0
	c.play(t, 50*time.Millisecond, func() {
		if err := c.Inject("source/replay", errors.New("injected")); err != nil {
			t.Fatal(err)
		}
		kills++
	})
	c.drain(t)
	if got := c.sum.moved(); got != made.Moved || kills < 5 {
		t.Errorf("counted %+v after %d kills, made %+v", got, kills, made.Moved)
	}
	if l := c.sum.lost(messages.LossShed, messages.LossRestart, messages.LossUnseen); len(l) != 0 {
		t.Errorf("losses: %+v", l)
	}
}

// TestRecordsWhatItPlays: a recording that is taken while another is played counts the same.
func TestRecordsWhatItPlays(t *testing.T) {
	path, made := makeRecording(t)
	began := time.Now()
	first := start(t, path, 30)
	var file bytes.Buffer
	w, err := recording.NewWriter(&file, recording.Header{Created: began, CountsSince: first.Status().CountsSince})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var writing sync.Mutex
	dropped := first.Tap(ctx, func(b *messages.Batch) {
		writing.Lock()
		defer writing.Unlock()
		if err := w.Batch(time.Now(), b); err != nil {
			t.Error(err)
		}
	})
	first.play(t, 10*time.Millisecond, func() {})
	first.drain(t)
	writing.Lock()
	defer writing.Unlock()
	if err := w.Close(); err != nil || dropped() != 0 {
		t.Fatalf("%d batches dropped, %v", dropped(), err)
	}
	second := start(t, save(t, file.Bytes()), 0)
	second.play(t, 10*time.Millisecond, func() {})
	second.drain(t)
	if a, b := first.sum.moved(), second.sum.moved(); a != made.Moved || b != made.Moved {
		t.Errorf("counted %+v and from its recording %+v, made %+v", a, b, made.Moved)
	}
	if l := second.sum.lost(messages.LossShed, messages.LossRestart); len(l) != 0 {
		t.Errorf("losses: %+v", l)
	}
}
