package journal

// Rotate closes the segment that is being written, so that its rows can be moved; the next slice begins another one.
func (j *Journal) Rotate() error {
	j.writing.Lock()
	defer j.writing.Unlock()
	if j.closed {
		return failure("close segment", ErrClosed)
	}
	if err := j.mend(); err != nil {
		return failure("close segment", err)
	}
	if j.active == nil || len(j.active.frames) == 0 {
		return nil
	}
	if err := j.rotate(); err != nil {
		return failure("close segment", err)
	}
	return nil
}
