package journal

import (
	"bytes"
	"encoding/binary"
	"math"
	"time"

	"weir/messages"
	"weir/store"
)

// The flags of a slice.
const (
	sliceComplete byte = 1 << iota
	sliceEpoch
	sliceAllAccounts
	sliceLosses
	sliceOther
	sliceAmendments
	sliceIdle
	sliceAccounts
)

// head is the beginning of a slice's payload.
type head struct {
	flags      byte
	session    salt // where an epoch begins
	seq        uint64
	start, end int64
	rows       int
	losses     []messages.Loss
	other      messages.Totals
}

// The times that nanoseconds can tell, with room for shifts.
const earliest, latest = math.MinInt64 / 2, math.MaxInt64 / 2

func appendHead(dst []byte, h *head, s salt) []byte {
	dst = append(dst, byte(kindSlice), h.flags)
	if h.flags&sliceEpoch != 0 {
		dst = append(append(dst, s[:]...), h.session[:]...)
	}
	dst = binary.AppendUvarint(dst, h.seq)
	dst = appendS(dst, h.start)
	dst = binary.AppendUvarint(dst, uint64(h.end-h.start)) //nolint:gosec // A span is not negative.
	dst = binary.AppendUvarint(dst, uint64(h.rows))        //nolint:gosec // A count.
	if h.flags&sliceLosses != 0 {
		dst = appendLosses(dst, h.losses)
	}
	if h.flags&sliceOther != 0 {
		dst = appendTotals(dst, &h.other)
	}
	return dst
}

// cutHead reads the head of a slice and leaves the rest.
func cutHead(w *wire, s salt) (h head) {
	if kind(w.byte()) != kindSlice {
		w.fail()
	}
	h.flags = w.byte()
	if h.flags&sliceEpoch != 0 {
		if !bytes.Equal(w.bytes(uint64(len(s))), s[:]) {
			w.fail()
		}
		copy(h.session[:], w.bytes(uint64(len(s))))
	}
	h.seq = w.u()
	h.start = w.s()
	length := w.u()
	if h.start < earliest || h.start > latest || length == 0 || length > latest {
		w.fail()
		return h
	}
	h.end = h.start + int64(length)
	rows := w.u()
	if rows > maxPayload/2 {
		w.fail()
	}
	h.rows = int(rows)
	if h.flags&sliceLosses != 0 {
		h.losses = cutLosses(w)
	}
	if h.flags&sliceOther != 0 {
		h.other = cutTotals(w)
	}
	return h
}

func appendTotals(dst []byte, t *messages.Totals) []byte {
	for _, v := range [...]uint64{
		t.Up.Bytes, t.Up.Packets, t.Down.Bytes, t.Down.Packets, t.Started, t.Ended, t.Rows,
	} {
		dst = binary.AppendUvarint(dst, v)
	}
	return dst
}

func cutTotals(w *wire) (t messages.Totals) {
	for _, v := range [...]*uint64{
		&t.Up.Bytes, &t.Up.Packets, &t.Down.Bytes, &t.Down.Packets, &t.Started, &t.Ended, &t.Rows,
	} {
		*v = w.u()
	}
	return t
}

func appendLosses(dst []byte, list []messages.Loss) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	for i := range list {
		l := &list[i]
		dst = appendText(dst, l.Source)
		dst = appendText(dst, l.Kind)
		dst = binary.AppendUvarint(dst, l.Count)
		dst = binary.AppendUvarint(dst, l.Bytes)
		if l.Span.Start.IsZero() || l.Span.End.IsZero() {
			dst = append(dst, 0)
		} else {
			dst = append(dst, 1)
			dst = appendS(dst, l.Span.Start.UnixNano())
			dst = appendS(dst, l.Span.End.UnixNano())
		}
		dst = appendText(dst, l.Detail)
	}
	return dst
}

