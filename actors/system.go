package actors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"weir/computations"
	"weir/flows"
	"weir/messages"
	"weir/sources"
	"weir/store"
)

// Options say what a System consists of.
type Options struct {
	Log zerolog.Logger
	// Shards is how many parts the live flows are in; 0: GOMAXPROCS.
	Shards int
	// Slice is how long a slice is; 0: 10 s.
	Slice time.Duration
	// Deadline is how long the closing of a slice may take; 0: half a slice. It is shorter than a slice.
	Deadline time.Duration
	// Home decides which end of a flow is local.
	Home *flows.Home
	// FlowBudget is the memory for live flows in bytes, all shards together; 0: no bound.
	FlowBudget int64
	// Tiers keep the slices. There is one so far, the memory tier; main made it.
	Tiers []store.Tier
	// Sources bring the updates.
	Sources []SourceSpec
	// Computations derive tags; no two have the same name.
	Computations []ComputationSpec
	// StateDir is the directory for what computations keep over a restart of the program; empty: they keep
	// nothing.
	StateDir string
	// Archive keeps slices for longer than memory; nil: there is none.
	Archive store.Archive
	// FirstSeq is the number of the first slice; 0: 1. Numbers go on over restarts of the program.
	FirstSeq uint64
	// CountsSince is when counting began, which may have been in an earlier process; zero: now.
	CountsSince time.Time
	// Restore are the accounts that an earlier process left of all flows, from which counting goes on; nil: it begins
	// anew. Accounts are those of one run of the kernel, with CountsSince in it.
	Restore []messages.Account
	// LastSpan is that of the last slice of an earlier process; zero if there was none. What is between it and now is
	// told as loss.
	LastSpan messages.Span
	// Clock is for tests; nil: the system's.
	Clock Clock
	// MaxBackoff is the longest that an actor that failed waits to be restarted; 0: 30 s.
	MaxBackoff time.Duration

	// newTable and disturb are for tests of this package.
	newTable func(flows.Options) table
	disturb  func(actor string, m any)
}

// SourceSpec names a source and says how to make it.
type SourceSpec struct {
	Name   string
	Config sources.Config
}

// ComputationSpec names a computation and says how to make it.
type ComputationSpec struct {
	Name string
	// Rank orders the computations: one of a higher rank sees, in the same slice, the tags of lower ones.
	Rank   int
	Config computations.Config
}

const defaultSlice = 10 * time.Second

func (o Options) withDefaults() Options {
	o.Shards = cmp.Or(max(o.Shards, 0), runtime.GOMAXPROCS(0))
	o.Slice = cmp.Or(max(o.Slice, 0), defaultSlice)
	o.Deadline = min(cmp.Or(max(o.Deadline, 0), o.Slice/2), o.Slice*9/10)
	o.FirstSeq = max(o.FirstSeq, 1)
	o.MaxBackoff = cmp.Or(max(o.MaxBackoff, 0), backoffMax)
	if o.Clock == nil {
		o.Clock = systemClock()
	}
	if o.newTable == nil {
		o.newTable = newFlowTable
	}
	return o
}

// System is the supervised tree.
type System struct {
	opt        Options
	board      *board
	supervisor *supervisor
	losses     *lossBook
	taps       *taps
	subs       *subscribers
	home       atomic.Pointer[flows.Home]
	fatal      chan error

	// The rest is made by Start; running says that it is there.
	running atomic.Bool
	started time.Time
	counts  time.Time // when counting began
	lib     *library
	pool    *pool
	root    *rootSeat
	tier    *tierSeat
	archive *archiveSeat // nil if there is none
	shards  []*shardSeat
	slicer  *slicerSeat
	sources []*sourceSeat
	// computations are in the order of the options.
	computations []*computationSeat

	draining  atomic.Bool
	startOnce sync.Once
	drainOnce sync.Once
	drainErr  error
}

// The errors of Start and Drain.
var (
	errNoTier    = errors.New("there must be one storage tier, the memory tier")
	errTwice     = errors.New("started twice")
	errRootEnded = errors.New("the root has ended")
	errNoActor   = errors.New("no such actor")
)

