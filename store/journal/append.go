package journal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"weir/internal/disk"
	"weir/messages"
)

// active is the segment that is being written.
type active struct {
	*segment
	f disk.File
	// good is where the last frame ends that was accepted, synced how much of it is on the medium for sure.
	good, synced int64
	// held is what lies between.
	held []byte
	// since is how long the slices in held are together.
	since time.Duration
	// doubtful: after a failed sync, or when a torn frame could not be cut off, only the first synced bytes are
	// believed, and the file is written anew before it is used again.
	doubtful bool
	// introduced: it has the session's frame.
	introduced bool
}

// Append keeps a slice. If it does not, the slice may be offered again, before later ones; the error says why.
func (j *Journal) Append(s *messages.Slice) error {
	if err := check(s); err != nil {
		return failure("append slice", err)
	}
	j.writing.Lock()
	defer j.writing.Unlock()
	err := j.append(s)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.state.Err = err
	if err != nil {
		j.state.Refused++
		return failure(fmt.Sprintf("append slice %d", s.Seq), err)
	}
	return nil
}

func (j *Journal) append(s *messages.Slice) error {
	switch {
	case j.closed:
		return ErrClosed
	case j.any && s.Seq <= j.last:
		return ErrOld
	}
	h := headOf(s)
	h.session = j.session.id
	if err := j.ready(h.start); err != nil {
		return err
	}
	enc := j.encoder()
	j.enc = nil // Whatever goes wrong from here on, the next slice begins an epoch.
	b := j.introduce(j.buf[:0])
	from := len(b)
	b = enc.encode(beginFrame(b), s, &h)
	if len(b)-from-frameHead > maxPayload {
		return errors.New("it is too large for a frame")
	}
	finishFrame(b, from, j.active.salt)
	j.buf = b
	if err := j.write(b, s.Span.Duration()); err != nil {
		return err
	}
	j.active.introduced = true
	j.publish(s, &h, from, len(b))
	j.enc = enc
	if h.flags&sliceAllAccounts != 0 {
		j.clean()
	}
	return nil
}

// encoder gives the one of the epoch that the next slice is in.
func (j *Journal) encoder() *encoder {
	if e := j.enc; e != nil && e.slices < j.options.EpochSlices && e.bytes < j.options.EpochBytes {
		return e
	}
	j.numbers.age()
	return newEncoder(j.active.salt, j.numbers)
}

// introduce appends the frame of the session if the segment does not have it.
func (j *Journal) introduce(b []byte) []byte {
	if j.active.introduced {
		return b
	}
	from := len(b)
	b = appendSession(beginFrame(b), &j.session, j.active.salt)
	finishFrame(b, from, j.active.salt)
	return b
}

// ready makes sure that there is a sound segment for a slice that starts then.
func (j *Journal) ready(start int64) error {
	if err := j.mend(); err != nil {
		return err
	}
	bucket := floor(start, int64(j.options.Segment))
	if j.active != nil && j.active.bucket != bucket {
		if err := j.rotate(); err != nil {
			return fmt.Errorf("close segment: %w", err)
		}
	}
	if j.active == nil {
		if err := j.create(bucket); err != nil {
			return fmt.Errorf("begin segment: %w", err)
		}
	}
	return nil
}

// floor is the largest multiple of unit that is not above v.
func floor(v, unit int64) int64 {
	if r := v % unit; r < 0 {
		return v - r - unit
	}
	return v - v%unit
}

// write puts bytes at the end of the segment and, by policy, on the medium.
func (j *Journal) write(b []byte, length time.Duration) error {
	a := j.active
	if j.bytes+int64(len(b)) > j.options.Budget {
		return ErrBudget
	}
	n, err := a.f.Write(b)
	j.count(uint64(n), 0) //nolint:gosec // A count.
	if err != nil {
		j.cut()
		return err
	}
	held := len(a.held)
	a.held = append(a.held, b...)
	since := a.since + length
	if j.options.Sync == SyncEvery || j.options.Sync == SyncInterval && since >= j.options.Interval ||
		j.options.Sync != SyncNever && len(a.held) > maxHeld {
		if err := a.f.Sync(); err != nil {
			a.held, a.doubtful = a.held[:held], true
			return err
		}
		j.count(0, 1)
		a.synced, a.held, since = a.good+int64(len(b)), a.held[:0], 0
	} else if j.options.Sync == SyncNever {
		a.synced, a.held = a.good+int64(len(b)), a.held[:0]
	}
	a.since = since
	a.good += int64(len(b))
	j.setSize(a.segment, a.good)
	return nil
}

func (j *Journal) count(written, syncs uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.state.Written += written
	j.state.Syncs += syncs
}

func (j *Journal) setSize(s *segment, size int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.bytes += size - s.size
	s.size = size
}

// cut takes off what a failed write has left.
func (j *Journal) cut() {
	if err := j.active.f.Truncate(j.active.good); err != nil {
		j.active.doubtful = true
	}
}

