package messages

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"net/netip"
	"sync"

	"github.com/cespare/xxhash/v2"

	"weir/columns"
)

// End is one address and port of a key. IPv4 addresses are in their IPv4-mapped form.
type End struct {
	Addr [16]byte
	// Port is the transport port; for ICMP the id at the initiator and type<<8|code at the responder;
	// for GRE the key or call id; 0 for protocols that have none.
	Port uint16
}

// MakeEnd builds an End from an address of either family.
func MakeEnd(a netip.Addr, port uint16) End { return End{Addr: a.As16(), Port: port} }

// IP gives the address, with an IPv4 address in its own form.
func (e End) IP() netip.Addr { return netip.AddrFrom16(e.Addr).Unmap() }

// Compare orders ends by address, then port.
func (e End) Compare(o End) int {
	return cmp.Or(bytes.Compare(e.Addr[:], o.Addr[:]), cmp.Compare(e.Port, o.Port))
}

// Key names a flow: the protocol, the zone, and the two ends in canonical order (A ≤ B), so that a
// mistake about the direction cannot split a flow.
type Key struct {
	A, B  End
	Zone  uint16
	Proto uint8
	// Zero makes the struct 40 bytes without padding, so that keys compare as one piece of memory.
	Zero uint8
}

// MakeKey puts two ends in canonical order. swapped tells that first became B.
func MakeKey(proto uint8, zone uint16, first, second End) (k Key, swapped bool) {
	if second.Compare(first) < 0 {
		first, second, swapped = second, first, true
	}
	return Key{A: first, B: second, Zone: zone, Proto: proto}, swapped
}

// Hash maps a key to 64 bits. The seed is chosen at random when the process starts, because peers
// choose addresses and ports.
func (k *Key) Hash(seed uint64) uint64 {
	var b [48]byte
	binary.LittleEndian.PutUint64(b[0:], seed)
	copy(b[8:], k.A.Addr[:])
	copy(b[24:], k.B.Addr[:])
	binary.LittleEndian.PutUint16(b[40:], k.A.Port)
	binary.LittleEndian.PutUint16(b[42:], k.B.Port)
	binary.LittleEndian.PutUint16(b[44:], k.Zone)
	b[46] = k.Proto
	return xxhash.Sum64(b[:])
}

// Counter counts one direction of a flow. Bytes are IP lengths (header and payload, no Ethernet).
type Counter struct {
	Packets, Bytes uint64
}

// CounterKind says how an update counts.
type CounterKind uint8

// The kinds of counters.
const (
	// NoCounters: the update brings tags or a change of status only.
	NoCounters CounterKind = iota
	// Absolute counters are what the incarnation moved since it began.
	Absolute
	// Delta counters are what the flow moved since the last update of the same source.
	Delta
)

// Status says what the source knows of the flow's life.
type Status uint8

// The statuses.
const (
	// Seen: the flow is there; nothing is said of its beginning or end.
	Seen Status = iota
	// Started: the flow was born just now.
	Started
	// Ended: the incarnation is over and its counters are final.
	Ended
)

// Flags are facts that need one bit each.
type Flags uint8

// The flags.
const (
	// InitiatorB: the end B of the key opened the flow; otherwise A did. Sources that do not know
	// leave Oriented unset too.
	InitiatorB Flags = 1 << iota
	// Oriented: the source knows who opened the flow.
	Oriented
	// ResponderAliasB: under NAT, the end that really answered is B of the alias; otherwise A.
	ResponderAliasB
	// Baseline: the source cannot tell whether the counters hold traffic from before Weir began to
	// count (Start is 0). As long as the source has not delivered its first complete snapshot, a shard
	// that does not know the flow counts from these counters on.
	Baseline
	// Derived: a computation made the tags. They go to the incarnation with this very Start, or if it is 0 to
	// the newest one; if there is none, they are dropped.
	Derived
	// Waited: a shard passes on tags that have waited in it, or gives back such as were passed on to it. They were
	// seen from Stop on until Counters[1].Bytes, a time likewise; Counters[0].Bytes is the hash of the flow that
	// was not theirs, or 0. Sources do not set it.
	Waited
)

