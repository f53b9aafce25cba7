package actors

import (
	"fmt"
	"sync"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"
)

// Run with GOARCH=386 this fails without compactRegistry: half of all names hash to a negative number.
func TestThousandNamedActors(t *testing.T) {
	lib := newLibrary(zerolog.Nop())
	defer lib.Shutdown()
	var got, ended sync.WaitGroup
	p := actor.PropsFromFunc(func(c actor.Context) {
		switch c.Message().(type) {
		case string:
			got.Done()
		case *actor.Stopped:
			ended.Done()
		}
	})
	const n = 1000
	got.Add(n)
	ended.Add(n)
	pids := make([]*actor.PID, n)
	for i := range pids {
		pid, err := lib.Root.SpawnNamed(p, fmt.Sprintf("actor-%d", i))
		if err != nil {
			t.Fatal(err)
		}
		pids[i] = pid
		lib.Root.Send(pid, "hello")
	}
	got.Wait()
	for _, pid := range pids {
		lib.Root.Stop(pid)
	}
	ended.Wait()
	if n := len(lib.ProcessRegistry.LocalPIDs.LocalPIDs); n != 1 {
		t.Errorf("the registry has %d maps", n)
	}
}

func TestDeadLettersAreCounted(t *testing.T) {
	lib := newLibrary(zerolog.Nop())
	defer lib.Shutdown()
	gone := lib.NewLocalPID("nobody")
	lib.Root.Send(gone, "hello")
	lib.Root.Send(nil2pid(), "hello")
	lib.Root.Stop(gone) // Not a letter of ours.
	if n := lib.deadLetters.Load(); n != 2 {
		t.Errorf("%d dead letters, want 2", n)
	}
}

// nil2pid is an address that never was.
func nil2pid() *actor.PID { return actor.NewPID("nonhost", "") }
