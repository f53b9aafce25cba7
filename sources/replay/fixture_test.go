package replay

import (
	"bytes"
	"cmp"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"weir/columns"
	"weir/columns/mark"
	"weir/messages"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// name is an endpoint column that holds a set, as a source of names would register one.
var name = columns.RegisterEndpoint(columns.Spec[string]{
	Name: "test.name", Doc: "A name, for tests.", Type: "text", Examples: []string{"a"}, Set: true,
	Parse:   decodeName,
	Format:  func(v string) string { return v },
	Encode:  func(dst []byte, v string) []byte { return append(dst, v...) },
	Decode:  decodeName,
	Compare: cmp.Compare[string],
	Random:  func(r *rand.Rand) string { return string(rune('a' + r.IntN(26))) },
})

func decodeName(enc string) (string, error) {
	if enc == "" || enc == "foreign" {
		return "", columns.ErrEncoding
	}
	return enc, nil
}

// began is when the recordings of these tests began.
var began = time.Unix(1_700_000_000, 0)

// sent is a batch and when it was sent.
type sent struct {
	At    time.Duration
	Batch *messages.Batch
}

// record writes a closed recording.
func record(tb testing.TB, h Header, batches []sent) []byte {
	tb.Helper()
	var file bytes.Buffer
	w, err := NewWriter(&file, h)
	if err != nil {
		tb.Fatal(err)
	}
	for _, b := range batches {
		if err := w.Batch(h.Created.Add(b.At), b.Batch); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return file.Bytes()
}

// readAll reads what can be read, and the error at the end.
func readAll(file []byte) (batches []sent, err error) {
	r, err := NewReader(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	for {
		b := &messages.Batch{}
		info, err := r.Next(b)
		if err != nil {
			if _, again := r.Next(b); !errors.Is(again, err) {
				return batches, errors.New("the second error is another one: " + again.Error())
			}
			return batches, err
		}
		batches = append(batches, sent{At: info.At, Batch: b})
	}
}

// same compares what was sent, down to the tags.
func same(a, b []sent) string {
	return gocmp.Diff(a, b, cmpopts.EquateEmpty(),
		gocmp.Comparer(func(a, b *columns.Column) bool { return a == b }),
		gocmp.Comparer(func(a, b messages.Key) bool { return a == b }))
}

func end(text string) messages.End {
	a := netip.MustParseAddrPort(text)
	return messages.MakeEnd(a.Addr(), a.Port())
}

func tcp(first, second string) messages.Key {
	k, _ := messages.MakeKey(6, 0, end(first), end(second))
	return k
}

// script is a recording of each kind of update.
func script() []sent {
	key, alias := tcp("192.168.1.2:4000", "198.51.100.7:443"), tcp("203.0.113.9:61000", "198.51.100.7:443")
	at := func(s int64) int64 { return began.UnixNano() + s*int64(time.Second) }
	counters := func(n uint64) [2]messages.Counter {
		return [2]messages.Counter{{Packets: n, Bytes: 100 * n}, {Packets: 2 * n, Bytes: 1000 * n}}
	}
	one, two := &messages.Batch{Source: "conntrack", Snapshot: 7}, &messages.Batch{Source: "conntrack"}
	one.Add(&messages.Update{
		Key: key, Start: at(-60), Counters: counters(5), Kind: messages.Absolute, Flags: messages.Oriented,
	}, &alias, []columns.Tag{mark.Column.Tag(0x10)})
	one.Add(&messages.Update{
		Key: tcp("[2001:db8::2]:5000", "[2001:db8:f::1]:80"), ID: 77, Counters: counters(1), Kind: messages.Absolute,
		Flags: messages.Baseline | messages.Oriented | messages.InitiatorB | messages.ResponderAliasB,
	}, nil, nil)
	two.Add(&messages.Update{
		Key: key, Start: at(-60), Stop: at(12), Counters: counters(9), Kind: messages.Absolute, Status: messages.Ended,
	}, nil, nil)
	two.Add(&messages.Update{
		Key: tcp("192.168.1.3:4001", "198.51.100.8:443"), Start: at(11), Status: messages.Started,
	}, nil, []columns.Tag{name.Tag(columns.EndB, "www.example.org"), name.Tag(columns.EndB, "example.org")})
	two.Add(&messages.Update{
		Key: tcp("192.168.1.3:4001", "198.51.100.8:443"), Counters: counters(3), Kind: messages.Delta,
	}, nil, nil)
	return []sent{{10 * time.Second, one}, {12500 * time.Millisecond, two}}
}

func header() Header {
	return Header{
		Created: began, CountsSince: began.Add(-10 * time.Second), Slice: 10 * time.Second, Version: "1.2.3",
	}
}

func drawKey(rt *rapid.T) messages.Key {
	drawEnd := func(label string) messages.End {
		n := rapid.SampledFrom([]int{4, 16}).Draw(rt, label)
		a, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), n, n).Draw(rt, label+" address"))
		return messages.MakeEnd(a, rapid.Uint16().Draw(rt, label+" port"))
	}
	proto, zone := rapid.Uint8().Draw(rt, "proto"), rapid.Uint16().Draw(rt, "zone")
	k, _ := messages.MakeKey(proto, zone, drawEnd("a"), drawEnd("b"))
	return k
}

