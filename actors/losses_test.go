package actors

import (
	"fmt"
	"testing"
	"time"

	"weir/messages"
)

func TestLossesMerge(t *testing.T) {
	l := &lossBook{}
	at := func(s int) time.Time { return noon.Add(time.Duration(s) * time.Second) }
	loss := func(kind messages.LossKind, detail string, from, to int) messages.Loss {
		return messages.Loss{
			Source: "s", Kind: kind, Detail: detail, Count: 1, Bytes: 10,
			Span: messages.Span{Start: at(from), End: at(to)},
		}
	}
	l.add(loss(messages.LossShed, "a", 5, 6))
	l.add(loss(messages.LossShed, "a", 2, 3))
	l.add(loss(messages.LossShed, "b", 2, 3))
	l.add(loss(messages.LossOverrun, "a", 8, 9))
	got := l.take()
	if want := (messages.Span{Start: at(2), End: at(6)}); len(got) != 3 || got[0].Count != 2 || got[0].Bytes != 20 ||
		got[0].Span != want {
		t.Errorf("%+v", got)
	}
	if len(l.take()) != 0 || l.count() != 4 {
		t.Error("taken twice")
	}
}

func TestLossesAreBounded(t *testing.T) {
	l := &lossBook{}
	for i := range 1000 {
		l.add(messages.Loss{Source: "s", Kind: messages.LossShed, Detail: fmt.Sprint(i), Count: 1})
		l.add(messages.Loss{Source: fmt.Sprint(i), Kind: messages.LossLate, Count: 1})
	}
	sum := uint64(0)
	all := l.take()
	for _, x := range all {
		sum += x.Count
	}
	if len(all) > maxLosses || sum != 2000 {
		t.Errorf("%d losses that count %d", len(all), sum)
	}
}

func TestPresence(t *testing.T) {
	at := func(s int) time.Time { return noon.Add(time.Duration(s) * time.Second) }
	p := newPresence(at(0))
	p.set(true, at(2)) // Ready before the first slice closes: the start is no loss.
	if _, lost, down := p.take("s", at(10)); lost || down {
		t.Error("the start counts as loss")
	}
	p.set(false, at(12))
	p.set(true, at(13))
	p.set(false, at(15))
	loss, lost, down := p.take("s", at(20))
	if !lost || !down || loss.Span.Start != at(12) || loss.Span.End != at(20) ||
		loss.Detail != "s did not run for 6s" || loss.Kind != messages.LossDown {
		t.Errorf("%+v %v %v", loss, lost, down)
	}
	p.set(true, at(21))
	if loss, lost, down = p.take("s", at(30)); !lost || down || loss.Span.Start != at(20) || loss.Span.End != at(21) {
		t.Errorf("%+v %v %v", loss, lost, down)
	}
	if _, lost, _ = p.take("s", at(40)); lost {
		t.Error("told twice")
	}
	p.end(at(41))
	p.set(false, at(41))
	if _, lost, down = p.take("s", at(50)); lost || down {
		t.Error("a source that was stopped on purpose counts as down")
	}
}

func TestPresenceOfASourceThatNeverWas(t *testing.T) {
	p := newPresence(noon)
	for i := 1; i < 3; i++ {
		at := noon.Add(time.Duration(i) * time.Minute)
		loss, lost, down := p.take("s", at)
		if !lost || !down || loss.Span.Duration() != time.Minute || loss.Span.End != at {
			t.Errorf("%+v %v %v", loss, lost, down)
		}
	}
	p.set(true, noon.Add(130*time.Second))
	loss, lost, down := p.take("s", noon.Add(3*time.Minute))
	if !lost || down || loss.Span.Duration() != 10*time.Second {
		t.Errorf("%+v %v %v", loss, lost, down)
	}
}
