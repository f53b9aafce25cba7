package columns_test

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"weir/columns"
)

// textSpec is a sound column of one text, for tests to register or to spoil.
func textSpec(name string) columns.Spec[string] {
	return columns.Spec[string]{
		Name: name, Doc: "A text, for tests.", Type: "text", Examples: []string{"a", "b c"},
		Parse: func(text string) (string, error) {
			if text == "" {
				return "", errors.New("empty")
			}
			return text, nil
		},
		Format:  func(v string) string { return v },
		Encode:  func(dst []byte, v string) []byte { return append(dst, v...) },
		Decode:  decodeText,
		Compare: cmp.Compare[string],
		Random:  func(r *rand.Rand) string { return strings.Repeat(string(rune('a'+r.IntN(4))), 1+r.IntN(4)) },
	}
}

func decodeText(enc string) (string, error) {
	if enc == "" {
		return "", columns.ErrEncoding
	}
	return enc, nil
}

func setSpec(name string) columns.Spec[string] {
	s := textSpec(name)
	s.Set = true
	return s
}

// The columns of these tests; the contract suite runs over them as well.
var (
	text  = columns.Register(textSpec("test.text"))
	many  = columns.Register(setSpec("test.many"))
	ended = columns.RegisterEndpoint(textSpec("test.ended"))
)

func panics(f func()) (message any) {
	defer func() { message = recover() }()
	f()
	return nil
}

func TestRegisterTwicePanics(t *testing.T) {
	for _, f := range []func(){
		func() { columns.Register(textSpec("test.text")) },
		func() { columns.RegisterEndpoint(textSpec("test.ended")) },
		func() { columns.Register(textSpec("local.test.ended")) },
	} {
		before := len(columns.All())
		if m, _ := panics(f).(string); !strings.Contains(m, "registered twice") {
			t.Errorf("registered twice: got %q", m)
		}
		if n := len(columns.All()); n != before {
			t.Errorf("%d columns became %d", before, n)
		}
	}
}

func TestRegisterNames(t *testing.T) {
	for _, name := range []string{
		"Upper", "9th", ".dot", "dot.", "a..b", "a b", "a-b", "_a", "a._b", "a.9", "é", "a\x00",
	} {
		if m, _ := panics(func() { columns.Register(textSpec(name)) }).(string); !strings.Contains(m, "name is") {
			t.Errorf("name %q: got %q", name, m)
		}
	}
	for _, name := range []string{"test.name.a1", "test.name_b", "testname"} {
		if m := panics(func() { columns.Register(textSpec(name)) }); m != nil {
			t.Errorf("name %q: %v", name, m)
		}
	}
}

func TestRegisterIncompletePanics(t *testing.T) {
	spoil := map[string]func(*columns.Spec[string]){
		"Name":     func(s *columns.Spec[string]) { s.Name = "" },
		"Doc":      func(s *columns.Spec[string]) { s.Doc = "" },
		"Type":     func(s *columns.Spec[string]) { s.Type = "" },
		"Examples": func(s *columns.Spec[string]) { s.Examples = nil },
		"function": func(s *columns.Spec[string]) { s.Compare = nil },
		"derived set": func(s *columns.Spec[string]) {
			s.Set = true
			s.Derive = func(*columns.Flow, columns.Side) (string, bool) { return "", false }
		},
	}
	for what, f := range spoil {
		s := textSpec("test.incomplete")
		f(&s)
		if m, _ := panics(func() { columns.Register(s) }).(string); !strings.Contains(m, what) {
			t.Errorf("without %s: got %q", what, m)
		}
	}
	if _, ok := columns.Lookup("test.incomplete"); ok {
		t.Error("an incomplete column was registered")
	}
}

func TestSibling(t *testing.T) {
	if ended.Local.Name != "local.test.ended" || ended.Remote.Name != "remote.test.ended" {
		t.Errorf("names: %s, %s", ended.Local.Name, ended.Remote.Name)
	}
	if ended.Local.Side != columns.OfLocal || ended.Remote.Side != columns.OfRemote {
		t.Errorf("sides: %+v, %+v", ended.Local, ended.Remote)
	}
	if ended.Local.Sibling(columns.OfRemote) != ended.Remote || ended.Remote.Sibling(columns.OfLocal) != ended.Local {
		t.Error("the ends are not siblings")
	}
	if ended.Local.Sibling(columns.OfLocal) != ended.Local || ended.Remote.Base != "test.ended" {
		t.Error("a column is not of its own family")
	}
	if text.Column.Sibling(columns.OfRemote) != text.Column {
		t.Error("a column of the flow has a sibling")
	}
}

func TestListings(t *testing.T) {
	names := columns.Names()
	if !slices.IsSorted(names) || !slices.Contains(names, "local.test.ended") || !slices.Contains(names, "test.text") {
		t.Errorf("names: %q", names)
	}
	for i, c := range columns.ByIndex() {
		if c.Index() != i {
			t.Errorf("%s: index %d at place %d", c.Name, c.Index(), i)
		}
	}
	if c, ok := columns.Lookup("test.text"); !ok || c != text.Column {
		t.Error("lookup of a registered name")
	}
	if _, ok := columns.Lookup("test.nothing"); ok {
		t.Error("lookup of an unknown name")
	}
	columns.All()[0] = nil
	columns.ByIndex()[0] = nil
	if columns.All()[0] == nil || columns.ByIndex()[0] == nil {
		t.Error("a listing gives away the registry's own list")
	}
}

func TestHandles(t *testing.T) {
	if got, want := text.Tag("x"), (columns.Tag{Column: text.Column, Value: "x"}); got != want {
		t.Errorf("tag: %+v", got)
	}
	got := ended.Tag(columns.EndB, "x")
	if want := (columns.Tag{Column: ended.Local, End: columns.EndB, Value: "x"}); got != want {
		t.Errorf("tag of an end: %+v", got)
	}
	if text.Value("x") != "x" || ended.Value("x") != "x" {
		t.Error("value")
	}
}

func TestFlowEnd(t *testing.T) {
	f := columns.Flow{Local: columns.End{Port: 1}, Remote: columns.End{Port: 2}}
	if f.End(columns.OfLocal).Port != 1 || f.End(columns.OfRemote).Port != 2 {
		t.Error("ends are mixed up")
	}
}
