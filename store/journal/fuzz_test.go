package journal

import (
	"encoding/binary"
	"testing"

	"weir/columns"
	"weir/columns/app"
	"weir/messages"
	"weir/store"
)

// FuzzDecode reads payloads as if their checksums were right. Each is one slice after the other of an epoch: u16
// length and that many bytes.
func FuzzDecode(f *testing.F) {
	all := booked()
	all[1].Amendments = []messages.Amendment{{Flow: all[0].Parts[0].Flow[0], Cells: []messages.AmendedCell{
		{Column: app.Column.Column, Value: "x"},
	}}}
	all[2].Accounts = append(all[2].Accounts, messages.Account{
		Key: messages.Key{Proto: 6, Zone: 3}, Flow: 9, Tags: []columns.Tag{app.Column.Tag("y")},
	})
	var seed []byte
	for _, p := range encodeAll(all, len(all)) {
		seed = append(binary.LittleEndian.AppendUint16(seed, uint16(len(p))), p...)
		f.Add(seed)
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, accounts := range []bool{false, true} {
			decodeFuzzed(t, b, accounts)
		}
		cutHeader(b)
		cutSession(b)
		cutRelabel(b)
		isEnd(b)
	})
}

func decodeFuzzed(t *testing.T, b []byte, accounts bool) {
	t.Helper()
	d := newDecoder(salt{1})
	if accounts {
		d.accounts = newLedger()
	}
	d.reset()
	d.amend = &amending{from: newAmendments(), limit: 1 << 20}
	d.amend.from.add(flowOf{number: 1}, 5, app.Column.Column, "z")
	d.amend.reset()
	rows := 0
	for len(b) > 2 {
		n := int(binary.LittleEndian.Uint16(b))
		p := b[2:min(2+n, len(b))]
		b = b[2+len(p):]
		w := wire{b: p}
		h := cutHead(&w, salt{1})
		if w.bad {
			return
		}
		if err := d.slice(&w, &h, h.start, true); err != nil {
			d.truncate(rows)
			break
		}
		rows += h.rows
	}
	if accounts {
		d.accounts.flush(d)
		d.accounts.accounts()
	}
	var block store.Block
	if err := d.handOn(&block, func(b *store.Block) error {
		rows -= b.Rows
		for _, c := range b.Cells {
			for i := range b.Rows {
				c.Dict.At(int(c.IDs.At(i)))
			}
		}
		return nil
	}); err != nil || rows != 0 {
		t.Fatalf("%d rows are missing: %v", rows, err)
	}
}

// FuzzFrames walks through files of any content.
func FuzzFrames(f *testing.F) {
	b := appendLine(nil)
	for _, p := range [][]byte{
		appendHeader(nil, &header{salt: salt{1}, segment: 5}), appendSession(nil, &session{boot: "b"}, salt{1}),
		appendRelabel(nil, relabel{since: 4, shift: -9}, salt{1}), appendEnd(nil, end{slices: 1}),
	} {
		from := len(b)
		b = append(beginFrame(b), p...)
		finishFrame(b, from, salt{1})
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := reader{f: memory(b), size: int64(len(b))}
		if _, err := r.version(); err != nil {
			t.Fatal(err)
		}
		for off := int64(0); off < r.size; {
			payload, size, err := r.frame(off, salt{1})
			if err != nil {
				t.Fatal(err)
			}
			if payload != nil {
				off += int64(size)
				continue
			}
			next, err := r.next(off, salt{1})
			if err != nil || next <= off {
				t.Fatalf("from %d to %d: %v", off, next, err)
			}
			off = next
		}
	})
}
