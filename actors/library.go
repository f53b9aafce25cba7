package actors

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	cmap "github.com/orcaman/concurrent-map"
	"github.com/rs/zerolog"
)

// library is the actor library as this package uses it.
type library struct {
	*actor.ActorSystem
	// deadLetters counts messages to actors that are gone.
	deadLetters atomic.Uint64
}

// newLibrary starts the actor library. It is quiet below warnings: what it says about failures our own
// supervision says better, and its lines on dead letters would hold whole messages.
func newLibrary(log zerolog.Logger) *library {
	quiet := slog.New(zerolog.NewSlogHandler(log.Level(max(log.GetLevel(), zerolog.WarnLevel)))).With("lib", "actor")
	l := &library{ActorSystem: actor.NewActorSystem(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return quiet }),
		actor.WithDeadLetterRequestLogging(false),
		// A dead letter starts a goroutine for that long, to limit lines that are not logged anyway.
		actor.WithDeadLetterThrottleInterval(time.Millisecond),
	)}
	compactRegistry(l.ActorSystem)
	// The handler runs in the goroutine of whoever sent, so it must neither wait nor panic.
	l.EventStream.Subscribe(func(event any) {
		if e, ok := event.(*actor.DeadLetterEvent); ok && !isSystemMessage(e.Message) {
			l.deadLetters.Add(1)
		}
	})
	return l
}

func isSystemMessage(m any) bool {
	_, ok := m.(actor.SystemMessage)
	return ok
}

// compactRegistry replaces the registry's 1,024 maps by one. The library picks a map by int(hash) % 1024,
// which is negative for half of all names where int has 32 bits, and panics; x % 1 is 0 whatever the
// sign. Everywhere it also saves 2.8 MB at once and 9 MB in the long run.
func compactRegistry(sys *actor.ActorSystem) {
	m := cmap.New()
	for _, old := range sys.ProcessRegistry.LocalPIDs.LocalPIDs {
		for it := range old.IterBuffered() {
			m.Set(it.Key, it.Val)
		}
	}
	sys.ProcessRegistry.LocalPIDs.LocalPIDs = []cmap.ConcurrentMap{m}
}
