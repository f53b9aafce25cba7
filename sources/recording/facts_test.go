package recording_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"weir/messages"
	"weir/messages/weirpb"
	"weir/sources/recording"
	"weir/sources/recording/recordingtest"
)

// TestFactsLeftOut: kinds of a later version, and texts that no source of ours would have sent, are left out.
func TestFactsLeftOut(t *testing.T) {
	fact := func(kind weirpb.RecordedFactKind, name, source string) *weirpb.RecordedFact {
		return &weirpb.RecordedFact{Kind: kind, Addr: []byte{1, 1, 1, 1}, Name: name, Source: source}
	}
	b := &weirpb.RecordedBatch{Facts: []*weirpb.RecordedFact{
		fact(2, "a.example.org", "dns"), // Sound.
		fact(0, "b.example.org", "dns"),
		fact(6, "c.example.org", "dns"),
		fact(-1, "d.example.org", "dns"),
		fact(258, "e.example.org", "dns"),
		fact(2, "f.example.org\x1b[31m", "dns"),
		fact(2, "g.example.org\u0085", "dns"),
		fact(2, "h.example.org\u2028", "dns"),
		fact(2, strings.Repeat("i", 254), "dns"),
		fact(2, "j.example.org", "d\x00s"),
		fact(5, strings.Repeat("k", 253), ""), // Sound.
	}}
	empty := recordingtest.Record(t, recordingtest.Header(), nil)
	file := slices.Concat(empty[:recordingtest.Ends(empty)[1]], frame(payload(t, batchFrame(b))))
	r, err := recording.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var got messages.Batch
	info, err := r.Next(&got)
	if err != nil || info.LeftOutFacts != 9 || info.LeftOut != 0 {
		t.Fatalf("%+v: %v", info, err)
	}
	if len(got.Facts) != 2 || got.Facts[0].Name != "a.example.org" || len(got.Facts[1].Name) != 253 {
		t.Errorf("got %+v", got.Facts)
	}
}

// TestCopyCountsFacts: a copy has its right end frame even if this build leaves out facts.
func TestCopyCountsFacts(t *testing.T) {
	strange := &weirpb.RecordedBatch{Facts: []*weirpb.RecordedFact{{Kind: 99}, {Kind: 1}}}
	whole := recordingtest.Record(t, recordingtest.Header(), recordingtest.Facts())
	file := slices.Concat(whole[:recordingtest.Ends(whole)[3]], frame(payload(t, batchFrame(strange))))
	var out bytes.Buffer
	done, err := recording.Copy(&out, bytes.NewReader(file))
	var torn *recording.TornError
	if !errors.As(err, &torn) || done.Batches != 3 || done.Updates != 1 || done.Facts != 7 {
		t.Fatalf("%+v: %v", done, err)
	}
	if _, err := readAll(out.Bytes()); !errors.Is(err, io.EOF) {
		t.Errorf("the copy: %v", err)
	}
}

// TestManyFacts: what does not fit into one frame goes into several, and what fits into none is lost alone.
func TestManyFacts(t *testing.T) {
	b := recordingtest.Facts()[1].Batch
	b.Facts = slices.Repeat(b.Facts[:1], 3*messages.BatchSize)
	for i := range b.Facts {
		b.Facts[i].Time = int64(i)
		b.Facts[i].Name = strings.Repeat("x", 250)
	}
	b.Facts[300].Name = strings.Repeat("x", recording.MaxPayload)
	var file bytes.Buffer
	w, err := recording.NewWriter(&file, recordingtest.Header())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Batch(recordingtest.Header().Created, b); !errors.Is(err, recording.ErrTooLarge) {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	batches, err := readAll(file.Bytes())
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	var times []int64
	updates := 0
	for _, s := range batches {
		updates += len(s.Batch.Updates)
		for _, f := range s.Batch.Facts {
			times = append(times, f.Time)
		}
	}
	if updates != 1 || len(times) != 3*messages.BatchSize-1 || times[299] != 299 || times[300] != 301 {
		t.Errorf("%d updates, %d facts", updates, len(times))
	}
	if !slices.IsSorted(times) {
		t.Error("the order is another one")
	}
}

// TestBeforeThereWereFacts shows a recording with facts to a reader of before, which skips fields that it does
// not know: the batches and updates are what the end frame says.
func TestBeforeThereWereFacts(t *testing.T) {
	whole := recordingtest.Record(t, recordingtest.Header(), recordingtest.Facts())
	ends := recordingtest.Ends(whole)
	old := bytes.Clone(whole[:ends[1]])
	for i, at := range ends[1 : len(ends)-1] {
		var f weirpb.RecordingFrame
		if err := proto.Unmarshal(whole[at+recordingtest.HeadBytes:ends[i+2]], &f); err != nil {
			t.Fatal(err)
		}
		switch c := f.GetContent().(type) {
		case *weirpb.RecordingFrame_Batch:
			c.Batch.Facts = nil
		case *weirpb.RecordingFrame_End:
			c.End.Facts = 0
		}
		old = append(old, frame(payload(t, &f))...)
	}
	got, err := readAll(old)
	if !errors.Is(err, io.EOF) || len(got) != 2 || len(got[0].Batch.Updates) != 0 || len(got[1].Batch.Updates) != 1 {
		t.Errorf("%d batches: %v", len(got), err)
	}
}

// TestDrawing: the frame that the page of the format draws is what the writer writes.
func TestDrawing(t *testing.T) {
	page, err := os.ReadFile("../../docs/formats/recording.md")
	if err != nil {
		t.Fatal(err)
	}
	_, page, _ = bytes.Cut(page, []byte("## Facts"))
	var drawn []byte
	octets := regexp.MustCompile(`(?m)^ *((?:[0-9a-f]{2} )*[0-9a-f]{2})(?:  .*)?$`)
	for _, line := range octets.FindAllSubmatch(page, -1) {
		b, err := hex.DecodeString(strings.ReplaceAll(string(line[1]), " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		drawn = append(drawn, b...)
	}
	one := recordingtest.Facts()[:1]
	one[0].Batch.Facts = one[0].Batch.Facts[:1]
	file := recordingtest.Record(t, recordingtest.Header(), one)
	if ends := recordingtest.Ends(file); !bytes.Equal(drawn, file[ends[1]:ends[2]]) {
		t.Errorf("drawn:\n% x\nwritten:\n% x", drawn, file[ends[1]:ends[2]])
	}
}
