package store

// A tier that reads rows from disk knows the dictionaries of a part before its rows. It asks the scan page by page
// which of them it needs to read at all:
//
//	if scan.Begin(part, times) {
//		for each page {
//			switch scan.Ask(what the page holds) {
//			case None: leave it
//			case Some: read the ids of scan.Wants() into the part; scan.Choose(rows)
//			case All:
//			}
//			read the other ids and measures into the part, if any row was chosen; scan.AddPage(rows)
//		}
//		scan.End()
//	}

// rowMode says how rows are chosen.
type rowMode uint8

const (
	// byTest: the filter is asked row by row, just before they are added.
	byTest rowMode = iota
	// chosenOfPage: it has been asked already.
	chosenOfPage
	// allOfPage: it need not be asked.
	allOfPage
)

// timeCells stands for the times where a number stands for a column of the part.
const timeCells = -1

// TimeCells stands for the times among the columns that a scan wants.
const TimeCells = timeCells

// IDRange tells what ids of a column a page holds: Low to High, and 0 if Empty is set. If Low is above High it holds
// none but 0.
type IDRange struct {
	Low, High uint32
	Empty     bool
}

// Verdict is what is known of the rows of a page before they are read.
type Verdict uint8

// The verdicts.
const (
	// None: no row is wanted.
	None Verdict = iota
	// Some rows may be wanted.
	Some
	// All rows are wanted.
	All
)

// Begin makes ready for the rows of a part, Part.Rows in all, of which neither ids nor measures need be there yet. It
// says whether any row can be wanted.
func (s *Scan) Begin(p *Part, times *Times) bool {
	held := s.times.begin(s.request, times)
	if held.verdict == never {
		return false
	}
	return s.begin(p, joinTests([]test{held, prepare(s.request.Filter, p)}, false))
}

// Steps is in how many steps the wanted rows count at most: more than one needs the times of rows.
func (s *Scan) Steps() int { return s.times.distinct }

// Wants calls f with the place in the part of each column of which the filter needs the ids of rows; with
// [TimeCells] for times. A place may come more than once.
func (s *Scan) Wants(f func(cells int)) { s.test.wants(f) }

func (t *test) wants(f func(cells int)) {
	if t.verdict != byRow {
		return
	}
	if t.parts == nil {
		f(t.cells)
	}
	for i := range t.parts {
		t.parts[i].wants(f)
	}
}

// Ask says what is known of a page whose rows hold the ids that ranges tells, for a place in the part.
func (s *Scan) Ask(ranges func(cells int) IDRange) Verdict {
	s.mode = allOfPage
	switch s.test.ask(ranges) {
	case never:
		return None
	case always:
		return All
	default:
		return Some
	}
}

func (t *test) ask(ranges func(cells int) IDRange) verdict {
	v := t.verdict
	switch {
	case v != byRow:
		return v
	case t.parts == nil:
		v = t.askLeaf(ranges(t.cells))
	default:
		v = t.askParts(ranges)
	}
	if t.negate && v != byRow {
		v = always + never - v
	}
	return v
}

func (t *test) askLeaf(r IDRange) verdict {
	if t.passed == nil {
		t.passed = make([]uint32, len(t.pass)+1)
		for id, pass := range t.pass {
			t.passed[id+1] = t.passed[id]
			if pass {
				t.passed[id+1]++
			}
		}
	}
	passed, of := uint32(0), uint32(0)
	if r.Low <= r.High {
		passed, of = t.passed[r.High+1]-t.passed[r.Low], r.High-r.Low+1
	}
	if r.Empty {
		passed += t.passed[1]
		of++
	}
	switch passed {
	case 0:
		return never
	case of:
		return always
	}
	return byRow
}

func (t *test) askParts(ranges func(cells int) IDRange) verdict {
	decides, neutral := never, always
	if t.or {
		decides, neutral = always, never
	}
	all := neutral
	for i := range t.parts {
		switch v := t.parts[i].ask(ranges); v {
		case decides:
			return decides
		case neutral:
		default:
			all = byRow
		}
	}
	return all
}

// Choose finds those of the n rows of a page, whose wanted ids are in the part, that pass, and says how many they are.
func (s *Scan) Choose(n int) int {
	if cap(s.page) < n {
		s.page = make([]bool, n)
	}
	s.page, s.mode = s.page[:n], chosenOfPage
	count := 0
	for from := 0; from < n; from += blockRows {
		out := s.page[from:min(from+blockRows, n)]
		s.test.run(out, from, 1, &s.masks)
		for _, pass := range out {
			if pass {
				count++
			}
		}
	}
	return count
}

// Chosen tells of each row of the page whether it was chosen; nil means that all are wanted.
func (s *Scan) Chosen() []bool {
	if s.mode != chosenOfPage {
		return nil
	}
	return s.page
}

// AddPage adds the chosen ones of the n rows of a page, or if nobody was asked to choose, all.
func (s *Scan) AddPage(n int) { s.rows(n) }
