package household_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"weir/bench/household"
	"weir/columns/direction"
	"weir/columns/mark"
	"weir/flows"
	"weir/messages"
	"weir/sources/recording"
)

func small() household.Options {
	o := household.Defaults()
	o.Flows, o.Slices = 1200, 8
	return o
}

func write(t *testing.T, o household.Options) ([]byte, household.Made) {
	t.Helper()
	var file bytes.Buffer
	made, err := household.Write(&file, o)
	if err != nil {
		t.Fatal(err)
	}
	return file.Bytes(), made
}

// count puts a recording through a table of flows, slice by slice, and gives the rows.
func count(t *testing.T, file []byte) []*messages.Rows {
	t.Helper()
	r, err := recording.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	h := r.Header()
	table := flows.NewTable(flows.Options{
		Shards: 1, Home: flows.NewHome(household.Networks(), nil), Budget: 64 << 20, CountsSince: h.CountsSince,
		Send: func(int, any) bool { return true },
	})
	var rows []*messages.Rows
	closing := messages.CloseSlice{Seq: 1, Span: messages.Span{Start: h.Created, End: h.Created.Add(h.Slice)}}
	closeOne := func() {
		rows = append(rows, table.Close(&closing).Rows)
		closing = messages.CloseSlice{
			Seq: closing.Seq + 1, Span: messages.Span{Start: closing.Span.End, End: closing.Span.End.Add(h.Slice)},
		}
	}
	for {
		b := messages.NewBatch()
		info, err := r.Next(b)
		if errors.Is(err, io.EOF) {
			closeOne()
			return rows
		}
		if err != nil {
			t.Fatal(err)
		}
		for !h.Created.Add(info.At).Before(closing.Span.End) {
			closeOne()
		}
		for i := range b.Updates {
			b.Updates[i].Hash = b.Updates[i].Key.Hash(0)
		}
		table.Apply(b)
		b.Release()
	}
}

// TestCountsWhatItSays: a table of flows counts just what the maker says that it made.
func TestCountsWhatItSays(t *testing.T) {
	for seed := range uint64(2) {
		o := small()
		o.Seed = seed
		file, made := write(t, o)
		var total messages.Totals
		for _, r := range count(t, file) {
			total.Add(r.Totals())
		}
		got := messages.Counter{
			Packets: total.Up.Packets + total.Down.Packets, Bytes: total.Up.Bytes + total.Down.Bytes,
		}
		if got != made.Moved || got.Bytes == 0 || made.Flows != uint64(o.Flows) {
			t.Errorf("seed %d: counted %+v of %+v", seed, got, made)
		}
	}
}

// TestHasAllKinds: the household talks in all directions, and its guests are marked.
func TestHasAllKinds(t *testing.T) {
	file, _ := write(t, small())
	seen := map[string]int{}
	marked := 0
	for _, r := range count(t, file) {
		for _, c := range r.Cells {
			for _, id := range c.IDs {
				switch v := c.Dict[id]; {
				case c.Column == direction.Column.Column:
					seen[c.Column.FormatCell(v)]++
				case c.Column == mark.Column.Column && v != "":
					marked++
				}
			}
		}
	}
	for _, d := range []string{"out", "in", "lan"} {
		if seen[d] == 0 {
			t.Errorf("no flow goes %s: %v", d, seen)
		}
	}
	if seen["transit"] != 0 || seen["self"] != 0 || marked == 0 {
		t.Errorf("directions %v, %d marked", seen, marked)
	}
}

func TestSameSeedSameBytes(t *testing.T) {
	o := small()
	first, _ := write(t, o)
	second, _ := write(t, o)
	o.Seed++
	third, _ := write(t, o)
	if !bytes.Equal(first, second) || bytes.Equal(first, third) {
		t.Error("the seed does not choose the recording")
	}
}

// TestLooksLikeARecording: snapshots come in order, starts before ends, and time does not go back.
func TestLooksLikeARecording(t *testing.T) {
	o := small()
	file, made := write(t, o)
	r, err := recording.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var last time.Duration
	var snapshot, updates uint64
	started, ended := map[messages.Key]bool{}, 0
	for {
		var b messages.Batch
		info, err := r.Next(&b)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || info.LeftOut != 0 || info.At < last || info.At > time.Duration(o.Slices)*o.Slice {
			t.Fatalf("%+v after %v: %v", info, last, err)
		}
		last = info.At
		if b.Snapshot != 0 && b.Snapshot != snapshot {
			if snapshot++; b.Snapshot != snapshot {
				t.Fatalf("snapshot %d comes in the place of %d", b.Snapshot, snapshot)
			}
		}
		updates += uint64(len(b.Updates))
		for i := range b.Updates {
			u := &b.Updates[i]
			switch u.Status {
			case messages.Seen:
			case messages.Started:
				started[u.Key] = true
			case messages.Ended:
				ended++
				if u.Start >= o.Created.UnixNano() && !started[u.Key] {
					t.Errorf("%+v ended and never started", u.Key)
				}
			}
		}
	}
	if snapshot != uint64(o.Slices) || updates != made.Updates || ended == 0 || len(started) == 0 {
		t.Errorf("%d snapshots, %d updates, %d starts, %d ends", snapshot, updates, len(started), ended)
	}
}

func TestOptions(t *testing.T) {
	for what, spoil := range map[string]func(*household.Options){
		"flows":   func(o *household.Options) { o.Flows = 0 },
		"slices":  func(o *household.Options) { o.Slices = 0 },
		"devices": func(o *household.Options) { o.Devices = 201 },
		"slice":   func(o *household.Options) { o.Slice = time.Millisecond },
	} {
		o := small()
		spoil(&o)
		if _, err := household.Write(io.Discard, o); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	o := small()
	o.Devices, o.Flows, o.Slices = 1, 1, 1
	if _, made := write(t, o); made.Flows != 1 {
		t.Errorf("the smallest recording: %+v", made)
	}
}

func BenchmarkWrite(b *testing.B) {
	o := small()
	var updates uint64
	for b.Loop() {
		made, err := household.Write(io.Discard, o)
		if err != nil {
			b.Fatal(err)
		}
		updates += made.Updates
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(updates), "ns/update")
}

func BenchmarkRead(b *testing.B) {
	var file bytes.Buffer
	made, err := household.Write(&file, small())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		r, err := recording.NewReader(bytes.NewReader(file.Bytes()))
		for err == nil {
			batch := messages.NewBatch()
			_, err = r.Next(batch)
			batch.Release()
		}
		if !errors.Is(err, io.EOF) {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(made.Updates), "ns/update")
}