func cutLosses(w *wire) []messages.Loss {
	const least = 6
	n := w.count(least)
	list := make([]messages.Loss, 0, n)
	for range n {
		l := messages.Loss{Source: string(w.text()), Kind: messages.LossKind(w.text()), Count: w.u(), Bytes: w.u()}
		if w.byte() != 0 {
			l.Span = messages.Span{Start: time.Unix(0, w.s()), End: time.Unix(0, w.s())}
		}
		l.Detail = string(w.text())
		list = append(list, l)
	}
	if w.bad {
		return nil
	}
	return list
}

// storeHead gives a head as others know it, shifted.
func (h *head) storeHead(shift int64) store.Head {
	return store.Head{
		Seq: h.seq, Complete: h.flags&sliceComplete != 0, Losses: shiftLosses(h.losses, shift), Other: h.other,
		Span: messages.Span{Start: time.Unix(0, h.start+shift), End: time.Unix(0, h.end+shift)},
	}
}

// header is the first frame of a segment.
type header struct {
	salt                   salt
	created                int64
	slice, segment, bucket int64
}

func appendHeader(dst []byte, h *header) []byte {
	dst = append(dst, byte(kindHeader))
	dst = append(dst, h.salt[:]...)
	dst = appendS(dst, h.created)
	dst = binary.AppendUvarint(dst, uint64(h.slice))   //nolint:gosec // A length.
	dst = binary.AppendUvarint(dst, uint64(h.segment)) //nolint:gosec // A length.
	return appendS(dst, h.bucket)
}

func cutHeader(payload []byte) (h header, ok bool) {
	w := wire{b: payload}
	if kind(w.byte()) != kindHeader {
		return h, false
	}
	copy(h.salt[:], w.bytes(uint64(len(h.salt))))
	h.created = w.s()
	h.slice, h.segment = int64(w.u()), int64(w.u()) //nolint:gosec // Not used for more than to be shown.
	h.bucket = w.s()
	return h, !w.bad && w.left() == 0
}

// session is one time that the journal was open.
type session struct {
	id    salt
	boot  string
	began int64
	// losses belong to the next slice.
	losses []messages.Loss
}

func appendSession(dst []byte, s *session, mark salt) []byte {
	dst = append(append(dst, byte(kindSession)), mark[:]...)
	dst = append(dst, s.id[:]...)
	dst = appendText(dst, s.boot)
	dst = appendS(dst, s.began)
	return appendLosses(dst, s.losses)
}

func cutSession(payload []byte) (s session, ok bool) {
	w := wire{b: payload}
	if kind(w.byte()) != kindSession {
		return s, false
	}
	w.bytes(uint64(len(salt{})))
	copy(s.id[:], w.bytes(uint64(len(s.id))))
	s.boot = string(w.text())
	s.began = w.s()
	s.losses = cutLosses(&w)
	return s, !w.bad && w.left() == 0
}

// relabel shifts slices.
type relabel struct {
	since uint64
	shift int64
}

func appendRelabel(dst []byte, r relabel, mark salt) []byte {
	dst = append(append(dst, byte(kindRelabel)), mark[:]...)
	return appendS(binary.AppendUvarint(dst, r.since), r.shift)
}

func cutRelabel(payload []byte) (r relabel, ok bool) {
	w := wire{b: payload}
	if kind(w.byte()) != kindRelabel {
		return r, false
	}
	w.bytes(uint64(len(salt{})))
	r.since, r.shift = w.u(), w.s()
	return r, !w.bad && w.left() == 0
}

// end closes a segment.
type end struct{ slices, last uint64 }

func appendEnd(dst []byte, e end) []byte {
	dst = binary.AppendUvarint(append(dst, byte(kindEnd)), e.slices)
	return binary.AppendUvarint(dst, e.last)
}

// isEnd says whether a payload is a sound end.
func isEnd(payload []byte) bool {
	w := wire{b: payload}
	k := kind(w.byte())
	w.u()
	w.u()
	return k == kindEnd && !w.bad && w.left() == 0
}
