package recording_test

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"weir/columns"
	"weir/messages"
	"weir/messages/weirpb"
	"weir/sources/recording"
	"weir/sources/recording/recordingtest"
)

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		want := drawBatches(rt)
		file := recordingtest.Record(t, recordingtest.Header(), want)
		got, err := readAll(file)
		if !errors.Is(err, io.EOF) {
			rt.Fatalf("the end: %v", err)
		}
		if diff := same(want, got); diff != "" {
			rt.Fatal(diff)
		}
		if again := recordingtest.Record(t, recordingtest.Header(), got); !bytes.Equal(file, again) {
			rt.Fatal("the second recording has other bytes")
		}
	})
}

func TestHeader(t *testing.T) {
	full := recordingtest.Header()
	for _, h := range []recording.Header{
		full, {Created: full.Created}, {Created: full.Created, Version: "\xff\x1b[31m"},
	} {
		r, err := recording.NewReader(bytes.NewReader(recordingtest.Record(t, h, nil)))
		if err != nil {
			t.Fatal(err)
		}
		if h.CountsSince.IsZero() {
			h.CountsSince = h.Created
		}
		h.Version = strings.ToValidUTF8(h.Version, "?")
		if got := r.Header(); got != h {
			t.Errorf("got %+v, want %+v", got, h)
		}
	}
	for _, h := range []recording.Header{{}, {Created: full.Created, Slice: -1}, {Created: time.Unix(0, -1)}} {
		if _, err := recording.NewWriter(io.Discard, h); err == nil {
			t.Errorf("header %+v was written", h)
		}
	}
}

// TestTorn cuts a recording at each byte: what comes before the cut is all there, and the cut is told.
func TestTorn(t *testing.T) {
	want := recordingtest.Script()
	file := recordingtest.Record(t, recordingtest.Header(), want)
	for cut := range len(file) {
		got, err := readAll(file[:cut])
		if cut < len(recording.FirstLine) {
			if !errors.Is(err, recording.ErrNoRecording) {
				t.Errorf("cut at %d: %v", cut, err)
			}
			continue
		}
		var torn *recording.TornError
		if !errors.As(err, &torn) || torn.Offset+int64(torn.Rest) != int64(cut) {
			t.Errorf("cut at %d: %v", cut, err)
		}
		n := min(max(0, whole(file, cut)), len(want))
		if diff := same(want[:n], got); diff != "" {
			t.Errorf("cut at %d: %s", cut, diff)
		}
	}
}

// TestBitFlips turns each bit of a recording: it is always noticed, and no changed batch is given.
func TestBitFlips(t *testing.T) {
	want := recordingtest.Script()
	file := recordingtest.Record(t, recordingtest.Header(), want)
	for bit := range 8 * len(file) {
		damaged := bytes.Clone(file)
		damaged[bit/8] ^= 1 << (bit % 8)
		got, err := readAll(damaged)
		if err == nil || errors.Is(err, io.EOF) {
			t.Errorf("bit %d: not noticed", bit)
		}
		if len(got) > len(want) {
			t.Fatalf("bit %d: %d batches", bit, len(got))
		}
		if same(want[:len(got)], got) != "" {
			t.Errorf("bit %d: other batches", bit)
		}
		var corrupt *recording.CorruptError
		if errors.As(err, &corrupt) && int64(bit/8) < corrupt.Offset {
			t.Errorf("bit %d: the damage is said to be at byte %d", bit, corrupt.Offset)
		}
	}
}

// frame seals a payload, as a faulty program might.
func frame(payload []byte) []byte {
	f := append(make([]byte, recordingtest.HeadBytes), payload...)
	recording.Seal(f)
	return f
}

