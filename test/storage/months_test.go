package storage_test

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"weir/bench/history"
	_ "weir/features"
	"weir/internal/disk"
	"weir/internal/units"
	"weir/messages"
	"weir/store/journal"
	"weir/store/tiers"
)

// months puts a generated history into the default ladder, one slice in half an hour for so many days until now, and
// tells what moved in each day.
func months(t *testing.T, dir string, days int) map[time.Time]messages.Totals {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Hour)
	s, err := tiers.New(tiers.Options{
		FS: disk.OS{}, Dir: dir, Levels: tiers.Default(), Program: "test", Log: zerolog.Nop(),
		Journal: journal.Options{Boot: "before", Now: now, Sync: journal.SyncNever, Budget: 1 << 30},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	const every = 30 * time.Minute
	slots := days * int(units.Day/every)
	m, err := history.New(history.Options{
		Seed: 7, Rows: slots * 8, Span: time.Duration(slots) * 10 * time.Second, Devices: 5, Names: 40, Addresses: 200,
	})
	if err != nil {
		t.Fatal(err)
	}
	moved := map[time.Time]messages.Totals{}
	start := now.Add(-time.Duration(days) * units.Day)
	for i := 0; ; i++ {
		sl := m.Next()
		if sl == nil {
			break
		}
		sl.Span.Start = start.Add(time.Duration(i) * every)
		sl.Span.End = sl.Span.Start.Add(10 * time.Second)
		if err := s.Append(sl); err != nil {
			t.Fatal(err)
		}
		sum := moved[sl.Span.Start.Truncate(units.Day)]
		for _, p := range sl.Parts {
			sum.Add(p.Totals())
		}
		moved[sl.Span.Start.Truncate(units.Day)] = sum
		if i%48 == 47 {
			if err := s.Work(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return moved
}

// Questions over months are answered by the tiers that have what is asked, coarse where that is enough, and the sums of
// each day are those of the generated history to the byte, whichever tier answers.
func TestMonths(t *testing.T) {
	p := prepare(t, `slice = "10s"`, "speed = 0.001\n")
	const days = 45
	moved := months(t, filepath.Join(p.dir, "store"), days)
	p.start()
	all := slices.SortedFunc(maps.Keys(moved), time.Time.Compare)
	for _, day := range all {
		if time.Since(day.Add(units.Day)) < 2*time.Hour {
			continue // The daemon adds to it.
		}
		want := moved[day]
		want.Started, want.Ended, want.Rows = 0, 0, 0
		if got := p.sum(messages.Span{Start: day, End: day.Add(units.Day)}); got != want {
			t.Errorf("%s: %+v, want %+v", day, got, want)
		}
	}
	for _, c := range []struct {
		by, from, to string
		tiers        []string
		exact        bool
	}{
		{by: "none", from: "-40d", to: "-33d", tiers: []string{"1h", "10min"}, exact: true},
		{by: "remote.name,app", from: "-40d", to: "-33d", tiers: []string{"1h", "10min"}, exact: true},
		{by: "remote.name,proto", from: "-40d", to: "-33d", tiers: []string{"10min"}, exact: true},
		{by: "remote.ip", from: "-20d", to: "-5d", tiers: []string{"1min"}, exact: true},
		{by: "remote.ip,remote.port", from: "-30h", to: "-28h", tiers: []string{"10s"}, exact: true},
		{by: "remote.ip", from: "-40d", to: "-33d", tiers: []string{"10min", "1h"}, exact: false},
	} {
		a := p.ask("--by", c.by, "--from", c.from, "--to", c.to)
		if len(a.Parts) == 0 || len(a.Rows) == 0 {
			t.Errorf("%s from %s: no parts or no rows: %+v", c.by, c.from, a)
			continue
		}
		for _, part := range a.Parts {
			if part.Span.To.Sub(part.Span.From) < time.Hour {
				continue // The ends of the range are not at those of long slices.
			}
			if !slices.Contains(c.tiers, part.Tier) {
				t.Errorf("%s from %s: %s answers for %s", c.by, c.from, part.Tier, part.Span)
			}
			if c.exact && !part.Exact {
				t.Errorf("%s from %s: %s lacks %v", c.by, c.from, part.Tier, part.Folded)
			}
		}
		if !c.exact && (a.Exact || !strings.Contains(strings.Join(a.Why, " "), "remote.ip")) {
			t.Errorf("%s from %s: exact %t, why %q", c.by, c.from, a.Exact, a.Why)
		}
	}
	explained := p.explain("--by", "remote.name,proto", "--from", "-35d", "--last", "30d")
	if !strings.Contains(explained, "row groups") || !strings.Contains(explained, "1min") {
		t.Errorf("the explanation is\n%s", explained)
	}
	t.Log("\n" + explained)
	if out := p.must("store", "verify"); !strings.Contains(out, "all is well") {
		t.Error(out)
	}
}
