package suricata

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"weir/messages"
	"weir/sources"
)

// pollEvery is how often a file is looked at.
const pollEvery = 250 * time.Millisecond

// follower reads a file as it grows, with its rotations. The worker may be slow: then it waits, nothing is lost.
type follower struct {
	intake
	path   string
	place  *place
	number uint64
	notes  *notes
	out    sources.Outlet
	name   string // of the source
	every  time.Duration

	ended chan struct{}
	once  sync.Once

	// All below belongs to the goroutine of run.
	file  *os.File // nil if there is none
	id    *fileID
	lines *splitter
}

func (s *Source) openFile() *follower {
	return &follower{
		intake: s.intake, path: s.cfg.File, place: s.cfg.place, number: s.stats.numbered(), notes: &s.notes,
		out: s.core.Out, name: s.core.Name, every: pollEvery, ended: make(chan struct{}),
	}
}

// run follows until it is interrupted.
func (f *follower) run(ctx context.Context) error {
	// The half line at the end of the file is read again by whoever goes on with it.
	defer func() {
		if f.file != nil {
			_ = f.file.Close()
		}
	}()
	t := time.NewTicker(f.every)
	defer t.Stop()
	for {
		if err := f.poll(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-f.ended:
			return nil
		case <-t.C:
		}
	}
}

func (f *follower) interrupt() { f.once.Do(func() { close(f.ended) }) }

func (f *follower) close() error {
	f.interrupt()
	return nil
}

// poll reads what is new. Its errors are those of the queue; those of the file are for the user to mend.
func (f *follower) poll(ctx context.Context) error {
	if f.file == nil {
		f.open(ctx)
	}
	if err := f.readOn(ctx); err != nil {
		return err
	}
	for f.rotated() {
		// Suricata writes into the new file already, so that what is in the old one now is all of it.
		if err := f.readOn(ctx); err != nil {
			return err
		}
		f.leave()
		f.place.finish()
		f.stats.rotations.Add(1)
		f.open(ctx)
		if err := f.readOn(ctx); err != nil {
			return err
		}
	}
	return nil
}

// open opens the file at the place where to go on, if there is one.
func (f *follower) open(ctx context.Context) {
	// Opening a fifo would wait for somebody to write to it.
	file, err := os.OpenFile(f.path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		f.absent(err)
		return
	}
	if err := f.begin(ctx, file); err != nil {
		_ = file.Close()
		f.absent(err)
		return
	}
	f.notes.clear(fileGone)
	f.notes.clear(fileBroken)
}

// begin sets the file and where it is read from.
func (f *follower) begin(ctx context.Context, file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no file but %s", f.path, kindOf(info.Mode()))
	}
	id := identityOf(info)
	offset, missed := f.place.resume(id, info.Size())
	lines := f.splitter(ctx, &id, offset)
	if offset > 0 {
		var last [1]byte
		if _, err := file.ReadAt(last[:], offset-1); err != nil {
			return err
		}
		lines.skipping = last[0] != '\n' // The beginning of the line is not ours.
	}
	if _, err := file.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	if missed {
		f.missed()
	}
	f.place.begin(&id, offset)
	f.file, f.id, f.lines = file, &id, lines
	f.log.Info().Str("file", f.path).Int64("offset", offset).Msg("follow Suricata's file")
	return nil
}

// missed tells that a file is gone of which not all was read.
func (f *follower) missed() {
	kind := messages.LossDown
	if !f.losses.counting {
		kind = messages.LossUntagged
	}
	f.out.Lost(messages.Loss{
		Source: f.name + "/file", Kind: kind,
		Detail: "Suricata's file was replaced while nobody followed it; the end of the old one was not read",
	})
}

// splitter cuts the file from offset on. A line waits for room in the queue.
func (f *follower) splitter(ctx context.Context, id *fileID, offset int64) *splitter {
	return &splitter{
		max: f.maxLine, allowance: newAllowance(f.maxLine), passed: offset,
		line: func(raw []byte, end int64) error {
			f.stats.lines.Add(1)
			return f.queue.wait(ctx, item{
				conn: f.number, received: time.Now(), from: id, offset: end,
			}, raw)
		},
		oversize: func() { f.losses.add(oversize, 1) },
	}
}

// absent keeps in mind why there is no file.
func (f *follower) absent(err error) {
	f.place.look()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.notes.clear(fileBroken)
		f.notes.set(fileGone, fmt.Sprintf("waiting for %s, which does not exist: Suricata makes it when it starts "+
			"(eve-log with filetype: regular)", f.path))
	case errors.Is(err, fs.ErrPermission):
		f.broken(fmt.Sprintf("weir's user may not read %s: put it into the group that owns the file, "+
			"and let that group read it (eve-log's filemode)", f.path))
	default:
		f.broken(err.Error())
	}
}

func (f *follower) broken(text string) {
	f.notes.clear(fileGone)
	if f.notes.set(fileBroken, text) {
		f.log.Warn().Msg("cannot follow Suricata's file: " + text)
	}
}

// readOn reads to the end of the file as it is now. The error is that of the queue.
func (f *follower) readOn(ctx context.Context) error {
	for f.file != nil && ctx.Err() == nil {
		n, err := f.file.Read(f.lines.room())
		f.received(n)
		if err := f.lines.took(n); err != nil {
			return err
		}
		switch {
		case errors.Is(err, io.EOF):
			if !f.truncated(ctx) {
				return nil
			}
		case err != nil:
			f.broken(err.Error())
			f.leave()
		}
	}
	return ctx.Err()
}

// truncated says whether the file was made shorter than what was read of it. Then it is read from its beginning.
func (f *follower) truncated(ctx context.Context) bool {
	info, err := f.file.Stat()
	if err != nil || info.Size() >= f.lines.passed+int64(f.lines.n) {
		return false
	}
	if _, err := f.file.Seek(0, io.SeekStart); err != nil {
		return false
	}
	f.log.Info().Str("file", f.path).Msg("Suricata's file was truncated")
	f.stats.truncations.Add(1)
	f.drop()
	f.id = &fileID{f.id.dev, f.id.ino}
	f.lines = f.splitter(ctx, f.id, 0)
	f.place.begin(f.id, 0)
	return true
}

// rotated says whether the path leads to another file that holds something.
func (f *follower) rotated() bool {
	if f.file == nil {
		return false
	}
	info, err := os.Stat(f.path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file but %s", f.path, kindOf(info.Mode()))
	}
	if err != nil {
		f.absent(err)
		return false
	}
	f.notes.clear(fileGone)
	f.notes.clear(fileBroken)
	return identityOf(info) != *f.id && info.Size() > 0
}

// leave closes the file. The half line at its end will never be whole.
func (f *follower) leave() {
	if f.file != nil {
		f.drop()
		_ = f.file.Close()
		f.file = nil
	}
}

// drop gives up what there is of the last line.
func (f *follower) drop() {
	if f.lines.partial() {
		f.losses.add(partial, 1)
	}
	f.lines.close()
}

// kindOf says in words what is no regular file.
func kindOf(m fs.FileMode) string {
	switch m.Type() {
	case fs.ModeDir:
		return "a directory"
	case fs.ModeNamedPipe:
		return "a fifo"
	case fs.ModeSocket:
		return "a socket"
	default:
		return "a device"
	}
}

func identityOf(info fs.FileInfo) fileID {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fileID{}
	}
	return fileID{dev: uint64(st.Dev), ino: uint64(st.Ino)} //nolint:unconvert // Their types differ by architecture.
}
