package eve

import (
	"bytes"
	"errors"
	"maps"
)

const (
	// maxTypes is how many types of events are counted apart; Suricata 8 has about fifty.
	maxTypes = 96
	// OtherTypes is the name under which the rest is counted.
	OtherTypes = "(other)"
	// maxTries is how often one line is tried from where another event may begin in it, before only the
	// last of these places is.
	maxTries = 8
)

// Counts tell what became of the lines. Each line that is not blank consists of pieces, nearly always of one:
// Events + NoType + Glued + BadJSON + TooDeep is their number.
type Counts struct {
	// Lines are all of them, Blank those with nothing in them.
	Lines, Blank uint64
	// Events are those that were delivered; Types tells them by event_type, of which the first 96 have their
	// own name.
	Events uint64
	Types  map[string]uint64
	// NoType are objects without event_type: whatever they are, no events.
	NoType uint64
	// Glued are events whose end is lost and whose line goes on with another event: a slow reader's. If there
	// are more than eight on one line, the rest of them up to the last counts as one.
	Glued uint64
	// Recovered are the events among Events that stood behind one that was cut.
	Recovered uint64
	// Joined are the events among Events that stood on the same line behind a whole one.
	Joined uint64
	// BadJSON are pieces that are no JSON, cut ones at the end of a line among them.
	BadJSON uint64
	// TooDeep are pieces that are nested deeper than any event is.
	TooDeep uint64
	// Prefixed are lines with something before the first brace; Junk counts what stood between and behind
	// objects.
	Prefixed, Junk uint64
	// Odd are values of a wrong type, Clipped texts and lists that were too long (see Decoder).
	Odd, Clipped uint64
}

// Lines makes events of lines: also of those that were glued together because the end of the first was
// lost, and of several that stand on one line. It is not safe for use by several goroutines.
type Lines struct {
	decoder *Decoder
	counts  Counts
	event   Event
}

// NewLines returns a Lines that has counted nothing.
func NewLines() *Lines {
	return &Lines{decoder: NewDecoder(), counts: Counts{Types: make(map[string]uint64)}}
}

// Counts returns a copy of the counters.
func (l *Lines) Counts() Counts {
	c := l.counts
	c.Types = maps.Clone(c.Types)
	c.Odd, c.Clipped = l.decoder.Odd, l.decoder.Clipped
	return c
}

// Line calls each for every event of a line, which has no newline or ends with it. The event is only lent:
// it is another one after each returns (see Event). Nothing of line is kept.
func (l *Lines) Line(line []byte, each func(*Event)) {
	l.counts.Lines++
	rest := trim(line)
	start := bytes.IndexByte(rest, '{')
	if start < 0 {
		l.noObject(rest)
		return
	}
	if !blank(rest[:start]) {
		l.counts.Prefixed++
	}
	l.pieces(rest[start:], each)
	l.decoder.release()
}

// noObject counts a line without any brace.
func (l *Lines) noObject(line []byte) {
	if blank(line) {
		l.counts.Blank++
	} else {
		l.counts.BadJSON++
	}
}

// pieces delivers the events of rest, which begins with a brace.
func (l *Lines) pieces(rest []byte, each func(*Event)) {
	cut, tries := false, 0
	for objects := 0; len(rest) > 0; objects++ {
		err := l.decoder.first(rest, &l.event)
		if err == nil {
			l.deliver(cut, objects > 0, each)
			rest = l.behind(rest)
			continue
		}
		tries++
		next := nextStart(rest, tries > maxTries)
		if next < 0 {
			l.bad(err)
			return
		}
		l.counts.Glued++
		cut = true
		rest = rest[next:]
	}
}

// deliver counts what was decoded and passes it on if it is an event.
func (l *Lines) deliver(cut, behind bool, each func(*Event)) {
	e := &l.event
	if e.Type == "" {
		l.counts.NoType++
		return
	}
	l.counts.Events++
	switch {
	case cut:
		l.counts.Recovered++
	case behind:
		l.counts.Joined++
	}
	name := e.Type
	if _, known := l.counts.Types[name]; !known && len(l.counts.Types) >= maxTypes {
		name = OtherTypes
	}
	l.counts.Types[name]++
	each(e)
}

// behind returns what follows the object that was just decoded, from the next brace on.
func (l *Lines) behind(rest []byte) []byte {
	rest = rest[l.decoder.at:]
	if len(rest) == 0 {
		return nil
	}
	start := bytes.IndexByte(rest, '{')
	if start < 0 {
		start = len(rest)
	}
	if !blank(rest[:start]) {
		l.counts.Junk++
	}
	return rest[start:]
}

// bad counts a piece of which nothing can be had.
func (l *Lines) bad(err error) {
	if errors.Is(err, ErrDeep) {
		l.counts.TooDeep++
	} else {
		l.counts.BadJSON++
	}
}

// nextStart finds where another event may begin in a piece, at its next place or its last one; it is below
// zero if there is none. Inside of a text the quotes would be escaped.
func nextStart(piece []byte, last bool) int {
	const start = `{"timestamp":"`
	find := bytes.Index
	if last {
		find = bytes.LastIndex
	}
	if at := find(piece[1:], []byte(start)); at >= 0 {
		return at + 1
	}
	return -1
}

// trim returns line without the space at its end.
func trim(line []byte) []byte {
	for len(line) > 0 {
		switch line[len(line)-1] {
		case ' ', '\t', '\r', '\n':
			line = line[:len(line)-1]
		default:
			return line
		}
	}
	return line
}

// blank says whether there is nothing in b but space and perhaps a byte order mark.
func blank(b []byte) bool {
	return len(b) == 0 || len(trim(bytes.TrimPrefix(b, []byte("\ufeff")))) == 0
}
