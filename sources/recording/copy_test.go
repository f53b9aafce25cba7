package recording_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"weir/sources/recording"
	"weir/sources/recording/recordingtest"
)

func TestCopy(t *testing.T) {
	file := recordingtest.File(t)
	var out bytes.Buffer
	done, err := recording.Copy(&out, iotest.OneByteReader(bytes.NewReader(file)))
	if err != nil || !bytes.Equal(out.Bytes(), file) {
		t.Errorf("%d bytes became %d: %v", len(file), out.Len(), err)
	}
	if want := (recording.Copied{Batches: 2, Updates: 5, Bytes: int64(len(file))}); done != want {
		t.Errorf("got %+v, want %+v", done, want)
	}
}

// TestCopyCloses: a stream that is cut anywhere behind the header becomes a whole recording.
func TestCopyCloses(t *testing.T) {
	file := recordingtest.File(t)
	gone := errors.New("the client wants no more")
	for cut := recordingtest.Ends(file)[1]; cut < len(file); cut++ {
		for _, in := range []io.Reader{
			bytes.NewReader(file[:cut]),
			io.MultiReader(bytes.NewReader(file[:cut]), iotest.ErrReader(gone)),
		} {
			var out bytes.Buffer
			_, err := recording.Copy(&out, in)
			var torn *recording.TornError
			if !errors.As(err, &torn) && !errors.Is(err, gone) {
				t.Errorf("cut at %d: %v", cut, err)
			}
			got, err := readAll(out.Bytes())
			if diff := same(recordingtest.Script()[:whole(file, cut)], got); diff != "" || !errors.Is(err, io.EOF) {
				t.Errorf("cut at %d: %v: %s", cut, err, diff)
			}
		}
	}
}

func TestCopyErrors(t *testing.T) {
	if _, err := recording.Copy(io.Discard, bytes.NewReader(nil)); !errors.Is(err, recording.ErrNoRecording) {
		t.Errorf("nothing: %v", err)
	}
	file := recordingtest.File(t)
	full := errors.New("no space left")
	for n := range 4 {
		if _, err := recording.Copy(&limitedWriter{left: n, err: full}, bytes.NewReader(file)); !errors.Is(err, full) {
			t.Errorf("after %d writes: %v", n, err)
		}
	}
	file[len(file)-1] ^= 1
	var out bytes.Buffer
	var corrupt *recording.CorruptError
	if done, err := recording.Copy(&out, bytes.NewReader(file)); !errors.As(err, &corrupt) || done.Batches != 2 {
		t.Errorf("damaged: %+v, %v", done, err)
	}
	if got, err := readAll(out.Bytes()); len(got) != 2 || !errors.Is(err, io.EOF) {
		t.Errorf("the copy of a damaged recording: %v", err)
	}
}
