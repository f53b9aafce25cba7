package tiers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"weir/messages"
	"weir/store"
)

// Progress is told how much of something is done, in bytes.
type Progress func(done, of uint64)

// Verified says what a verification found.
type Verified struct {
	// Files and Bytes were read; Segments of the journal were read.
	Files, Bytes, Segments uint64
	// Compared counts slices of coarser tiers whose totals were compared with those of the finer tier, Skipped those
	// that could not be, since the finer tier does not keep them any more.
	Compared, Skipped uint64
	// Faults are sentences that say what is wrong; none if all is well.
	Faults []string
}

// maxFaults bounds what is told of faults.
const maxFaults = 100

func (v *Verified) fault(format string, a ...any) {
	if len(v.Faults) < maxFaults {
		v.Faults = append(v.Faults, fmt.Sprintf(format, a...))
	}
}

// Verify reads all that is stored and says whether the checksums are right and the totals of the tiers agree for
// every slice of a coarser tier of which the finer one still has all.
func (s *Store) Verify(ctx context.Context, progress Progress) (*Verified, error) {
	s.mu.Lock()
	c, l := s.catalog, s.log
	s.readers[c.generation]++
	segments := s.segments()
	s.mu.Unlock()
	defer s.release(c.generation)
	v := &Verified{}
	for k, files := range c.files {
		for _, f := range files {
			if err := f.Verify(ctx); err != nil {
				if ctx.Err() != nil {
					return v, ctx.Err()
				}
				v.fault("Tier %s: %v.", s.options.Levels[k].Name, err)
			}
			v.Files++
			v.Bytes += f.info.Bytes
			if progress != nil {
				progress(v.Bytes, c.total())
			}
		}
	}
	for _, g := range segments {
		if err := v.segment(ctx, l, &g); err != nil {
			return v, err
		}
	}
	return v, s.compare(ctx, c, v)
}

func (s *Store) release(generation uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readers[generation]--; s.readers[generation] == 0 {
		delete(s.readers, generation)
	}
}

// segment reads a segment of the journal.
func (v *Verified) segment(ctx context.Context, l log, g *segment) error {
	heads, err := l.heads(g.id)
	if err != nil {
		v.fault("Journal: segment %s: %v.", g.name, err)
	}
	for _, h := range heads {
		for _, loss := range h.Losses {
			if loss.Kind == messages.LossDamaged && loss.Source == journalFolder {
				v.fault("Journal: segment %s: slice %d: %s", g.name, h.Seq, loss.Detail)
			}
		}
	}
	v.Segments++
	return ctx.Err()
}

// compare compares the totals of each file with those of the files that were rolled up into it.
func (s *Store) compare(ctx context.Context, c *catalog, v *Verified) error {
	for k := 1; k < len(c.files); k++ {
		finer := map[string]*file{}
		for _, f := range c.files[k-1] {
			finer[source(s.options.Levels[k-1].Name, f.name)] = f
		}
		for _, f := range c.files[k] {
			var sources []*file
			for _, name := range f.sources {
				if from := finer[name]; from != nil {
					sources = append(sources, from)
				}
			}
			if len(sources) < len(f.sources) {
				v.Skipped += f.info.Slices
				continue
			}
			if err := v.totals(ctx, &s.options.Levels[k], f, sources); err != nil {
				return err
			}
		}
	}
	return nil
}

// totals compares a file with its sources, slice by slice.
func (v *Verified) totals(ctx context.Context, l *Level, f *file, sources []*file) error {
	got, err := timeline(ctx, l, []*file{f})
	if err != nil {
		v.fault("Tier %s: %v.", l.Name, err)
		return ctx.Err()
	}
	want, err := timeline(ctx, l, sources)
	if err != nil {
		v.fault("Finer than tier %s: %v.", l.Name, err)
		return ctx.Err()
	}
	for _, step := range slices.Sorted(maps.Keys(want)) {
		if want[step] != got[step] {
			at := f.info.Bucket.Start.Add(time.Duration(step) * l.Slice.Duration)
			v.fault("Tier %s: slice of %s: %+v, but the finer tier has %+v.", l.Name, at, got[step], want[step])
		}
	}
	if len(got) > len(want) {
		v.fault("Tier %s: %s has %d slices, the finer tier %d.", l.Name, f.name, len(got), len(want))
	}
	v.Compared += uint64(len(want))
	return nil
}

// timeline sums files by the slices of a level. How many rows there are differs between tiers, and is left out.
func timeline(ctx context.Context, l *Level, files []*file) (map[int]messages.Totals, error) {
	r := &store.Request{Span: store.Always(), Origin: files[0].info.Bucket.Start, Step: l.Slice.Duration}
	for _, f := range files {
		if f.info.Bucket.Start.Before(r.Origin) {
			r.Origin = f.info.Bucket.Start
		}
	}
	r.Origin = r.Origin.Truncate(l.Bucket.Duration)
	sum := store.NewPartial(r)
	for _, f := range files {
		if err := f.Query(ctx, r, sum); err != nil {
			return nil, err
		}
	}
	steps := map[int]messages.Totals{}
	add := func(step int, t messages.Totals) {
		all := steps[step]
		all.Add(t)
		all.Rows = 0
		steps[step] = all
	}
	for k, t := range sum.Groups() {
		add(k.Step, t)
	}
	for step, t := range sum.Other {
		add(step, t)
	}
	return steps, nil
}
