package actors

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"
)

// children notes what a supervisor does.
type children struct {
	mu        sync.Mutex
	restarted []time.Time
	stopped   int
}

func (*children) Children() []*actor.PID   { panic("not to be called") }
func (*children) EscalateFailure(_, _ any) { panic("not to be called") }
func (*children) ResumeChildren(...*actor.PID) {
	panic("not to be called")
}

func (c *children) RestartChildren(...*actor.PID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.restarted = append(c.restarted, time.Now())
}

func (c *children) StopChildren(...*actor.PID) { c.stopped++ }

func (c *children) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.restarted)
}

// at is when the i-th restart was.
func (c *children) at(i int) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.restarted[i]
}

var child = actor.NewPID("nonhost", "root/child")

func fail(s *supervisor, c *children) {
	s.HandleFailure(nil, c, child, nil, "reason", "message")
}

func TestBackoffDoublesUpToItsMaximum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := newBubbleClock()
		s, c := newSupervisor(backoffMax, newBoard(clock), zerolog.Nop()), &children{}
		want := backoffBase
		for range 40 {
			s.board.set("child", stateRunning)
			failed := time.Now()
			fail(s, c)
			rest(time.Minute)
			n := c.count()
			if n == 0 || c.at(n-1).Sub(failed) != want {
				t.Fatalf("restart %d came after %v, want %v", n, c.at(n-1).Sub(failed), want)
			}
			want = min(2*want, backoffMax)
		}
		if a := s.board.list()[0]; a.State != stateBackingOff {
			t.Errorf("state %q", a.State)
		}
	})
}

func TestBackoffBeginsAnewAfterAQuietWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := newSupervisor(backoffMax, newBoard(newBubbleClock()), zerolog.Nop()), &children{}
		waits := []time.Duration{backoffBase, 2 * backoffBase, 4 * backoffBase, backoffBase, 2 * backoffBase}
		for i, quiet := range []time.Duration{0, time.Second, 9 * time.Second, 10 * time.Second, time.Second} {
			s.board.set("child", stateRunning)
			rest(quiet)
			failed := time.Now()
			fail(s, c)
			rest(time.Second)
			if got := c.at(i).Sub(failed); got != waits[i] {
				t.Errorf("failure %d: restarted after %v, want %v", i, got, waits[i])
			}
		}
	})
}

func TestNoRestartAfterStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := newSupervisor(backoffMax, newBoard(newBubbleClock()), zerolog.Nop()), &children{}
		fail(s, c)
		s.leave("child")
		fail(s, c)
		rest(time.Minute)
		other := newSupervisor(backoffMax, newBoard(newBubbleClock()), zerolog.Nop())
		fail(other, c)
		other.close()
		fail(other, c)
		rest(time.Minute)
		if c.count() != 0 {
			t.Errorf("%d restarts of children that were told to stop", c.count())
		}
	})
}

func TestHurryRestartsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := newSupervisor(backoffMax, newBoard(newBubbleClock()), zerolog.Nop()), &children{}
		for range 12 {
			fail(s, c)
			rest(time.Minute)
		}
		before := c.count()
		fail(s, c)
		s.hurry()
		if c.count() != before+1 {
			t.Error("who waits is not restarted")
		}
		fail(s, c)
		rest(backoffBase)
		synctest.Wait()
		if c.count() != before+2 {
			t.Error("a failure during the drain waits for long")
		}
	})
}

// brokenWriter is a log that cannot be written.
type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { panic("the log is broken") }

// The library runs this where a panic ends the process.
func TestSupervisorSurvivesABrokenLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := newSupervisor(backoffMax, newBoard(newBubbleClock()), zerolog.New(brokenWriter{})), &children{}
		fail(s, c)
		rest(time.Second)
		if c.count() != 1 {
			t.Error("not restarted")
		}
	})
}

// panicker cannot even be printed.
type panicker struct{}

func (panicker) Error() string { panic("no text") }

func TestGuardianReportsAndStops(t *testing.T) {
	fatal := make(chan error, 1)
	c := &children{}
	for _, reason := range []any{"first", panicker{}, nil} {
		(&guardian{fatal: fatal}).HandleFailure(nil, c, child, nil, reason, nil)
	}
	if err := <-fatal; err == nil || !strings.Contains(err.Error(), "first") || c.stopped != 3 {
		t.Errorf("fatal %v, stopped %d times", err, c.stopped)
	}
}

