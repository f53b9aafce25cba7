package suricata

import (
	"sync"
	"time"
)

// fileID names a file whatever it is called. Pointers to it tell lives of a file apart: one that was truncated begins
// another one.
type fileID struct{ dev, ino uint64 }

// place is how far a file was read. It belongs to the configuration and so outlives a source that fails: the next one
// goes on behind the last line that was handed to the decoder, even if the decoder failed with it.
type place struct {
	// since is the CountsSince of the core that it is for.
	since time.Time

	mu sync.Mutex
	// looked says that the path was looked at: a file that is found later is read from its beginning.
	looked bool
	file   *fileID // nil if none was found yet
	offset int64
}

// resume says where to begin with a file of some size. missed says that it is another one than before.
func (p *place) resume(id fileID, size int64) (offset int64, missed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.file == nil && !p.looked:
		return size, false
	case p.file == nil:
		return 0, false
	case *p.file != id:
		return 0, true
	case p.offset > size: // It was truncated meanwhile.
		return 0, false
	}
	return p.offset, false
}

// begin says that a file is read from offset on.
func (p *place) begin(id *fileID, offset int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.looked, p.file, p.offset = true, id, offset
}

// reach says that all of a file before offset needs no reading any more. Of a file that is not read now, nothing ever
// will be read.
func (p *place) reach(id *fileID, offset int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file == id {
		p.offset = offset
	}
}

// finish says that a file was read to its end and another one follows.
func (p *place) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.looked, p.file = true, nil
}

// look says that the path was looked at and no file was there.
func (p *place) look() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.looked = true
}

// current says whether the file is the one to go on with.
func (p *place) current(id *fileID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.file == id
}
