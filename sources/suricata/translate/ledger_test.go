package translate

import (
	"strings"
	"testing"
	"time"

	"weir/messages"
	"weir/sources/suricata/eve"
)

// ledger books what updates count, as the table of flows does, only simpler.
type ledger struct {
	last   map[incarnation][2]messages.Counter
	ended  map[incarnation]bool
	total  messages.Counter
	starts map[incarnation]bool
}

type incarnation struct {
	key   messages.Key
	start int64
}

func (l *ledger) book(t *testing.T, u *messages.Update) {
	t.Helper()
	if u.Start == 0 {
		return
	}
	i := incarnation{key: u.Key, start: u.Start}
	if u.Status == messages.Started && l.starts[i] {
		t.Errorf("started twice: %s", updateText(u, nil))
	}
	if l.ended[i] && u.Kind == messages.Absolute {
		t.Errorf("counted after its end: %s", updateText(u, nil))
	}
	l.starts[i] = true
	if u.Status == messages.Ended {
		l.ended[i] = true
	}
	if u.Kind != messages.Absolute {
		return
	}
	last := l.last[i]
	for side, c := range u.Counters {
		if c.Packets < last[side].Packets || c.Bytes < last[side].Bytes {
			t.Errorf("went back: %s", updateText(u, nil))
		}
		l.total.Packets += c.Packets - last[side].Packets
		l.total.Bytes += c.Bytes - last[side].Bytes
	}
	l.last[i] = u.Counters
}

// TestEveryByteOnce books all flow records of all that was seen live, and compares with their sum. The other files
// have the same captures several times, which are the same flows.
func TestEveryByteOnce(t *testing.T) {
	for _, file := range sharedFiles(t) {
		if !strings.Contains(file, "live-") {
			continue
		}
		var want messages.Counter
		records, ghosts := 0, 0
		tr, lines, w := New(Options{Statistics: true}), eve.NewLines(), &sink{quiet: true}
		l := &ledger{
			last: map[incarnation][2]messages.Counter{}, ended: map[incarnation]bool{}, starts: map[incarnation]bool{},
		}
		eachLine(t, file, func(line []byte) {
			lines.Line(line, func(e *eve.Event) {
				before := tr.Counts().Unused[Ghost]
				if err := tr.Event(t.Context(), 1, e, time.Unix(0, max(1, e.Time)), w); err != nil {
					t.Fatal(err)
				}
				if e.Type == "flow" && tr.Counts().Unused[Ghost] == before {
					records++
					want.Packets += e.Flow.PktsToServer + e.Flow.PktsToClient
					want.Bytes += layer3(e, e.Flow.PktsToServer, e.Flow.BytesToServer) +
						layer3(e, e.Flow.PktsToClient, e.Flow.BytesToClient)
				} else if e.Type == "flow" {
					ghosts++
				}
			})
			for i := range w.updates {
				l.book(t, &w.updates[i])
			}
			w.take()
		})
		if err := tr.Forget(t.Context(), 1, w); err != nil {
			t.Fatal(err)
		}
		for i := range w.updates {
			l.book(t, &w.updates[i])
		}
		if l.total != want {
			t.Errorf("%s: %+v, want %+v", file, l.total, want)
		}
		if len(l.ended) != len(l.starts) {
			t.Errorf("%s: of %d flows %d ended", file, len(l.starts), len(l.ended))
		}
		t.Logf("%d records and %d ghosts, %d flows, %d bytes", records, ghosts, len(l.starts), want.Bytes)
	}
}

// layer3 takes the frames off, where there were any.
func layer3(e *eve.Event, packets, size uint64) uint64 {
	frames, least := packets*uint64(14+4*len(e.VLANs)), packets*20
	if e.Src.Is6() {
		least = packets * 40
	}
	if size < frames+least {
		return size
	}
	return size - frames
}