// Update is the news of one flow. It holds no pointers: what is larger lies in the batch.
type Update struct {
	Key Key
	// Hash is Key.Hash with the seed of the process. The outlet sets it, sources leave it 0.
	Hash uint64
	// Start is when the incarnation began, in nanoseconds since 1970 as its kernel says; 0 if the
	// source cannot tell. It tells incarnations of one key apart.
	Start int64
	// Stop is when an Ended incarnation ended, likewise. Of an update that brings tags only it is when the
	// flow was seen; tags belong to the incarnation that lived then. 0 if unknown.
	Stop int64
	// Counters of what A and what B sent.
	Counters [2]Counter
	// ID tells incarnations apart where Start is unknown. A kernel uses it again at once.
	ID uint32
	// Alias is 1 + the place in Batch.Aliases of the key that the flow has behind NAT; 0 if none.
	Alias uint16
	// Tags is 1 + the place in Batch.Tags of the tags that the update brings; 0 if none.
	Tags   uint16
	Kind   CounterKind
	Status Status
	Flags  Flags
}

// BatchSize is how many updates travel together.
const BatchSize = 256

// Batch carries updates of one source to one shard. It costs one credit of the shard.
type Batch struct {
	// Source names the source and Snapshot is the sequence number of the snapshot that it answers, or 0.
	Source   string
	Snapshot uint64
	Updates  []Update
	Aliases  []Key
	Tags     [][]columns.Tag
	// Facts belong to no flow; at most BatchSize.
	Facts []Fact
}

var batches = sync.Pool{New: func() any { //nolint:gochecknoglobals // A free list, not state.
	return &Batch{
		Updates: make([]Update, 0, BatchSize),
		Aliases: make([]Key, 0, BatchSize),
		Tags:    make([][]columns.Tag, 0, BatchSize),
	}
}}

// NewBatch gives an empty batch, a used one if there is one.
func NewBatch() *Batch {
	return batches.Get().(*Batch)
}

// Release hands a batch back for use by others. Its owner calls it once, as the last thing.
func (b *Batch) Release() {
	clear(b.Tags)
	clear(b.Facts)
	*b = Batch{Updates: b.Updates[:0], Aliases: b.Aliases[:0], Tags: b.Tags[:0], Facts: b.Facts[:0]}
	batches.Put(b)
}

// Full says that the next update or fact belongs into the next batch.
func (b *Batch) Full() bool { return len(b.Updates) >= BatchSize || len(b.Facts) >= BatchSize }

// Add appends a copy of the update with its alias and tags, which may be nil. The tags are kept, not
// copied: they must never change.
func (b *Batch) Add(u *Update, alias *Key, tags []columns.Tag) {
	b.Updates = append(b.Updates, *u)
	n := &b.Updates[len(b.Updates)-1]
	n.Alias, n.Tags = 0, 0
	if alias != nil {
		b.Aliases = append(b.Aliases, *alias)
		n.Alias = uint16(len(b.Aliases)) //nolint:gosec // At most BatchSize.
	}
	if len(tags) > 0 {
		b.Tags = append(b.Tags, tags)
		n.Tags = uint16(len(b.Tags)) //nolint:gosec // At most BatchSize.
	}
}

// AliasOf gives the key that an update's flow has behind NAT, or nil.
func (b *Batch) AliasOf(u *Update) *Key {
	if u.Alias == 0 {
		return nil
	}
	return &b.Aliases[u.Alias-1]
}

// TagsOf gives the tags of an update.
func (b *Batch) TagsOf(u *Update) []columns.Tag {
	if u.Tags == 0 {
		return nil
	}
	return b.Tags[u.Tags-1]
}
