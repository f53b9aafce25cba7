package journal

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"weir/columns"
	"weir/internal/disk"
	"weir/messages"
)

// Report says what was found when a journal was opened.
type Report struct {
	// Segments, Slices and Rows are what can be read.
	Segments, Slices, Rows int
	// Cut tells what was cut off the end of the last segment.
	Cut []Damage
	// Damaged tells what cannot be read and stays where it is.
	Damaged []Damage
	// Twice counts slices that were written twice; they count once.
	Twice int
	// Temps counts unfinished files that were removed, Foreign lists files that are not the journal's.
	Temps   int
	Foreign []string
}

// Damage is a stretch of a file.
type Damage struct {
	File          string
	Offset, Bytes int64
	// Aside is the file that has a copy of its beginning, if there is one.
	Aside string
}

// The bounds of what is put aside.
const maxAside, asideBytes = 16, 1 << 20

// Open opens the journal in a folder, which is made if it is not there, and repairs what can be repaired.
func Open(fs disk.FS, dir string, o Options) (*Journal, Report, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, Report{}, failure("open", err)
	}
	j := &Journal{
		fs: fs, dir: dir, options: o, numbers: newNumbers(), amendments: newAmendments(), nextID: 1,
	}
	if err := fs.MkdirAll(dir); err != nil {
		return nil, Report{}, failure("open", err)
	}
	lock, err := disk.Lock(fs, filepath.Join(dir, lockName))
	if err != nil {
		return nil, Report{}, failure("open", err)
	}
	j.lock = lock
	report, err := j.open()
	if err != nil {
		if j.active != nil {
			_ = j.active.f.Close()
		}
		return nil, report, failure("open", errors.Join(err, lock.Close()))
	}
	return j, report, nil
}

func (j *Journal) open() (Report, error) {
	l := &loader{j: j, ledger: newLedger()}
	temps, err := disk.RemoveTemps(j.fs, j.dir)
	if err != nil {
		return l.report, err
	}
	l.report.Temps = temps
	if err := l.list(); err != nil {
		return l.report, err
	}
	for i, s := range j.segments {
		if err := l.segment(s, i == len(j.segments)-1); err != nil {
			return l.report, fmt.Errorf("%s: %w", filepath.Base(s.path()), err)
		}
	}
	if err := l.replay(); err != nil {
		return l.report, err
	}
	if err := l.begin(); err != nil {
		return l.report, err
	}
	j.clean()
	return l.report, nil
}

// loader reads all segments when a journal is opened.
type loader struct {
	j      *Journal
	report Report
	ledger *ledger
	aside  int
	// session is the one whose slices come, sessions all, in order.
	session  session
	sessions []session
	// now and boot are where the replay is.
	now  salt
	boot string
	// seen is the highest number of any slice.
	seen uint64
	// hurt: something could not be read since the last slice.
	hurt bool
	// tail is what the end of the last segment lost.
	tail []messages.Loss
}

// list finds the segments.
func (l *loader) list() error {
	j := l.j
	entries, err := j.fs.ReadDir(j.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		id, s, parked, ok := parseName(e.Name())
		switch {
		case ok && !e.IsDir():
			j.segments = append(j.segments, &segment{id: id, salt: s, dir: j.dir, parked: parked, closed: true})
			j.nextID = max(j.nextID, id+1)
		case strings.HasSuffix(e.Name(), suffixDamaged):
			l.aside++
		case e.Name() != lockName:
			l.report.Foreign = append(l.report.Foreign, e.Name())
		}
	}
	slices.SortFunc(j.segments, func(a, b *segment) int {
		return cmp.Or(cmp.Compare(a.id, b.id), bytes.Compare(a.salt[:], b.salt[:]))
	})
	return l.unite()
}

// unite ends the renaming of a segment that has both its names: it was to be parked.
func (l *loader) unite() error {
	j := l.j
	for i := 0; i+1 < len(j.segments); i++ {
		a, b := j.segments[i], j.segments[i+1]
		if a.id != b.id || a.salt != b.salt {
			continue
		}
		if a.parked {
			a, b = b, a
		}
		if err := j.fs.Remove(a.path()); err != nil {
			return err
		}
		j.segments[i] = b
		j.segments = slices.Delete(j.segments, i+1, i+2)
	}
	return nil
}

