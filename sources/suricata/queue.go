package suricata

import (
	"context"
	"sync"
	"time"
)

// Bounds of the queue beside that in bytes.
const (
	// maxLines is how many lines may wait; each takes 64 bytes beside its own.
	maxLines = 16384
	// slabSize is how much memory is taken at once for lines; a longer line has a slab of its own.
	slabSize = 64 << 10
	// slabLines is how many lines a slab takes.
	slabLines = 1024
	// maxSpare is how many slabs are kept to be used again.
	maxSpare = 4
)

// item is one line in a slab, or the end of a connection.
type item struct {
	conn     uint64
	received time.Time
	// end is where the line ends in the slab; it begins where the one before it ends.
	end int
	// closed says that there is no line: the connection ended.
	closed bool
	// from is the followed file that the line is from, nil if none, and offset is where the next line begins there.
	from   *fileID
	offset int64
}

// slab holds lines one after the other.
type slab struct {
	buf   []byte
	items []item
}

// each calls f with each item and its line until it fails.
func (s *slab) each(f func(it *item, raw []byte) error) error {
	start := 0
	for i := range s.items {
		it := &s.items[i]
		raw := s.buf[start:it.end]
		start = it.end
		if err := f(it, raw); err != nil {
			return err
		}
	}
	return nil
}

func (s *slab) hasRoom(n int) bool { return cap(s.buf)-len(s.buf) >= n && len(s.items) < slabLines }

// queue takes lines from several readers and gives them to one worker, in order. It is bounded in bytes, which is the
// memory that it holds, and in lines; both count what the worker works on.
type queue struct {
	maxBytes int
	ready    chan struct{} // holds a token when there is news for the worker

	mu     sync.Mutex
	slabs  []*slab // in order; lines are appended to the last one
	spare  []*slab
	bytes  int // of all slabs but the spare ones
	lines  int
	closed bool
	room   chan struct{} // closed when a slab was released, for those who wait; nil if nobody does
}

func newQueue(maxBytes int) *queue {
	return &queue{maxBytes: maxBytes, ready: make(chan struct{}, 1)}
}

// offer puts a copy of the line into the queue; false if it is full.
func (q *queue) offer(it item, raw []byte) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.put(it, raw)
}

// wait puts a copy of the line into the queue as soon as there is room. The error is ctx.Err().
func (q *queue) wait(ctx context.Context, it item, raw []byte) error {
	for {
		q.mu.Lock()
		if q.put(it, raw) {
			q.mu.Unlock()
			return nil
		}
		if q.room == nil {
			q.room = make(chan struct{})
		}
		room := q.room
		q.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-room:
		}
	}
}

// put is called with the lock held.
func (q *queue) put(it item, raw []byte) bool {
	if q.closed || q.lines >= maxLines {
		return false
	}
	var s *slab
	if n := len(q.slabs); n > 0 && q.slabs[n-1].hasRoom(len(raw)) {
		s = q.slabs[n-1]
	} else if s = q.open(len(raw)); s == nil {
		return false
	}
	s.buf = append(s.buf, raw...)
	it.end = len(s.buf)
	s.items = append(s.items, it)
	q.lines++
	q.wake()
	return true
}

// open adds a slab with room for n bytes, nil if there is no memory for it.
func (q *queue) open(n int) *slab {
	size := max(n, slabSize)
	if q.bytes+size > q.maxBytes {
		return nil
	}
	var s *slab
	if last := len(q.spare) - 1; size == slabSize && last >= 0 {
		s, q.spare = q.spare[last], q.spare[:last]
	} else {
		s = &slab{buf: make([]byte, 0, size)}
	}
	q.bytes += size
	q.slabs = append(q.slabs, s)
	return s
}

func (q *queue) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take gives the oldest lines, nil if there are none. over says that there will never be any more.
func (q *queue) take() (s *slab, over bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.slabs) == 0 {
		return nil, q.closed
	}
	s = q.slabs[0]
	q.slabs[0] = nil
	q.slabs = q.slabs[1:]
	return s, false
}

// release hands back a slab that take gave, when its lines were dealt with.
func (q *queue) release(s *slab) {
	q.mu.Lock()
	defer q.mu.Unlock()
	size := cap(s.buf)
	q.bytes -= size
	q.lines -= len(s.items)
	if size == slabSize && len(q.spare) < maxSpare {
		clear(s.items)
		s.buf, s.items = s.buf[:0], s.items[:0]
		q.spare = append(q.spare, s)
	}
	if q.room != nil {
		close(q.room)
		q.room = nil
	}
}

// close says that nothing more comes; what is queued can still be taken.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.wake()
}

// level is how much memory is held and how many lines.
func (q *queue) level() (bytes, lines int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes, q.lines
}
