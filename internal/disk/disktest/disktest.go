// Package disktest is a file system in memory for tests: it can fail on demand, and it can lose power. After a
// power cut it holds what was synced, and of the rest what chance has left: a file may have lost the end of
// what was written since its last sync or have zeros there, and of the changes to a directory since its last
// sync only the first ones may have happened.
package disktest

import (
	"bytes"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/disk"
)

// Op is what is done to a file.
type Op string

// The operations, as [FS.Fail] gets them.
const (
	OpOpen     Op = "open"
	OpCreate   Op = "create"
	OpRead     Op = "read"
	OpWrite    Op = "write"
	OpSync     Op = "sync"
	OpTruncate Op = "truncate"
	OpRename   Op = "rename"
	OpRemove   Op = "remove"
	OpReadDir  Op = "readdir"
	OpSyncDir  Op = "syncdir"
	OpFree     Op = "statfs"
)

// errNoSpace is what a write gets that finds no room.
const errNoSpace = unix.ENOSPC

// FS is a file system in memory. It may be used by several goroutines.
type FS struct {
	mu   sync.Mutex
	fail func(op Op, name string) error
	// short tells how many bytes of a write that fails are written all the same.
	short   func(n int) int
	names   map[string]*inode // now
	durable map[string]*inode // on the medium
	pending []change          // what is not there yet, in order
	dirs    map[string]bool
	limit   uint64
	locks   map[string]bool
}

// inode is the content of a file: what is on the medium, and what readers see.
type inode struct{ synced, now []byte }

// change is a change to a directory; to is nil for a removal. from is the name that a renamed file had, which goes
// at the same moment.
type change struct {
	dir, name string
	to        *inode
	from      string
}

// apply makes the change.
func (c *change) apply(names map[string]*inode) {
	if c.from != "" {
		delete(names, c.from)
	}
	if c.to == nil {
		delete(names, c.name)
	} else {
		names[c.name] = c.to
	}
}

// New makes an empty file system with room for a gibibyte.
func New() *FS {
	return &FS{
		names: map[string]*inode{}, durable: map[string]*inode{},
		dirs: map[string]bool{".": true, "/": true}, limit: 1 << 30,
	}
}

// Fail makes operations fail: f is asked before each, and its error, if any, is what the operation returns. Of a
// write that fails, short tells how many of its n bytes are written all the same; nil means none.
func (d *FS) Fail(f func(op Op, name string) error, short func(n int) int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail, d.short = f, short
}

// SetLimit bounds what all files may hold.
func (d *FS) SetLimit(limit uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.limit = limit
}

// Crash is a power cut: it gives the file system as it is found afterwards. The old one is left alone, so that
// one history can be cut in many ways.
func (d *FS) Crash(r *rand.Rand) *FS {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := New()
	n.limit = d.limit
	for dir := range d.dirs {
		n.dirs[dir] = true
	}
	after := maps.Clone(d.durable)
	// Each directory has its own order; those of different ones are independent.
	left := map[string]int{}
	for _, c := range d.pending {
		left[c.dir]++
	}
	for _, dir := range sortedKeys(left) {
		left[dir] = r.IntN(left[dir] + 1)
	}
	for _, c := range d.pending {
		if left[c.dir]--; left[c.dir] < 0 {
			continue
		}
		c.apply(after)
	}
	torn := map[*inode]*inode{}
	for _, name := range sortedKeys(after) {
		ino := after[name]
		if torn[ino] == nil {
			content := ino.crash(r)
			torn[ino] = &inode{synced: content, now: bytes.Clone(content)}
		}
		n.names[name], n.durable[name] = torn[ino], torn[ino]
	}
	return n
}

// Restart is a kill of the process: all that was done stays.
func (d *FS) Restart() *FS {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := New()
	n.limit, n.pending = d.limit, slices.Clone(d.pending)
	for dir := range d.dirs {
		n.dirs[dir] = true
	}
	copies := map[*inode]*inode{}
	own := func(i *inode) *inode {
		if i != nil && copies[i] == nil {
			copies[i] = &inode{synced: bytes.Clone(i.synced), now: bytes.Clone(i.now)}
		}
		return copies[i]
	}
	for name, ino := range d.names {
		n.names[name] = own(ino)
	}
	for name, ino := range d.durable {
		n.durable[name] = own(ino)
	}
	for i := range n.pending {
		n.pending[i].to = own(n.pending[i].to)
	}
	return n
}

