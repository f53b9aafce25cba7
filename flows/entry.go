package flows

import (
	"unsafe"

	"weir/columns"
	"weir/messages"
)

// entry is one incarnation of a flow. It holds no pointers, so that the garbage collector does not walk
// the table.
type entry struct {
	key   messages.Key
	start int64 // as in messages.Update
	// last are the counters up to which everything is booked, of what A and what B sent. Of an announced entry,
	// which counts nothing, they hold when its tags were seen; see waited.
	last [2]messages.Counter
	id   uint32
	row  uint32 // 1 + place among the open slice's rows; 0: nothing happened yet; of a free entry, the next free one
	tags uint32 // tag set; 0: none
	// alias is the number of the alias record; 0: none.
	alias uint32
	// seen is the slice in which a snapshot or event told of the flow last, active the one in which it
	// last moved a byte: the lower 16 bits of their numbers, to be compared with since. Once stopKnown is set,
	// active holds when the flow stopped instead; see stopped.
	seen, active uint16
	flags        entryFlags
	source       uint8 // number of the source that counts it
	told         toldFlags
}

// entryFlags are the states of an incarnation.
type entryFlags uint16

const (
	flagUsed entryFlags = 1 << iota
	// flagCounted: last is meaningful.
	flagCounted
	// flagEnded: the end was booked; last is final. The entry stays for a while as a tombstone.
	flagEnded
	// flagLimbo: missing from several snapshots, and no end was told.
	flagLimbo
	// flagAnnounced: known by an event or a tag only, no record of the flow itself was seen yet.
	flagAnnounced
	// flagBorn: its start was announced, so that its counters hold nothing from before.
	flagBorn
	// flagOriented: a source told who opened the flow.
	flagOriented
	// flagInitiatorB: B opened the flow.
	flagInitiatorB
	// flagLocalResponds: the local end is the one that did not open the flow.
	flagLocalResponds
	// flagResponderAliasB: the real responder is B of the alias.
	flagResponderAliasB
	// flagStartTold, flagEndTold: booked as started, or known to have started before counting did; booked as
	// ended. Each is booked once.
	flagStartTold
	flagEndTold
)

// toldFlags say what others know of an incarnation already.
type toldFlags uint8

const (
	// toldQueued: it waits in the queue of events.
	toldQueued toldFlags = 1 << iota
	// toldStart, toldEnd: computations know of the flow, and that it is over.
	toldStart
	toldEnd
	// toldNot: what computations know of its tags or ends is not true any more.
	toldNot
	// toldRow: rows of it are in slices that were closed, amending: they are to be amended.
	toldRow
	amending
	// stopKnown: active holds when it stopped.
	stopKnown
	// owing: its account is to leave with the next part.
	owing
)

const directionShift = 12 // The upper bits of the flags hold the direction.

func (e *entry) is(f entryFlags) bool { return e.flags&f != 0 }

func (e *entry) direction() columns.Direction {
	return columns.Direction(e.flags >> directionShift) //nolint:gosec // Four bits.
}

func (e *entry) setDirection(d columns.Direction) {
	e.flags = e.flags&(1<<directionShift-1) | entryFlags(d)<<directionShift
}

// over says whether the flow has ended, or vanished.
func (e *entry) over() bool { return e.flags&(flagEnded|flagLimbo) != 0 }

// moved is the slice in which it was last heard of as one that does something, as far as that is known.
func (e *entry) moved() uint16 {
	if e.told&stopKnown != 0 {
		return e.seen
	}
	return e.active
}

// localIsA says whether what A sent goes up.
func (e *entry) localIsA() bool { return e.is(flagInitiatorB) == e.is(flagLocalResponds) }

// since is how many slices ago a slice was, given the lower bits of its number and of the open one's;
// what is too long ago for the bits looks like the future and counts as now.
func since(open, then uint16) int { return max(0, int(int16(open-then))) } //nolint:gosec // Wraps on purpose.

// row is what an entry did in the open slice.
type row struct {
	entry          uint32 // 0: the flow was folded, its row counts in (other)
	started, ended uint16
	moved          [2]messages.Counter // by A and by B
}

func (r *row) add(d *[2]messages.Counter) {
	for i := range d {
		r.moved[i].Bytes += d[i].Bytes
		r.moved[i].Packets += d[i].Packets
	}
}

// rowSlab holds the rows of the open slice by number, from 1, in chunks that never move.
type rowSlab struct {
	chunks []*[chunkSize]row
	used   int
}

func (s *rowSlab) at(n uint32) *row { return &s.chunks[(n-1)/chunkSize][(n-1)%chunkSize] }

// take adds a row for an entry.
func (s *rowSlab) take(entry uint32) uint32 {
	if s.used == len(s.chunks)*chunkSize {
		s.chunks = append(s.chunks, new([chunkSize]row))
	}
	s.used++
	n := uint32(s.used) //nolint:gosec // Rows are not many more than entries.
	*s.at(n) = row{entry: entry}
	return n
}

// reset forgets all rows. It keeps their memory, or half of it if the slice used little.
func (s *rowSlab) reset() {
	if keep := len(s.chunks) / 2; keep > 0 && s.used < keep*chunkSize/2 {
		s.chunks = append([]*[chunkSize]row(nil), s.chunks[:keep]...)
	}
	s.used = 0
}

func (s *rowSlab) bytes() int64 { return int64(len(s.chunks)) * int64(unsafe.Sizeof([chunkSize]row{})) }

// arena holds entries by number, from 1, in chunks that never move.
type arena struct {
	chunks []*[chunkSize]entry
	free   uint32 // first free entry, chained by row
	high   uint32 // numbers up to this have been given out
	used   int
}

// chunkSize makes chunks of entries and of rows whole pages of the allocator, with nothing to spare.
const chunkSize = 1024

func (a *arena) at(n uint32) *entry { return &a.chunks[n/chunkSize][n%chunkSize] }

func (a *arena) take() uint32 {
	a.used++
	n := a.free
	if n != 0 {
		e := a.at(n)
		a.free = e.row
		*e = entry{flags: flagUsed}
		return n
	}
	a.high++
	if int(a.high/chunkSize) >= len(a.chunks) {
		a.chunks = append(a.chunks, new([chunkSize]entry))
	}
	a.at(a.high).flags = flagUsed
	return a.high
}

func (a *arena) give(n uint32) {
	a.used--
	*a.at(n) = entry{row: a.free}
	a.free = n
}

func (a *arena) bytes() int64 {
	return int64(len(a.chunks)) * int64(unsafe.Sizeof([chunkSize]entry{}))
}
