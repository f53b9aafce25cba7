package journal_test

import (
	"testing"
	"time"

	_ "weir/columns/app"
	_ "weir/columns/dns"
	_ "weir/columns/iface"
	_ "weir/columns/ip"
	_ "weir/columns/mac"
	_ "weir/columns/name"
	_ "weir/columns/port"
	_ "weir/columns/proto"
	_ "weir/columns/tls"
	"weir/internal/disk"
	"weir/internal/disk/disktest"
	"weir/store"
	"weir/store/journal"
	"weir/store/storetest"
)

// options are those of the tests: short epochs and segments, so that there are many.
func options() journal.Options {
	return journal.Options{
		Slice: storetest.Resolution, Segment: 2 * time.Minute, EpochSlices: 5, Boot: "boot-1", Now: storetest.Begin(),
	}
}

func open(t testing.TB, d disk.FS, dir string, o journal.Options) (*journal.Journal, journal.Report) {
	t.Helper()
	j, report, err := journal.Open(d, dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return j, report
}

func TestContract(t *testing.T) {
	for name, o := range map[string]journal.Options{"short": options(), "long": {Now: storetest.Begin()}} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) store.Tier {
				t.Helper()
				j, _ := open(t, disktest.New(), "/journal", o)
				t.Cleanup(func() {
					if err := j.Close(); err != nil {
						t.Error(err)
					}
				})
				return j
			}, storetest.Amends)
		})
	}
}

func TestContractOnRealFiles(t *testing.T) {
	o := options()
	o.Sync = journal.SyncNever
	storetest.Run(t, func(t *testing.T) store.Tier {
		t.Helper()
		j, _ := open(t, disk.OS{}, t.TempDir(), o)
		t.Cleanup(func() { _ = j.Close() })
		return j
	}, storetest.Amends)
}