const page = 512

// crash gives what is found of a file after a power cut.
func (i *inode) crash(r *rand.Rand) []byte {
	if bytes.Equal(i.synced, i.now) {
		return bytes.Clone(i.synced)
	}
	same := 0
	for same < len(i.synced) && same < len(i.now) && i.synced[same] == i.now[same] {
		same++
	}
	if same < len(i.synced) { // It was cut or written over: one or the other.
		if r.IntN(2) == 0 {
			return bytes.Clone(i.synced)
		}
		return bytes.Clone(i.now)
	}
	out := bytes.Clone(i.now[:same+r.IntN(len(i.now)-same+1)])
	for at := same - same%page; at < len(out); at += page { // Pages reach the medium in any order.
		if r.IntN(4) == 0 {
			clear(out[max(at, same):min(at+page, len(out))])
		}
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// ask is called with the lock held.
func (d *FS) ask(op Op, name string) error {
	if d.fail == nil {
		return nil
	}
	return d.fail(op, name)
}

func pathError(op Op, name string, err error) error {
	return &fs.PathError{Op: string(op), Path: name, Err: err}
}

// Open opens a file for reading.
func (d *FS) Open(name string) (disk.File, error) { return d.open(OpOpen, name, false) }

// Append opens a file for reading and writing at its end.
func (d *FS) Append(name string) (disk.File, error) { return d.open(OpOpen, name, true) }

func (d *FS) open(op Op, name string, write bool) (disk.File, error) {
	name = filepath.Clean(name)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.ask(op, name); err != nil {
		return nil, pathError(op, name, err)
	}
	ino := d.names[name]
	if ino == nil {
		return nil, pathError(op, name, fs.ErrNotExist)
	}
	return &file{fs: d, name: name, inode: ino, write: write}, nil
}

// Create makes a new file for writing.
func (d *FS) Create(name string) (disk.File, error) {
	name = filepath.Clean(name)
	d.mu.Lock()
	defer d.mu.Unlock()
	err := d.ask(OpCreate, name)
	switch {
	case err != nil:
	case d.names[name] != nil:
		err = fs.ErrExist
	case !d.dirs[filepath.Dir(name)]:
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, pathError(OpCreate, name, err)
	}
	ino := &inode{}
	d.set(name, ino)
	return &file{fs: d, name: name, inode: ino, write: true}, nil
}

// set changes a directory; nil removes the name.
func (d *FS) set(name string, to *inode) {
	d.do(change{dir: filepath.Dir(name), name: name, to: to})
}

func (d *FS) do(c change) {
	c.apply(d.names)
	d.pending = append(d.pending, c)
}

// Rename gives a file another name. On the medium it happens as a whole or not at all.
func (d *FS) Rename(from, to string) error {
	from, to = filepath.Clean(from), filepath.Clean(to)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.ask(OpRename, to); err != nil {
		return pathError(OpRename, to, err)
	}
	ino := d.names[from]
	if ino == nil {
		return pathError(OpRename, from, fs.ErrNotExist)
	}
	d.do(change{dir: filepath.Dir(to), name: to, to: ino, from: from})
	return nil
}

// Remove deletes a file or an empty directory.
func (d *FS) Remove(name string) error {
	name = filepath.Clean(name)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.ask(OpRemove, name); err != nil {
		return pathError(OpRemove, name, err)
	}
	switch {
	case d.names[name] != nil:
		d.set(name, nil)
	case d.dirs[name]:
		delete(d.dirs, name)
	default:
		return pathError(OpRemove, name, fs.ErrNotExist)
	}
	return nil
}

// MkdirAll makes a directory with all above it; it is on the medium at once.
func (d *FS) MkdirAll(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.ask(OpCreate, name); err != nil {
		return pathError(OpCreate, name, err)
	}
	for at := filepath.Clean(name); !d.dirs[at]; at = filepath.Dir(at) {
		d.dirs[at] = true
	}
	return nil
}

// ReadDir lists a directory.
func (d *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	name = filepath.Clean(name)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.ask(OpReadDir, name); err != nil {
		return nil, pathError(OpReadDir, name, err)
	}
	if !d.dirs[name] {
		return nil, pathError(OpReadDir, name, fs.ErrNotExist)
	}
	var all []fs.DirEntry
	for path, ino := range d.names {
		if filepath.Dir(path) == name {
			all = append(all, entry{name: filepath.Base(path), size: int64(len(ino.now))})
		}
	}
	for path := range d.dirs {
		if filepath.Dir(path) == name && path != name {
			all = append(all, entry{name: filepath.Base(path), dir: true})
		}
	}
	slices.SortFunc(all, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return all, nil
}

// SyncDir puts the changes of a directory on the medium.
func (d *FS) SyncDir(name string) error {
	name = filepath.Clean(name)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.ask(OpSyncDir, name); err != nil {
		return pathError(OpSyncDir, name, err)
	}
	var rest []change
	for _, c := range d.pending {
		if c.dir == name {
			c.apply(d.durable)
		} else {
			rest = append(rest, c)
		}
	}
	d.pending = rest
	return nil
}

// Free is how many bytes there is room for.
func (d *FS) Free(string) (uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.ask(OpFree, ""); err != nil {
		return 0, err
	}
	if used := d.used(); used < d.limit {
		return d.limit - used, nil
	}
	return 0, nil
}

func (d *FS) used() (sum uint64) {
	for _, ino := range d.names {
		sum += uint64(len(ino.now))
	}
	return sum
}

// Used is how many bytes all files hold.
func (d *FS) Used() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.used()
}

// Corrupt changes the content of a file on the medium.
func (d *FS) Corrupt(name string, f func(content []byte) []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if ino := d.names[filepath.Clean(name)]; ino != nil {
		ino.now = f(ino.now)
		ino.synced = bytes.Clone(ino.now)
	}
}

// Content is what a file holds now, nil if there is none.
func (d *FS) Content(name string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if ino := d.names[filepath.Clean(name)]; ino != nil {
		return bytes.Clone(ino.now)
	}
	return nil
}

// entry is one line of a listing.
type entry struct {
	name string
	size int64
	dir  bool
}

func (e entry) Name() string { return e.name }

func (e entry) IsDir() bool { return e.dir }

func (e entry) Type() fs.FileMode { return e.Mode().Type() }

func (e entry) Info() (fs.FileInfo, error) { return e, nil }

func (e entry) Size() int64 { return e.size }

func (e entry) Mode() fs.FileMode {
	if e.dir {
		return fs.ModeDir | 0o750
	}
	return 0o640
}

func (e entry) ModTime() time.Time { return time.Time{} }

func (e entry) Sys() any { return nil }

// file is an open file.
type file struct {
	fs    *FS
	name  string
	inode *inode
	write bool
	at    int // for Read
	done  bool
}

func (f *file) use(op Op) error {
	if f.done {
		return pathError(op, f.name, fs.ErrClosed)
	}
	if err := f.fs.ask(op, f.name); err != nil {
		return pathError(op, f.name, err)
	}
	return nil
}

func (f *file) Read(p []byte) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.use(OpRead); err != nil {
		return 0, err
	}
	if f.at >= len(f.inode.now) {
		return 0, io.EOF
	}
	n := copy(p, f.inode.now[f.at:])
	f.at += n
	return n, nil
}

func (f *file) ReadAt(p []byte, at int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.use(OpRead); err != nil {
		return 0, err
	}
	if at >= int64(len(f.inode.now)) {
		return 0, io.EOF
	}
	n := copy(p, f.inode.now[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) Write(p []byte) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if !f.write {
		return 0, pathError(OpWrite, f.name, fs.ErrPermission)
	}
	if err := f.use(OpWrite); err != nil {
		n := 0
		if f.fs.short != nil && !f.done {
			n = min(f.fs.short(len(p)), len(p))
		}
		f.inode.now = append(f.inode.now, p[:n]...)
		return n, err
	}
	if room := f.fs.limit - min(f.fs.limit, f.fs.used()); uint64(len(p)) > room {
		f.inode.now = append(f.inode.now, p[:room]...)
		return int(room), pathError(OpWrite, f.name, errNoSpace) //nolint:gosec // Less than a slice's length.
	}
	f.inode.now = append(f.inode.now, p...)
	return len(p), nil
}

func (f *file) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.use(OpSync); err != nil {
		return err
	}
	f.inode.synced = bytes.Clone(f.inode.now)
	return nil
}

func (f *file) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.use(OpTruncate); err != nil {
		return err
	}
	now := make([]byte, size)
	copy(now, f.inode.now)
	f.inode.now = now
	return nil
}

func (f *file) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return int64(len(f.inode.now)), nil
}

func (f *file) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.done {
		return pathError("close", f.name, fs.ErrClosed)
	}
	f.done = true
	return nil
}
