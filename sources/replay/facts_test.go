package replay

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/messages"
	"weir/sources"
	"weir/sources/recording"
	"weir/sources/recording/recordingtest"
)

// told lists the names and hardware addresses of facts, in their order.
func (o *outlet) told() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []string
	for _, f := range o.facts {
		all = append(all, f.Source+" "+f.Name)
	}
	return all
}

// scripted lists those of the recording.
func scripted() []string {
	return []string{"dns www.example.org", "dns host-1.example.net", "dhcp camera", "arp ", "mdns příklad.local"}
}

func TestPlaysFacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, recordingtest.Record(t, recordingtest.Header(), recordingtest.Facts()), Config{Speed: 1})
		b.start(t)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := b.out.told(); !slices.Equal(got, scripted()[:3]) || len(b.out.got()) != 0 {
			t.Errorf("after ten seconds: %q", got)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := b.out.told(); !slices.Equal(got, scripted()) || len(b.out.got()) != 1 {
			t.Errorf("after twelve seconds: %q", got)
		}
		// Whatever its kind, a time keeps its distance from the beginning of counting.
		counted := recordingtest.Header().CountsSince.Sub(b.since)
		want := recordingtest.Facts()
		for i, f := range slices.Concat(want[0].Batch.Facts, want[1].Batch.Facts) {
			moved := b.out.facts[i].Time
			if f.Time == 0 && moved != 0 || f.Time != 0 && moved+int64(counted) != f.Time {
				t.Errorf("fact %d: %d became %d", i, f.Time, moved)
			}
		}
		if got := b.out.got()[0].update.Stop + int64(counted); got != want[1].Batch.Updates[0].Stop {
			t.Errorf("the tags' time became %d", got)
		}
		if b.metric(t, "facts_total") != 5 || b.metric(t, "updates_total") != 1 {
			t.Errorf("%+v", b.source.Health().Metrics)
		}
		if err := b.stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestFactsGoOnAfterAFailure: as with updates, the next source goes on behind the fact that failed.
func TestFactsGoOnAfterAFailure(t *testing.T) {
	file := recordingtest.Record(t, recordingtest.Header(), recordingtest.Facts())
	for n := range 6 {
		synctest.Test(t, func(t *testing.T) {
			b := newBed(t, file, Config{})
			failed := false
			b.out.before = func(taken int) error {
				if taken == n && !failed {
					failed = true
					return errors.New("injected")
				}
				return nil
			}
			b.start(t)
			if err := <-b.ended; err == nil || !strings.Contains(err.Error(), "injected") {
				t.Errorf("before %d: %v", n, err)
			}
			b.start(t)
			if err := b.stop(); err != nil {
				t.Error(err)
			}
			if got := b.out.told(); !slices.Equal(got, scripted()) || len(b.out.got()) != 1 {
				t.Errorf("before %d: %q, %d updates", n, got, len(b.out.got()))
			}
		})
	}
}

// TestTagsInALaterPass: tags name no incarnation, and in a later pass they do not begin to.
func TestTagsInALaterPass(t *testing.T) {
	h := recordingtest.Header()
	s := newShift(&h, &place{pass: 1, shift: time.Minute})
	tags := recordingtest.Facts()[1].Batch.Updates[0]
	s.retime(&tags)
	if tags.ID != 0 || tags.Start != 0 || tags.Stop != h.Created.Add(71*time.Second).UnixNano() {
		t.Errorf("got %+v", tags)
	}
	counted := messages.Update{Kind: messages.Absolute}
	if s.retime(&counted); counted.ID == 0 {
		t.Error("a flow of a later pass is that of the first one")
	}
}

// TestLoopOfFacts: a recording of facts alone is played again and again.
func TestLoopOfFacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := recordingtest.Record(t, recordingtest.Header(), []recordingtest.Sent{recordingtest.Facts()[0]})
		b := newBed(t, file, Config{Speed: 1, Loop: true})
		b.start(t)
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if got := b.out.told(); len(got) != 6 || b.source.Health().State != sources.Running {
			t.Errorf("%q, %+v", got, b.source.Health())
		}
		first, second := b.out.facts[0].Time, b.out.facts[3].Time
		if length := 20 * time.Second; second-first != int64(length) {
			t.Errorf("the second pass lies %v behind the first", time.Duration(second-first))
		}
		if err := b.stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestFactsStayInTime: whatever the times, that of a fact stays one.
func TestFactsStayInTime(t *testing.T) {
	h := recordingtest.Header()
	for _, at := range []int64{0, 1, recording.MaxTime} {
		s := newShift(&h, &place{since: time.Unix(0, recording.MaxTime), shift: maxShift})
		f := messages.Fact{Time: at}
		if s.retimeFact(&f); f.Time < 0 || f.Time > recording.MaxTime || (f.Time == 0) != (at == 0) {
			t.Errorf("%d became %d", at, f.Time)
		}
	}
}
