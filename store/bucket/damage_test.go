package bucket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"weir/columns"
	"weir/internal/disk/disktest"
	"weir/messages"
	"weir/store"
	"weir/store/bucket"
	"weir/store/storetest"
)

func quiet() bucket.TierOptions {
	return bucket.TierOptions{Dir: "/t", Resolution: storetest.Resolution, Log: zerolog.Nop()}
}

// content gives the bytes of a file of some slices.
func content(t testing.TB, seed uint64, slices, rows int) []byte {
	t.Helper()
	d := disktest.New()
	if err := d.MkdirAll("/t"); err != nil {
		t.Fatal(err)
	}
	m := storetest.NewMaker(seed)
	var all []*messages.Slice
	for range slices {
		all = append(all, m.Slice(rows))
	}
	write(t, d, "/t/f", all)
	return d.Content("/t/f")
}

// put makes a file system with one file.
func put(t testing.TB, content []byte) *disktest.FS {
	t.Helper()
	d := disktest.New()
	if err := d.MkdirAll("/t"); err != nil {
		t.Fatal(err)
	}
	f, err := d.Create("/t/f" + bucket.Suffix)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), f.Close(), d.SyncDir("/t")); err != nil {
		t.Fatal(err)
	}
	return d
}

// readAll reads all that is in a file.
func readAll(t testing.TB, d *disktest.FS) (map[string]int, error) {
	t.Helper()
	f, err := bucket.Open(d, "/t/f"+bucket.Suffix)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows := map[string]int{fmt.Sprintf("%+v", f.Info()): 1}
	err = f.Blocks(context.Background(), nil, func(b *store.Block) error { rowsOf(b, rows); return nil })
	return rows, err
}

// places gives some hundred places of a file, all of its ends among them.
func places(size int) []int {
	step := max(1, size/400)
	if testing.Short() {
		step *= 4
	}
	var at []int
	for i := range size {
		if i < 64 || i >= size-64 || i%step == 0 {
			at = append(at, i)
		}
	}
	return at
}

func TestFlips(t *testing.T) {
	whole := content(t, 1, 6, 300)
	want, err := readAll(t, put(t, whole))
	if err != nil {
		t.Fatal(err)
	}
	harmless := 0
	for _, at := range places(len(whole)) {
		bad := bytes.Clone(whole)
		bad[at] ^= 1 << (at % 8)
		got, err := readAll(t, put(t, bad))
		switch {
		case err == nil && !maps.Equal(got, want):
			t.Fatalf("a flip at %d of %d is not seen", at, len(whole))
		case err == nil:
			harmless++
		case !errors.Is(err, bucket.ErrDamaged):
			t.Fatalf("a flip at %d: %v", at, err)
		}
		if f, err := bucket.Open(put(t, bad), "/t/f"+bucket.Suffix); err == nil {
			if err := f.Verify(t.Context()); !errors.Is(err, bucket.ErrDamaged) {
				t.Fatalf("a flip at %d is not seen by Verify: %v", at, err)
			}
		}
	}
	t.Logf("%d of %d flips are where nothing is read", harmless, len(places(len(whole))))
}

