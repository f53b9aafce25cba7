package suricata

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"testing"
)

// drain takes all that is queued.
func drain(q *queue) (lines []string) {
	for s, _ := q.take(); s != nil; s, _ = q.take() {
		if err := s.each(func(it *item, raw []byte) error {
			lines = append(lines, strconv.FormatUint(it.conn, 10)+":"+string(raw))
			return nil
		}); err != nil {
			panic(err)
		}
		q.release(s)
	}
	return lines
}

func TestQueueKeepsOrder(t *testing.T) {
	q := newQueue(4 << 20)
	for round := range 3 { // The slabs are used again.
		for i := range 5000 {
			raw := []byte(strconv.Itoa(i))
			if i%1000 == 7 {
				raw = bytes.Repeat(raw, slabSize) // Has a slab of its own, and the order stays.
			}
			if !q.offer(item{conn: uint64(i)}, raw) {
				t.Fatalf("round %d: full at line %d", round, i)
			}
		}
		got := drain(q)
		if len(got) != 5000 {
			t.Fatalf("%d lines", len(got))
		}
		for i, line := range got {
			n := strconv.Itoa(i)
			if want := n + ":" + n; line[:min(len(line), len(want))] != want {
				t.Fatalf("line %d is %.40q", i, line)
			}
		}
	}
	if held, lines := q.level(); held != 0 || lines != 0 {
		t.Errorf("an empty queue holds %d bytes and %d lines", held, lines)
	}
}

func TestQueueIsBounded(t *testing.T) {
	for name, raw := range map[string][]byte{
		"empty": nil, "short": []byte("{}"), "usual": make([]byte, 600), "long": make([]byte, 200_000),
	} {
		const limit = 2 << 20
		q, put := newQueue(limit), 0
		for q.offer(item{}, raw) {
			put++
		}
		held, items := 0, 0
		for _, s := range q.slabs {
			held += cap(s.buf)
			items += cap(s.items)
		}
		level, lines := q.level()
		if held > limit || level != held || lines != put || lines > maxLines || items > 2*maxLines {
			t.Errorf("%s: holds %d bytes (says %d) and room for %d lines, %d of %d",
				name, held, level, items, lines, put)
		}
		if put < min(maxLines, limit/(2*max(len(raw), 1))) {
			t.Errorf("%s: full after %d lines", name, put)
		}
		// What the worker has taken is still held.
		s, _ := q.take()
		if q.offer(item{}, raw) && name != "usual" {
			t.Errorf("%s: the slab in work is not counted", name)
		}
		q.release(s)
		if !q.offer(item{}, raw) {
			t.Errorf("%s: still full after a release", name)
		}
	}
}

func TestQueueWaits(t *testing.T) {
	q := newQueue(slabSize)
	raw := make([]byte, slabSize)
	if err := q.wait(t.Context(), item{}, raw); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := q.wait(ctx, item{}, raw); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for room: %v", err)
	}
	done := make(chan error)
	go func() { done <- q.wait(t.Context(), item{}, []byte("next")) }()
	s, _ := q.take()
	q.release(s)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := drain(q); len(got) != 1 || got[0] != "0:next" {
		t.Errorf("%q", got)
	}
	q.close()
	if _, over := q.take(); !over {
		t.Error("a closed queue is not over")
	}
}
