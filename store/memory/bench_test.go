package memory_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"weir/columns"
	"weir/messages"
	"weir/store"
	"weir/store/memory"
)

const (
	benchSlices = 1000
	benchRows   = 1000
)

// household makes a slice as a busy home network does: few local addresses, many remote ones, most traffic
// in few flows.
func household(r *rand.Rand, seq uint64, remotes []columns.Value) *messages.Slice {
	rows := &messages.Rows{}
	for _, c := range []struct {
		name string
		cell func() columns.Value
	}{
		{"local.ip", func() columns.Value { return parsed("local.ip", fmt.Sprintf("192.168.1.%d", 2+r.IntN(20))) }},
		{"local.port", func() columns.Value { return parsed("local.port", strconv.Itoa(32768+r.IntN(28000))) }},
		{"remote.ip", func() columns.Value {
			return remotes[int(float64(len(remotes))*r.Float64()*r.Float64()*r.Float64())]
		}},
		{"remote.port", func() columns.Value {
			return parsed("remote.port", []string{"443", "443", "443", "53", "123", "80"}[r.IntN(6)])
		}},
		{"proto", func() columns.Value { return parsed("proto", []string{"tcp", "udp"}[r.IntN(2)]) }},
		{"direction", func() columns.Value { return parsed("direction", "out") }},
		{"zone", func() columns.Value { return "" }},
	} {
		column, _ := columns.Lookup(c.name)
		cells := messages.Cells{Column: column, Dict: []columns.Value{""}}
		ids := map[columns.Value]uint32{}
		for range benchRows {
			v := c.cell()
			if v != "" && ids[v] == 0 {
				ids[v] = uint32(len(cells.Dict))
				cells.Dict = append(cells.Dict, v)
			}
			cells.IDs = append(cells.IDs, ids[v])
		}
		rows.Cells = append(rows.Cells, cells)
	}
	for range benchRows {
		packets := r.Uint64() >> (50 + r.IntN(12))
		rows.UpBytes = append(rows.UpBytes, packets*80)
		rows.UpPackets = append(rows.UpPackets, packets)
		rows.DownBytes = append(rows.DownBytes, packets*1400)
		rows.DownPackets = append(rows.DownPackets, packets)
		rows.Started = append(rows.Started, uint32(r.IntN(2)))
		rows.Ended = append(rows.Ended, uint32(r.IntN(2)))
	}
	start := time.Unix(1_800_000_000, 0).Add(time.Duration(seq) * 10 * time.Second)
	return &messages.Slice{
		Seq: seq, Span: messages.Span{Start: start, End: start.Add(10 * time.Second)},
		Parts: []*messages.Rows{rows}, Complete: true,
	}
}

func parsed(column, text string) columns.Value {
	c, _ := columns.Lookup(column)
	v, err := c.Parse(text)
	if err != nil {
		panic(err)
	}
	return v
}

func million(b *testing.B) *memory.Tier {
	b.Helper()
	r := rand.New(rand.NewPCG(1, 1))
	remotes := make([]columns.Value, 0, 20_000)
	for i := range 20_000 {
		a := netip.AddrFrom4([4]byte{byte(1 + r.IntN(200)), byte(r.Uint32()), byte(r.Uint32()), byte(i)})
		if i%3 == 0 {
			a = netip.MustParseAddr(fmt.Sprintf("2a00:%x:%x::%x", r.IntN(1000), r.IntN(1000), i))
		}
		remotes = append(remotes, parsed("remote.ip", a.String()))
	}
	tier := memory.New(memory.Options{Budget: 1 << 30, Retention: 100 * time.Hour})
	for seq := range uint64(benchSlices) {
		if err := tier.Append(household(r, seq, remotes)); err != nil {
			b.Fatal(err)
		}
	}
	return tier
}

