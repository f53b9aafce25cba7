package storage_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/messages"
)

// small is a ladder whose files fill within seconds.
const small = `
[store]
rows_per_second = 0
%s

[[store.tiers]]
name = "fine"
slice = "1s"
bucket = "4s"
retention = "1h"

[[store.tiers]]
name = "middle"
slice = "2s"
bucket = "8s"
drop = ["local.port", "remote.port"]
retention = "2h"

[[store.tiers]]
name = "coarse"
slice = "4s"
bucket = "8s"
columns = ["local.ip", "remote.ip"]
`

// mounted gives the history of a program a file system of so many bytes, in a mount namespace of its own. It tells how
// the directory of the history is called from outside.
func mounted(t *testing.T, p *program, size int) (outside string) {
	t.Helper()
	dir := filepath.Join(p.dir, "store")
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("mount -t tmpfs -o size=%d,mode=0750 tmpfs %q && echo ready && exec sleep 600", size, dir)
	holder := exec.CommandContext(t.Context(), "unshare", "--mount", "--propagation", "private", "sh", "-c", script)
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Skipf("no unshare: %v", err)
	}
	t.Cleanup(func() {
		_ = holder.Process.Kill()
		_ = holder.Wait()
	})
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Skip("this user may not mount anything")
	}
	pid := strconv.Itoa(holder.Process.Pid)
	if _, err := exec.LookPath("nsenter"); err != nil {
		t.Skip("there is no nsenter")
	}
	p.within = []string{"nsenter", "--target", pid, "--mount"}
	return filepath.Join("/proc", pid, "root", dir)
}

// occupy fills a file system up.
func occupy(t *testing.T, dir string) (free func()) {
	t.Helper()
	name := filepath.Join(dir, "occupied")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Error(err)
		}
	}
}

// A full disk is told with its cure, memory answers on, and when there is room again all that waited is written: what
// memory has told is what the disk tells after a restart.
func TestFullDisk(t *testing.T) {
	p := prepare(t, `slice = "1s"`, fmt.Sprintf(small, ""))
	dir := mounted(t, p, 8<<20)
	p.start()
	began := time.Now().Add(-time.Minute)
	free := occupy(t, dir)
	p.await("word of the full disk", func(st *status) error {
		if st.Archive.State != "failing" || !strings.Contains(st.Archive.Detail, "disk is full") {
			return fmt.Errorf("%+v", st.Archive)
		}
		return nil
	})
	var closed uint64
	p.await("slices in spite of it", func(st *status) error {
		if closed == 0 {
			closed = st.Slicer.Closed
		}
		if st.Slicer.Closed < closed+4 {
			return fmt.Errorf("%d are closed", st.Slicer.Closed)
		}
		return nil
	})
	if a := p.ask("--by", "none", "--last", "3s"); len(a.Rows) == 0 || a.number(t, 0, "bytes") == 0 {
		t.Errorf("memory does not answer: %+v", a)
	}
	if st := p.store(); st.Waiting == 0 || !strings.Contains(st.Cause, "full") || st.Cure == "" {
		t.Errorf("the state of the store says %+v", st)
	}
	if out := p.must("status"); !strings.Contains(out, "disk is full") {
		t.Errorf("weir status says nothing of it:\n%s", out)
	}
	free()
	p.await("writing again", func(st *status) error {
		if st.Archive.State != "running" || st.Archive.Lag > 1 || st.Archive.Dropped > 0 {
			return fmt.Errorf("%+v", st.Archive)
		}
		return nil
	})
	span := messages.Span{Start: began, End: time.Now().Truncate(time.Second).Add(-time.Second)}
	want := p.sum(span)
	p.stop()
	p.start()
	if got := p.sum(span); got != want || got == (messages.Totals{}) {
		t.Errorf("after a restart %+v, before it %+v", got, want)
	}
}

// Whatever keeps the history from being opened, the daemon counts, says why, and opens it when it can.
func TestOpenedLate(t *testing.T) {
	p := prepare(t, `slice = "1s"`, fmt.Sprintf(small, ""))
	p.start()
	p.await("slices on disk", func(st *status) error {
		if st.Archive.Kept < 3 {
			return fmt.Errorf("%d", st.Archive.Kept)
		}
		return nil
	})
	p.stop()
	before := p.store() // Without a daemon: from the directory.
	kept := before.Tiers[0].Slices + before.Tiers[1].Slices
	if kept < 3 {
		t.Fatalf("%d slices are kept: %+v", kept, before)
	}
	dir := filepath.Join(p.dir, "store")
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	// A file is where the folder should be, which stops root too.
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p.start()
	p.await("word of what is wrong", func(st *status) error {
		if st.Archive.State != "failing" || st.Archive.Detail == "" {
			return fmt.Errorf("%+v", st.Archive)
		}
		return nil
	})
	if st := p.store(); st.Open || st.Cause == "" || st.Cure == "" {
		t.Errorf("the state of the store says %+v", st)
	}
	if _, err := p.weir("store", "verify"); err == nil || !strings.Contains(err.Error(), "not open") {
		t.Errorf("verify says %v", err)
	}
	if err := errors.Join(os.Remove(dir), os.Rename(dir+".away", dir)); err != nil {
		t.Fatal(err)
	}
	p.await("an open history", func(st *status) error {
		if st.Archive.State != "running" || st.Archive.Kept < 2 {
			return fmt.Errorf("%+v", st.Archive)
		}
		return nil
	})
	p.stop()
	after := p.store()
	if now := after.Tiers[0].Slices + after.Tiers[1].Slices; now < kept+2 {
		t.Errorf("%d slices are kept, %d were before: numbers begin anew and slices are refused as old", now, kept)
	}
}

