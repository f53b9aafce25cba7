package main

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/messages"
	"weir/sources/recording"
)

func TestRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "made.rec")
	var stdout, stderr bytes.Buffer
	args := []string{"-flows", "50", "-slices", "3", "-created", "2026-02-03T04:05:06Z"}
	if err := run(append(args, "-o", path), &stdout, &stderr); err != nil || stdout.Len() != 0 {
		t.Fatalf("%v, %d bytes", err, stdout.Len())
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := recording.NewReader(bytes.NewReader(file))
	if err != nil || r.Header().Created.UTC().String() != "2026-02-03 04:05:06 +0000 UTC" {
		t.Fatal(err)
	}
	for err == nil {
		_, err = r.Next(&messages.Batch{})
	}
	if !errors.Is(err, io.EOF) || !strings.Contains(stderr.String(), "50 flows") {
		t.Errorf("%v, then %q", err, stderr.String())
	}
	if err := run(args, &stdout, &stderr); err != nil || !bytes.Equal(stdout.Bytes(), file) {
		t.Errorf("standard output is not the file: %v", err)
	}
}

func TestRunErrors(t *testing.T) {
	for _, args := range [][]string{
		{"-flows", "0"},
		{"-created", "yesterday"},
		{"-what"},
		{"-o", filepath.Join(t.TempDir(), "no", "such", "folder")},
	} {
		if err := run(args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
	if err := run([]string{"-h"}, io.Discard, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("help: %v", err)
	}
}
