package journal

import (
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/bench/history"
	"weir/columns"
	"weir/columns/ip"
	"weir/columns/port"
	"weir/columns/proto"
	"weir/messages"
	"weir/store"
)

// busyHour makes busy slices of a household, like those of an evening.
func busyHour(t testing.TB, rows int, span time.Duration) []*messages.Slice {
	t.Helper()
	o := history.Options{
		Seed: 3, Rows: rows, Span: span, Start: time.Date(2026, time.June, 1, 20, 0, 0, 0, time.UTC),
	}
	if rows < 1000 {
		o.Names, o.Addresses, o.Apps, o.Devices = 20, 100, 20, 5
	}
	m, err := history.New(o)
	if err != nil {
		t.Fatal(err)
	}
	var all []*messages.Slice
	for s := m.Next(); s != nil; s = m.Next() {
		all = append(all, s)
	}
	return all
}

// book gives the rows of slices flows and accounts, as shards do: rows of one tuple are one flow.
func book(all []*messages.Slice) {
	type tuple [5]columns.Value
	r := rand.New(rand.NewPCG(1, 9))
	known := map[tuple]*messages.Account{}
	for _, s := range all {
		for _, p := range s.Parts {
			p.Flow = make([]uint64, p.Len())
			cell := func(c *columns.Column, row int) columns.Value {
				for i := range p.Cells {
					if p.Cells[i].Column == c {
						return p.Cells[i].Dict[p.Cells[i].IDs[row]]
					}
				}
				return ""
			}
			seen := map[uint64]bool{}
			for row := range p.Len() {
				k := tuple{
					cell(ip.Columns.Local, row), cell(ip.Columns.Remote, row), cell(port.Columns.Local, row),
					cell(port.Columns.Remote, row), cell(proto.Column.Column, row),
				}
				a := known[k]
				if a == nil || a.Ended || seen[a.Flow] {
					a = newAccount(k, r, s.Span.Start)
					known[k] = a
				}
				seen[a.Flow] = true
				p.Flow[row] = a.Flow
				id := identity{localIsA: a.LocalIsA, sums: a.Last}
				id.add(&[2]messages.Counter{
					{Bytes: p.UpBytes[row], Packets: p.UpPackets[row]}, {Bytes: p.DownBytes[row], Packets: p.DownPackets[row]},
				})
				a.Last, a.Ended = id.sums, p.Ended[row] > 0
				if a.Tags == nil {
					a.Tags = tagsOf(p, row, a.LocalIsA)
				}
				s.Accounts = append(s.Accounts, *a)
			}
		}
	}
}

func newAccount(k [5]columns.Value, r *rand.Rand, at time.Time) *messages.Account {
	end := func(addr, number columns.Value) (e messages.End) {
		k := keyColumns{ip: [2]int{0, 0}, port: [2]int{1, 1}}
		cell := func(i int) []byte { return []byte([]columns.Value{addr, number}[i]) }
		e.Addr, _, _ = k.addresses(cell, true)
		e.Port, _, _ = k.ports(cell, true)
		return e
	}
	a := &messages.Account{Flow: r.Uint64(), ID: r.Uint32(), Start: at.UnixNano() + r.Int64N(10e9)}
	var swapped bool
	a.Key, swapped = messages.MakeKey(k[4][0], 0, end(k[0], k[2]), end(k[1], k[3]))
	a.LocalIsA = !swapped
	return a
}

func tagsOf(p *messages.Rows, row int, localIsA bool) []columns.Tag {
	d := decoder{defs: 1}
	for i := range p.Cells {
		cell := p.Cells[i].Dict[p.Cells[i].IDs[row]]
		c := decColumn{column: p.Cells[i].Column, of: []uint32{0}}
		if cell != "" {
			c.of[0], c.text, c.ends = 1, []byte(cell), []uint32{uint32(len(cell))}
		}
		d.columns = append(d.columns, c)
	}
	return d.cellTags(0, localIsA)
}

func rowsOf(all []*messages.Slice) (n int) {
	for _, s := range all {
		for _, p := range s.Parts {
			n += p.Len()
		}
	}
	return n
}

// encodeAll writes slices in epochs of so many.
func encodeAll(all []*messages.Slice, epoch int) (payloads [][]byte) {
	n := newNumbers()
	var e *encoder
	for i, s := range all {
		if i%epoch == 0 {
			e = newEncoder(salt{1}, n)
			n.age()
		}
		h := headOf(s)
		payloads = append(payloads, e.encode(nil, s, &h))
	}
	return payloads
}

func BenchmarkEncode(b *testing.B) {
	for _, accounts := range []bool{false, true} {
		for _, epoch := range []int{30, 60, 128, 360} {
			b.Run(map[bool]string{false: "plain", true: "accounts"}[accounts]+"/"+time.Duration(epoch*10e9).String(),
				func(b *testing.B) {
					all := busyHour(b, 96_480, time.Hour)
					if accounts {
						book(all)
					}
					rows, size, before := 0, 0, cpu()
					for b.Loop() {
						for _, p := range encodeAll(all, epoch) {
							size += len(p) + frameHead
						}
						rows += rowsOf(all)
					}
					b.ReportMetric(float64(size)/float64(rows), "bytes/row")
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rows), "ns/row")
					b.ReportMetric(float64(cpu()-before)/float64(rows), "cpu-ns/row")
				})
		}
	}
}

func BenchmarkReplay(b *testing.B) {
	for _, kind := range []string{"plain", "booked", "accounts"} {
		b.Run(kind, func(b *testing.B) {
			all := busyHour(b, 96_480, time.Hour)
			if kind != "plain" {
				book(all)
			}
			payloads := encodeAll(all, 128)
			d := newDecoder(salt{1})
			if kind == "accounts" {
				d.accounts = newLedger()
			}
			rows, before := 0, cpu()
			var block store.Block
			for b.Loop() {
				for i, p := range payloads {
					if i%128 == 0 {
						d.reset()
					}
					w := wire{b: p}
					h := cutHead(&w, salt{1})
					if err := d.slice(&w, &h, h.start, kind != "accounts"); err != nil {
						b.Fatal(err)
					}
					if kind != "accounts" && (i%128 == 127 || i == len(payloads)-1) {
						d.block(&block, 0, len(d.rows.defs))
						rows += block.Rows
						d.clearRows()
					} else if kind == "accounts" {
						rows += h.rows
						if i%128 == 127 || i == len(payloads)-1 {
							d.accounts.flush(d)
						}
					}
				}
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds()/1e6, "Mrows/s")
			b.ReportMetric(float64(rows)*1e3/float64(cpu()-before), "Mrows/cpu-s")
		})
	}
}

// cpu is the processor time that this process took, collection of garbage and all: other programs on the machine
// do not count in it.
func cpu() int64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