func payload(tb testing.TB, m *weirpb.RecordingFrame) []byte {
	tb.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func batchFrame(b *weirpb.RecordedBatch) *weirpb.RecordingFrame {
	return &weirpb.RecordingFrame{Content: &weirpb.RecordingFrame_Batch{Batch: b}}
}

// spoiled are batches with a right sum and a wrong content.
func spoiled() map[string]*weirpb.RecordedBatch {
	key := func() *weirpb.RecordedKey {
		return &weirpb.RecordedKey{AAddr: make([]byte, 4), BAddr: make([]byte, 16)}
	}
	one := func(spoil func(*weirpb.RecordedUpdate)) *weirpb.RecordedBatch {
		u := &weirpb.RecordedUpdate{Key: &weirpb.RecordedKey{AAddr: []byte{1, 1, 1, 1}, BAddr: []byte{2, 2, 2, 2}}}
		spoil(u)
		return &weirpb.RecordedBatch{Updates: []*weirpb.RecordedUpdate{u}}
	}
	told := func(f *weirpb.RecordedFact) *weirpb.RecordedBatch {
		return &weirpb.RecordedBatch{Facts: []*weirpb.RecordedFact{f}}
	}
	return map[string]*weirpb.RecordedBatch{
		"fact's time":   told(&weirpb.RecordedFact{TimeNs: -1}),
		"fact's ttl":    told(&weirpb.RecordedFact{TtlNs: recording.MaxTime + 1}),
		"fact's client": told(&weirpb.RecordedFact{Client: []byte{1}}),
		"fact's addr":   told(&weirpb.RecordedFact{Addr: make([]byte, 17)}),
		"short mac":     told(&weirpb.RecordedFact{Mac: []byte{1}}),
		"long mac":      told(&weirpb.RecordedFact{Mac: make([]byte, 12)}),
		"many facts":    {Facts: slices.Repeat([]*weirpb.RecordedFact{{}}, messages.BatchSize+1)},
		"no key":        one(func(u *weirpb.RecordedUpdate) { u.Key = nil }),
		"short addr":    one(func(u *weirpb.RecordedUpdate) { u.Key.AAddr = []byte{1} }),
		"order":         one(func(u *weirpb.RecordedUpdate) { u.Key = key() }),
		"port":          one(func(u *weirpb.RecordedUpdate) { u.Key.APort = 1 << 16 }),
		"zone":          one(func(u *weirpb.RecordedUpdate) { u.Key.Zone = 1 << 16 }),
		"proto":         one(func(u *weirpb.RecordedUpdate) { u.Key.Proto = 256 }),
		"alias":         one(func(u *weirpb.RecordedUpdate) { u.Alias = key() }),
		"start":         one(func(u *weirpb.RecordedUpdate) { u.StartNs = -1 }),
		"stop":          one(func(u *weirpb.RecordedUpdate) { u.StopNs = recording.MaxTime + 1 }),
		"kind":          one(func(u *weirpb.RecordedUpdate) { u.Kind = 3 }),
		"status":        one(func(u *weirpb.RecordedUpdate) { u.Status = -1 }),
		"offset":        {OffsetNs: -1},
		"late offset":   {OffsetNs: recording.MaxTime + 1},
		"many updates":  {Updates: slices.Repeat([]*weirpb.RecordedUpdate{{}}, messages.BatchSize+1)},
	}
}

// TestSpoiledFrames: a frame whose sum is right may still be nonsense, and says so with its offset.
func TestSpoiledFrames(t *testing.T) {
	empty := recordingtest.Record(t, recordingtest.Header(), nil)
	start := recordingtest.Ends(empty)[1]
	end := &weirpb.RecordingFrame_End{End: &weirpb.RecordingEnd{Batches: 1}}
	frames := map[string][]byte{
		"no protobuf":  frame([]byte{0xff}),
		"no content":   frame([]byte{0x7a, 0}),
		"zero length":  make([]byte, recordingtest.HeadBytes),
		"long":         {0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0},
		"a header":     empty[len(recording.FirstLine):start],
		"wrong end":    frame(payload(t, &weirpb.RecordingFrame{Content: end})),
		"after an end": empty[start:],
	}
	for what, b := range spoiled() {
		frames[what] = frame(payload(t, batchFrame(b)))
	}
	for what, f := range frames {
		at := start
		file := append(bytes.Clone(empty[:start]), f...)
		if what == "after an end" {
			file, at = append(file, 'x'), len(file)
		}
		var corrupt *recording.CorruptError
		batches, err := readAll(file)
		if !errors.As(err, &corrupt) || corrupt.Offset != int64(at) || len(batches) != 0 {
			t.Errorf("%s: %d batches, %v, want damage at %d", what, len(batches), err, at)
		}
	}
}

func TestFirstFrameMustBeTheHeader(t *testing.T) {
	early := &weirpb.RecordingFrame_Header{Header: &weirpb.RecordingHeader{CreatedNs: -1}}
	bad := &weirpb.RecordingFrame{Content: early}
	for _, f := range [][]byte{frame(payload(t, bad)), frame(payload(t, batchFrame(&weirpb.RecordedBatch{})))} {
		var corrupt *recording.CorruptError
		_, err := recording.NewReader(bytes.NewReader(append([]byte(recording.FirstLine), f...)))
		if !errors.As(err, &corrupt) {
			t.Errorf("got %v", err)
		}
	}
}

func TestOtherFiles(t *testing.T) {
	for content, want := range map[string]string{
		"":                                "first line",
		"GIF89a, and so on, and so on":    "first line",
		"weir recording 2\nwhatever":      `says "2"`,
		"weir recording 11\n":             `says "11"`,
		"weir recording \x1b[31m\n 12345": `says "\x1b[`,
	} {
		_, err := recording.NewReader(strings.NewReader(content))
		if !errors.Is(err, recording.ErrNoRecording) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", content, err)
		}
	}
	_, err := recording.NewReader(iotest.ErrReader(errors.New("disk on fire")))
	if err == nil || errors.Is(err, recording.ErrNoRecording) {
		t.Errorf("a failure to read: %v", err)
	}
	file := recordingtest.File(t)
	broken := io.MultiReader(bytes.NewReader(file[:len(file)-1]), iotest.ErrReader(errors.New("disk on fire")))
	r, err := recording.NewReader(broken)
	for err == nil {
		_, err = r.Next(&messages.Batch{})
	}
	var torn *recording.TornError
	if errors.As(err, &torn) || !strings.Contains(err.Error(), "disk on fire") {
		t.Errorf("a failure to read: %v", err)
	}
}