func TestTruncations(t *testing.T) {
	whole := content(t, 2, 4, 100)
	for _, n := range places(len(whole)) {
		if _, err := readAll(t, put(t, whole[:n])); !errors.Is(err, bucket.ErrDamaged) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
}

// TestDamageIsContained asks a tier of which one file is damaged.
func TestDamageIsContained(t *testing.T) {
	whole := content(t, 3, 6, 300)
	for _, at := range places(len(whole)) {
		bad := bytes.Clone(whole)
		bad[at] ^= 0x10
		d := put(t, bad)
		good := storetest.NewMaker(9)
		good.Slice(10)
		write(t, d, "/t/g"+bucket.Suffix, []*messages.Slice{good.Slice(50)})
		tier, err := bucket.OpenTier(d, quiet())
		if err != nil {
			t.Fatal(err)
		}
		r := storetest.Everything()
		for range 2 {
			p := store.NewPartial(r)
			if err := tier.Query(t.Context(), r, p); err != nil {
				t.Fatalf("a flip at %d: %v", at, err)
			}
			aside := d.Content("/t/f"+bucket.Suffix+bucket.DamagedSuffix) != nil
			if told := len(p.Losses) > 0 && p.Losses[0].Kind == messages.LossDamaged; told != aside {
				t.Fatalf("a flip at %d: set aside %v, told %v", at, aside, told)
			}
			if p.Slices == 0 {
				t.Fatalf("a flip at %d: nothing of the sound file", at)
			}
		}
		tier.Close()
		again, err := bucket.OpenTier(d, quiet())
		if err != nil {
			t.Fatal(err)
		}
		if len(again.Lost())+len(again.Files()) != 2 {
			t.Fatalf("a flip at %d: after a restart %d files, %d lost", at, len(again.Files()), len(again.Lost()))
		}
		again.Close()
	}
}

// TestBugsSetNothingAside: a filter that panics says nothing about the file.
func TestBugsSetNothingAside(t *testing.T) {
	d := put(t, content(t, 4, 3, 50))
	tier := newTier(t, d, "/t")
	r := storetest.Everything()
	bug := func(columns.Value) bool { panic("a bug") }
	r.Filter = store.Match{Column: storetest.NewMaker(1).Columns[0], Cell: bug}
	if err := tier.Query(t.Context(), r, store.NewPartial(r)); err == nil || !strings.Contains(err.Error(), "a bug") {
		t.Errorf("want the panic, got %v", err)
	}
	if len(tier.Files()) != 1 || len(tier.Lost()) != 0 {
		t.Errorf("%d files, %d lost", len(tier.Files()), len(tier.Lost()))
	}
}

// TestUnreadable: what cannot be read now is told, and read again when it can be.
func TestUnreadable(t *testing.T) {
	d := put(t, content(t, 5, 3, 50))
	tier := newTier(t, d, "/t")
	r := storetest.Everything()
	d.Fail(func(op disktest.Op, _ string) error {
		if op == disktest.OpRead || op == disktest.OpOpen {
			return fs.ErrPermission
		}
		return nil
	}, nil)
	p := store.NewPartial(r)
	if err := tier.Query(t.Context(), r, p); err != nil || len(p.Losses) != 1 {
		t.Errorf("%v, %+v", err, p.Losses)
	}
	d.Fail(nil, nil)
	p = store.NewPartial(r)
	if err := tier.Query(t.Context(), r, p); err != nil || len(p.Losses) != 0 || p.Slices != 3 {
		t.Errorf("%v, %+v, %d slices", err, p.Losses, p.Slices)
	}
}

// TestFailedWrites: whatever operation fails, there is either nothing or a sound file.
func TestFailedWrites(t *testing.T) {
	m := storetest.NewMaker(6)
	all := []*messages.Slice{m.Slice(200), m.Slice(200)}
	for n := 0; ; n++ {
		d := disktest.New()
		if err := d.MkdirAll("/t"); err != nil {
			t.Fatal(err)
		}
		left, failed := n, errors.New("no")
		d.Fail(func(op disktest.Op, _ string) error {
			if op == disktest.OpRemove {
				return nil
			}
			if left--; left == -1 {
				return failed
			}
			return nil
		}, func(n int) int { return n / 2 })
		_, err := bucket.Write(t.Context(), d, "/t/f"+bucket.Suffix, bucket.Options{}, feed(t, all))
		happened := left < 0
		d.Fail(nil, nil)
		if happened && !errors.Is(err, failed) {
			t.Fatalf("operation %d fails: %v", n, err)
		}
		if d.Content("/t/f"+bucket.Suffix) != nil {
			if _, err := readAll(t, d); err != nil {
				t.Fatalf("operation %d fails: %v", n, err)
			}
		}
		if !happened {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
	}
}

// TestPowerCuts: after a power cut at any operation the file is there as a whole or not at all, and if Write has
// returned it is there.
func TestPowerCuts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	m := storetest.NewMaker(7)
	all := []*messages.Slice{m.Slice(100), m.Slice(100)}
	for round := range 300 {
		d := disktest.New()
		if err := errors.Join(d.MkdirAll("/t"), d.SyncDir("/t")); err != nil {
			t.Fatal(err)
		}
		cut := errors.New("cut")
		left := r.IntN(12)
		d.Fail(func(disktest.Op, string) error {
			if left--; left < 0 {
				return cut
			}
			return nil
		}, func(n int) int { return r.IntN(n + 1) })
		_, err := bucket.Write(t.Context(), d, "/t/f"+bucket.Suffix, bucket.Options{}, feed(t, all))
		d = d.Crash(r)
		tier, openErr := bucket.OpenTier(d, quiet())
		if openErr != nil {
			t.Fatal(openErr)
		}
		files := tier.Files()
		if len(tier.Lost()) > 0 || err == nil && len(files) != 1 {
			t.Fatalf("round %d: written %v, then %d files, lost %+v", round, err, len(files), tier.Lost())
		}
		for range files {
			if _, err := readAll(t, d); err != nil {
				t.Fatal(err)
			}
		}
		list, listErr := d.ReadDir("/t")
		if listErr != nil || len(list) != len(files) {
			t.Fatalf("round %d: %v, %v", round, list, listErr)
		}
		tier.Close()
	}
}

// TestSwapDuringQueries: a query sees either the old files or the new ones.
func TestSwapDuringQueries(t *testing.T) {
	d := disktest.New()
	tier := newTier(t, d, "/t")
	at := storetest.Begin()
	slice := func(seq, moved uint64) *messages.Slice {
		return &messages.Slice{
			Seq: seq, Span: messages.Span{Start: at, End: at.Add(storetest.Resolution)}, Complete: true,
			Parts: []*messages.Rows{{
				UpBytes: []uint64{moved}, UpPackets: []uint64{1}, DownBytes: []uint64{0}, DownPackets: []uint64{0},
				Started: []uint32{0}, Ended: []uint32{0},
			}},
		}
	}
	path := func(n int) string { return filepath.Join("/t", fmt.Sprint(n)+bucket.Suffix) }
	write(t, d, path(0), []*messages.Slice{slice(1, 7)})
	if err := tier.Add(path(0)); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	stop := make(chan struct{})
	go func() {
		r := storetest.Everything()
		for {
			p := store.NewPartial(r)
			if err := tier.Query(context.Background(), r, p); err != nil || storetest.Total(p).Up.Bytes != 7 {
				done <- fmt.Errorf("%d bytes, losses %+v: %w", storetest.Total(p).Up.Bytes, p.Losses, err)
				return
			}
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
		}
	}()
	deadline := time.Now().Add(500 * time.Millisecond)
	for n := 1; time.Now().Before(deadline); n++ {
		write(t, d, path(n), []*messages.Slice{slice(1, 7)})
		if err := tier.Swap([]string{path(n)}, []string{path(n - 1)}); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