// segment reads one from end to end.
func (l *loader) segment(s *segment, last bool) error {
	f, err := l.j.fs.Open(s.path())
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return err
	}
	s.size = size
	l.j.bytes += size
	r := &reader{f: f, size: size}
	version, err := r.version()
	if err != nil {
		return err
	}
	if version == versionOther {
		return errors.New("written by another version of the program")
	}
	sc := scan{loader: l, s: s, r: r, good: int64(min(lineSize, int(size)))}
	if err := sc.run(); err != nil {
		return err
	}
	if version == versionUnknown && !sc.ours {
		return errors.New("not a segment of a journal")
	}
	if version == versionUnknown {
		if err := sc.damaged(0, int64(lineSize)); err != nil {
			return err
		}
	}
	return sc.finish(last)
}

// scan is the walk through one segment.
type scan struct {
	*loader
	s *segment
	r *reader
	// good is where the last sound frame ends, ours that there was one.
	good int64
	ours bool
	// readable: the epoch's definitions are known.
	readable, ended bool
	// writer is the session that wrote the epoch.
	writer salt
}

func (sc *scan) run() error {
	for off := sc.good; off < sc.r.size; {
		payload, size, err := sc.r.frame(off, sc.s.salt)
		if err != nil {
			return err
		}
		if payload != nil && sc.sound(off, size, payload) {
			sc.ours = true
			off += int64(size)
			sc.good = off
			continue
		}
		sc.readable = false
		next, err := sc.r.next(off, sc.s.salt)
		if err != nil {
			return err
		}
		if next < sc.r.size {
			if err := sc.damaged(off, next); err != nil {
				return err
			}
		}
		off = next
	}
	return nil
}

// sound takes a frame; it is false if its content cannot be.
func (sc *scan) sound(off int64, size int, payload []byte) (ok bool) {
	sc.ended = false
	switch kind(payload[0]) {
	case kindHeader:
		var h header
		h, ok = cutHeader(payload)
		sc.s.bucket = h.bucket
	case kindSession:
		var s session
		if s, ok = cutSession(payload); ok {
			sc.meet(s)
			sc.readable = false // A session begins with an epoch.
		}
	case kindRelabel:
		var r relabel
		if r, ok = cutRelabel(payload); ok {
			for _, s := range sc.j.segments {
				s.shift(r)
			}
		}
	case kindEnd:
		ok = isEnd(payload)
		sc.ended = ok
	case kindSlice:
		w := wire{b: payload}
		h := cutHead(&w, sc.s.salt)
		if ok = !w.bad; ok {
			sc.slice(off, size, &h)
		}
	}
	return ok
}

// meet is told of a session; one that is known goes on.
func (l *loader) meet(s session) {
	l.tail = append(l.tail, s.losses...)
	if l.session.id != s.id {
		l.sessions = append(l.sessions, s)
	}
	l.session = s
}

func (sc *scan) slice(off int64, size int, h *head) {
	sc.seen = max(sc.seen, h.seq)
	if h.flags&sliceEpoch != 0 {
		sc.readable, sc.writer = true, h.session
	}
	if !sc.readable {
		return
	}
	j := sc.j
	j.order++
	f := frame{
		off: off, size: size, seq: h.seq, start: h.start, end: h.end, rows: h.rows, folded: h.other.Rows,
		flags: h.flags, order: j.order, session: sc.writer,
	}
	switch {
	case j.any && h.seq <= j.last:
		f.hidden = true
		sc.report.Twice++
	default:
		if l := sc.missing(h.seq, h.start); j.any && l.Count > 0 || !j.any && sc.hurt {
			f.losses = append(f.losses, l)
		}
		sc.hurt = false
		f.losses = append(f.losses, sc.tail...)
		sc.tail = nil
		j.any, j.last = true, h.seq
	}
	sc.s.frames = append(sc.s.frames, f)
}

// missing is the loss of the slices before one. How many there were before the first one nobody knows.
func (l *loader) missing(seq uint64, start int64) messages.Loss {
	loss := messages.Loss{
		Source: "journal", Kind: messages.LossDamaged,
		Detail: "Slices that were not kept, or cannot be read any more.",
	}
	if !l.j.any {
		return loss
	}
	loss.Count = seq - l.j.last - 1
	if from := l.lastSpan().End; from.Before(time.Unix(0, start)) {
		loss.Span = messages.Span{Start: from, End: time.Unix(0, start)}
	}
	return loss
}