// publish shows a slice to readers, together with what it says of earlier ones.
func (j *Journal) publish(s *messages.Slice, h *head, from, to int) {
	a := j.active
	order := j.order + 1
	for _, m := range s.Amendments {
		number := j.numbers.find(m.Flow)
		if number == 0 || m.Flow == 0 {
			continue
		}
		for _, c := range m.Cells {
			if c.Column != nil {
				j.amendments.add(flowOf{session: j.session.id, number: number}, order, c.Column, c.Value)
			}
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.any && s.Seq > j.last+1 {
		j.wholeFrom = order
	}
	f := frame{
		off: a.good - int64(to-from), size: to - from, seq: s.Seq, start: h.start, end: h.end, rows: h.rows,
		folded: h.other.Rows, flags: h.flags, order: order, session: j.session.id, losses: j.losses,
	}
	a.frames = append(a.frames, f)
	j.losses, j.session.losses = nil, nil
	j.order, j.last, j.any = order, s.Seq, true
	if h.flags&sliceAllAccounts != 0 {
		j.checkpoint = order
	}
}

// rotate closes the segment.
func (j *Journal) rotate() error {
	a := j.active
	n := uint64(len(a.frames))
	e := end{slices: n}
	if n > 0 {
		e.last = a.frames[n-1].seq
	}
	b := appendEnd(beginFrame(nil), e)
	finishFrame(b, 0, a.salt)
	w, err := a.f.Write(b)
	j.count(uint64(w), 0) //nolint:gosec // A count.
	if err != nil {
		j.cut()
		return err
	}
	if j.options.Sync != SyncNever {
		if err := a.f.Sync(); err != nil {
			a.doubtful = true
			return err
		}
		j.count(0, 1)
	}
	j.setSize(a.segment, a.good+int64(len(b)))
	j.retire()
	return nil
}

// retire leaves the segment as it is.
func (j *Journal) retire() {
	_ = j.active.f.Close() // All that counts was synced.
	j.mu.Lock()
	j.active.closed = true
	j.mu.Unlock()
	j.active, j.enc = nil, nil
}

// create begins a segment. Its file gets its name when the header is on the medium.
func (j *Journal) create(bucket int64) error {
	s := &segment{id: j.nextID, dir: j.dir, bucket: bucket}
	if _, err := rand.Read(s.salt[:]); err != nil {
		return err
	}
	j.nextID++
	h := header{
		salt: s.salt, created: bucket, slice: int64(j.options.Slice), segment: int64(j.options.Segment), bucket: bucket,
	}
	b := appendLine(nil)
	from := len(b)
	b = appendHeader(beginFrame(b), &h)
	finishFrame(b, from, s.salt)
	from = len(b)
	b = appendSession(beginFrame(b), &j.session, s.salt)
	finishFrame(b, from, s.salt)
	if j.bytes+int64(len(b)) > j.options.Budget {
		return ErrBudget
	}
	name := s.path()
	if err := disk.WriteFile(j.fs, name, func(w io.Writer) error { _, err := w.Write(b); return err }); err != nil {
		_ = j.fs.Remove(name) // It holds nothing; a segment without a slice does no harm either.
		return err
	}
	f, err := j.fs.Append(name)
	if err != nil {
		_ = j.fs.Remove(name)
		return err
	}
	j.session.losses = nil // They are in the file now.
	s.size = int64(len(b))
	j.active = &active{segment: s, f: f, good: s.size, synced: s.size, introduced: true}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.state.Written += uint64(len(b))
	j.state.Syncs++
	j.bytes += s.size
	j.segments = append(slices.Clip(j.segments), s)
	return nil
}

// mend writes a doubtful segment anew: what is on the medium for sure, and what was accepted since.
func (j *Journal) mend() error {
	a := j.active
	if a == nil || !a.doubtful {
		return nil
	}
	j.enc = nil
	name := a.path()
	var reading error
	err := disk.WriteFile(j.fs, name, func(w io.Writer) error {
		reading = copyHead(w, a.f, a.synced)
		if reading != nil {
			return reading
		}
		_, err := w.Write(a.held)
		return err
	})
	if reading != nil && !errors.Is(reading, errWrite) {
		j.retire() // It cannot be read: leave it alone, and go on in another one.
		return nil
	}
	if err != nil {
		return fmt.Errorf("write segment anew: %w", err)
	}
	f, err := j.fs.Append(name)
	if err != nil {
		return fmt.Errorf("write segment anew: %w", err)
	}
	_ = a.f.Close()
	a.f, a.doubtful, a.synced, a.held, a.since = f, false, a.good, a.held[:0], 0
	j.mu.Lock()
	defer j.mu.Unlock()
	j.state.Mended++
	j.state.Written += uint64(a.good) //nolint:gosec // A size.
	return nil
}

// errWrite tells a failed write from a failed read.
var errWrite = errors.New("write")

func copyHead(w io.Writer, f io.ReaderAt, n int64) error {
	buf := make([]byte, piece)
	for at := int64(0); at < n; {
		b := buf[:min(int64(len(buf)), n-at)]
		got, err := f.ReadAt(b, at)
		if got < len(b) {
			return errors.Join(err, io.ErrUnexpectedEOF)
		}
		if _, err := w.Write(b); err != nil {
			return errors.Join(errWrite, err)
		}
		at += int64(len(b))
	}
	return nil
}

// Relabel adds delta, rounded down to whole slices, to the times of all slices since and including number seq.
func (j *Journal) Relabel(since uint64, delta time.Duration) error {
	j.writing.Lock()
	defer j.writing.Unlock()
	r := relabel{since: since, shift: floor(int64(delta), int64(j.options.Slice))}
	if err := j.relabel(r); err != nil {
		return failure("relabel", err)
	}
	return nil
}

func (j *Journal) relabel(r relabel) error {
	switch {
	case j.closed:
		return ErrClosed
	case !j.any || r.shift == 0:
		return nil
	}
	if err := j.mend(); err != nil {
		return err
	}
	if j.active == nil {
		if err := j.create(j.segments[len(j.segments)-1].bucket); err != nil {
			return err
		}
	}
	b := j.introduce(nil)
	from := len(b)
	b = appendRelabel(beginFrame(b), r, j.active.salt)
	finishFrame(b, from, j.active.salt)
	if err := j.write(b, j.options.Interval); err != nil {
		return err
	}
	j.active.introduced = true
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range j.segments {
		s.shift(r)
	}
	return nil
}

// Sync puts on the medium what is not there yet.
func (j *Journal) Sync() error {
	j.writing.Lock()
	defer j.writing.Unlock()
	if err := j.sync(); err != nil {
		return failure("sync", err)
	}
	return nil
}

func (j *Journal) sync() error {
	if err := j.mend(); err != nil || j.active == nil {
		return err
	}
	a := j.active
	if a.synced == a.good && j.options.Sync != SyncNever {
		return nil
	}
	if err := a.f.Sync(); err != nil {
		a.doubtful = j.options.Sync != SyncNever
		return err
	}
	j.count(0, 1)
	a.synced, a.held, a.since = a.good, a.held[:0], 0
	return nil
}

// Close puts all on the medium and gives the folder free. Queries that run may go on to their end.
func (j *Journal) Close() error {
	j.writing.Lock()
	defer j.writing.Unlock()
	if j.closed {
		return nil
	}
	err := j.sync()
	j.mu.Lock()
	j.closed = true
	j.mu.Unlock()
	if j.active != nil {
		err = errors.Join(err, j.active.f.Close())
	}
	if err = errors.Join(err, j.lock.Close()); err != nil {
		return failure("close", err)
	}
	return nil
}

// Drop forgets the rows of a closed segment, which are in bucket files by now. What else a restart needs of it stays
// until later segments tell it.
func (j *Journal) Drop(id uint64) error {
	j.writing.Lock()
	defer j.writing.Unlock()
	if err := j.drop(id); err != nil {
		return failure(fmt.Sprintf("drop segment %d", id), err)
	}
	j.clean()
	return nil
}

func (j *Journal) drop(id uint64) error {
	at := slices.IndexFunc(j.segments, func(s *segment) bool { return s.id == id })
	switch {
	case j.closed:
		return ErrClosed
	case at < 0 || !j.segments[at].closed || j.segments[at].parked:
		return ErrUnknown
	}
	s := j.segments[at]
	from := s.path()
	if err := j.fs.Rename(from, strings.TrimSuffix(from, suffixSegment)+suffixParked); err != nil {
		return err
	}
	j.mu.Lock()
	s.parked = true
	for i := range s.frames {
		j.gone = max(j.gone, s.frames[i].end)
	}
	j.mu.Unlock()
	return j.fs.SyncDir(j.dir)
}

// clean removes parked segments of which nothing is needed any more. What cannot be removed is tried again later.
func (j *Journal) clean() {
	for len(j.segments) > 1 { // The last one tells the numbers of slices.
		s := j.segments[0]
		j.mu.Lock()
		needed := !s.parked || s.readers > 0 || s.needed(j.checkpoint)
		j.mu.Unlock()
		if needed || j.fs.Remove(filepath.Clean(s.path())) != nil {
			return
		}
		j.mu.Lock()
		j.segments = slices.Clone(j.segments[1:])
		j.bytes -= s.size
		j.mu.Unlock()
		if len(s.frames) > 0 {
			j.amendments.forget(s.frames[len(s.frames)-1].order)
		}
	}
}

// needed says whether accounts are in the segment that no later checkpoint has.
func (s *segment) needed(checkpoint uint64) bool {
	for i := range s.frames {
		if f := &s.frames[i]; f.flags&sliceAccounts != 0 && f.order >= checkpoint {
			return true
		}
	}
	return false
}
