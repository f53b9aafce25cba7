package main

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const schema = `syntax = "proto3";
package test.v1;
import "google/protobuf/duration.proto";
option go_package = "example/testpb";
// Thing has a comment.
message Thing {
  google.protobuf.Duration wait = 1;
  oneof value { string text = 2; uint64 number = 3; }
}
`

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestGenerate(t *testing.T) {
	dir := folder(t, map[string]string{"thing.proto": schema})
	files, err := generate(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	code := string(files["thing.pb.go"])
	for _, want := range []string{"DO NOT EDIT", "package testpb", "// Thing has a comment.", "type Thing struct"} {
		if len(files) != 1 || !strings.Contains(code, want) {
			t.Errorf("%d files, without %q", len(files), want)
		}
	}
	again, err := generate(t.Context(), dir)
	if err != nil || !maps.EqualFunc(files, again, bytes.Equal) {
		t.Errorf("the second time differs: %v", err)
	}
}

func TestCheck(t *testing.T) {
	dir := folder(t, map[string]string{"thing.proto": schema, "gone.pb.go": "package testpb\n"})
	generated := filepath.Join(dir, "thing.pb.go")
	stale := func(want string) {
		t.Helper()
		err := run(t.Context(), true, []string{dir})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("check: %v, want %q", err, want)
		}
	}
	stale(`["gone.pb.go" "thing.pb.go"]`)
	if err := run(t.Context(), false, []string{dir}); err != nil {
		t.Fatal(err)
	}
	stale("")
	content, err := os.ReadFile(generated)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(generated, append(content, "// Changed by hand.\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	stale(`["thing.pb.go"]`)
}

func TestErrors(t *testing.T) {
	for content, want := range map[string]string{
		"syntax = \"proto3\";\nmessage A {\n  Unknown x = 1;\n}\n": "bad.proto:3:3",
		"syntax = \"proto3\";\npackage a;\nmessage A {}\n":         "go_package",
	} {
		dir := folder(t, map[string]string{"bad.proto": content})
		if err := run(t.Context(), false, []string{dir}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", content, err, want)
		}
	}
	if err := run(t.Context(), false, nil); err == nil {
		t.Error("no folder is no error")
	}
	if err := run(t.Context(), false, []string{t.TempDir()}); err == nil {
		t.Error("a folder without schemas is no error")
	}
}

// What is generated must fit the library that the program links.
func TestSameVersionAsTheProgram(t *testing.T) {
	version := func(dir string) string {
		c := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Version}}", "google.golang.org/protobuf")
		c.Dir = dir
		out, err := c.Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	if here, there := version(".."), version("../.."); here != there {
		t.Errorf("the tools use protobuf %s, the program %s", here, there)
	}
}