// lastSpan is that of the last slice so far.
func (l *loader) lastSpan() messages.Span {
	for _, s := range slices.Backward(l.j.segments) {
		for _, f := range slices.Backward(s.frames) {
			if !f.hidden {
				return f.span()
			}
		}
	}
	return messages.Span{}
}

// damaged reports a stretch and puts a copy aside.
func (sc *scan) damaged(from, to int64) error {
	sc.s.damaged, sc.hurt = true, true
	d, err := sc.keep(from, to)
	sc.report.Damaged = append(sc.report.Damaged, d)
	return err
}

// keep copies a stretch of the segment into a file of its own, unless it is there, or there are enough.
func (sc *scan) keep(from, to int64) (Damage, error) {
	d := Damage{File: sc.s.path(), Offset: from, Bytes: to - from}
	name := filepath.Join(sc.s.dir, fmt.Sprintf("%s-%08x%s", segmentName(sc.s.id, sc.s.salt), from, suffixDamaged))
	if f, err := sc.j.fs.Open(name); err == nil {
		d.Aside = name
		return d, f.Close()
	}
	if sc.aside >= maxAside {
		return d, nil
	}
	b, err := sc.r.bytes(from, int(min(to-from, asideBytes)))
	if err != nil {
		return d, err
	}
	err = disk.WriteFile(sc.j.fs, name, func(w io.Writer) error { _, err := w.Write(b); return err })
	if err == nil { // Else the disk may be full: what it would show is still in the segment, or is told.
		sc.aside++
		d.Aside = name
	}
	return d, nil
}

// finish cuts off the end of the last segment if it is not sound, and makes it ready to be appended to.
func (sc *scan) finish(last bool) error {
	s, torn := sc.s, sc.r.size-sc.good
	if !last || s.parked || sc.ended {
		if torn > 0 {
			return sc.damaged(sc.good, sc.r.size)
		}
		return nil
	}
	if sc.good < int64(lineSize) || !sc.ours { // Nothing is in it: it is not worth mending.
		return sc.damaged(0, sc.r.size)
	}
	if torn > 0 {
		d, err := sc.keepTorn()
		if err != nil {
			return err
		}
		sc.report.Cut = append(sc.report.Cut, d)
		sc.tail = append(sc.tail, sc.tornLoss(torn))
	}
	f, err := sc.j.fs.Append(s.path())
	if err != nil {
		return err
	}
	if torn > 0 {
		if err = f.Truncate(sc.good); err == nil {
			err = f.Sync()
		}
		if err != nil {
			return errors.Join(fmt.Errorf("cut off the torn end: %w", err), f.Close())
		}
	}
	s.closed = false
	sc.j.bytes -= torn
	s.size = sc.good
	sc.j.active = &active{segment: s, f: f, good: sc.good, synced: sc.good}
	return nil
}

// keepTorn puts aside what is cut off, unless it is just the beginning of a frame.
func (sc *scan) keepTorn() (Damage, error) {
	_, size, err := sc.r.frame(sc.good, sc.s.salt)
	if err != nil {
		return Damage{}, err
	}
	if size == 0 || sc.good+int64(size) >= sc.r.size {
		return Damage{File: sc.s.path(), Offset: sc.good, Bytes: sc.r.size - sc.good}, nil
	}
	return sc.keep(sc.good, sc.r.size)
}

func (sc *scan) tornLoss(n int64) messages.Loss {
	l := messages.Loss{
		Source: "journal", Kind: messages.LossRestart,
		Detail: fmt.Sprintf("The journal ended in the middle of a slice; %d bytes were cut off.", n),
	}
	if from, now := sc.lastSpan().End, sc.j.options.Now; sc.j.any && from.Before(now) {
		l.Span = messages.Span{Start: from, End: now}
	}
	return l
}

// replay reads the epochs that tell accounts or amendments.
func (l *loader) replay() error {
	j := l.j
	for _, s := range j.segments {
		for i := range s.frames {
			if s.frames[i].flags&sliceAllAccounts != 0 {
				j.checkpoint = s.frames[i].order
			}
		}
	}
	for _, s := range j.segments {
		if err := l.replaySegment(s); err != nil {
			return err
		}
	}
	if n := len(l.sessions); n > 0 {
		l.enter(l.sessions[n-1].id) // Nothing may have been written in it yet.
	}
	return nil
}