func TestBoardKeepsTheStack(t *testing.T) {
	b := newBoard(newRuntimeClock())
	func() {
		defer func() { b.failed("a", newCrash("a", recover())) }()
		deepInside()
	}()
	b.failed("b", &crash{where: "run", reason: errors.New(strings.Repeat("x", 5000))})
	_, stack := b.backOff("a", time.Second)
	if !strings.Contains(stack, "deepInside") {
		t.Errorf("the stack does not say where:\n%s", stack)
	}
	all := b.list()
	if all[0].LastError != "deep" || all[0].Failures != 1 || all[0].LastFailure.IsZero() {
		t.Errorf("board: %+v", all[0])
	}
	if n := len(all[1].LastError); n > maxErrorText+10 || !strings.HasPrefix(all[1].LastError, "run: xxx") {
		t.Errorf("%d bytes of text: %.20s", n, all[1].LastError)
	}
}

func deepInside() { panic("deep") }

// weak is a behaviour that fails wherever it is told to.
type weak struct {
	failIn  string
	gaveUp  chan any
	handled chan any
}

func (w weak) at(where string) {
	if w.failIn == where {
		panic("fails in " + where)
	}
}

func (w weak) start(actor.Context) { w.at("start") }
func (w weak) receive(_ actor.Context, m any) {
	w.at("receive")
	w.handled <- m
}
func (w weak) giveUp(m any) { w.gaveUp <- m; w.at("giveUp") }
func (w weak) halt()        { w.at("halt") }
func (w weak) release(actor.Context, bool) {
	w.at("release")
}

// An actor that panics in Stopping or Stopped would never end, nor would its parent.
func TestPanicsWhileStoppingEndTheActor(t *testing.T) {
	for _, where := range []string{"release", "giveUp", "start", "halt"} {
		t.Run(where, func(t *testing.T) {
			s := start(t, options(&fakeTier{}))
			c := s.cell("weak")
			w := weak{failIn: where, gaveUp: make(chan any, 100), handled: make(chan any, 100)}
			if err := s.spawn(t.Context(), c, props(c, func() behaviour { return w })); err != nil {
				t.Fatal(err)
			}
			s.send(c, &fault{reason: "first"})
			s.send(c, "message")
			eventually(t, "failure", func() bool { return actorOf(t, s, "weak").Failures > 0 })
			s.draining.Store(true)
			if err := s.stopAll(t.Context(), 5*time.Second, c); err != nil {
				t.Error(err)
			}
			drain(t, s)
		})
	}
}

func TestMessageIsGivenTwiceThenGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, options(&fakeTier{}))
		tries := map[string]int{}
		w := weak{gaveUp: make(chan any, 10), handled: make(chan any, 10)}
		c := newCell("weak", s.board, func(_ string, m any) {
			text := fmt.Sprint(m)
			tries[text]++
			if text == "always" || text == "once" && tries[text] == 1 {
				panic("on " + text)
			}
		})
		if err := s.spawn(t.Context(), c, props(c, func() behaviour { return w })); err != nil {
			t.Fatal(err)
		}
		for _, m := range []string{"once", "always", "never"} {
			s.send(c, m)
		}
		rest(5 * time.Second)
		if a, b := <-w.handled, <-w.handled; a != "once" || b != "never" {
			t.Errorf("handled %v, %v", a, b)
		}
		if m := <-w.gaveUp; m != "always" || tries["always"] != maxTries {
			t.Errorf("gave up %v after %d tries", m, tries["always"])
		}
		drain(t, s)
	})
}

// A failure that lasts fills no log, and what is told of it has units and no empty fields.
func TestALastingFailureIsToldSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		log := zerolog.New(&out).Level(zerolog.InfoLevel)
		s, c := newSupervisor(backoffMax, newBoard(newBubbleClock()), log), &children{}
		for range 10 { // In 5 minutes.
			fail(s, c)
			rest(30 * time.Second)
		}
		if n := strings.Count(out.String(), "\n"); n != 1 {
			t.Errorf("%d lines:\n%s", n, &out)
		}
		if line := out.String(); !strings.Contains(line, `"next_try_in":"100ms"`) || strings.Contains(line, "stack") ||
			strings.Contains(line, `"on"`) || !strings.Contains(line, `"error":"reason"`) {
			t.Error(line)
		}
		s.HandleFailure(nil, c, child, nil, "another reason", "message")
		rest(tellAgain)
		fail(s, c)
		rest(tellAgain)
		fail(s, c)
		if n := strings.Count(out.String(), "\n"); n != 4 {
			t.Errorf("%d lines:\n%s", n, &out)
		}
		s.close()
	})
}
