package journal

// numbers gives flows short numbers for a session.
type numbers struct {
	now, before map[uint64]uint64
	next        uint64
}

// fewFlows are never forgotten.
const fewFlows = 1 << 12

func newNumbers() *numbers {
	return &numbers{now: map[uint64]uint64{}, next: 1}
}

func (n *numbers) find(flow uint64) uint64 {
	if v, ok := n.now[flow]; ok {
		return v
	}
	return n.before[flow]
}

func (n *numbers) of(flow uint64) uint64 {
	if v, ok := n.now[flow]; ok {
		return v
	}
	v, ok := n.before[flow]
	if !ok {
		v = n.next
		n.next++
	}
	n.now[flow] = v
	return v
}

// age forgets flows that were not seen for an epoch or two.
func (n *numbers) age() {
	if len(n.now) > fewFlows {
		n.before, n.now = n.now, make(map[uint64]uint64, len(n.now))
	}
}
