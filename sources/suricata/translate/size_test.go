package translate

import (
	"testing"
	"unsafe"
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
