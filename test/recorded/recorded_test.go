package recorded_test

import (
	"testing"
	"time"

	"weir/test/recorded"
)

// TestRead: what is read of the own folder is what a look at its text tells.
func TestRead(t *testing.T) {
	r := recorded.Own(t)
	if len(r.News) != 433 || len(r.Events) != 1008 {
		t.Errorf("%d lines of conntrack, %d of Suricata", len(r.News), len(r.Events))
	}
	var alive, nat, lost int
	for _, f := range r.Flows {
		if f.Stop.IsZero() {
			alive++
		}
		if _, alias := f.Update(); alias != nil {
			nat++
		}
		if !f.Known {
			lost++
		}
	}
	t.Logf("%d flows, %d alive at the end, %d behind NAT, %d without counters", len(r.Flows), alive, nat, lost)
	if len(r.Flows) < 80 || nat == 0 || lost > 3 {
		t.Errorf("%d flows, %d behind NAT, %d without counters", len(r.Flows), nat, lost)
	}
}

// TestOwners: each event with a routed packet has an owner that lived at that time.
func TestOwners(t *testing.T) {
	for _, r := range recorded.All(t) {
		found, far := 0, 0
		for i := range r.Events {
			e := &r.Events[i]
			if e.Type != "tls" && e.Type != "http" && e.Type != "dns" || !e.Routed() {
				continue
			}
			f := r.Owner(e)
			if f == nil {
				t.Errorf("%s: nobody owns %.300s", r.Name, e.Raw)
				continue
			}
			found++
			if e.At.Before(f.Start.Add(-time.Second)) {
				far++
			}
		}
		t.Logf("%s: %d events with an owner", r.Name, found)
		if far > 0 {
			t.Errorf("%s: %d events lie more than a second before their owners", r.Name, far)
		}
	}
}
