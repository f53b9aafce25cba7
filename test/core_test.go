package test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"weir/actors"
	_ "weir/features" // Registers the columns and sources that the program has.
	"weir/flows"
	"weir/query"
	"weir/sources"
	"weir/sources/conntrack"
	"weir/store"
	"weir/store/memory"
	"weir/test/netlab"
)

// core is the system of a daemon inside this process, where faults can be put into it. It watches the
// router's namespace from outside.
type core struct {
	system *actors.System
	tier   *memory.Tier
	log    *journal
}

// startCore starts a system with slices of a second and waits until it counts.
func startCore(t *testing.T, l *netlab.Lab, change func(*conntrack.Config)) *core {
	t.Helper()
	c := &core{tier: memory.New(memory.Options{Resolution: time.Second}), log: &journal{}}
	var prefixes []netip.Prefix
	for _, p := range l.HomeNetworks() {
		prefixes = append(prefixes, netip.MustParsePrefix(p))
	}
	c.system = actors.New(actors.Options{
		Log: zerolog.New(c.log).With().Timestamp().Logger(), Shards: 2, Slice: time.Second,
		Home: flows.NewHome(prefixes, []netip.Addr{l.RouterLAN4(), l.RouterWAN4()}), FlowBudget: 64 << 20,
		Tiers:      []store.Tier{c.tier},
		Sources:    []actors.SourceSpec{{Name: "conntrack", Config: config(t, l, change)}},
		MaxBackoff: 200 * time.Millisecond,
	})
	if err := c.system.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.drain(t) })
	if err := netlab.Poll(t.Context(), patience, func() error {
		st := c.system.Status()
		if !st.Sources[0].Ready || st.Slicer.Closed == 0 {
			return errNotYet
		}
		return nil
	}); err != nil {
		c.complain(t)
		t.Fatal(err)
	}
	return c
}

// config makes the configuration of conntrack for the router, as the registry gives it.
func config(t *testing.T, l *netlab.Lab, change func(*conntrack.Config)) sources.Config {
	t.Helper()
	for _, d := range sources.All() {
		if d.Name != "conntrack" {
			continue
		}
		c, ok := d.Defaults().(*conntrack.Config)
		if !ok {
			t.Fatalf("conntrack is configured by %T", d.Defaults())
		}
		c.Netns = l.Router.Name
		if change != nil {
			change(c)
		}
		return c
	}
	t.Fatal("conntrack is not linked")
	return nil
}

// drain ends the system in order; once is enough.
func (c *core) drain(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.system.Drain(ctx); err != nil {
		c.complain(t)
		t.Errorf("drain: %v", err)
	}
}

func (c *core) ask(step time.Duration) (answer, error) {
	a, err := query.Ask(context.Background(), c.system.Tiers(), query.Question{
		Filter: clientFilter, By: []string{"local.ip", "proto"}, Last: time.Hour, Step: step, Top: query.AllGroups,
	}, time.Now().Add(2*time.Second)) // What closes early, at the end, counts too.
	if err != nil {
		return answer{}, err
	}
	var b bytes.Buffer
	if err := query.WriteJSON(&b, a, query.Style{}); err != nil {
		return answer{}, err
	}
	return parseAnswer(b.Bytes())
}

func (c *core) complain(t *testing.T) {
	t.Helper()
	st, err := json.MarshalIndent(c.system.Status(), "", " ")
	t.Logf("status (%v):\n%s\nlog:\n%s", err, st, c.log)
}

// failures counts how often an actor has failed.
func (c *core) failures(name string) uint64 {
	for _, a := range c.system.Status().Actors {
		if a.Name == name {
			return a.Failures
		}
	}
	return 0
}
