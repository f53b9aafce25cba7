// Package recordingtest holds a recording for the tests of those who write, read or play one.
package recordingtest

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"weir/columns"
	"weir/columns/mark"
	"weir/messages"
	"weir/sources/recording"
)

// Name is an endpoint column that holds a set, as a source of names would register one. It refuses the encoding
// "foreign".
//
//nolint:gochecknoglobals // The handle of a registered column is how its owner makes tags.
var Name = columns.RegisterEndpoint(columns.Spec[string]{
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

// Sent is a batch and when it was sent.
type Sent struct {
	At    time.Duration
	Batch *messages.Batch
}

// Record writes a closed recording.
func Record(tb testing.TB, h recording.Header, batches []Sent) []byte {
	tb.Helper()
	var file bytes.Buffer
	w, err := recording.NewWriter(&file, h)
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

// File is the recording of Header and Script.
func File(tb testing.TB) []byte {
	tb.Helper()
	return Record(tb, Header(), Script())
}

// Header is that of the recording.
func Header() recording.Header {
	began := time.Unix(1_700_000_000, 0)
	return recording.Header{
		Created: began, CountsSince: began.Add(-10 * time.Second), Slice: 10 * time.Second, Version: "1.2.3",
	}
}

func end(text string) messages.End {
	a := netip.MustParseAddrPort(text)
	return messages.MakeEnd(a.Addr(), a.Port())
}

// TCP makes a key of two ends, each an address with a port.
func TCP(first, second string) messages.Key {
	k, _ := messages.MakeKey(6, 0, end(first), end(second))
	return k
}

// Script is what the recording holds: each kind of update, in two batches.
func Script() []Sent {
	key, alias := TCP("192.168.1.2:4000", "198.51.100.7:443"), TCP("203.0.113.9:61000", "198.51.100.7:443")
	at := func(s int64) int64 { return Header().Created.UnixNano() + s*int64(time.Second) }
	counters := func(n uint64) [2]messages.Counter {
		return [2]messages.Counter{{Packets: n, Bytes: 100 * n}, {Packets: 2 * n, Bytes: 1000 * n}}
	}
	one, two := &messages.Batch{Source: "conntrack", Snapshot: 7}, &messages.Batch{Source: "conntrack"}
	one.Add(&messages.Update{
		Key: key, Start: at(-60), Counters: counters(5), Kind: messages.Absolute, Flags: messages.Oriented,
	}, &alias, []columns.Tag{mark.Column.Tag(0x10)})
	one.Add(&messages.Update{
		Key: TCP("[2001:db8::2]:5000", "[2001:db8:f::1]:80"), ID: 77, Counters: counters(1), Kind: messages.Absolute,
		Flags: messages.Baseline | messages.Oriented | messages.InitiatorB | messages.ResponderAliasB,
	}, nil, nil)
	two.Add(&messages.Update{
		Key: key, Start: at(-60), Stop: at(12), Counters: counters(9), Kind: messages.Absolute, Status: messages.Ended,
	}, nil, nil)
	two.Add(&messages.Update{
		Key: TCP("192.168.1.3:4001", "198.51.100.8:443"), Start: at(11), Status: messages.Started,
	}, nil, []columns.Tag{Name.Tag(columns.EndB, "www.example.org"), Name.Tag(columns.EndB, "example.org")})
	two.Add(&messages.Update{
		Key: TCP("192.168.1.3:4001", "198.51.100.8:443"), Counters: counters(3), Kind: messages.Delta,
	}, nil, nil)
	return []Sent{{10 * time.Second, one}, {12500 * time.Millisecond, two}}
}

// Facts are a script with each kind of fact: a batch that has nothing else, and one with an update.
func Facts() []Sent {
	at := func(s int64) int64 { return Header().Created.UnixNano() + s*int64(time.Second) }
	camera, server := netip.MustParseAddr("192.168.1.61"), netip.MustParseAddr("2001:db8:f::1")
	mac := [6]byte{2, 0, 0, 0, 0, 0x61}
	alone, mixed := &messages.Batch{Source: "suricata"}, &messages.Batch{Source: "suricata"}
	alone.Facts = []messages.Fact{
		{
			Kind: messages.FactAnswer, Time: at(9), Client: camera, Addr: server, Name: "www.example.org",
			TTL: time.Minute, Source: "dns",
		},
		{Kind: messages.FactReverse, Time: at(9), Addr: server, Name: "host-1.example.net", Source: "dns"},
		{Kind: messages.FactLease, Addr: camera, Name: "camera", MAC: mac, TTL: 12 * time.Hour, Source: "dhcp"},
	}
	mixed.Facts = []messages.Fact{
		{Kind: messages.FactNeighbour, Time: at(11), Addr: camera, MAC: mac, Source: "arp"},
		{Kind: messages.FactHost, Time: at(11), Addr: camera, Name: "příklad.local", Source: "mdns"},
	}
	mixed.Add(&messages.Update{Key: TCP("192.168.1.61:4000", "198.51.100.7:443"), Stop: at(11)}, nil,
		[]columns.Tag{Name.Tag(columns.EndB, "example.org")})
	return []Sent{{10 * time.Second, alone}, {12 * time.Second, mixed}}
}

// HeadBytes are the length and the sum in front of each payload.
const HeadBytes = 8

// Ends lists where the first line of a recording ends, and then where its frames do.
func Ends(file []byte) []int {
	at := bytes.IndexByte(file, '\n') + 1
	ends := []int{at}
	for at < len(file) {
		at += HeadBytes + int(binary.LittleEndian.Uint32(file[at:]))
		ends = append(ends, at)
	}
	return ends
}
