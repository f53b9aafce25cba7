package bucket

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"weir/internal/disk"
	"weir/store"
)

// File is an open file. It may be used by several goroutines, but for Close.
type File struct {
	path  string
	file  disk.File
	size  int64
	tail  int64
	index *index
	info  Info
}

const (
	// endSize is the end of a Parquet file: the length of the footer, and the magic.
	endSize = 8
	// guess is how much is read at first of the end of a file, in the hope that the tail is in it.
	guess = 32 << 10
	// maxTail bounds the tail and the footer, in bytes.
	maxTail = 256 << 20
)

// Open opens a file and reads its index, which is verified first. What it does not verify are the rows: each page is
// verified when it is read, and all together by [File.Verify]. A file whose bytes are not those that were written is
// [ErrDamaged].
func Open(fs disk.FS, path string) (*File, error) {
	in, err := fs.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open bucket: %w", err)
	}
	f := &File{path: path, file: in}
	if err := guard(f.open); err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", path, errors.Join(err, in.Close()))
	}
	return f, nil
}

// Close gives the file back.
func (f *File) Close() error { return f.file.Close() }

// Info tells what the file is about.
func (f *File) Info() Info { return f.info }

// Heads gives the slices of the file in the order of their numbers.
func (f *File) Heads() []store.Head {
	heads := make([]store.Head, len(f.index.heads))
	for i := range heads {
		heads[i] = f.index.heads[i].Head
	}
	return heads
}

// guard turns a panic of a decoder, which only a damaged file can cause, into an error.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = damaged("%v\n%s", r, debug.Stack())
		}
	}()
	return f()
}

func (f *File) open() error {
	var err error
	if f.size, err = f.file.Size(); err != nil {
		return err
	}
	if f.size < int64(len(magic))+sealSize+endSize {
		return damaged("%d bytes are too few", f.size)
	}
	b, err := f.end(min(f.size, guess))
	if err != nil {
		return err
	}
	if string(b[len(b)-len(magic):]) != magic {
		return damaged("its end is not that of a Parquet file")
	}
	footer := endSize + int64(binary.LittleEndian.Uint32(b[len(b)-endSize:]))
	if b, err = f.more(b, footer+sealSize); err != nil {
		return err
	}
	seal := b[int64(len(b))-footer-sealSize:][:sealSize]
	if string(seal[12:]) != sealMagic {
		return damaged("it has no seal")
	}
	covered, index := int64(binary.LittleEndian.Uint32(seal)), int64(binary.LittleEndian.Uint32(seal[4:]))
	sum := binary.LittleEndian.Uint32(seal[8:])
	if b, err = f.more(b, footer+sealSize+covered); err != nil {
		return err
	}
	b = b[int64(len(b))-footer-sealSize-covered:]
	if index > covered || updateSum(sumOf(b[:covered+8]), b[covered+sealSize:]) != sum {
		return damaged("the checksum of its tail is another")
	}
	f.tail = f.size - int64(len(b))
	if f.index, err = unpack(b[covered-index:covered], f.tail); err != nil {
		return err
	}
	f.info = f.index.info()
	f.info.Path, f.info.Bytes = f.path, uint64(f.size)
	return nil
}

// end reads the last n bytes.
func (f *File) end(n int64) ([]byte, error) {
	b := make([]byte, n)
	return b, f.readAt(b, f.size-n)
}

// more gives the last n bytes, of which the last ones may have been read already.
func (f *File) more(have []byte, n int64) ([]byte, error) {
	if n > f.size || n > maxTail {
		return nil, damaged("a length of %d bytes in %d", n, f.size)
	}
	if n <= int64(len(have)) {
		return have, nil
	}
	return f.end(n)
}

// readAt fills b. A file that ends before has been cut: its size was known.
func (f *File) readAt(b []byte, at int64) error {
	n, err := f.file.ReadAt(b, at)
	switch {
	case n == len(b):
		return nil
	case errors.Is(err, io.EOF) || err == nil:
		return damaged("it ends before byte %d", at+int64(len(b)))
	}
	return err
}

// Verify reads the whole file and says whether all bytes are those that were written.
func (f *File) Verify(ctx context.Context) error {
	if err := guard(f.open); err != nil {
		return fmt.Errorf("verify %s: %w", f.path, err)
	}
	b := make([]byte, 1<<18)
	sum := uint32(0)
	for at := int64(0); at < f.tail; {
		if err := ctx.Err(); err != nil {
			return err
		}
		part := b[:min(int64(len(b)), f.tail-at)]
		if err := f.readAt(part, at); err != nil {
			return fmt.Errorf("verify %s: %w", f.path, err)
		}
		sum = updateSum(sum, part)
		at += int64(len(part))
	}
	if sum != f.index.body {
		return fmt.Errorf("verify %s: %w", f.path, damaged("the checksum of its rows is another"))
	}
	return nil
}
