package proto

import "testing"

// A name that stands for two protocols, or a protocol that is listed twice, would parse to the wrong one.
func TestTable(t *testing.T) {
	seen := map[string]uint8{}
	last := -1
	for _, n := range &names {
		if int(n.number) <= last {
			t.Errorf("protocol %d is not in order", n.number)
		}
		last = int(n.number)
		for _, s := range n.names {
			if other, dup := seen[s]; dup {
				t.Errorf("%s is %d and %d", s, other, n.number)
			}
			seen[s] = n.number
		}
	}
}
