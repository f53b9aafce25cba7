// Package recording is the file format of recorded updates: a writer, a reader, and a copier for streams. The
// format is drawn in docs/formats/recording.md.
package recording

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"
)

// MaxTime is the latest time that a recording may hold, in nanoseconds since 1970; it is in the year 2116. Sums
// of two times do not overflow below it.
const MaxTime = 1 << 62

const (
	magic = "weir recording "
	// firstLine is the magic and the version that this package writes and reads.
	firstLine = magic + "1\n"
	// headBytes are the length and the sum in front of each payload.
	headBytes = 8
	// maxPayload bounds a frame, so that a damaged length cannot ask for much memory. A batch without
	// tags takes about 25 KiB.
	maxPayload = 1 << 20
)

// Header says what a recording is of.
type Header struct {
	// Created is when the recording began.
	Created time.Time
	// CountsSince is the time since which it counts: flows that began before it enter with a baseline.
	// Zero means Created, which is right for a recorder that joins a daemon that has been running.
	CountsSince time.Time
	// Slice is the length of a slice of the daemon that was recorded; 0 if that has no meaning.
	Slice time.Duration
	// Version is that of the daemon that was recorded.
	Version string
}

// TornError says that a recording was cut off. All that Next gave before is whole.
type TornError struct {
	// Offset is where the last whole frame ends.
	Offset int64
	// Rest is how many bytes of another frame follow; 0 if only the end frame is missing.
	Rest int
}

func (e *TornError) Error() string {
	if e.Rest == 0 {
		return fmt.Sprintf("the recording has no end: it was cut off at byte %d", e.Offset)
	}
	return fmt.Sprintf("the recording was cut off: %d bytes of a frame at byte %d", e.Rest, e.Offset)
}

// CorruptError says that a frame is damaged. All that Next gave before is whole; nothing can be read
// after it.
type CorruptError struct {
	// Offset is where the frame begins.
	Offset int64
	Err    error
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("the recording is damaged: frame at byte %d: %v", e.Offset, e.Err)
}

// Unwrap gives what is wrong with the frame.
func (e *CorruptError) Unwrap() error { return e.Err }

// checksum covers the length as well, so that zeros are no frame.
func checksum(length, payload []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(length, table), table, payload)
}

// seal fills in the head of a frame whose payload begins after headBytes.
func seal(frame []byte) {
	binary.LittleEndian.PutUint32(frame, uint32(len(frame)-headBytes)) //nolint:gosec // At most maxPayload.
	binary.LittleEndian.PutUint32(frame[4:], checksum(frame[:4], frame[headBytes:]))
}
