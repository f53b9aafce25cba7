package recording_test

import (
	"bytes"
	"errors"
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
	"weir/sources/recording"
	"weir/sources/recording/recordingtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// readAll reads what can be read, and the error at the end.
func readAll(file []byte) (batches []recordingtest.Sent, err error) {
	r, err := recording.NewReader(bytes.NewReader(file))
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
		batches = append(batches, recordingtest.Sent{At: info.At, Batch: b})
	}
}

// same compares what was sent, down to the tags.
func same(a, b []recordingtest.Sent) string {
	return gocmp.Diff(a, b, cmpopts.EquateEmpty(),
		gocmp.Comparer(func(a, b *columns.Column) bool { return a == b }),
		gocmp.Comparer(func(a, b messages.Key) bool { return a == b }),
		gocmp.Comparer(func(a, b netip.Addr) bool { return a == b }))
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
		tags = append(tags, mark.Column.Tag(m), recordingtest.Name.Tag(columns.EndA+columns.KeyEnd(m%2), "n\xff\x00"))
	}
	counter := rapid.Custom(func(rt *rapid.T) messages.Counter {
		return messages.Counter{Packets: rapid.Uint64().Draw(rt, "packets"), Bytes: rapid.Uint64().Draw(rt, "bytes")}
	})
	b.Add(&messages.Update{
		Key:      drawKey(rt),
		Start:    rapid.Int64Range(0, recording.MaxTime).Draw(rt, "start"),
		Stop:     rapid.Int64Range(0, recording.MaxTime).Draw(rt, "stop"),
		Counters: [2]messages.Counter{counter.Draw(rt, "a"), counter.Draw(rt, "b")},
		ID:       rapid.Uint32().Draw(rt, "id"),
		Kind:     rapid.SampledFrom([]messages.CounterKind{0, messages.Absolute, messages.Delta}).Draw(rt, "kind"),
		Status:   rapid.SampledFrom([]messages.Status{0, messages.Started, messages.Ended}).Draw(rt, "status"),
		Flags:    messages.Flags(rapid.Uint8Range(0, 15).Draw(rt, "flags")),
	}, alias, tags)
}

func drawFact(rt *rapid.T) messages.Fact {
	addr := func(label string) netip.Addr {
		n := rapid.SampledFrom([]int{0, 4, 16}).Draw(rt, label)
		a, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), n, n).Draw(rt, label+" address"))
		return a.Unmap()
	}
	return messages.Fact{
		Kind:   messages.FactKind(rapid.Uint8Range(1, uint8(messages.FactHost)).Draw(rt, "kind")),
		Time:   rapid.Int64Range(0, recording.MaxTime).Draw(rt, "time"),
		Client: addr("client"), Addr: addr("addr"),
		Name:   rapid.StringMatching(`[-a-z0-9.ěř]{0,100}`).Draw(rt, "name"),
		TTL:    time.Duration(rapid.Int64Range(0, recording.MaxTime).Draw(rt, "ttl")),
		MAC:    [6]byte(rapid.SliceOfN(rapid.Byte(), 6, 6).Draw(rt, "mac")),
		Source: rapid.StringMatching(`[a-z]{0,9}`).Draw(rt, "source"),
	}
}

func drawBatches(rt *rapid.T) []recordingtest.Sent {
	return rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) recordingtest.Sent {
		b := &messages.Batch{
			Source: rapid.String().Draw(rt, "source"), Snapshot: rapid.Uint64().Draw(rt, "snapshot"),
		}
		for range rapid.IntRange(0, 5).Draw(rt, "updates") {
			drawUpdate(rt, b)
		}
		facts := rapid.IntRange(1-min(1, len(b.Updates)), 5).Draw(rt, "facts")
		b.Facts = rapid.SliceOfN(rapid.Custom(drawFact), facts, facts).Draw(rt, "fact")
		return recordingtest.Sent{At: time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(rt, "at")), Batch: b}
	}), 0, 5).Draw(rt, "batches")
}

// whole counts the batches that lie before a cut.
func whole(file []byte, cut int) int {
	return len(slices.DeleteFunc(recordingtest.Ends(file), func(at int) bool { return at > cut })) - 2
}
