package suricata

import (
	"maps"
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

// An answer adds up what one source lost of one kind: each cause must keep its own count and its own sentence.
func TestLossesOfDifferentCausesAreNotAddedUp(t *testing.T) {
	l, out := losses{}, &fakeOut{}
	l.add(bad, 500)
	l.add(oversize, 1)
	l.add(partial, 1)
	l.tell(out, "suricata")
	l.add(bad, 20)
	l.tell(out, "suricata")
	got := map[string]uint64{}
	for _, o := range out.losses {
		got[o.Source+": "+o.Detail] += o.Count
	}
	parts := map[string]bool{}
	for _, about := range reasons() {
		if about.part == "" || parts[about.part] {
			t.Errorf("%q is told as another cause is", about.detail)
		}
		parts[about.part] = true
	}
	want := map[string]uint64{
		"suricata/decoder: lines from Suricata could not be read as events":        520,
		"suricata/max_line: events of Suricata were longer than max_line":          1,
		"suricata/partial: connections or files of Suricata ended within an event": 1,
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v", got)
	}
}