// New builds a System; it starts nothing.
func New(o Options) *System {
	o = o.withDefaults()
	s := &System{
		opt: o, board: newBoard(o.Clock), losses: &lossBook{}, taps: newTaps(), subs: newSubscribers(),
		fatal: make(chan error, 1),
	}
	s.home.Store(o.Home)
	s.supervisor = newSupervisor(o.MaxBackoff, s.board, o.Log)
	return s
}

// Start starts everything in order: the root, tiers, shards, computations, the slicer, and sources last. It waits until
// each has begun, but not until the sources are ready. After an error everything is stopped again.
func (s *System) Start(ctx context.Context) error {
	err := errTwice
	s.startOnce.Do(func() { err = s.start(ctx) })
	return err
}

func (s *System) start(ctx context.Context) error {
	if len(s.opt.Tiers) != 1 {
		return errNoTier
	}
	s.build()
	err := s.startRoot()
	if err == nil {
		err = s.startChildren(ctx)
	}
	if err != nil {
		s.draining.Store(true)
		err = errors.Join(err, s.stopRoot(context.WithoutCancel(ctx)))
		s.finish()
		s.running.Store(false)
	}
	return err
}

// build makes all seats, so that they know each other before the first message is sent.
func (s *System) build() {
	s.started = s.opt.Clock.Now()
	s.counts = s.countsSince()
	s.lib = newLibrary(s.opt.Log)
	s.pool = newPool(s.opt.Shards, s.giveUp)
	s.root = &rootSeat{
		cell: s.cell(rootName), supervisor: s.supervisor, draining: &s.draining, children: map[string]*cell{},
	}
	s.tier = &tierSeat{
		cell:      s.cell(tierName(s.opt.Tiers[0].Coverage().Name)),
		collector: newCollector(s.opt.Tiers[0]), subs: s.subs, losses: s.losses,
	}
	s.tier.log = s.logOf(s.tier.cell)
	s.tier.collector.closed = s.opt.FirstSeq - 1
	s.buildArchive()
	r := &route{seed: rand.Uint64(), taps: s.taps, losses: s.losses, clock: s.opt.Clock}
	s.slicer = &slicerSeat{
		cell: s.cell(slicerName), clock: s.opt.Clock, tier: s.tier.cell, book: s.losses, send: s.send,
		archive: s.archive,
		waiting: map[order]chan<- struct{}{},
	}
	s.tier.slicer = s.answerTo(s.slicer.cell)
	s.tier.label = func() messages.Span { return around(s.opt.Clock.Now(), s.opt.Slice) }
	for i := range s.opt.Shards {
		s.shards = append(s.shards, s.buildShard(i, r))
	}
	for _, sh := range s.shards {
		sh.table, sh.began = sh.make(s.counts, s.opt.FirstSeq, s.opt.Restore), s.started
	}
	s.slicer.shards = s.shards
	s.slicer.computations = map[string]*computationSeat{}
	for _, spec := range s.opt.Computations {
		c := s.buildComputation(spec, r)
		s.computations = append(s.computations, c)
		s.slicer.computations[spec.Name] = c
	}
	s.connect()
	for _, spec := range s.opt.Sources {
		s.sources = append(s.sources, s.buildSource(spec, r))
	}
	s.slicer.sources = s.sources
	s.slicer.machine = newSlicer(slicerOptions{
		slice: s.opt.Slice, deadline: s.opt.Deadline, shards: s.opt.Shards,
		ranks: rankComputations(s.opt.Computations), first: s.opt.FirstSeq,
	}, s.slicer, readClock(s.opt.Clock))
	s.noteDowntime()
	s.opt.Restore = nil // The tables have it.
	s.running.Store(true)
}

