package disk_test

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"weir/internal/disk"
	"weir/internal/disk/disktest"
)

func put(d disk.FS, name, content string) error {
	return disk.WriteFile(d, name, func(w io.Writer) error {
		_, err := io.WriteString(w, content)
		return err
	})
}

func get(t *testing.T, d disk.FS, name string) string {
	t.Helper()
	f, err := d.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// both runs a test on the real file system and on the one in memory: they must behave alike.
func both(t *testing.T, test func(t *testing.T, d disk.FS, dir string)) {
	t.Helper()
	t.Run("real", func(t *testing.T) { test(t, disk.OS{}, t.TempDir()) })
	t.Run("memory", func(t *testing.T) {
		d := disktest.New()
		if err := d.MkdirAll("/data"); err != nil {
			t.Fatal(err)
		}
		test(t, d, "/data")
	})
}

func TestWriteFile(t *testing.T) {
	both(t, func(t *testing.T, d disk.FS, dir string) {
		t.Helper()
		name := filepath.Join(dir, "f")
		for _, content := range []string{"one", "", "three"} {
			if err := put(d, name, content); err != nil {
				t.Fatal(err)
			}
			if got := get(t, d, name); got != content {
				t.Errorf("want %q, got %q", content, got)
			}
		}
		failed := errors.New("no")
		err := disk.WriteFile(d, name, func(io.Writer) error { return failed })
		if !errors.Is(err, failed) || get(t, d, name) != "three" {
			t.Errorf("after a failed write: %v, %q", err, get(t, d, name))
		}
		if entries, err := d.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("left behind: %v, %v", entries, err)
		}
	})
}

func TestFiles(t *testing.T) {
	both(t, func(t *testing.T, d disk.FS, dir string) {
		t.Helper()
		name := filepath.Join(dir, "a", "f")
		if _, err := d.Create(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("create without directory: %v", err)
		}
		if err := d.MkdirAll(filepath.Dir(name)); err != nil {
			t.Fatal(err)
		}
		f, err := d.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Create(name); !errors.Is(err, fs.ErrExist) {
			t.Errorf("create twice: %v", err)
		}
		_, errWrite := f.Write([]byte("hello"))
		if err := errors.Join(errWrite, f.Sync(), f.Close()); err != nil {
			t.Fatal(err)
		}
		f, err = d.Append(name)
		if err != nil {
			t.Fatal(err)
		}
		_, errWrite = f.Write([]byte(" world"))
		if err := errors.Join(errWrite, f.Truncate(8)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 5)
		if n, err := f.ReadAt(b, 4); n != 4 || !errors.Is(err, io.EOF) || string(b[:n]) != "o wo" {
			t.Errorf("read at 4: %d, %v, %q", n, err, b)
		}
		if size, err := f.Size(); size != 8 || err != nil {
			t.Errorf("size %d, %v", size, err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if free, err := d.Free(dir); free == 0 || err != nil {
			t.Errorf("free %d, %v", free, err)
		}
	})
}

func TestRemoveTemps(t *testing.T) {
	both(t, func(t *testing.T, d disk.FS, dir string) {
		t.Helper()
		for _, name := range []string{"x", "y" + disk.TempSuffix, "z" + disk.TempSuffix} {
			f, err := d.Create(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := disk.RemoveTemps(d, dir); n != 2 || err != nil {
			t.Errorf("removed %d, %v", n, err)
		}
		if entries, err := d.ReadDir(dir); err != nil || len(entries) != 1 || entries[0].Name() != "x" {
			t.Errorf("left: %v, %v", entries, err)
		}
	})
}

// TestWriteFileOverPowerCuts: whatever the moment, the file is the old one or the new one.
func TestWriteFileOverPowerCuts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	old, fresh := 0, 0
	for cut := range 400 {
		d := disktest.New()
		if err := d.MkdirAll("/data"); err != nil {
			t.Fatal(err)
		}
		if err := put(d, "/data/f", "old"); err != nil {
			t.Fatal(err)
		}
		steps := cut % 8
		stop := errors.New("power cut")
		d.Fail(func(disktest.Op, string) error {
			if steps--; steps < 0 {
				return stop
			}
			return nil
		}, func(n int) int { return n / 2 })
		err := put(d, "/data/f", "the new content")
		after := d.Crash(r)
		after.Fail(nil, nil)
		switch got := get(t, after, "/data/f"); {
		case got == "the new content":
			fresh++
		case got == "old" && err != nil:
			old++
		default:
			t.Fatalf("cut at step %d (%v): %q", cut%8, err, got)
		}
	}
	if old == 0 || fresh == 0 {
		t.Errorf("old %d, new %d: the test cuts at one place only", old, fresh)
	}
}

// TestCrashLosesWhatWasNotSynced proves that the file system of the tests is as bad as a real one.
func TestCrashLosesWhatWasNotSynced(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	lost, torn, gone := 0, 0, 0
	for range 300 {
		d := disktest.New()
		f, err := d.Create("/f")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
		more := make([]byte, 5000)
		for i := range more {
			more[i] = 1
		}
		if _, err := f.Write(more); err != nil {
			t.Fatal(err)
		}
		content := d.Crash(r).Content("/f")
		switch {
		case content == nil:
			gone++ // The directory was not synced.
		case len(content) < 5100:
			lost++
		}
		if slices.Contains(content[min(100, len(content)):], 0) {
			torn++
		}
		if whole := d.Restart().Content("/f"); len(whole) != 5100 {
			t.Fatalf("a kill lost something: %d bytes", len(whole))
		}
	}
	if lost == 0 || torn == 0 || gone == 0 {
		t.Errorf("lost %d, torn %d, gone %d", lost, torn, gone)
	}
}
