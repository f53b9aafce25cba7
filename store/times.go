package store

import "time"

// Times tell when the slices of rows start, which are of several slices: the slice of row i starts at
// Starts[IDs.At(i)], in nanoseconds since 1970. No two of the starts are the same.
type Times struct {
	Starts []int64
	IDs    Ints
}

// timing is what a request makes of times.
type timing struct {
	times *Times
	// held tells of each start whether it is asked for.
	held []bool
	// distinct is how many steps there are; number counts them from 0, for each start, and steps tells what
	// the numbers stand for.
	distinct int
	number   []uint32
	steps    []uint32
}

// at makes ready for rows that all count in one step.
func (t *timing) at(step int) {
	t.times, t.distinct = nil, 1
	t.steps = append(t.steps[:0], uint32(step)) //nolint:gosec // Steps are few.
}

// begin makes ready for rows of several slices and says which of them the request asks for.
func (t *timing) begin(r *Request, times *Times) test {
	t.times, t.distinct = times, 0
	t.held, t.number, t.steps = t.held[:0], t.number[:0], t.steps[:0]
	known := map[uint32]uint32{}
	some := false
	for _, start := range times.Starts {
		at := time.Unix(0, start)
		held := r.Holds(at)
		t.held = append(t.held, held)
		number := uint32(0)
		if held {
			some = true
			step := uint32(r.StepOf(at)) //nolint:gosec // Steps are few.
			var ok bool
			if number, ok = known[step]; !ok {
				number = uint32(len(known)) //nolint:gosec // Likewise.
				known[step] = number
				t.steps = append(t.steps, step)
			}
		}
		t.number = append(t.number, number)
	}
	t.distinct = len(known)
	if !some {
		return test{verdict: never}
	}
	for _, held := range t.held {
		if !held {
			return test{pass: t.held, ids: &times.IDs, cells: timeCells}
		}
	}
	return test{verdict: always}
}

// step tells in which step a row counts.
func (t *timing) step(row int) uint32 {
	if t.distinct == 1 {
		return t.steps[0]
	}
	return t.steps[t.number[t.times.IDs.At(row)]]
}