// BenchmarkScan asks about a million rows; rows/s and what a row takes in memory are reported.
func BenchmarkScan(b *testing.B) {
	tier := million(b)
	c := tier.Coverage()
	net := netip.MustParsePrefix("100.0.0.0/6")
	for _, q := range []struct {
		name   string
		by     []string
		filter store.Filter
	}{
		{"total", nil, nil},
		{"one column", []string{"local.ip"}, nil},
		{"two columns", []string{"local.ip", "remote.ip"}, nil},
		{"all columns", []string{"local.ip", "remote.ip", "local.port", "remote.port", "proto"}, nil},
		{"filter and column", []string{"local.ip"}, store.And{
			match("remote.ip", func(v columns.Value) bool {
				a, ok := netip.AddrFromSlice([]byte(v))
				return ok && net.Contains(a)
			}),
			match("proto", func(v columns.Value) bool { return v == parsed("proto", "tcp") }),
		}},
	} {
		b.Run(q.name, func(b *testing.B) {
			r := &store.Request{
				Span: c.Span, Origin: c.Span.Start, Filter: q.filter,
			}
			for _, name := range q.by {
				column, _ := columns.Lookup(name)
				r.By = append(r.By, column)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := tier.Query(b.Context(), r, store.NewPartial(r)); err != nil {
					b.Fatal(err)
				}
			}
			rows := float64(c.Rows) * float64(b.N)
			b.ReportMetric(rows/b.Elapsed().Seconds()/1e6, "Mrows/s")
			b.ReportMetric(float64(c.Bytes)/float64(c.Rows), "B/row")
		})
	}
}

func match(column string, cell func(columns.Value) bool) store.Match {
	c, _ := columns.Lookup(column)
	return store.Match{Column: c, Cell: cell}
}

// BenchmarkAppend packs slices of a thousand rows.
func BenchmarkAppend(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	s := household(r, 0, []columns.Value{parsed("remote.ip", "1.1.1.1"), parsed("remote.ip", "::1")})
	tier := memory.New(memory.Options{Budget: 8 << 20})
	b.ReportAllocs()
	for b.Loop() {
		next := *s
		next.Seq = uint64(b.N)
		if err := tier.Append(&next); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*benchRows/b.Elapsed().Seconds()/1e6, "Mrows/s")
}

// named gives the rows of a slice flows and names: a third of the flows live for long.
func named(r *rand.Rand, s *messages.Slice) {
	rows := s.Parts[0]
	column, _ := columns.Lookup("remote.memtest.name")
	cells := messages.Cells{Column: column, Dict: []columns.Value{""}}
	for i := range 500 {
		cells.Dict = append(cells.Dict, columns.Value(fmt.Sprintf("host-%d.example.net", i)))
	}
	for i := range rows.Len() {
		flow := s.Seq<<20 | uint64(i)
		if i%3 == 0 {
			flow = uint64(i)
		}
		rows.Flow = append(rows.Flow, (flow+1)*0x9e3779b97f4a7c15)
		cells.IDs = append(cells.IDs, uint32(r.IntN(len(cells.Dict))))
	}
	rows.Cells = append(rows.Cells, cells)
}

// BenchmarkAmend appends a slice with 500 amendments to an hour of slices of a thousand rows. Each amendment is of a
// flow that has a row in all of them, or of one that has a row in a single one.
func BenchmarkAmend(b *testing.B) {
	remotes := []columns.Value{parsed("remote.ip", "1.1.1.1"), parsed("remote.ip", "::1")}
	for _, lived := range []string{"for long", "for one slice", "elsewhere"} {
		b.Run("flows that lived "+lived, func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 1))
			tier := memory.New(memory.Options{})
			seq := uint64(0)
			next := func() *messages.Slice {
				s := household(r, seq, remotes)
				named(r, s)
				seq++
				return s
			}
			for range 360 {
				if err := tier.Append(next()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				s := next()
				amendNames(r, s, lived)
				b.StartTimer()
				if err := tier.Append(s); err != nil {
					b.Fatal(err)
				}
			}
			c := tier.Coverage()
			b.ReportMetric(float64(c.Amended)/float64(b.N), "rows/op")
			b.ReportMetric(float64(c.Bytes)/float64(c.Rows), "B/row")
		})
	}
}

func amendNames(r *rand.Rand, s *messages.Slice, lived string) {
	column, _ := columns.Lookup("remote.memtest.name")
	for i := range 500 {
		flow := uint64(3 * (i % 333))
		switch lived {
		case "for one slice":
			flow = (s.Seq-1-uint64(r.IntN(300)))<<20 | uint64(3*(i%333)+1)
		case "elsewhere":
			flow = 1<<50 | uint64(i)
		}
		value := columns.Value(fmt.Sprintf("better-%d-%d.example.org", i, r.IntN(1000)))
		s.Amendments = append(s.Amendments, messages.Amendment{
			Flow:  (flow + 1) * 0x9e3779b97f4a7c15,
			Cells: []messages.AmendedCell{{Column: column, Value: value}},
		})
	}
}
