package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/rs/zerolog"

	"weir/actors"
	"weir/api"
	"weir/config"
	"weir/sources"
	"weir/store"
	"weir/store/memory"
)

// Bounds of the end.
const (
	// drainTimeout bounds the whole drain; its phases have their own deadlines.
	drainTimeout = 25 * time.Second
	// shutdownTimeout is for requests that are being answered.
	shutdownTimeout = 2 * time.Second
	// checkDelay is how long sources get to become ready before the machine is checked.
	checkDelay = 5 * time.Second
)

// daemonProcess is the running daemon: the system, who answers about it, and what watches the machine.
type daemonProcess struct {
	log    zerolog.Logger
	config *config.Loaded
	system *actors.System
	server *api.Server
	home   *homeWatcher
	// history is nil if nothing is kept on disk.
	history *history
	// served tells that a listener failed.
	served chan error
	// cancel ends the watchers, which group waits for.
	cancel context.CancelFunc
	group  sync.WaitGroup
}

// newDaemon builds what needs nothing of the machine to be held, and starts nothing.
func newDaemon(log zerolog.Logger, l *config.Loaded) (*daemonProcess, error) {
	if len(enabled(l.Config)) == 0 {
		return nil, errNoData
	}
	d := &daemonProcess{log: log, config: l, served: make(chan error, 2)}
	finder := newHomeFinder()
	home, missing, err := finder.resolve(l.Home)
	if err != nil {
		return nil, err
	}
	d.home = &homeWatcher{finder: finder, config: l.Home, log: log, now: home}
	for _, m := range missing {
		d.home.complain(m)
	}
	d.history, err = newHistory(log, l.Config, l.StoreDir(), time.Now())
	return d, err
}

// build opens the history and builds the core, which goes on from there.
func (d *daemonProcess) build() {
	l := d.config
	o := actors.Options{
		Log: d.log, Shards: l.Shards, Slice: l.Slice.Duration, Deadline: l.SliceDeadline(), Home: d.home.now,
		FlowBudget: int64(l.Memory.Flows), Sources: enabled(l.Config), Computations: computed(l.Config),
		StateDir: l.DataDir,
		Tiers: []store.Tier{memory.New(memory.Options{
			Budget: int64(l.Memory.Slices), Retention: l.Memory.Retention.Duration, Resolution: l.Slice.Duration,
		})},
	}
	a := api.Options{Log: d.log, Version: Version(), Slice: l.Slice.Duration}
	if d.history != nil {
		d.history.begin(&o)
		a.History = d.history
	}
	d.system = actors.New(o)
	d.home.set = d.system.SetHome
	a.Core = whole{System: d.system, history: d.history}
	d.server = api.New(a)
}

// enabled lists the sources to run.
func enabled(c *config.Config) []actors.SourceSpec {
	var specs []actors.SourceSpec
	for _, s := range c.Sources {
		if s.Config.Enabled() {
			specs = append(specs, actors.SourceSpec{Name: s.Name, Config: s.Config})
		}
	}
	return specs
}

// computed lists the computations to run.
func computed(c *config.Config) []actors.ComputationSpec {
	var specs []actors.ComputationSpec
	for _, n := range c.Computations {
		if n.Config.Enabled() {
			specs = append(specs, actors.ComputationSpec{Name: n.Name, Rank: n.Rank, Config: n.Config})
		}
	}
	return specs
}

// start starts all in order. The socket comes first, so that a second daemon ends before it touches anything.
func (d *daemonProcess) start(ctx context.Context) error {
	debug.SetMemoryLimit(memoryLimit(d.config.Config, os.Getenv("GOMEMLIMIT")))
	listeners, err := d.listen(ctx)
	if err != nil {
		return err
	}
	d.build()
	if err := d.system.Start(ctx); err != nil {
		for _, l := range listeners {
			err = errors.Join(err, l.Close())
		}
		return errors.Join(err, d.history.close())
	}
	for _, l := range listeners {
		go func() {
			if err := d.server.Serve(l); err != nil {
				d.served <- err
			}
		}()
	}
	d.watch()
	d.announce()
	notify(d.log, daemon.SdNotifyReady)
	return nil
}