func (s *System) buildShard(i int, r *route) *shardSeat {
	sh := &shardSeat{
		cell: s.cell(shardName(i)), index: i, gate: newGate(), clock: s.opt.Clock, losses: s.losses,
		slicer: s.answerTo(s.slicer.cell), tier: s.answerTo(s.tier.cell), closed: s.opt.FirstSeq - 1,
		archive: s.archive,
	}
	sh.log = s.logOf(sh.cell)
	sh.make = func(since time.Time, first uint64, restore []messages.Account) table {
		return s.opt.newTable(flows.Options{
			Shard: i, Shards: s.opt.Shards, Seed: r.seed, Home: s.home.Load(),
			Budget: s.opt.FlowBudget / int64(s.opt.Shards), CountsSince: since,
			Events: len(s.opt.Computations) > 0, Accounts: s.archive != nil, FirstSeq: first, Restore: restore,
			Send: func(to int, m any) bool { return forward(r.ports, to, m) },
		})
	}
	r.ports = append(r.ports, port{gate: sh.gate, post: func(m any) { s.send(sh.cell, m) }})
	return sh
}

func (s *System) buildSource(spec SourceSpec, r *route) *sourceSeat {
	src := &sourceSeat{
		cell: s.cell(sourceName(spec.Name)), spec: spec, route: r, since: s.counts, clock: s.opt.Clock,
		presence: newPresence(s.started), slicer: s.answerTo(s.slicer.cell),
	}
	src.self = s.answerTo(src.cell)
	src.log = s.opt.Log.With().Str("source", spec.Name).Logger()
	return src
}

// buildComputation makes a computation's seat and the ways into it, once all shards are there.
func (s *System) buildComputation(spec ComputationSpec, r *route) *computationSeat {
	c := &computationSeat{
		cell: s.cell(computationName(spec.Name)), spec: spec, clock: s.opt.Clock, shards: s.shards, send: s.send,
		slicer: s.answerTo(s.slicer.cell), book: s.losses, room: computations.Room(s.opt.FlowBudget),
		patience: s.opt.Deadline, state: newStateFile(s.opt.StateDir, spec.Name),
		savedAt: s.opt.Clock.Monotonic(),
	}
	c.self = s.answerTo(c.cell)
	c.log = s.opt.Log.With().Str("computation", spec.Name).Logger()
	c.life, c.end = context.WithCancel(context.Background())
	c.tagger = newTagger(r, spec.Name, c.log)
	for _, sh := range s.shards {
		c.inlets = append(c.inlets, &inlet{post: c.self, wake: func() { s.answerTo(sh.cell)(&handOver{}) }})
	}
	return c
}

// connect tells the shards of the computations.
func (s *System) connect() {
	if len(s.computations) == 0 {
		return
	}
	for i, sh := range s.shards {
		var to []*inlet
		for _, c := range s.computations {
			to = append(to, c.inlets[i])
		}
		sh.herald = newHerald(i, s.opt.Clock, to)
	}
}

func (s *System) cell(name string) *cell { return newCell(name, s.board, s.opt.disturb) }

func (s *System) logOf(c *cell) zerolog.Logger { return s.opt.Log.With().Str("actor", c.name).Logger() }

// send posts a message. It never waits.
func (s *System) send(to *cell, m any) {
	pid := to.pid.Load()
	if pid == nil || to.gone() {
		s.lib.deadLetters.Add(1)
		return
	}
	s.lib.Root.Send(pid, m)
}

// answerTo makes the way for answers to an actor. One that has stopped misses none of them.
func (s *System) answerTo(to *cell) func(m any) {
	return func(m any) {
		if !to.gone() {
			s.send(to, m)
		}
	}
}

func props(c *cell, b func() behaviour, opts ...actor.PropsOption) *actor.Props {
	return actor.PropsFromProducer(func() actor.Actor { return &shell{cell: c, b: b()} }, opts...)
}

func (s *System) startRoot() error {
	p := props(s.root.cell, func() behaviour { return root{s.root} },
		actor.WithGuardian(&guardian{fatal: s.fatal}), actor.WithSupervisor(s.supervisor))
	pid, err := s.lib.Root.SpawnNamed(p, rootName)
	if err != nil {
		return fmt.Errorf("spawn root: %w", err)
	}
	s.root.pid.Store(pid)
	return nil
}

