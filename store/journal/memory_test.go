package journal

import (
	"bytes"

	"weir/internal/disk"
)

// file is a file that can be read only.
type file struct {
	disk.File
	*bytes.Reader
}

func memory(b []byte) disk.File { return &file{Reader: bytes.NewReader(b)} }

func (f *file) Read(p []byte) (int, error) { return f.Reader.Read(p) }

func (f *file) ReadAt(p []byte, at int64) (int, error) { return f.Reader.ReadAt(p, at) }

func (f *file) Size() (int64, error) { return f.Reader.Size(), nil }
