package actors

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"weir/messages"
)

func TestGateBoundsAndCounts(t *testing.T) {
	g := newGate()
	for range gateWindow {
		if !g.try() {
			t.Fatal("refused below the window")
		}
	}
	if g.try() || g.level() != gateWindow || g.refused.Load() != 1 {
		t.Errorf("level %d, refused %d", g.level(), g.refused.Load())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.acquire(ctx); !errors.Is(err, context.Canceled) || g.waited.Load() != 1 {
		t.Errorf("acquire: %v, waited %d", err, g.waited.Load())
	}
	g.release()
	if err := g.acquire(ctx); err != nil {
		t.Errorf("a credit at hand is refused because ctx is done: %v", err)
	}
}

func TestGateWakesWhoeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		for range gateWindow {
			g.try()
		}
		got := make(chan error, 2)
		go func() { got <- g.acquire(t.Context()) }()
		synctest.Wait()
		g.release()
		if err := <-got; err != nil {
			t.Error(err)
		}
		go func() { got <- g.acquire(t.Context()) }()
		synctest.Wait()
		g.close()
		if err := <-got; !errors.Is(err, errGone) {
			t.Errorf("after close: %v", err)
		}
		if err := g.acquire(t.Context()); !errors.Is(err, errGone) || g.try() {
			t.Error("a closed gate lets somebody in")
		}
	})
}

// Credits come back however the message is handled: panics must not leak them.
func TestPanicsLeakNoCredits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lib := newLibrary(zerolog.Nop())
		defer lib.Shutdown()
		g := newGate()
		n := 0
		p := actor.PropsFromFunc(func(c actor.Context) {
			if b, ok := c.Message().(*messages.Batch); ok {
				if n++; n%3 == 0 {
					panic("every third")
				}
				b.Release()
			}
		}, actor.WithMailbox(g.mailbox()), actor.WithSupervisor(nil),
			actor.WithGuardian(newSupervisor(time.Millisecond, newBoard(newBubbleClock()), zerolog.Nop())))
		pid, err := lib.Root.SpawnNamed(p, "target")
		if err != nil {
			t.Fatal(err)
		}
		most := 0
		for range 1000 {
			if err := g.acquire(t.Context()); err != nil {
				t.Fatal(err)
			}
			lib.Root.Send(pid, messages.NewBatch())
			most = max(most, g.level())
		}
		rest(time.Minute)
		synctest.Wait()
		if n != 1000 || g.level() != 0 || most > gateWindow {
			t.Errorf("%d handled, %d credits lost, at most %d in flight", n, g.level(), most)
		}
		lib.Root.Stop(pid)
		synctest.Wait()
		if g.try() {
			t.Error("the gate of an actor that stopped is open")
		}
	})
}

func TestPoolRunsEverythingAndEnds(t *testing.T) {
	crashed := make(chan *crash, 4)
	p := newPool(2, func(c *crash) { crashed <- c })
	done := make(chan struct{}, 100)
	block := make(chan struct{})
	for range 50 { // More than there are workers: nobody may wait for one.
		p.Schedule(func() { <-block; done <- struct{}{} })
	}
	close(block)
	for range 50 {
		<-done
	}
	p.Schedule(func() { panic("a mailbox that fails") })
	if c := <-crashed; c.reason != "a mailbox that fails" {
		t.Errorf("crash %v", c)
	}
	p.close()
	p.close()
	p.ended.Wait()
}