// enter goes on to another session; one of another boot makes all accounts worthless.
//
// If the frame of a session cannot be read its boot is taken for the one before: accounts of another boot are of
// connections that nobody will meet again, but without accounts their bytes would count twice.
func (l *loader) enter(id salt) {
	if l.now == id {
		return
	}
	l.now = id
	l.ledger.forgetSession()
	at := slices.IndexFunc(l.sessions, func(s session) bool { return s.id == id })
	if at >= 0 && l.sessions[at].boot != l.boot {
		l.boot = l.sessions[at].boot
		l.ledger.clear()
	}
}

func (l *loader) replaySegment(s *segment) error {
	if len(s.frames) == 0 {
		return nil
	}
	f, err := l.j.fs.Open(s.path())
	if err != nil {
		return err
	}
	defer f.Close()
	d := newDecoder(s.salt)
	d.accounts = l.ledger
	for from := 0; from < len(s.frames); {
		to := epochEnd(s.frames, from)
		epoch := s.frames[from:to]
		from = to
		l.enter(epoch[0].session)
		if !l.wanted(epoch) {
			continue
		}
		if err := l.replayEpoch(f, d, epoch); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) replayEpoch(f disk.File, d *decoder, epoch []frame) error {
	order := uint64(0)
	l.ledger.amended = func(number uint64, c *columns.Column, v columns.Value) {
		l.j.amendments.add(flowOf{session: l.now, number: number}, order, c, v)
	}
	d.reset()
	e := epochReader{f: f, d: d, frames: epoch, begin: func(f *frame) { order = f.order }}
	err := e.read(func(*frame, *head) {}, func(*frame) bool { return false }, nil)
	if err != nil && !errors.Is(err, errDamaged) {
		return err
	}
	l.ledger.flush(d)
	return nil
}

// wanted says whether an epoch tells accounts that count, or amendments.
func (l *loader) wanted(epoch []frame) bool {
	for i := range epoch {
		f := &epoch[i]
		if f.flags&sliceAmendments != 0 || f.flags&sliceAccounts != 0 && f.order >= l.j.checkpoint {
			return true
		}
	}
	return false
}

// epochEnd tells where the epoch ends that begins at a place.
func epochEnd(frames []frame, from int) int {
	to := from + 1
	for to < len(frames) && frames[to].flags&sliceEpoch == 0 {
		to++
	}
	return to
}

// begin begins this session.
func (l *loader) begin() error {
	j := l.j
	if _, err := rand.Read(j.session.id[:]); err != nil {
		return err
	}
	r := &j.restore
	r.Found, r.Seq, r.Span, r.Began = j.any, l.seen, l.lastSpan(), j.options.Now
	if n := len(l.sessions); n > 0 && l.sessions[n-1].boot == j.options.Boot {
		r.SameBoot, r.Began = true, time.Unix(0, l.sessions[n-1].began)
		r.Accounts = l.ledger.accounts()
	}
	j.session.boot, j.session.began = j.options.Boot, r.Began.UnixNano()
	j.losses = l.tail
	if loss := l.missing(l.seen+1, j.options.Now.UnixNano()); j.any && loss.Count > 0 || !j.any && l.hurt {
		j.losses = append(slices.Clip(j.losses), loss) // When it is opened again the numbers tell.
	}
	j.session.losses = l.tornOnly()
	for _, s := range j.segments {
		if s.parked {
			for i := range s.frames {
				j.gone = max(j.gone, s.frames[i].end)
			}
			continue
		}
		t := s.tell()
		l.report.Segments++
		l.report.Slices += int(t.Slices) //nolint:gosec // A count.
		l.report.Rows += int(t.Rows)     //nolint:gosec // A count.
	}
	j.last = max(j.last, l.seen)
	return nil
}

// tornOnly are the losses that no frame tells yet.
func (l *loader) tornOnly() []messages.Loss {
	var out []messages.Loss
	for _, loss := range l.tail {
		if !slices.ContainsFunc(l.sessions, func(s session) bool { return slices.Contains(s.losses, loss) }) {
			out = append(out, loss)
		}
	}
	return out
}
