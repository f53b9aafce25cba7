package bucket

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"weir/columns"
	_ "weir/columns/ip"
	_ "weir/columns/name"
	_ "weir/columns/port"
	_ "weir/columns/vlan"
	"weir/internal/disk"
	"weir/internal/disk/disktest"
	"weir/messages"
	"weir/store"
)

// seal makes all checksums of a file right that can be found, so that what lies behind them is tried too.
func seal(b []byte) {
	if len(b) < sealSize+endSize {
		return
	}
	footer := endSize + int64(binary.LittleEndian.Uint32(b[len(b)-endSize:]))
	at := int64(len(b)) - footer - sealSize
	if at < 0 {
		return
	}
	covered, n := int64(binary.LittleEndian.Uint32(b[at:])), int64(binary.LittleEndian.Uint32(b[at+4:]))
	if covered > at || n > covered {
		return
	}
	resum(b[:at-covered], b[at-n:at])
	binary.LittleEndian.PutUint32(b[at+8:], updateSum(sumOf(b[at-covered:at+8]), b[at+sealSize:]))
	copy(b[at+12:], sealMagic)
	copy(b[len(b)-len(magic):], magic)
}

// resum makes the checksums of the pages right, in an index that is readable.
func resum(body, packed []byte) {
	x, err := unpack(packed, int64(len(body)))
	if err != nil {
		return
	}
	sum := func(b *block) {
		if b.size > 0 {
			b.sum = sumOf(body[b.offset : b.offset+int64(b.size)])
		}
	}
	for i := range x.groups {
		for k := range x.groups[i].chunks {
			c := &x.groups[i].chunks[k]
			sum(&c.dictionary)
			sum(&c.bloom)
			for p := range c.pages {
				sum(&c.pages[p].block)
			}
		}
	}
	if again := x.pack(); len(again) == len(packed) {
		copy(packed, again)
	}
}

// small gives the bytes of a small file.
func small(t testing.TB, rows int) []byte {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(rows), 1))
	start := time.Unix(1_800_000_000, 0)
	b := &store.Block{Part: store.Part{Rows: rows}}
	for _, name := range []string{"local.ip", "remote.ip", "remote.name", "local.port", "vlan"} {
		c, _ := columns.Lookup(name)
		cells, ids := []columns.Value{""}, make([]uint32, rows)
		for i := range ids {
			if ids[i] = uint32(r.IntN(len(cells) + 1)); int(ids[i]) == len(cells) {
				v := c.Random(r)
				if c.Set {
					v = columns.JoinSet([]columns.Value{v})
				}
				cells = append(cells, v)
			}
		}
		b.Cells = append(b.Cells, store.PartCells{Column: c, Dict: store.DictOf(cells), IDs: store.IntsOf(nil, ids)})
	}
	for m := range b.Measures {
		counts := make([]uint64, rows)
		for i := range counts {
			counts[i] = r.Uint64() >> (10 + r.IntN(54))
		}
		b.Measures[m] = store.IntsOf(nil, counts)
	}
	starts := make([]uint64, rows)
	for i := range starts {
		starts[i] = uint64(start.UnixNano()) + uint64(r.IntN(3))*1e10
	}
	b.Starts = store.IntsOf(nil, starts)
	d := disktest.New()
	o := Options{Tier: "t", Resolution: 10 * time.Second}
	_, err := Write(context.Background(), d, "f", o, func(w *Writer) error {
		for i := range 3 {
			at := start.Add(time.Duration(i) * 10 * time.Second)
			h := store.Head{Seq: uint64(i), Span: messages.Span{Start: at, End: at.Add(10 * time.Second)}}
			if err := w.Head(&h); err != nil {
				return err
			}
		}
		return w.Block(b)
	})
	if err != nil {
		t.Fatal(err)
	}
	return d.Content("f")
}

// readerAt is a file of some bytes.
type readerAt struct{ b []byte }

func (r readerAt) ReadAt(p []byte, at int64) (int, error) {
	if at < 0 || at >= int64(len(r.b)) {
		return 0, io.EOF
	}
	n := copy(p, r.b[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
func (readerAt) Read([]byte) (int, error)  { return 0, io.EOF }
func (readerAt) Write([]byte) (int, error) { return 0, errors.New("no") }
func (readerAt) Close() error              { return nil }
func (readerAt) Sync() error               { return nil }
func (readerAt) Truncate(int64) error      { return errors.New("no") }
func (r readerAt) Size() (int64, error)    { return int64(len(r.b)), nil }

// oneFile is a file system that opens the same bytes under each name.
type oneFile struct {
	disk.FS
	b []byte
}

func (o oneFile) Open(string) (disk.File, error) { return readerAt{o.b}, nil }

// FuzzOpen reads all of a file whose bytes are anything, with checksums that are right: nothing panics, and what is
// wrong is an error.
func FuzzOpen(f *testing.F) {
	for _, rows := range []int{0, 1, 40, 300} {
		f.Add(small(f, rows), uint16(0), byte(0), true)
	}
	name, _ := columns.Lookup("remote.name")
	local, _ := columns.Lookup("local.port")
	f.Fuzz(func(t *testing.T, b []byte, at uint16, flip byte, fix bool) {
		b = append([]byte(nil), b...)
		if len(b) > 0 {
			b[(len(b)-1)*int(at)/65535] ^= flip
		}
		if fix {
			seal(b)
		}
		file, err := Open(oneFile{b: b}, "f")
		if err != nil {
			return
		}
		ctx := context.Background()
		r := &store.Request{
			Span: messages.Span{Start: time.Unix(0, -1<<62), End: time.Unix(0, 1<<62)}, Step: 10 * time.Second,
			By: []*columns.Column{name, local}, MaxGroups: 1000,
			Filter: store.Or{
				store.Match{
					Column: name, Cell: func(v columns.Value) bool { return v == "a" }, Equals: []columns.Value{"a"},
				},
				store.Not{Filter: store.Match{Column: local, Cell: func(v columns.Value) bool { return v != "" }}},
			},
		}
		for _, err := range []error{
			file.Blocks(ctx, nil, func(*store.Block) error { return nil }),
			file.Texts(ctx, "remote.name", func([]string) error { return nil }),
			file.Texts(ctx, "local.port", func([]string) error { return nil }),
			file.Query(ctx, r, store.NewPartial(r)),
		} {
			if err != nil && !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
		}
	})
}
