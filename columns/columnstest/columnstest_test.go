package columnstest

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"weir/columns"
)

func soundSpec(name string) columns.Spec[byte] {
	return columns.Spec[byte]{
		Name: name, Doc: "A letter, for tests.", Type: "text", Examples: []string{"a"},
		Parse: func(text string) (byte, error) {
			if len(text) != 1 || text[0] < 'a' || text[0] > 'z' {
				return 0, errors.New("not a letter")
			}
			return text[0], nil
		},
		Format: func(v byte) string { return string(rune(v)) },
		Encode: func(dst []byte, v byte) []byte { return append(dst, v) },
		Decode: func(enc string) (byte, error) {
			if len(enc) != 1 || enc[0] < 'a' || enc[0] > 'z' {
				return 0, columns.ErrEncoding
			}
			return enc[0], nil
		},
		Compare: cmp.Compare[byte],
		Random:  func(r *rand.Rand) byte { return 'a' + byte(r.IntN(26)) },
	}
}

// defects are mistakes that the suite must find, by the property that finds them.
var defects = map[string]func(*columns.Spec[byte]){
	"Description":            func(s *columns.Spec[byte]) { s.Doc = "No full stop" },
	"Examples":               func(s *columns.Spec[byte]) { s.Examples = []string{"A"} },
	"ValueRoundTrip":         func(s *columns.Spec[byte]) { s.Random = func(*rand.Rand) byte { return 'A' } },
	"EqualIffEncodingsEqual": func(s *columns.Spec[byte]) { s.Compare = func(byte, byte) int { return 0 } },
	"TotalOrder": func(s *columns.Spec[byte]) {
		s.Compare = func(a, b byte) int { return int(a) - int(b)/2*2 }
	},
	"HostileEncoding": func(s *columns.Spec[byte]) {
		s.Decode = func(enc string) (byte, error) { // Takes a longer spelling of the same value.
			if enc == "" || enc[0] < 'a' || enc[0] > 'z' {
				return 0, columns.ErrEncoding
			}
			return enc[0], nil
		}
	},
	"HostileText": func(s *columns.Spec[byte]) {
		s.Parse = func(text string) (byte, error) { // Takes what Decode refuses.
			if text == "" {
				return 0, errors.New("empty")
			}
			return text[0], nil
		}
	},
	"Pattern": func(s *columns.Spec[byte]) {
		n := 0
		s.Pattern = func(string) (func(byte) bool, bool) {
			return func(byte) bool { n++; return n%2 == 0 }, true
		}
	},
	"Derived": func(s *columns.Spec[byte]) {
		s.Derive = func(f *columns.Flow, _ columns.Side) (byte, bool) { return f.Proto, true }
	},
}

// holds says whether a column keeps a property, or the error, over many samples.
func holds(name string, c *columns.Column) error {
	switch name {
	case "Description":
		return description(c)
	case "Examples":
		return examples(c)
	}
	for _, p := range properties() {
		if p.name != name {
			continue
		}
		for seed := range 500 {
			s := rapid.Custom(func(rt *rapid.T) *sample { return drawSample(rt, c) }).Example(seed)
			if err := p.holds(c, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// TestFindsDefects shows that each property can fail, and that a sound column keeps it.
func TestFindsDefects(t *testing.T) {
	sound := columns.Register(soundSpec("sound")).Column
	for property, spoil := range defects {
		s := soundSpec("spoiled." + strings.ToLower(property))
		spoil(&s)
		if err := holds(property, columns.Register(s).Column); err == nil {
			t.Errorf("%s: the defect was not found", property)
		} else {
			t.Logf("%s: %v", property, err)
		}
		if err := holds(property, sound); err != nil {
			t.Errorf("%s: a sound column: %v", property, err)
		}
	}
}

func TestRunAcceptsSoundColumns(t *testing.T) {
	ends := columns.RegisterEndpoint(soundSpec("sound.end"))
	Run(t, ends.Local)
	Run(t, ends.Remote)
	set := soundSpec("sound.set")
	set.Set = true
	Run(t, columns.Register(set).Column)
}
