package tiers

import (
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	_ "weir/columns/app"
	_ "weir/columns/direction"
	_ "weir/columns/dns"
	_ "weir/columns/http"
	_ "weir/columns/ip"
	_ "weir/columns/mac"
	_ "weir/columns/name"
	_ "weir/columns/port"
	_ "weir/columns/proto"
	"weir/internal/disk/disktest"
	"weir/messages"
	"weir/store"
	"weir/store/journal"
	"weir/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// short is a ladder whose buckets fill in a few minutes.
func short() []Level {
	return []Level{
		{Name: "10s", Slice: duration(10 * time.Second), Bucket: duration(time.Minute)},
		{Name: "20s", Slice: duration(20 * time.Second), Bucket: duration(2 * time.Minute)},
		{
			Name: "1min", Slice: duration(time.Minute), Bucket: duration(4 * time.Minute),
			Drop: []string{"local.port", "remote.port", "http.url"},
		},
		{
			Name: "2min", Slice: duration(2 * time.Minute), Bucket: duration(8 * time.Minute),
			Columns: []string{"local.mac|local.ip", "remote.name", "app"},
		},
	}
}

func testOptions(fs *disktest.FS, levels []Level) Options {
	return Options{
		FS: fs, Dir: "/data", Levels: levels, Log: zerolog.Nop(),
		Journal: journal.Options{Boot: "boot", Now: storetest.Begin()},
	}
}

func openStore(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// eager works off all there is after each slice but the first few: what is in bucket files keeps its times, which the
// contract's test of Relabel, of eight slices, does not know.
type eager struct {
	*Store
	t *testing.T
}

func (e eager) Append(s *messages.Slice) error {
	plain := *s
	plain.Amendments = nil // They do not reach what is in bucket files, which depends on when that was.
	err := e.Store.Append(&plain)
	if s.Seq < 12 {
		return err
	}
	if work := e.Work(e.t.Context()); work != nil {
		e.t.Error(work)
	}
	return err
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Tier {
		t.Helper()
		return openStore(t, testOptions(disktest.New(), short()))
	}, storetest.Amends)
}

// TestContractOfFiles moves all it can into files after each slice.
func TestContractOfFiles(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Tier {
		t.Helper()
		return eager{Store: openStore(t, testOptions(disktest.New(), short()[:1])), t: t}
	})
}
