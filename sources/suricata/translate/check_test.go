package translate

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"weir/columns"
	"weir/messages"
)

// checkUpdate asserts what holds of every update.
func checkUpdate(t testing.TB, o Options, u *messages.Update, tags []columns.Tag) {
	t.Helper()
	k := u.Key
	if again, swapped := messages.MakeKey(k.Proto, k.Zone, k.A, k.B); swapped || again != k || k.Zone != 0 {
		t.Fatalf("not a canonical key: %v", k)
	}
	if k.A.IP().Is4() != k.B.IP().Is4() {
		t.Fatalf("ends of two families: %v", k)
	}
	if u.Alias != 0 || u.Tags != 0 || u.ID != 0 || u.Hash != 0 {
		t.Fatalf("update sets what is not its own: %+v", u)
	}
	if u.Start < 0 || u.Stop < 0 {
		t.Fatalf("negative time: %+v", u)
	}
	if u.Start == 0 {
		if u.Kind != messages.NoCounters || u.Status != messages.Seen || u.Flags != 0 || len(tags) == 0 {
			t.Fatalf("an update of tags says more: %+v", u)
		}
	} else if !o.Statistics || u.Flags&messages.Oriented == 0 || u.Status == messages.Ended && u.Stop < u.Start {
		t.Fatalf("wrong life: %+v", u)
	}
	seen := map[columns.Tag]int{}
	for _, tag := range tags {
		checkTag(t, tag)
		if seen[tag]++; seen[tag] > 1 {
			t.Fatalf("twice: %s", updateText(u, tags))
		}
		if !tag.Column.Set {
			one := columns.Tag{Column: tag.Column, End: tag.End}
			if seen[one]++; seen[one] > 1 {
				t.Fatalf("two values for %s: %s", tag.Column.Name, updateText(u, tags))
			}
		}
	}
	if len(tags) > 64 {
		t.Fatalf("%d tags", len(tags))
	}
}

func checkTag(t testing.TB, tag columns.Tag) {
	t.Helper()
	if (tag.Column.Side == columns.OfFlow) != (tag.End == columns.NoEnd) {
		t.Fatalf("%s tagged at end %d", tag.Column.Name, tag.End)
	}
	v := tag.Column.Format(tag.Value)
	if parsed, err := tag.Column.Parse(v); err != nil || parsed != tag.Value {
		t.Fatalf("%s: %q is not a value: %v", tag.Column.Name, v, err)
	}
	checkText(t, tag.Column.Name, v, 2048)
}

func checkText(t testing.TB, what, v string, most int) {
	t.Helper()
	if v == "" || len(v) > most || !utf8.ValidString(v) || strings.TrimSpace(v) != v {
		t.Fatalf("%s: %q is not clean", what, v)
	}
	for _, r := range v {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r) {
			t.Fatalf("%s: %q holds %U", what, v, r)
		}
	}
}

// checkFact asserts what holds of every fact.
func checkFact(t testing.TB, f *messages.Fact) {
	t.Helper()
	if f.Name != "" {
		checkText(t, "name", f.Name, 253)
		if strings.HasSuffix(f.Name, ".") || strings.ContainsAny(f.Name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
			t.Fatalf("name %q", f.Name)
		}
	}
	a := f.Addr
	if !a.IsValid() || a.Zone() != "" || a.Is4In6() || a.IsUnspecified() || a.IsLoopback() {
		t.Fatalf("address of %+v", f)
	}
	if f.Client.Is4In6() || f.Client.Zone() != "" || f.TTL < 0 || f.Source == "" || f.Time <= 0 {
		t.Fatalf("%+v", f)
	}
	bound := map[messages.FactKind]bool{
		messages.FactAnswer:    f.Client.IsValid() && f.Name != "",
		messages.FactReverse:   f.Name != "",
		messages.FactHost:      f.Name != "",
		messages.FactLease:     f.MAC != [6]byte{},
		messages.FactNeighbour: f.MAC != [6]byte{} && f.MAC[0]&1 == 0,
	}
	if !bound[f.Kind] {
		t.Fatalf("incomplete: %+v", f)
	}
}
