package flows

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"weir/columns"
	"weir/messages"
)

var textSide = columns.RegisterEndpoint(textSpec("flows_test.side", false))

// amended is a short form of a part's amendments.
func amended(p *messages.SlicePart) (texts []string) {
	for _, a := range p.Amendments {
		for _, c := range a.Cells {
			texts = append(texts, fmt.Sprintf("%s=%s", c.Column.Name, c.Value))
		}
	}
	slices.Sort(texts)
	return texts
}

func wantAmended(t *testing.T, p *messages.SlicePart, want ...string) {
	t.Helper()
	if got := amended(p); !slices.Equal(got, want) {
		t.Errorf("slice %d: amended %q, want %q", p.Seq, got, want)
	}
}

func TestRowsThatHaveLeftAreAmended(t *testing.T) {
	b := newBench(t, withEvents)
	first := flowOf(client, server, time.Second, 10, 20)
	b.snapshot(first)
	b.tag(client, server, text.Tag("first"))
	p := b.close()
	wantAmended(t, p)
	if len(p.Rows.Flow) != 1 || p.Rows.Flow[0] != incarnationHash(first.Key.Hash(seed), first.Start, first.ID) {
		t.Fatalf("the rows are of the flows %v", p.Rows.Flow)
	}
	b.tag(client, server, textEnd.Tag(columns.EndA, "a set"))
	wantAmended(t, b.close())
	b.tag(client, server, text.Tag("second"), textSide.Tag(columns.EndB, "there"))
	b.tag(client, server, text.Tag("third"), textSide.Tag(columns.EndA, "here"))
	q := b.close()
	wantAmended(t, q, "flows_test.text=third", "local.flows_test.side=here", "remote.flows_test.side=there")
	if len(q.Amendments) != 1 || q.Amendments[0].Flow != p.Rows.Flow[0] {
		t.Errorf("amended are %+v", q.Amendments)
	}
	wantAmended(t, b.close())
	b.tag(client, server, text.Tag("fourth"))
	b.tag(client, server, text.Tag("third"))
	wantAmended(t, b.close())
	b.events(ended(flowOf(client, server, time.Second, 10, 20)))
	b.close()
	b.tag(client, server, text.Tag("late"))
	wantAmended(t, b.close(), "flows_test.text=late")
	if s := b.tab.Stats(); s.Amendments != 2 || s.AmendmentsLost != 0 {
		t.Errorf("%d amendments, %d lost", s.Amendments, s.AmendmentsLost)
	}
	for range graceSlices + 3 {
		b.close()
	}
	if s := b.tab.tags; s.memory != 0 || len(s.byKey) != 0 {
		t.Errorf("%d bytes of tags are held", s.memory)
	}
}

// What does not fit with one slice goes with the next, and what has left the table is counted.
func TestAmendmentsAreBounded(t *testing.T) {
	b := newBench(t, withEvents)
	const flows = maxAmends + 10
	zoned := func(i int) messages.Update {
		u := nth(i%1000, 100)
		u.Key.Zone = uint16(i / 1000)
		return u
	}
	each := func(f func(m *messages.Batch, u *messages.Update)) {
		for i := 0; i < flows; i += messages.BatchSize {
			m := messages.NewBatch()
			for j := i; j < min(flows, i+messages.BatchSize); j++ {
				u := zoned(j)
				u.Hash = u.Key.Hash(seed)
				f(m, &u)
			}
			b.tab.Apply(m)
			m.Release()
		}
	}
	each(func(m *messages.Batch, u *messages.Update) { m.Add(u, nil, nil) })
	b.close()
	each(func(m *messages.Batch, u *messages.Update) {
		m.Add(&messages.Update{Key: u.Key, Hash: u.Hash}, nil, []columns.Tag{text.Tag("new")})
	})
	if p := b.close(); len(p.Amendments) != amendsAtOnce {
		t.Errorf("%d amendments with one slice", len(p.Amendments))
	}
	b.tab.fold(b.tab.byKey(zoned(maxAmends - 1).Key))
	sum := uint64(amendsAtOnce)
	for range maxAmends/amendsAtOnce + 1 {
		p := b.close()
		sum += uint64(len(p.Amendments))
	}
	if s := b.tab.Stats(); sum != maxAmends-1 || s.Amendments != sum || s.AmendmentsLost != 11 {
		t.Errorf("%d amendments, %d told, %d lost", sum, s.Amendments, s.AmendmentsLost)
	}
	if b.tab.amends != nil {
		t.Errorf("%d wait still", len(b.tab.amends))
	}
}
