package flows

// index maps 64-bit hashes to numbers of entries. Its slots hold no pointers, so that the garbage
// collector does not walk them, and it is cut into parts that grow one at a time, so that no growth
// stops the shard for long.
//
// Slot: upper half of the hash << 32 | entry number; 0 is free (entry numbers begin at 1). Probing is
// linear. The place of a slot in its part comes from the stored half of the hash alone, so that growing
// and deleting never look at an entry. Incarnations of one key have one slot each.
type index struct {
	parts [indexParts]indexPart
}

const (
	indexParts = 64
	// A part grows when it is more than 3/4 full.
	loadNum, loadDen = 3, 4
	smallestPart     = 16
)

type indexPart struct {
	slots []slot
	used  int
}

// part chooses by bits that the slot does not keep.
func (x *index) part(hash uint64) *indexPart { return &x.parts[hash%indexParts] }

// home is where a probe for the hash begins: the upper half scaled to the number of slots.
func (p *indexPart) home(upper uint32) int {
	return int(uint64(upper) * uint64(len(p.slots)) >> 32) //nolint:gosec // Smaller than len.
}

// slot is one place of the index.
type slot uint64

func makeSlot(hash uint64, n uint32) slot { return slot(hash>>32<<32 | uint64(n)) }

func (s slot) upper() uint32 { return uint32(s >> 32) } //nolint:gosec // The upper half.

func (s slot) entry() uint32 { return uint32(s) } //nolint:gosec // The lower half.

// probe walks over the entries whose hash is likely the one that is looked for.
type probe struct {
	part  *indexPart
	at    int
	upper uint32
}

func (x *index) probe(hash uint64) probe {
	q := probe{part: x.part(hash), upper: makeSlot(hash, 0).upper()}
	q.at = q.part.home(q.upper)
	return q
}

// next gives the number of the next entry, or 0 if there is none.
func (q *probe) next() uint32 {
	if len(q.part.slots) == 0 {
		return 0
	}
	for {
		s := q.part.slots[q.at]
		if s == 0 {
			return 0
		}
		q.at = q.part.after(q.at)
		if s.upper() == q.upper {
			return s.entry()
		}
	}
}

func (p *indexPart) after(i int) int {
	if i++; i == len(p.slots) {
		return 0
	}
	return i
}

// insert adds an entry under a hash; it does not look whether it is there.
func (x *index) insert(hash uint64, n uint32) {
	p := x.part(hash)
	if (p.used+1)*loadDen > len(p.slots)*loadNum {
		p.grow()
	}
	p.put(makeSlot(hash, n))
	p.used++
}

func (p *indexPart) put(s slot) {
	i := p.home(s.upper())
	for p.slots[i] != 0 {
		i = p.after(i)
	}
	p.slots[i] = s
}

// grow by a quarter: a part is then 3/5 full.
func (p *indexPart) grow() {
	old := p.slots
	p.slots = make([]slot, max(smallestPart, len(old)+len(old)/4))
	for _, s := range old {
		if s != 0 {
			p.put(s)
		}
	}
}

// remove takes an entry out and moves later slots of the probe back into the gap.
func (x *index) remove(hash uint64, n uint32) {
	p := x.part(hash)
	gap, ok := p.locate(hash, n)
	if !ok {
		return
	}
	p.used--
	for i := p.after(gap); p.slots[i] != 0; i = p.after(i) {
		if home := p.home(p.slots[i].upper()); between(gap, home, i) {
			continue
		}
		p.slots[gap], gap = p.slots[i], i
	}
	p.slots[gap] = 0
}

// between says whether home lies cyclically in (gap, i]: then the slot at i must stay.
func between(gap, home, i int) bool {
	if gap < i {
		return gap < home && home <= i
	}
	return gap < home || home <= i
}

func (p *indexPart) locate(hash uint64, n uint32) (int, bool) {
	if len(p.slots) == 0 {
		return 0, false
	}
	want := makeSlot(hash, n)
	for i := p.home(want.upper()); p.slots[i] != 0; i = p.after(i) {
		if p.slots[i] == want {
			return i, true
		}
	}
	return 0, false
}

// bytes is the memory that the slots take.
func (x *index) bytes() int64 {
	var n int64
	for i := range x.parts {
		n += int64(len(x.parts[i].slots)) * 8
	}
	return n
}
