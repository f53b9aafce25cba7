package replay

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

func TestCopy(t *testing.T) {
	file := record(t, header(), script())
	var out bytes.Buffer
	done, err := Copy(&out, iotest.OneByteReader(bytes.NewReader(file)))
	if err != nil || !bytes.Equal(out.Bytes(), file) {
		t.Errorf("%d bytes became %d: %v", len(file), out.Len(), err)
	}
	if want := (Copied{Batches: 2, Updates: 5, Bytes: int64(len(file))}); done != want {
		t.Errorf("got %+v, want %+v", done, want)
	}
}

// TestCopyCloses: a stream that is cut anywhere behind the header becomes a whole recording.
func TestCopyCloses(t *testing.T) {
	file := record(t, header(), script())
	gone := errors.New("the client wants no more")
	for cut := ends(file)[1]; cut < len(file); cut++ {
		for _, in := range []io.Reader{
			bytes.NewReader(file[:cut]),
			io.MultiReader(bytes.NewReader(file[:cut]), iotest.ErrReader(gone)),
		} {
			var out bytes.Buffer
			_, err := Copy(&out, in)
			var torn *TornError
			if !errors.As(err, &torn) && !errors.Is(err, gone) {
				t.Errorf("cut at %d: %v", cut, err)
			}
			got, err := readAll(out.Bytes())
			if diff := same(script()[:whole(file, cut)], got); diff != "" || !errors.Is(err, io.EOF) {
				t.Errorf("cut at %d: %v: %s", cut, err, diff)
			}
		}
	}
}

func TestCopyErrors(t *testing.T) {
	if _, err := Copy(io.Discard, bytes.NewReader(nil)); !errors.Is(err, ErrNoRecording) {
		t.Errorf("nothing: %v", err)
	}
	file := record(t, header(), script())
	full := errors.New("no space left")
	for n := range 4 {
		if _, err := Copy(&limitedWriter{left: n, err: full}, bytes.NewReader(file)); !errors.Is(err, full) {
			t.Errorf("after %d writes: %v", n, err)
		}
	}
	file[len(file)-1] ^= 1
	var out bytes.Buffer
	var corrupt *CorruptError
	if done, err := Copy(&out, bytes.NewReader(file)); !errors.As(err, &corrupt) || done.Batches != 2 {
		t.Errorf("damaged: %+v, %v", done, err)
	}
	if got, err := readAll(out.Bytes()); len(got) != 2 || !errors.Is(err, io.EOF) {
		t.Errorf("the copy of a damaged recording: %v", err)
	}
}
