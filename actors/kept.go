package actors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// What a computation keeps over a restart of the program lies in one file; docs/formats/state.md draws it.
const (
	stateMagic   = "weirkept"
	stateVersion = 1
	stateHead    = 28
	// maxState bounds what a computation may keep, in bytes.
	maxState = 16 << 20
	// stateFolder is where the files are, below the directory for what must survive.
	stateFolder = "computations"
)

var (
	errStateTooLarge = errors.New("more than 16MiB")
	errStateDamaged  = errors.New("damaged")
	errStateForeign  = errors.New("not of this computation and version")
)

// crcTable is Castagnoli's, for which processors have an instruction.
var crcTable = crc32.MakeTable(crc32.Castagnoli) //nolint:gochecknoglobals // A constant table.

// stateFile is the file of one computation.
type stateFile struct{ dir, path, name string }

// newStateFile gives the place; it touches nothing. Without a directory nothing is kept.
func newStateFile(dir, name string) *stateFile {
	if dir == "" || filepath.Base(name) != name {
		return nil
	}
	dir = filepath.Join(dir, stateFolder)
	return &stateFile{dir: dir, path: filepath.Join(dir, name+".state"), name: name}
}

// prepare makes the directory, and removes what a write that was cut off has left.
func (f *stateFile) prepare() error {
	if err := os.MkdirAll(f.dir, 0o750); err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	if err := os.Remove(f.path + ".tmp"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove temporary file: %w", err)
	}
	return nil
}

// encodeState puts the head before a state.
func encodeState(name string, state []byte) []byte {
	b := make([]byte, 0, stateHead+len(name)+len(state))
	b = append(b, stateMagic...)
	b = binary.LittleEndian.AppendUint32(b, stateVersion)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(name)))  //nolint:gosec // A name is short.
	b = binary.LittleEndian.AppendUint64(b, uint64(len(state))) // Never negative.
	sum := crc32.Update(crc32.Checksum(b, crcTable), crcTable, []byte(name))
	b = binary.LittleEndian.AppendUint32(b, crc32.Update(sum, crcTable, state))
	return append(append(b, name...), state...)
}

// decodeState checks a file and gives the state in it.
func decodeState(name string, b []byte) ([]byte, error) {
	if len(b) < stateHead || string(b[:8]) != stateMagic {
		return nil, errStateForeign
	}
	if binary.LittleEndian.Uint32(b[8:]) != stateVersion {
		return nil, errStateForeign
	}
	names, states := uint64(binary.LittleEndian.Uint32(b[12:])), binary.LittleEndian.Uint64(b[16:])
	if rest := uint64(len(b)) - stateHead; names > rest || states != rest-names {
		return nil, errStateDamaged
	}
	sum := crc32.Update(crc32.Checksum(b[:24], crcTable), crcTable, b[stateHead:])
	if binary.LittleEndian.Uint32(b[24:]) != sum {
		return nil, errStateDamaged
	}
	if string(b[stateHead:stateHead+names]) != name {
		return nil, errStateForeign
	}
	return b[stateHead+names:], nil
}

// read gives what is kept; the error is fs.ErrNotExist if there is nothing.
func (f *stateFile) read() ([]byte, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, maxState+stateHead+int64(len(f.name))+1))
	if err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	state, err := decodeState(f.name, b)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.path, err)
	}
	return state, nil
}

// write replaces the file, whole or not at all.
func (f *stateFile) write(state []byte) (err error) {
	if err := os.MkdirAll(f.dir, 0o750); err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	temp := f.path + ".tmp"
	file, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("create state: %w", err)
	}
	_, err = file.Write(encodeState(f.name, state))
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(temp, f.path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write state: %w", err), os.Remove(temp))
	}
	return f.syncDir()
}

func (f *stateFile) syncDir() error {
	d, err := os.Open(f.dir)
	if err != nil {
		return fmt.Errorf("open directory: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}

// setAside moves a file that is of no use out of the way, where somebody can look at it.
func (f *stateFile) setAside() (to string, err error) {
	to = f.path + ".bad"
	if err := os.Rename(f.path, to); err != nil {
		return "", fmt.Errorf("set aside: %w", err)
	}
	return to, nil
}

// boundedBuffer takes at most maxState bytes.
type boundedBuffer struct{ bytes.Buffer }

// Write refuses what does not fit.
func (b *boundedBuffer) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxState {
		return 0, errStateTooLarge
	}
	return b.Buffer.Write(p)
}

// isUseless says whether the error means that the file is of no use, rather than that it cannot be read.
func isUseless(err error) bool {
	return errors.Is(err, errStateDamaged) || errors.Is(err, errStateForeign)
}