func drawUpdate(rt *rapid.T, b *messages.Batch) {
	var alias *messages.Key
	if rapid.Bool().Draw(rt, "nat") {
		k := drawKey(rt)
		alias = &k
	}
	tags := make([]columns.Tag, 0, 6)
	for _, m := range rapid.SliceOfN(rapid.Uint32(), 0, 3).Draw(rt, "marks") {
		tags = append(tags, mark.Column.Tag(m), name.Tag(columns.EndA+columns.KeyEnd(m%2), "n\xff\x00"))
	}
	counter := rapid.Custom(func(rt *rapid.T) messages.Counter {
		return messages.Counter{Packets: rapid.Uint64().Draw(rt, "packets"), Bytes: rapid.Uint64().Draw(rt, "bytes")}
	})
	b.Add(&messages.Update{
		Key:      drawKey(rt),
		Start:    rapid.Int64Range(0, maxTime).Draw(rt, "start"),
		Stop:     rapid.Int64Range(0, maxTime).Draw(rt, "stop"),
		Counters: [2]messages.Counter{counter.Draw(rt, "a"), counter.Draw(rt, "b")},
		ID:       rapid.Uint32().Draw(rt, "id"),
		Kind:     rapid.SampledFrom([]messages.CounterKind{0, messages.Absolute, messages.Delta}).Draw(rt, "kind"),
		Status:   rapid.SampledFrom([]messages.Status{0, messages.Started, messages.Ended}).Draw(rt, "status"),
		Flags:    messages.Flags(rapid.Uint8Range(0, 15).Draw(rt, "flags")),
	}, alias, tags)
}

func drawBatches(rt *rapid.T) []sent {
	return rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) sent {
		b := &messages.Batch{
			Source: rapid.String().Draw(rt, "source"), Snapshot: rapid.Uint64().Draw(rt, "snapshot"),
		}
		for range rapid.IntRange(1, 5).Draw(rt, "updates") {
			drawUpdate(rt, b)
		}
		return sent{At: time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(rt, "at")), Batch: b}
	}), 0, 5).Draw(rt, "batches")
}

// ends lists where the frames of a recording end, and after the first line.
func ends(file []byte) []int {
	offsets := []int{len(firstLine)}
	for at := len(firstLine); at < len(file); {
		at += headBytes + int(file[at]) + int(file[at+1])<<8 + int(file[at+2])<<16
		offsets = append(offsets, at)
	}
	return offsets
}

// whole counts the batches that lie before a cut.
func whole(file []byte, cut int) int {
	return len(slices.DeleteFunc(ends(file), func(at int) bool { return at > cut })) - 2
}
