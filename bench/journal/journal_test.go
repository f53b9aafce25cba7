// Package journal_test measures the journal on the history of a household.
package journal_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/bench/history"
	"weir/columns"
	"weir/columns/ip"
	"weir/columns/port"
	"weir/columns/proto"
	"weir/internal/disk"
	"weir/messages"
	"weir/store"
	"weir/store/journal"
)

// evening makes an hour of busy slices, 268 rows each on average. With accounts, rows have flows, as shards give them.
func evening(b *testing.B, accounts bool) []*messages.Slice {
	b.Helper()
	m, err := history.New(history.Options{
		Seed: 3, Rows: 96_480, Span: time.Hour, Start: time.Date(2026, time.June, 1, 20, 0, 0, 0, time.UTC),
	})
	if err != nil {
		b.Fatal(err)
	}
	var all []*messages.Slice
	books := book{r: rand.New(rand.NewPCG(1, 9)), known: map[tuple]*messages.Account{}}
	for s := m.Next(); s != nil; s = m.Next() {
		if accounts {
			books.slice(s)
		}
		all = append(all, s)
	}
	return all
}

// tuple is what a flow is known by.
type tuple [5]columns.Value

// book keeps the accounts of flows.
type book struct {
	r     *rand.Rand
	known map[tuple]*messages.Account
}

func (bk *book) slice(s *messages.Slice) {
	p := s.Parts[0]
	p.Flow = make([]uint64, p.Len())
	seen := map[uint64]bool{}
	for row := range p.Len() {
		k := tuple{
			cell(p, ip.Columns.Local, row), cell(p, ip.Columns.Remote, row), cell(p, port.Columns.Local, row),
			cell(p, port.Columns.Remote, row), cell(p, proto.Column.Column, row),
		}
		a := bk.known[k]
		if a == nil || a.Ended || seen[a.Flow] {
			a = bk.begin(k, s.Span.Start)
			a.Tags = tags(p, row, a.LocalIsA)
			bk.known[k] = a
		}
		seen[a.Flow] = true
		p.Flow[row] = a.Flow
		local, remote := &a.Last[0], &a.Last[1]
		if !a.LocalIsA {
			local, remote = remote, local
		}
		local.Bytes += p.UpBytes[row]
		local.Packets += p.UpPackets[row]
		remote.Bytes += p.DownBytes[row]
		remote.Packets += p.DownPackets[row]
		a.Ended = p.Ended[row] > 0
		s.Accounts = append(s.Accounts, *a)
	}
}

func cell(p *messages.Rows, c *columns.Column, row int) columns.Value {
	for i := range p.Cells {
		if p.Cells[i].Column == c {
			return p.Cells[i].Dict[p.Cells[i].IDs[row]]
		}
	}
	return ""
}

// begin makes the account of a new flow. Its start has nanoseconds, its id 32 bits, as a kernel gives them.
func (bk *book) begin(k tuple, at time.Time) *messages.Account {
	end := func(addr, number columns.Value) messages.End {
		a, _ := netip.AddrFromSlice([]byte(addr))
		if number == "" {
			return messages.MakeEnd(a, 0)
		}
		return messages.MakeEnd(a, binary.BigEndian.Uint16([]byte(number)))
	}
	a := &messages.Account{Flow: bk.r.Uint64() | 1, ID: bk.r.Uint32(), Start: at.UnixNano() + bk.r.Int64N(10e9)}
	var swapped bool
	a.Key, swapped = messages.MakeKey(k[4][0], 0, end(k[0], k[2]), end(k[1], k[3]))
	a.LocalIsA = !swapped
	return a
}

// tags are those of a row.
func tags(p *messages.Rows, row int, localIsA bool) (all []columns.Tag) {
	for _, c := range columns.ByIndex() {
		v := cell(p, c, row)
		if v == "" || c.Derived {
			continue
		}
		t := columns.Tag{Column: c.Sibling(columns.OfLocal), Value: v}
		switch {
		case c.Side == columns.OfFlow:
		case (c.Side == columns.OfLocal) == localIsA:
			t.End = columns.EndA
		default:
			t.End = columns.EndB
		}
		values := []columns.Value{v}
		if c.Set {
			values = columns.SplitSet(v)
		}
		for _, t.Value = range values {
			all = append(all, t)
		}
	}
	return all
}

func open(b *testing.B, dir string, o journal.Options) *journal.Journal {
	b.Helper()
	j, _, err := journal.Open(disk.OS{}, dir, o)
	if err != nil {
		b.Fatal(err)
	}
	return j
}

func write(b *testing.B, dir string, o journal.Options, all []*messages.Slice) uint64 {
	b.Helper()
	j := open(b, dir, o)
	for _, s := range all {
		if err := j.Append(s); err != nil {
			b.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	return j.Coverage().Bytes
}

func rowsOf(all []*messages.Slice) (n int) {
	for _, s := range all {
		n += s.Parts[0].Len()
	}
	return n
}

// BenchmarkAppend writes without syncing: bytes and time a row, by what a row has and by the length of epochs.
func BenchmarkAppend(b *testing.B) {
	for _, accounts := range []bool{false, true} {
		all := evening(b, accounts)
		for _, epoch := range []int{30, 128, 360} {
			o := journal.Options{Sync: journal.SyncNever, EpochSlices: epoch, EpochBytes: 8 << 20}
			what := map[bool]string{false: "plain", true: "accounts"}[accounts]
			b.Run(fmt.Sprintf("%s/%d-slices", what, epoch), func(b *testing.B) {
				size, rows, before := uint64(0), 0, cpu()
				for b.Loop() {
					size += write(b, b.TempDir(), o, all)
					rows += rowsOf(all)
				}
				b.ReportMetric(float64(size)/float64(rows), "bytes/row")
				b.ReportMetric(float64(cpu()-before)/float64(rows), "cpu-ns/row")
			})
		}
	}
}

// BenchmarkSync writes slices and puts each on the medium.
func BenchmarkSync(b *testing.B) {
	all := evening(b, true)
	n := 0
	for b.Loop() {
		write(b, b.TempDir(), journal.Options{}, all)
		n += len(all)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "slices/s")
}

// BenchmarkBlocks reads all rows with all columns, files and checksums included.
func BenchmarkBlocks(b *testing.B) {
	for name, accounts := range map[string]bool{"plain": false, "accounts": true} {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			write(b, dir, journal.Options{Sync: journal.SyncNever}, evening(b, accounts))
			j := open(b, dir, journal.Options{})
			rows, before := 0, cpu()
			for b.Loop() {
				err := j.Blocks(context.Background(), nil, journal.Which{}, func(block *store.Block) error {
					rows += block.Rows
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds()/1e6, "Mrows/s")
			b.ReportMetric(float64(rows)*1e3/float64(cpu()-before), "Mrows/cpu-s")
			if err := j.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkOpen reads an hour with its accounts, as a restart does.
func BenchmarkOpen(b *testing.B) {
	all := evening(b, true)
	dir := b.TempDir()
	o := journal.Options{Sync: journal.SyncNever}
	write(b, dir, o, all)
	accounts := 0
	for b.Loop() {
		j := open(b, dir, o)
		accounts = len(j.Restore().Accounts)
		if err := j.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(accounts), "accounts")
	b.ReportMetric(float64(b.N)*float64(rowsOf(all))/b.Elapsed().Seconds()/1e6, "Mrows/s")
}

// cpu is the processor time that this process took, collection of garbage and all, in nanoseconds: other programs on
// the machine do not count in it.
func cpu() int64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
