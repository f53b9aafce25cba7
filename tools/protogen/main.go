// Command protogen makes the Go files of protobuf schemas, without protoc: the schemas are compiled by
// a Go library, and the Go code comes from the package behind protoc-gen-go. Both are pinned by go.mod,
// so that every machine makes the same bytes.
//
// Usage: protogen [-check] FOLDER…
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

func main() {
	check := flag.Bool("check", false, "write nothing; fail if a file is not what its schema gives")
	flag.Parse()
	if err := run(context.Background(), *check, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "protogen:", err)
		os.Exit(1) //nolint:forbidigo // This is main.
	}
}

func run(ctx context.Context, check bool, folders []string) error {
	if len(folders) == 0 {
		return errors.New("no folder given")
	}
	for _, folder := range folders {
		files, err := generate(ctx, folder)
		if err != nil {
			return err
		}
		if check {
			err = compare(folder, files)
		} else {
			err = write(folder, files)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// compare says which files of a folder are not those that its schemas give, left-overs too.
func compare(folder string, want map[string][]byte) error {
	var stale []string
	for name, content := range want {
		got, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if !bytes.Equal(got, content) {
			stale = append(stale, name)
		}
	}
	old, err := leftOver(folder, want)
	if err != nil {
		return err
	}
	if stale = append(stale, old...); len(stale) > 0 {
		slices.Sort(stale)
		return fmt.Errorf("%s: not what the schemas give: %q; run `make generate`", folder, stale)
	}
	return nil
}

func write(folder string, files map[string][]byte) error {
	for name, content := range files {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, content, 0o644); err != nil { //nolint:gosec // All may read sources.
			return err
		}
	}
	old, err := leftOver(folder, files)
	if err != nil {
		return err
	}
	for _, name := range old {
		if err := os.Remove(filepath.Join(folder, name)); err != nil {
			return err
		}
	}
	return nil
}

// leftOver lists generated files whose schema is gone.
func leftOver(folder string, files map[string][]byte) ([]string, error) {
	found, err := filepath.Glob(filepath.Join(folder, "*.pb.go"))
	if err != nil {
		return nil, err
	}
	var old []string
	for _, path := range found {
		if _, ok := files[filepath.Base(path)]; !ok {
			old = append(old, filepath.Base(path))
		}
	}
	return old, nil
}
