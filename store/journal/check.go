package journal

import (
	"errors"
	"fmt"
	"math"

	"weir/messages"
)

// headOf gives the head of a slice as it is written.
func headOf(s *messages.Slice) head {
	h := head{seq: s.Seq, start: s.Span.Start.UnixNano(), end: s.Span.End.UnixNano(), losses: s.Losses}
	for _, p := range s.Parts {
		if p != nil {
			h.other.Add(p.Other)
		}
	}
	return h
}

// check says what is wrong with a slice: writing it relies on the rest.
func check(s *messages.Slice) error {
	if !s.Span.Start.Before(s.Span.End) {
		return errors.New("its span is empty")
	}
	if s.Span.Start.Year() < 1900 || s.Span.End.Year() > 2200 {
		return errors.New("its span is out of all times")
	}
	rows := 0
	for _, p := range s.Parts {
		if p == nil {
			continue
		}
		rows += p.Len()
		if err := checkRows(p); err != nil {
			return err
		}
	}
	if int64(rows) > math.MaxInt32 {
		return fmt.Errorf("%d rows are too many", rows)
	}
	return nil
}

func checkRows(r *messages.Rows) error {
	n := r.Len()
	counts := []int{len(r.UpPackets), len(r.DownBytes), len(r.DownPackets), len(r.Started), len(r.Ended)}
	if r.Flow != nil {
		counts = append(counts, len(r.Flow))
	}
	for _, l := range counts {
		if l != n {
			return fmt.Errorf("%d counts for %d rows", l, n)
		}
	}
	for i := range r.Cells {
		c := &r.Cells[i]
		if c.Column == nil {
			return errors.New("no column")
		}
		for k := range i {
			if r.Cells[k].Column == c.Column {
				return fmt.Errorf("column %s twice", c.Column.Name)
			}
		}
		if err := checkCells(c, n); err != nil {
			return fmt.Errorf("column %s: %w", c.Column.Name, err)
		}
	}
	return nil
}

func checkCells(c *messages.Cells, rows int) error {
	if len(c.IDs) != rows {
		return fmt.Errorf("%d cells for %d rows", len(c.IDs), rows)
	}
	if len(c.Dict) == 0 || c.Dict[0] != "" {
		return errors.New("the first cell of the dictionary is not the empty one")
	}
	for _, id := range c.IDs {
		if uint64(id) >= uint64(len(c.Dict)) {
			return fmt.Errorf("id %d with %d cells", id, len(c.Dict))
		}
	}
	return nil
}