func (s *System) startChildren(ctx context.Context) error {
	tier := props(s.tier.cell, func() behaviour { return memoryTier{s.tier} })
	if err := s.spawnArchive(ctx); err != nil {
		return err
	}
	if err := s.spawn(ctx, s.tier.cell, tier); err != nil {
		return err
	}
	for _, sh := range s.shards {
		p := props(sh.cell, func() behaviour { return shard{sh} },
			actor.WithMailbox(sh.gate.mailbox()), actor.WithDispatcher(s.pool))
		if err := s.spawn(ctx, sh.cell, p); err != nil {
			return err
		}
	}
	for _, c := range s.computations {
		p := props(c.cell, func() behaviour { return computationActor{c} }, actor.WithMailbox(c.inlets.mailbox()))
		if err := s.spawn(ctx, c.cell, p); err != nil {
			return err
		}
	}
	slicer := props(s.slicer.cell, func() behaviour { return slicerActor{s.slicer} })
	if err := s.spawn(ctx, s.slicer.cell, slicer); err != nil {
		return err
	}
	for _, src := range s.sources {
		if err := s.spawn(ctx, src.cell, props(src.cell, func() behaviour { return sourceActor{src} })); err != nil {
			return err
		}
	}
	return nil
}

// spawn starts a child and waits until it has begun.
func (s *System) spawn(ctx context.Context, c *cell, p *actor.Props) error {
	done := make(chan error, 1)
	s.send(s.root.cell, &spawnChild{cell: c, props: p, done: done})
	select {
	case err := <-done:
		if err != nil {
			return err
		}
	case <-s.root.stopped:
		return errRootEnded
	case <-ctx.Done():
		return fmt.Errorf("start %s: %w", c.name, ctx.Err())
	}
	select {
	case <-c.started:
		return nil
	case <-s.root.stopped:
		return errRootEnded
	case <-ctx.Done():
		return fmt.Errorf("start %s: %w", c.name, ctx.Err())
	}
}

// giveUp ends the program because of a panic where none can be mended.
func (s *System) giveUp(c *crash) {
	select {
	case s.fatal <- c:
	default:
	}
}

// Fatal tells that the root gave up: the process must end with an error, so that the service manager
// starts it anew.
func (s *System) Fatal() <-chan error { return s.fatal }

// Tiers are what queries ask, in the caller's goroutine.
func (s *System) Tiers() []store.Tier { return s.opt.Tiers }

// SetHome changes what is at home, for flows that begin from now on.
func (s *System) SetHome(h *flows.Home) {
	s.home.Store(h)
	if !s.running.Load() {
		return
	}
	for _, sh := range s.shards {
		s.send(sh.cell, &setHome{home: h})
	}
}

// Tap calls f with a copy of each batch that sources post, until ctx is done. The copy is f's only during
// the call. Between the sources and f is a bounded queue; dropped counts batches that found it full.
func (s *System) Tap(ctx context.Context, f func(*messages.Batch)) (dropped func() uint64) {
	t := s.taps.add(ctx, func(c *crash) {
		s.opt.Log.Error().Err(c).Str("stack", clip(c.stack, maxStackText)).Msg("tap ended by a panic")
	}, f)
	return t.dropped.Load
}

// Subscribe gives each slice that closes from now on, through a queue with so much room.
func (s *System) Subscribe(room int) *Subscription { return s.subs.add(room) }

// Inject makes an actor panic with the fault as its next message, for tests of supervision. Actors are
// named as in Status.
func (s *System) Inject(name string, reason any) error {
	if s.running.Load() {
		for _, c := range s.cells() {
			if c.name == name {
				s.send(c, &fault{reason: reason})
				return nil
			}
		}
	}
	return fmt.Errorf("inject into %q: %w", name, errNoActor)
}

func (s *System) cells() []*cell {
	all := make([]*cell, 0, 4+len(s.shards)+len(s.sources)+len(s.computations))
	all = append(all, s.root.cell, s.tier.cell, s.slicer.cell)
	if s.archive != nil {
		all = append(all, s.archive.cell)
	}
	for _, sh := range s.shards {
		all = append(all, sh.cell)
	}
	for _, src := range s.sources {
		all = append(all, src.cell)
	}
	for _, c := range s.computations {
		all = append(all, c.cell)
	}
	return all
}
