// Package bucket_test measures bucket files on a made-up history of a household: their size, how fast they are written
// and asked, and what memory that takes. WEIR_BENCH_ROWS sets how many rows the history has: a million if it is not
// set, ten million if it is "large".
package bucket_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"weir/bench/history"
	"weir/columns"
	"weir/internal/disk"
	"weir/messages"
	"weir/store"
	"weir/store/bucket"
)

func rowsWanted() int {
	switch text := os.Getenv("WEIR_BENCH_ROWS"); text {
	case "":
		return 1_000_000
	case "large":
		return 10_000_000
	default:
		n, err := strconv.Atoi(text)
		if err != nil {
			panic(err)
		}
		return n
	}
}

// made is the history in bucket files of one hour, made once for all benchmarks.
type made struct {
	dir    string
	start  time.Time
	rows   uint64
	bytes  uint64
	wrote  time.Duration // processor time, all of writing
	device columns.Value
	name   columns.Value
	remote columns.Value
	hour   *hour // the busiest
}

// hour is what goes into one file.
type hour struct {
	heads []store.Head
	block store.Block
}

var once = sync.OnceValues(make10M)

func TestMain(m *testing.M) {
	code := m.Run()
	if dir := madeDir; dir != "" && os.Getenv("WEIR_BENCH_KEEP") == "" {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

var madeDir string

func make10M() (*made, error) {
	o := history.Options{Seed: 1, Rows: rowsWanted(), Span: 4 * 24 * time.Hour}
	if o.Rows < 10_000_000 { // The same household for less time.
		o.Span = (time.Duration(float64(o.Span) * float64(o.Rows) / 10e6)).Truncate(time.Hour)
	}
	maker, err := history.New(o)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "weir-bench-")
	if err != nil {
		return nil, err
	}
	madeDir = dir
	m := &made{dir: dir}
	m.device = parse("local.mac", maker.Device(2))
	m.name = parse("remote.name", maker.Name(20))
	count := map[columns.Value]int{}
	var slices []*messages.Slice
	flush := func() error {
		if len(slices) == 0 {
			return nil
		}
		h, err := gather(slices)
		if err != nil {
			return err
		}
		if m.start.IsZero() {
			m.start = slices[0].Span.Start
		}
		if m.hour == nil || h.block.Rows > m.hour.block.Rows {
			m.hour = h
		}
		slices = slices[:0]
		remotes := h.block.Find(column("remote.ip"))
		for i := range h.block.Rows {
			count[remotes.Dict.At(int(remotes.IDs.At(i)))]++
		}
		before := processor()
		info, err := write(filepath.Join(dir, fmt.Sprintf("%d%s", h.heads[0].Seq, bucket.Suffix)), h)
		m.wrote += processor() - before
		m.rows += info.Rows
		m.bytes += info.Bytes
		return err
	}
	for s := maker.Next(); s != nil; s = maker.Next() {
		if len(slices) > 0 && !s.Span.Start.Truncate(time.Hour).Equal(slices[0].Span.Start.Truncate(time.Hour)) {
			if err := flush(); err != nil {
				return nil, err
			}
		}
		slices = append(slices, s)
	}
	if err := flush(); err != nil {
		return nil, err
	}
	m.remote = rare(count)
	return m, nil
}

// rare gives the remote address that has nearest to 24 rows.
func rare(count map[columns.Value]int) columns.Value {
	best, away := columns.Value(""), 1<<30
	for v, n := range count {
		d := max(n-24, 24-n)
		if v != "" && (d < away || d == away && v < best) {
			best, away = v, d
		}
	}
	return best
}

func processor() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func gather(slices []*messages.Slice) (*hour, error) {
	var parts []*messages.Rows
	var starts []uint64
	h := &hour{}
	for _, s := range slices {
		h.heads = append(h.heads, store.Head{Seq: s.Seq, Span: s.Span, Complete: s.Complete})
		for _, p := range s.Parts {
			parts = append(parts, p)
			for range p.Len() {
				starts = append(starts, uint64(s.Span.Start.UnixNano()))
			}
		}
	}
	packed, err := store.Pack(parts)
	if err != nil {
		return nil, err
	}
	packed.View(&h.block.Part)
	h.block.Starts = store.IntsOf(nil, starts)
	return h, nil
}

func write(path string, h *hour) (bucket.Info, error) {
	o := bucket.Options{Tier: "10s", Resolution: 10 * time.Second, Program: "bench"}
	return bucket.Write(context.Background(), disk.OS{}, path, o, func(w *bucket.Writer) error {
		for i := range h.heads {
			if err := w.Head(&h.heads[i]); err != nil {
				return err
			}
		}
		return w.Block(&h.block)
	})
}

func column(name string) *columns.Column {
	c, ok := columns.Lookup(name)
	if !ok {
		panic(name)
	}
	return c
}

func parse(name, text string) columns.Value {
	v, err := column(name).Parse(text)
	if err != nil {
		panic(err)
	}
	return v
}

func is(name string, v columns.Value) store.Match {
	return store.Match{
		Column: column(name), Cell: func(cell columns.Value) bool { return cell == v }, Equals: []columns.Value{v},
	}
}

func history10M(b *testing.B) *made {
	b.Helper()
	m, err := once()
	if err != nil {
		b.Fatal(err)
	}
	return m
}

// BenchmarkWrite writes the busiest hour: rows a second of processor time, and bytes a row.
func BenchmarkWrite(b *testing.B) {
	m := history10M(b)
	path := filepath.Join(b.TempDir(), "hour")
	var info bucket.Info
	before := processor()
	for b.Loop() {
		var err error
		if info, err = write(path, m.hour); err != nil {
			b.Fatal(err)
		}
	}
	spent := processor() - before
	b.ReportMetric(float64(info.Rows)*float64(b.N)/spent.Seconds()/1e6, "Mrows/cpu-s")
	b.ReportMetric(float64(info.Bytes)/float64(info.Rows), "B/row")
}

// BenchmarkAll tells of writing all files.
func BenchmarkAll(b *testing.B) {
	m := history10M(b)
	for b.Loop() {
	}
	b.ReportMetric(float64(m.rows), "rows")
	b.ReportMetric(float64(m.rows)/m.wrote.Seconds()/1e6, "Mrows/cpu-s")
	b.ReportMetric(float64(m.bytes)/float64(m.rows), "B/row")
}

// TestPeakMemory writes the busiest hour, again and again, while the heap may not grow beyond what a router has.
func TestPeakMemory(t *testing.T) {
	if testing.Short() || os.Getenv("WEIR_BENCH_ROWS") == "" {
		t.Skip("set WEIR_BENCH_ROWS")
	}
	m, err := once()
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	debug.FreeOSMemory()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	peak := uint64(0)
	for range 3 {
		o := bucket.Options{Tier: "10s", Resolution: 10 * time.Second}
		path := filepath.Join(t.TempDir(), "x")
		_, err := bucket.Write(context.Background(), disk.OS{}, path, o, func(w *bucket.Writer) error {
			for i := range m.hour.heads {
				if err := w.Head(&m.hour.heads[i]); err != nil {
					return err
				}
			}
			for range 4 {
				if err := w.Block(&m.hour.block); err != nil {
					return err
				}
				runtime.ReadMemStats(&after)
				peak = max(peak, after.HeapInuse-before.HeapInuse)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d rows at once: %.1f MiB above what was there", 4*m.hour.block.Rows, float64(peak)/(1<<20))
}

// questions are the five of the notes.
func questions(m *made, end time.Time) []question {
	day := messages.Span{Start: end.Add(-24 * time.Hour), End: end}
	all := messages.Span{Start: m.start, End: end}
	skip := [store.Measures]bool{
		store.UpPackets: true, store.DownPackets: true, store.Started: true, store.Ended: true,
	}
	ask := func(span messages.Span, filter store.Filter, by ...string) store.Request {
		r := store.Request{Span: span, Origin: span.Start, Filter: filter, Skip: skip}
		for _, name := range by {
			r.By = append(r.By, column(name))
		}
		return r
	}
	c := ask(all, is("remote.name", m.name))
	c.Step = all.Duration() / 100
	d := ask(all, is("remote.ip", m.remote),
		"local.mac", "local.ip", "remote.name", "remote.site", "app", "proto", "direction", "iface", "tls.version",
		"remote.port", "local.port")
	d.Skip = [store.Measures]bool{}
	return []question{
		{"a/bytes by device over a day", ask(day, nil, "local.mac")},
		{"b/names of one device", ask(all, is("local.mac", m.device), "remote.name")},
		{"c/timeline of one name", c},
		{"d/all of one address", d},
		{
			"e/device, name, app with a port",
			ask(all, is("remote.port", parse("remote.port", "443")), "local.mac", "remote.name", "app"),
		},
	}
}

type question struct {
	name    string
	request store.Request
}

func openTier(b testing.TB, m *made, readers int) *bucket.Tier {
	b.Helper()
	tier, err := bucket.OpenTier(disk.OS{}, bucket.TierOptions{
		Name: "10s", Dir: m.dir, Resolution: 10 * time.Second, Readers: readers, OpenFiles: 200, Log: zerolog.Nop(),
	})
	if err != nil {
		b.Fatal(err)
	}
	return tier
}

// BenchmarkQuery asks the five questions, warm and cold, in one goroutine and in two.
func BenchmarkQuery(b *testing.B) {
	m := history10M(b)
	for _, readers := range []int{1, 2} {
		tier := openTier(b, m, readers)
		for _, q := range questions(m, tier.Coverage().Span.End) {
			b.Run(fmt.Sprintf("%s/warm/%d", strings.ReplaceAll(q.name, " ", "_"), readers), func(b *testing.B) {
				var p *store.Partial
				before := processor()
				for b.Loop() {
					p = askTier(b, tier, &q.request)
				}
				report(b, p, processor()-before)
			})
		}
		tier.Close()
		for _, q := range questions(m, m.start.Add(tierSpan(b, m))) {
			b.Run(fmt.Sprintf("%s/cold/%d", strings.ReplaceAll(q.name, " ", "_"), readers), func(b *testing.B) {
				var p *store.Partial
				before := processor()
				for b.Loop() {
					b.StopTimer()
					forget(b, m)
					b.StartTimer()
					cold := openTier(b, m, readers)
					p = askTier(b, cold, &q.request)
					cold.Close()
				}
				report(b, p, processor()-before)
			})
		}
	}
}

func tierSpan(b *testing.B, m *made) time.Duration {
	b.Helper()
	tier := openTier(b, m, 1)
	defer tier.Close()
	return tier.Coverage().Span.Duration()
}

func askTier(b testing.TB, tier *bucket.Tier, r *store.Request) *store.Partial {
	b.Helper()
	p := store.NewPartial(r)
	if err := tier.Query(context.Background(), r, p); err != nil {
		b.Fatal(err)
	}
	return p
}

func report(b *testing.B, p *store.Partial, spent time.Duration) {
	b.Helper()
	rows := uint64(0)
	for _, t := range p.Groups() {
		rows += t.Rows
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms")
	b.ReportMetric(float64(spent.Milliseconds())/float64(b.N), "cpu-ms")
	b.ReportMetric(float64(p.Len()), "groups")
	b.ReportMetric(float64(rows), "matched")
	b.ReportMetric(float64(p.Effort.BytesRead)/1e6, "MBread")
	b.ReportMetric(float64(p.Effort.Pages), "pages")
	b.ReportMetric(float64(p.Effort.PagesSkipped), "pagesSkipped")
	b.ReportMetric(float64(p.Effort.RowGroupsSkipped), "groupsSkipped")
	b.ReportMetric(0, "ns/op")
}

// forget drops the files from the system's memory.
func forget(b *testing.B, m *made) {
	b.Helper()
	list, err := os.ReadDir(m.dir)
	if err != nil {
		b.Fatal(err)
	}
	for _, e := range list {
		f, err := os.Open(filepath.Join(m.dir, e.Name()))
		if err != nil {
			b.Fatal(err)
		}
		if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
}
