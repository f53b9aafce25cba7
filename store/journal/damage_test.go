package journal_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/columns"
	"weir/internal/disk"
	"weir/internal/disk/disktest"
	"weir/messages"
	"weir/store"
	"weir/store/journal"
	"weir/store/storetest"
)

// files lists the segments of a journal.
func files(t testing.TB, d disk.FS) (names []string) {
	t.Helper()
	entries, err := d.ReadDir("/journal")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".journal") || strings.HasSuffix(e.Name(), ".parked") {
			names = append(names, filepath.Join("/journal", e.Name()))
		}
	}
	return names
}

// write fills a journal and closes it.
func write(t testing.TB, d disk.FS, o journal.Options, all ...*messages.Slice) {
	t.Helper()
	j, _ := open(t, d, "/journal", o)
	for _, s := range all {
		if err := j.Append(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func some(w *world, n int) (all []*messages.Slice) {
	for range n {
		all = append(all, w.next())
	}
	return all
}

// TestTruncation cuts a journal at every byte of its last record.
func TestTruncation(t *testing.T) {
	w := newWorld(3)
	w.births = 3
	o := options()
	d := disktest.New()
	all := some(w, 9)
	write(t, d, o, all[:8]...)
	name := files(t, d)[0]
	short := len(d.Content(name))
	write(t, d, o, all[8])
	whole := len(d.Content(name))
	for cut := short; cut < whole; cut++ {
		d := d.Restart()
		d.Corrupt(name, func(b []byte) []byte { return b[:cut] })
		j, report := open(t, d, "/journal", o)
		if got := len(report.Cut); got > 1 || (got == 1) != (cut > short) && cut < whole-1 {
			// The session's frame may be whole, so that there is nothing to cut off.
			if got != 0 || len(j.Segments()) != 1 {
				t.Fatalf("cut at %d of %d: %+v", cut, whole, report)
			}
		}
		if r := j.Restore(); r.Seq != all[7].Seq {
			t.Fatalf("cut at %d: last number %d", cut, r.Seq)
		}
		checkRows(t, w, j, all[:8])
		checkBooks(t, books(all[:8]), j.Restore().Accounts)
		last := *all[8]
		last.Amendments = nil
		if err := j.Append(&last); err != nil {
			t.Fatal(err)
		}
		checkRows(t, w, j, append(slices.Clone(all[:8]), &last))
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFlippedBits flips a bit of each byte of a small journal. The rows of other epochs must be there, and nothing
// that was never written.
func TestFlippedBits(t *testing.T) {
	w := newWorld(4)
	w.births = 2
	o := options()
	d := disktest.New()
	all := some(w, 12)
	for _, s := range all {
		s.Amendments = nil
	}
	write(t, d, o, all[:6]...)
	write(t, d, o, all[6:]...)
	r := rand.New(rand.NewPCG(1, 2))
	lossless, silent := 0, 0
	known := answers{}
	for _, name := range files(t, d) {
		content := d.Content(name)
		for at := range content {
			d := d.Restart()
			d.Corrupt(name, func(b []byte) []byte {
				b[at] ^= 1 << r.IntN(8)
				return b
			})
			j, report := open(t, d, "/journal", o)
			lost := known.checkSome(t, j, all)
			if len(lost) > o.EpochSlices || len(lost) > 0 && int(lost[len(lost)-1]-lost[0]) != len(lost)-1 {
				t.Fatalf("byte %d of %s: lost %v", at, name, lost)
			}
			told := len(report.Cut) + len(report.Damaged)
			if told == 0 {
				silent++
			}
			if len(lost) == 0 {
				lossless++
			}
			checkTold(t, j, lost, all)
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if silent > 0 || lossless == len(content) {
			t.Errorf("%s: of %d flips %d were not told, %d harmless", name, len(content), silent, lossless)
		}
	}
}

// answers are what the model says without some slices.
type answers map[string]*store.Partial

// checkSome compares the slices that can be read with what they were, and tells the numbers of the others.
func (known answers) checkSome(t *testing.T, j *journal.Journal, all []*messages.Slice) (lost []uint64) {
	t.Helper()
	heads, rows, err := j.Heads(context.Background(), journal.Which{})
	if err != nil {
		t.Fatal(err)
	}
	model := &storetest.Model{Resolution: storetest.Resolution}
	at := 0
	for _, s := range all {
		if at < len(heads) && heads[at].Seq == s.Seq {
			if n := rowsIn(s); n != rows[at] || !heads[at].Span.Start.Equal(s.Span.Start) {
				t.Fatalf("slice %d has %d rows, want %d", s.Seq, rows[at], n)
			}
			at++
			n := *s
			n.Parts = slices.DeleteFunc(slices.Clone(s.Parts), func(p *messages.Rows) bool { return p == nil })
			if err := model.Append(&n); err != nil {
				t.Fatal(err)
			}
			continue
		}
		lost = append(lost, s.Seq)
	}
	if at != len(heads) {
		t.Fatalf("%d slices too many", len(heads)-at)
	}
	r := storetest.Everything()
	r.By = columns.All()
	want, got := known[fmt.Sprint(lost)], store.NewPartial(r)
	if want == nil {
		want = store.NewPartial(r)
		if err := model.Query(context.Background(), r, want); err != nil {
			t.Fatal(err)
		}
		known[fmt.Sprint(lost)] = want
	}
	if err := j.Query(context.Background(), r, got); err != nil {
		t.Fatal(err)
	}
	got.Losses = ofOthers(got.Losses)
	if d := storetest.Diff(want, got); d != "" {
		t.Fatalf("without %v: %s", lost, d)
	}
	return lost
}

// ofOthers are the losses that are not the journal's.
func ofOthers(list []messages.Loss) []messages.Loss {
	return slices.DeleteFunc(slices.Clone(list), func(l messages.Loss) bool { return l.Source == "journal" })
}

func rowsIn(s *messages.Slice) (n int) {
	for _, p := range s.Parts {
		if p != nil {
			n += p.Len()
		}
	}
	return n
}

// checkTold looks for the loss, at once or, at the end, with the next slice.
func checkTold(t *testing.T, j *journal.Journal, lost []uint64, all []*messages.Slice) {
	t.Helper()
	if len(lost) == 0 {
		return
	}
	last := all[len(all)-1]
	n := *last
	n.Seq, n.Amendments = j.Restore().Seq+1, nil
	n.Span.Start, n.Span.End = last.Span.End, last.Span.End.Add(storetest.Resolution)
	if err := j.Append(&n); err != nil {
		t.Fatal(err)
	}
	r := storetest.Everything()
	p := store.NewPartial(r)
	if err := j.Query(context.Background(), r, p); err != nil {
		t.Fatal(err)
	}
	if len(p.Losses) == len(ofOthers(p.Losses)) {
		t.Fatalf("nobody tells that %v are lost: %+v", lost, p.Losses)
	}
}

// TestForeign looks at files that are not what their names say.
func TestForeign(t *testing.T) {
	for what, spoil := range map[string]struct {
		content func(b []byte) []byte
		want    string
	}{
		"foreign": {func([]byte) []byte { return []byte(strings.Repeat("something else\n", 9)) }, "not a segment"},
		"empty":   {func([]byte) []byte { return nil }, "not a segment"},
		"newer": {func([]byte) []byte {
			b := []byte("weir journal 2\n")
			sum := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
			return append(binary.LittleEndian.AppendUint32(b, sum), "and what nobody here knows"...)
		}, "version"},
	} {
		d := disktest.New()
		write(t, d, options(), some(newWorld(1), 3)...)
		d.Corrupt(files(t, d)[0], spoil.content)
		_, _, err := journal.Open(d, "/journal", options())
		if err == nil || !strings.Contains(err.Error(), spoil.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	d := disktest.New()
	if err := d.MkdirAll("/journal"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"notes.txt", "a.tmp"} {
		f, err := d.Create("/journal/" + name)
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	if _, report := open(t, d, "/journal", options()); len(report.Foreign) != 1 || report.Temps != 1 {
		t.Errorf("%+v", report)
	}
}

// TestLock refuses a second opener.
func TestLock(t *testing.T) {
	for name, d := range map[string]disk.FS{"memory": disktest.New(), "real": disk.OS{}} {
		dir := t.TempDir()
		j, _ := open(t, d, dir, options())
		if _, _, err := journal.Open(d, dir, options()); !errors.Is(err, disk.ErrLocked) {
			t.Errorf("%s: %v", name, err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		j, _ = open(t, d, dir, options())
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if err := j.Append(newWorld(1).next()); !errors.Is(err, journal.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBoot makes accounts of another boot worthless, and goes on counting since the same time in the same one.
func TestBoot(t *testing.T) {
	d := disktest.New()
	w := newWorld(5)
	o := options()
	all := some(w, 12)
	write(t, d, o, all...)
	o.Now = o.Now.Add(time.Hour)
	j, _ := open(t, d, "/journal", o)
	if r := j.Restore(); !r.SameBoot || len(r.Accounts) == 0 || !r.Began.Equal(options().Now) {
		t.Errorf("%+v", r)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	o.Boot = "boot-2"
	j, _ = open(t, d, "/journal", o)
	if r := j.Restore(); r.SameBoot || r.Accounts != nil || !r.Began.Equal(o.Now) || r.Seq != all[11].Seq {
		t.Errorf("%+v", r)
	}
	checkRows(t, w, j, all)
	s := w.next()
	s.Amendments = nil
	if err := j.Append(s); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j, _ = open(t, d, "/journal", o)
	checkBooks(t, books([]*messages.Slice{s}), j.Restore().Accounts)
}

// TestRelabelStays opens a journal whose times were shifted.
func TestRelabelStays(t *testing.T) {
	d := disktest.New()
	w := newWorld(6)
	o := options()
	j, _ := open(t, d, "/journal", o)
	all := some(w, 30)
	model := &storetest.Model{Resolution: storetest.Resolution}
	for i, s := range all {
		s.Amendments = nil
		s.Parts = slices.DeleteFunc(s.Parts, func(p *messages.Rows) bool { return p == nil })
		if err := errors.Join(model.Append(s), j.Append(s)); err != nil {
			t.Fatal(err)
		}
		if i%11 == 10 {
			delta := time.Duration(i-15) * 61 * time.Second
			if err := errors.Join(model.Relabel(s.Seq-7, delta), j.Relabel(s.Seq-7, delta)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 2 {
		for range 20 {
			r := w.Request()
			want, got := store.NewPartial(r), store.NewPartial(r)
			if err := errors.Join(
				model.Query(context.Background(), r, want), j.Query(context.Background(), r, got),
			); err != nil {
				t.Fatal(err)
			}
			if d := storetest.Diff(want, got); d != "" {
				t.Fatal(d)
			}
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		j, _ = open(t, d, "/journal", o)
	}
}