// TestTagsLeftOut: a build that lacks a column, or another version of it, uses the rest.
func TestTagsLeftOut(t *testing.T) {
	tag := func(column string, end weirpb.RecordedEnd, value string) *weirpb.RecordedTag {
		return &weirpb.RecordedTag{Column: column, End: end, Value: []byte(value)}
	}
	b := &weirpb.RecordedBatch{Updates: []*weirpb.RecordedUpdate{{
		Key: &weirpb.RecordedKey{AAddr: []byte{1, 1, 1, 1}, BAddr: []byte{2, 2, 2, 2}},
		Tags: []*weirpb.RecordedTag{
			tag("nowhere.known", 0, "x"),
			tag("mark", 0, "short"),
			tag("mark", 0, ""),
			tag("mark", 1, "\x00\x00\x00\x01"),
			tag("mark", 0, "\x00\x00\x00\x01"), // Sound.
			tag("local.test.name", 0, "x"),
			tag("local.test.name", 3, "x"),
			tag("local.test.name", 1, "foreign"),
			tag("remote.test.name", 2, "x"), // Sound.
			tag("test.name", 1, "x"),
		},
	}}}
	empty := recordingtest.Record(t, recordingtest.Header(), nil)
	file := slices.Concat(empty[:recordingtest.Ends(empty)[1]], frame(payload(t, batchFrame(b))))
	r, err := recording.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var got messages.Batch
	info, err := r.Next(&got)
	if err != nil || info.LeftOut != 8 {
		t.Fatalf("%d tags left out: %v", info.LeftOut, err)
	}
	sound := got.TagsOf(&got.Updates[0])
	if len(sound) != 2 || sound[1] != (columns.Tag{Column: recordingtest.Name.Local, End: columns.EndB, Value: "x"}) {
		t.Errorf("got %+v", sound)
	}
}

func TestLostBatches(t *testing.T) {
	var file bytes.Buffer
	w, err := recording.NewWriter(&file, recordingtest.Header())
	if err != nil {
		t.Fatal(err)
	}
	b := recordingtest.Script()[0].Batch
	early := recordingtest.Header().Created.Add(-time.Second)
	for _, lost := range []uint64{2, 0, 3} {
		w.Lost(lost)
		if err := w.Batch(early, b); err != nil {
			t.Fatal(err)
		}
	}
	w.Lost(1)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := recording.NewReader(&file)
	if err != nil {
		t.Fatal(err)
	}
	for _, lost := range []uint64{2, 0, 3, 1} {
		info, err := r.Next(&messages.Batch{})
		if info.Lost != lost || info.At != 0 || (lost == 1) != errors.Is(err, io.EOF) {
			t.Errorf("got %+v and %v, want %d lost", info, err, lost)
		}
	}
}