// memoryLimit gives the runtime's soft limit, which follows from the budgets; -1 leaves it as the user has set it.
func memoryLimit(c *config.Config, variable string) int64 {
	if variable != "" {
		return -1
	}
	return c.MemoryLimit()
}

// listen opens the unix socket and, if configured, the TCP address.
func (d *daemonProcess) listen(ctx context.Context) ([]net.Listener, error) {
	c := d.config
	unix, err := api.Socket{Path: c.Socket, Mode: os.FileMode(c.SocketMode), Group: c.SocketGroup}.Listen(ctx)
	if err != nil || c.API.Listen == "" {
		return []net.Listener{unix}, err
	}
	var lc net.ListenConfig
	tcp, err := lc.Listen(ctx, "tcp", c.API.Listen)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen: %w", err), unix.Close())
	}
	return []net.Listener{unix, tcp}, nil
}

// watch starts what looks after the machine while the daemon runs.
func (d *daemonProcess) watch() {
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	d.group.Go(func() {
		tick := time.NewTicker(homeEvery)
		defer tick.Stop()
		d.home.watch(ctx, tick.C)
	})
	d.group.Go(func() { watchdog(ctx, d.log, func() { d.system.Status() }) })
	d.group.Go(func() { d.warn(ctx) })
}

// announce says in one line what runs.
func (d *daemonProcess) announce() {
	c, names, derived := d.config, []string{}, []string{}
	for _, s := range enabled(c.Config) {
		names = append(names, s.Name)
	}
	for _, n := range computed(c.Config) {
		derived = append(derived, n.Name)
	}
	line := d.log.Info().Str("version", Version()).Strs("sources", names).Strs("computations", derived).
		Str("socket", c.Socket).Stringer("slice", c.Slice).Strs("home", texts(d.home.now.Prefixes()))
	if c.File != "" {
		line.Str("config", c.File)
	}
	if c.API.Listen != "" {
		line.Str("listen", c.API.Listen)
	}
	if d.history != nil {
		line.Str("history", d.history.dir)
	}
	line.Msgf("weir counts; the first answer is there in %s: weir query", c.Slice)
}

// warn logs what sources find wrong with the machine, once they had the time to mend what they mend themselves.
func (d *daemonProcess) warn(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(checkDelay):
	}
	for _, f := range checkSources(ctx, d.config.Config) {
		level := zerolog.WarnLevel
		switch {
		case ctx.Err() != nil:
			return
		case f.Level == sources.Broken:
			level = zerolog.ErrorLevel
		case f.Level != sources.Warning:
			continue
		}
		d.log.WithLevel(level).Str("subject", f.Subject).Func(func(e *zerolog.Event) {
			if f.Cure != "" {
				e.Str("cure", f.Cure)
			}
		}).Msg(f.Text)
	}
}

// stop ends all in order.
func (d *daemonProcess) stop() error {
	began := time.Now()
	notify(d.log, daemon.SdNotifyStopping)
	d.cancel()
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	err := d.system.Drain(ctx)
	if err != nil {
		err = fmt.Errorf("drain: %w", err)
	}
	d.group.Wait()
	ctx, cancelShutdown := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancelShutdown()
	// A client that hangs is cut off; that is no failure of the daemon.
	if errShut := d.server.Shutdown(ctx); errShut != nil {
		d.log.Warn().Err(errShut).Msg("a request was cut off")
	}
	// Only now nobody asks it any more.
	err = errors.Join(err, d.history.close())
	st := d.system.Status()
	d.log.Info().Uint64("slices", st.Slicer.Closed).Dur("took", time.Since(began)).Err(err).Msg("ended")
	return err
}
