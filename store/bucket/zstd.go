package bucket

import (
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// zstdWindow is as far as the codec looks back, in bytes: pages are smaller, and memory is dear on a router.
const zstdWindow = 128 << 10

// newEncoder makes an encoder that takes little memory. Its output depends on its input alone.
func newEncoder(level zstd.EncoderLevel) (*zstd.Encoder, error) {
	e, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(zstdWindow),
		zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false), zstd.WithSingleSegment(false))
	if err != nil {
		return nil, fmt.Errorf("make codec: %w", err)
	}
	return e, nil
}

// decoders are used again by the next reader: making one takes longer than reading a page.
var decoders = sync.Pool{New: func() any { //nolint:gochecknoglobals // A free list.
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(maxBlock), zstd.WithDecoderMaxWindow(8<<20))
	if err != nil {
		return err
	}
	return d
}}

// inflate decompresses a block, which must give raw bytes. dst is reused.
func inflate(d *zstd.Decoder, dst, src []byte, raw int) ([]byte, error) {
	var h zstd.Header
	if err := h.Decode(src); err != nil || h.HasFCS && h.FrameContentSize != uint64(raw) { //nolint:gosec // Above 0.
		return nil, damaged("compressed block of another size")
	}
	out, err := d.DecodeAll(src, dst[:0])
	if err != nil {
		return nil, damaged("compressed block: %v", err)
	}
	if len(out) != raw {
		return nil, damaged("compressed block of %d bytes, not %d", len(out), raw)
	}
	return out, nil
}
