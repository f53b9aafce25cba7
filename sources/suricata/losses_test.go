package suricata

import (
	"testing"

	"weir/messages"
)

// What is lost on the way here takes bytes from a sum only if events count.
func TestLossesOfNamesTakeNoByte(t *testing.T) {
	for _, counting := range []bool{false, true} {
		l, out := losses{counting: counting}, &fakeOut{}
		for r := range reasonCount {
			l.add(r, 2)
		}
		l.tell(out, "suricata")
		if len(out.losses) != int(reasonCount) {
			t.Fatalf("%d losses", len(out.losses))
		}
		for _, o := range out.losses {
			if (o.Kind == messages.LossUntagged) == counting || o.Count != 2 {
				t.Errorf("counting %v: %+v", counting, o)
			}
		}
	}
}
