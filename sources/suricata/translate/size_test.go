package translate

import (
	"strings"
	"testing"
	"unsafe"

	"weir/columns/http"
)

// TestSizes keeps the comment on Options.Flows true: a flow takes its node, and its key again in the map, which
// is at least half full.
func TestSizes(t *testing.T) {
	node, place := unsafe.Sizeof(node[flowID, flow]{}), unsafe.Sizeof(flowID{})+unsafe.Sizeof(int32(0))
	if size := node + 2*place; size > 450 {
		t.Errorf("a flow takes %d + 2·%d bytes", node, place)
	} else {
		t.Logf("a flow takes %d + 2·%d bytes", node, place)
	}
}

// TestLongTextsAreNotKept: peers choose the texts, and there is room for few bytes of them.
func TestLongTextsAreNotKept(t *testing.T) {
	g := newTagger()
	for i := range 3 {
		for _, n := range []int{10, maxSetBytes + 1} {
			g.begin()
			g.text(http.URL, strings.Repeat(string(rune('a'+i)), n), maxURL)
			if set := g.set(); len(set) != 1 || len(set[0].Value) != n {
				t.Fatalf("%d bytes became %v", n, set)
			}
		}
	}
	if len(g.sets) != 3 {
		t.Errorf("%d sets are kept", len(g.sets))
	}
	for _, s := range g.sets {
		if len(s[0].Value) > maxSetBytes {
			t.Errorf("a set of %d bytes is kept", len(s[0].Value))
		}
	}
}
