package translate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/columns"
	"weir/messages"
)

// sink keeps what a translator hands over. It is a sources.Writer.
type sink struct {
	updates []messages.Update
	tags    [][]columns.Tag
	facts   []messages.Fact
	// lines are all of it in order, as text.
	lines []string
	quiet bool
	err   error
}

func (s *sink) Snapshot(uint64) {}

func (s *sink) Flush(context.Context) error { return s.err }

func (s *sink) Add(_ context.Context, u *messages.Update, alias *messages.Key, tags []columns.Tag) error {
	if alias != nil {
		panic("EVE knows no alias")
	}
	s.updates, s.tags = append(s.updates, *u), append(s.tags, tags)
	if !s.quiet {
		s.lines = append(s.lines, updateText(u, tags))
	}
	return s.err
}

func (s *sink) Tell(_ context.Context, f *messages.Fact) error {
	s.facts = append(s.facts, *f)
	if !s.quiet {
		s.lines = append(s.lines, factText(f))
	}
	return s.err
}

func (s *sink) take() string {
	text := strings.Join(s.lines, "\n")
	*s = sink{quiet: s.quiet}
	return text
}

func endText(e messages.End) string { return fmt.Sprintf("%s:%d", e.IP(), e.Port) }

// updateText shows an update as one line.
func updateText(u *messages.Update, tags []columns.Tag) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s %s", u.Key.Proto, endText(u.Key.A), endText(u.Key.B))
	b.WriteString([]string{messages.Seen: "", messages.Started: " started", messages.Ended: " ended"}[u.Status])
	if u.Flags&messages.Oriented != 0 {
		fmt.Fprintf(&b, " from=%c", 'a'+rune(u.Flags&messages.InitiatorB))
	}
	if u.Kind == messages.Absolute {
		for i, c := range u.Counters {
			fmt.Fprintf(&b, " %c=%d/%d", 'a'+i, c.Packets, c.Bytes)
		}
	}
	if u.Start != 0 {
		fmt.Fprintf(&b, " start=%s", clockText(u.Start))
	}
	if u.Stop != 0 {
		fmt.Fprintf(&b, " at=%s", clockText(u.Stop))
	}
	sorted := slices.SortedFunc(slices.Values(tags), func(a, b columns.Tag) int {
		return cmp.Or(strings.Compare(a.Column.Name, b.Column.Name), cmp.Compare(a.End, b.End))
	})
	for _, t := range sorted {
		fmt.Fprintf(&b, " %s%s=%q", t.Column.Base, []string{"", "@a", "@b"}[t.End], t.Column.Format(t.Value))
	}
	return b.String()
}

func clockText(t int64) string { return time.Unix(0, t).UTC().Format("15:04:05.000000") }

func factText(f *messages.Fact) string {
	kind := []string{1: "answer", 2: "reverse", 3: "lease", 4: "neighbour", 5: "host"}[f.Kind]
	s := fmt.Sprintf("%s %s", kind, f.Addr)
	if f.Client.IsValid() {
		s += fmt.Sprintf(" to=%s", f.Client)
	}
	if f.Name != "" {
		s += fmt.Sprintf(" name=%q", f.Name)
	}
	if f.MAC != ([6]byte{}) {
		s += fmt.Sprintf(" mac=%x", f.MAC)
	}
	if f.TTL != 0 {
		s += fmt.Sprintf(" ttl=%s", f.TTL)
	}
	return s + fmt.Sprintf(" source=%s at=%s", f.Source, clockText(f.Time))
}