// Two daemons on one directory: the second counts without it and says so.
func TestSecondDaemon(t *testing.T) {
	p := prepare(t, `slice = "1s"`, fmt.Sprintf(small, ""))
	p.start()
	other := prepare(t, `slice = "1s"`, fmt.Sprintf(small, fmt.Sprintf("dir = %q", filepath.Join(p.dir, "store"))))
	other.start()
	other.await("word of the first", func(st *status) error {
		if !strings.Contains(st.Archive.Detail, "second daemon") {
			return fmt.Errorf("%+v", st.Archive)
		}
		return nil
	})
	if _, err := p.weir("store", "forget", "--yes", "proto = tcp"); err == nil ||
		!strings.Contains(err.Error(), "stop it first") {
		t.Errorf("forget beside the daemon: %v", err)
	}
	p.stop()
	other.await("the history of the first", func(st *status) error {
		if st.Archive.State != "running" || st.Archive.Kept == 0 {
			return fmt.Errorf("%+v", st.Archive)
		}
		return nil
	})
}

// Damaged files are put aside and told; the rest answers. Before that all is exported, taken by an empty history, and
// part of it forgotten there.
func TestDamageAndCommands(t *testing.T) {
	p := prepare(t, `slice = "1s"`, fmt.Sprintf(small, ""))
	p.start()
	p.await("enough files", func(*status) error {
		st := p.store()
		if st.Tiers[1].Files < 3 || st.Tiers[3].Files < 1 {
			return fmt.Errorf("%+v", st.Tiers)
		}
		return nil
	})
	if out := p.must("store", "verify"); !strings.Contains(out, "all is well") {
		t.Error(out)
	}
	online := filepath.Join(p.dir, "online.parquet")
	p.must("store", "export", online) // Through the daemon.
	p.kill()
	exported, csv := filepath.Join(p.dir, "all.parquet"), filepath.Join(p.dir, "all.csv")
	p.must("store", "export", exported)
	p.must("store", "export", csv)
	total := sumCSV(t, csv)
	if total.Up.Bytes == 0 {
		t.Fatal("nothing was exported")
	}
	forgetAndTakeBack(t, exported, total)
	p.damage()
	p.start()
	if st := p.store(); st.Damaged == 0 {
		t.Errorf("the damage is not told: %+v", st)
	}
	if out := p.must("store", "ls"); !strings.Contains(out, "damaged") {
		t.Errorf("the damage is not listed:\n%s", out)
	}
	if a := p.ask("--by", "none", "--last", "1h"); len(a.Rows) == 0 {
		t.Errorf("what is not damaged does not answer: %+v", a)
	}
}

// damage flips a bit of the first file of the finest tier.
func (p *program) damage() {
	p.t.Helper()
	files, err := filepath.Glob(filepath.Join(p.dir, "store", "tier-fine", "*.parquet"))
	if err != nil || len(files) == 0 {
		p.t.Fatalf("no files: %v", err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		p.t.Fatal(err)
	}
	data[len(data)-20] ^= 4
	if err := os.WriteFile(files[0], data, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// forgetAndTakeBack forgets part of an imported copy, and takes an export into an empty history.
func forgetAndTakeBack(t *testing.T, exported string, total messages.Totals) {
	t.Helper()
	copied := prepare(t, `slice = "1s"`, fmt.Sprintf(small, ""))
	if err := os.Mkdir(filepath.Join(copied.dir, "store"), 0o750); err != nil {
		t.Fatal(err)
	}
	if out := copied.must("store", "import", exported); strings.Contains(out, "took 0 slices") {
		t.Error(out)
	}
	if out := copied.must("store", "import", exported); !strings.Contains(out, "took 0 slices") {
		t.Errorf("the same counts twice: %s", out)
	}
	back := filepath.Join(copied.dir, "back.csv")
	copied.must("store", "export", back)
	if got := sumCSV(t, back); got != total {
		t.Errorf("came back as %+v, was %+v", got, total)
	}
	if _, err := copied.weir("store", "forget", "proto = tcp"); err == nil || !strings.Contains(err.Error(), "--yes") {
		t.Errorf("nobody was asked: %v", err)
	}
	if _, err := copied.weir("store", "forget", "--yes"); err == nil {
		t.Error("all is forgotten without a filter")
	}
	if out := copied.must("store", "forget", "--yes", "proto = tcp"); !strings.Contains(out, "rows removed") {
		t.Error(out)
	}
	rest := filepath.Join(copied.dir, "rest.csv")
	copied.must("store", "export", rest)
	got := sumCSV(t, rest)
	if got.Up.Bytes == 0 || got.Up.Bytes >= total.Up.Bytes {
		t.Errorf("%d bytes up are left of %d", got.Up.Bytes, total.Up.Bytes)
	}
	text, err := os.ReadFile(rest)
	if err != nil || strings.Contains(string(text), ",tcp,") {
		t.Errorf("rows of TCP are left (%v)", err)
	}
}