// TestLargeBatches: what does not fit into one frame goes into several, and what fits into none is lost alone.
func TestLargeBatches(t *testing.T) {
	large := func(n int) []columns.Tag {
		return []columns.Tag{recordingtest.Name.Tag(columns.EndA, strings.Repeat("x", n))}
	}
	b := &messages.Batch{Source: "guts"}
	u := recordingtest.Script()[0].Batch.Updates[0]
	for i := range 300 {
		u.ID = uint32(i)
		b.Add(&u, nil, large(recording.MaxPayload/100))
	}
	var file bytes.Buffer
	w, err := recording.NewWriter(&file, recordingtest.Header())
	if err != nil {
		t.Fatal(err)
	}
	b.Tags[150] = large(recording.MaxPayload)
	if err := w.Batch(recordingtest.Header().Created, b); !errors.Is(err, recording.ErrTooLarge) {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	batches, err := readAll(file.Bytes())
	if !errors.Is(err, io.EOF) || len(batches) < 3 {
		t.Fatalf("%d batches: %v", len(batches), err)
	}
	next := uint32(0)
	for _, s := range batches {
		for i := range s.Batch.Updates {
			if next == 150 {
				next++
			}
			if s.Batch.Updates[i].ID != next {
				t.Fatalf("update %d comes in the place of %d", s.Batch.Updates[i].ID, next)
			}
			next++
		}
	}
	if next != 300 {
		t.Errorf("%d updates", next)
	}
}

func TestWriteErrorsStay(t *testing.T) {
	full := errors.New("no space left")
	w, err := recording.NewWriter(&limitedWriter{left: 1, err: full}, recordingtest.Header())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.Batch(recordingtest.Header().Created, recordingtest.Script()[0].Batch); !errors.Is(err, full) {
			t.Errorf("batch: %v", err)
		}
	}
	if err := w.Close(); !errors.Is(err, full) {
		t.Errorf("close: %v", err)
	}
	if w, err = recording.NewWriter(io.Discard, recordingtest.Header()); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	if err := w.Batch(recordingtest.Header().Created, recordingtest.Script()[0].Batch); err == nil {
		t.Error("a batch after the end was written")
	}
}

// limitedWriter takes some writes.
type limitedWriter struct {
	left int
	err  error
}

func (w *limitedWriter) Write(b []byte) (int, error) {
	if w.left--; w.left < 0 {
		return 0, w.err
	}
	return len(b), nil
}

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden keeps the bytes of the format: a recording of today must be readable in years.
func TestGolden(t *testing.T) {
	for path, script := range map[string][]recordingtest.Sent{
		"testdata/small.rec": recordingtest.Script(), // Written before there were facts.
		"testdata/facts.rec": recordingtest.Facts(),
	} {
		file := recordingtest.Record(t, recordingtest.Header(), script)
		if *update {
			if err := os.WriteFile(path, file, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		golden, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := readAll(golden)
		if !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if diff := same(script, got); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
		if !bytes.Equal(file, golden) {
			t.Errorf("%s: today's writer writes other bytes", path)
		}
	}
}

func FuzzReader(f *testing.F) {
	file := recordingtest.File(f)
	f.Add(file)
	f.Add(file[:len(file)/2])
	f.Add(recordingtest.Record(f, recordingtest.Header(), recordingtest.Facts()))
	f.Add([]byte(recording.FirstLine))
	f.Add([]byte("weir recording 2\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		batches, err := readAll(file)
		if err == nil {
			t.Error("no error and no end")
		}
		if !errors.Is(err, io.EOF) {
			return
		}
		cut, err := readAll(file[:len(file)-1])
		if errors.Is(err, io.EOF) || same(batches, cut) != "" {
			t.Errorf("without its last byte: %d batches instead of %d, then %v", len(cut), len(batches), err)
		}
	})
}

// FuzzFrame seals any payload, so that what is behind the sum is reached.
func FuzzFrame(f *testing.F) {
	for _, s := range slices.Concat(recordingtest.Script(), recordingtest.Facts()) {
		f.Add(payload(f, batchFrame(recording.BatchToProto(s.Batch, s.Batch.Updates, s.Batch.Facts))))
	}
	for _, b := range spoiled() {
		f.Add(payload(f, batchFrame(b)))
	}
	empty := recordingtest.Record(f, recordingtest.Header(), nil)
	head := empty[:recordingtest.Ends(empty)[1]]
	f.Fuzz(func(t *testing.T, payload []byte) {
		batches, _ := readAll(append(bytes.Clone(head), frame(payload)...))
		if len(batches) == 0 {
			return
		}
		again, err := readAll(recordingtest.Record(t, recordingtest.Header(), batches))
		if b := batches[0].Batch; len(b.Updates)+len(b.Facts) == 0 {
			return // Empty batches are not written.
		}
		if diff := same(batches, again); diff != "" || !errors.Is(err, io.EOF) {
			t.Errorf("%v: %s", err, diff)
		}
	})
}
