// Package household makes up the traffic of a home network and writes it as a recording, for
// demonstrations and benchmarks. What it writes looks as if a daemon with the source conntrack had been
// recorded: starts are announced, ends bring final counters, and before the end of each slice comes a
// snapshot of all flows in the table.
//
// The addresses are from the ranges for documentation and benchmarks, so that nobody real is in them.
package household

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"time"

	"weir/messages"
	"weir/sources/recording"
)

// Options size a recording. The same options always give the same recording on one kind of machine.
type Options struct {
	Seed uint64
	// Flows is how many flows there are in all, those that are older than the recording too.
	Flows int
	// Slices is how many slices the recording spans, and Slice how long each is.
	Slices int
	Slice  time.Duration
	// Devices is how many there are at home.
	Devices int
	// Created is when the recording is said to have begun.
	Created time.Time
}

// Defaults are ten minutes of a family.
func Defaults() Options {
	return Options{
		Seed:    1,
		Flows:   6000,
		Slices:  60,
		Slice:   10 * time.Second,
		Devices: 18,
		Created: time.Date(2026, time.January, 9, 19, 0, 0, 0, time.UTC),
	}
}

// maxDevices are the addresses of the home networks that are not otherwise used.
const maxDevices = 200

// Validate says what is wrong with options.
func (o *Options) Validate() error {
	switch {
	case o.Flows < 1 || o.Slices < 1:
		return errors.New("flows and slices: less than 1")
	case o.Devices < 1 || o.Devices > maxDevices:
		return fmt.Errorf("devices: %d is not from 1 to %d", o.Devices, maxDevices)
	case o.Slice < time.Second:
		return fmt.Errorf("slice: %v is less than a second", o.Slice)
	}
	return nil
}

// Made says what a recording holds.
type Made struct {
	Flows, Batches, Updates uint64
	// Moved is what all flows moved while the recording ran, in both directions: a replay must count
	// just that.
	Moved messages.Counter
}

// Networks are what is at home: the home networks and the router's address in the world, as a daemon
// that plays the recording must be told.
func Networks() []netip.Prefix {
	return []netip.Prefix{lan4, guests4, lan6, netip.PrefixFrom(wan4, wan4.BitLen())}
}

// Write makes up a recording.
func Write(out io.Writer, o Options) (Made, error) {
	if err := o.Validate(); err != nil {
		return Made{}, err
	}
	w, err := recording.NewWriter(out, recording.Header{Created: o.Created, Slice: o.Slice, Version: "made up"})
	if err != nil {
		return Made{}, err
	}
	r := rand.New(rand.NewPCG(o.Seed, 0))
	t := &traffic{options: o, rand: r, world: newWorld(r, o.Devices), writer: w, keys: map[messages.Key]struct{}{}}
	if err := t.write(); err != nil {
		return Made{}, err
	}
	return t.made, w.Close()
}
