package bucket_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	_ "weir/columns/alert"
	_ "weir/columns/app"
	_ "weir/columns/direction"
	_ "weir/columns/dns"
	_ "weir/columns/http"
	_ "weir/columns/iface"
	_ "weir/columns/ip"
	_ "weir/columns/mac"
	_ "weir/columns/mark"
	_ "weir/columns/mqtt"
	_ "weir/columns/name"
	_ "weir/columns/port"
	_ "weir/columns/proto"
	_ "weir/columns/quic"
	_ "weir/columns/sip"
	_ "weir/columns/smb"
	_ "weir/columns/smtp"
	_ "weir/columns/ssh"
	_ "weir/columns/tls"
	_ "weir/columns/vlan"
	_ "weir/columns/zone"
	"weir/internal/disk"
	"weir/messages"
	"weir/store"
	"weir/store/bucket"
	"weir/store/storetest"
)

// blocksOf gives a slice as a head and blocks.
func blocksOf(t testing.TB, s *messages.Slice) (store.Head, *store.Block) {
	t.Helper()
	packed, err := store.Pack(s.Parts)
	if err != nil {
		t.Fatal(err)
	}
	b := &store.Block{}
	packed.View(&b.Part)
	h := store.Head{Seq: s.Seq, Span: s.Span, Losses: s.Losses, Complete: s.Complete, Other: b.Other}
	b.Other = messages.Totals{}
	b.Starts = store.SameInts(uint64(s.Span.Start.UnixNano()), b.Rows)
	return h, b
}

func feed(t testing.TB, all []*messages.Slice) func(*bucket.Writer) error {
	t.Helper()
	return func(w *bucket.Writer) error {
		for _, s := range all {
			h, b := blocksOf(t, s)
			if err := w.Head(&h); err != nil {
				return err
			}
			if err := w.Block(b); err != nil {
				return err
			}
		}
		return nil
	}
}

func write(t testing.TB, fs disk.FS, path string, all []*messages.Slice) bucket.Info {
	t.Helper()
	info, err := bucket.Write(context.Background(), fs, path, bucket.Options{
		Tier: "test", Resolution: storetest.Resolution, Program: "1.2.3",
	}, feed(t, all))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func open(t testing.TB, fs disk.FS, path string) *bucket.File {
	t.Helper()
	f, err := bucket.Open(fs, path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// rowsOf counts equal rows: when they start, their cells and their counts.
func rowsOf(b *store.Block, into map[string]int) {
	for i := range b.Rows {
		var cells []string
		for _, c := range b.Cells {
			if v := c.Dict.At(int(c.IDs.At(i))); v != "" {
				cells = append(cells, fmt.Sprintf("%s=%q", c.Column.Name, v))
			}
		}
		slices.Sort(cells)
		into[fmt.Sprintf("%d %+v %s", b.Starts.At(i), b.Row(i), strings.Join(cells, " "))]++
	}
}

func TestRoundTrip(t *testing.T) {
	for _, rows := range []int{0, 1, 10, 400, 9000} {
		t.Run(fmt.Sprint(rows), func(t *testing.T) {
			m := storetest.NewMaker(uint64(rows))
			var all []*messages.Slice
			want, got := map[string]int{}, map[string]int{}
			var heads []store.Head
			for range 12 {
				s := m.Slice(rows)
				s.Losses = []messages.Loss{{Source: "x", Kind: messages.LossShed, Count: 3, Span: s.Span, Detail: "d"}}
				s.Complete = m.R.IntN(2) == 0
				all = append(all, s)
				h, b := blocksOf(t, s)
				heads = append(heads, h)
				rowsOf(b, want)
			}
			path := t.TempDir() + "/b"
			info := write(t, disk.OS{}, path, all)
			f := open(t, disk.OS{}, path)
			if fmt.Sprint(f.Info()) != fmt.Sprint(info) {
				t.Errorf("written %+v, opened %+v", info, f.Info())
			}
			for i, h := range f.Heads() {
				if h.Seq != heads[i].Seq || !h.Span.Start.Equal(heads[i].Span.Start) || h.Other != heads[i].Other ||
					h.Complete != heads[i].Complete || len(h.Losses) != 1 || h.Losses[0].Detail != "d" {
					t.Errorf("head %d: want %+v, got %+v", i, heads[i], h)
				}
			}
			err := f.Blocks(t.Context(), nil, func(b *store.Block) error { rowsOf(b, got); return nil })
			if err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(want, got) {
				n := 0
				for k := range want {
					if got[k] != want[k] && n < 3 {
						n++
						t.Errorf("want %d, got %d of %s", want[k], got[k], k)
					}
				}
				n = 0
				for k := range got {
					if got[k] != want[k] && n < 3 {
						n++
						t.Errorf("not wanted: %s", k)
					}
				}
			}
			if err := f.Verify(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
