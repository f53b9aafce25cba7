package columnstest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"weir/columns"
)

// property is one sentence of the contract. It gives errors instead of failing a test, so that the
// tests of this package can show that it finds columns that break it.
type property struct {
	name  string
	holds func(*columns.Column, *sample) error
}

func properties() []property {
	return []property{
		{"ValueRoundTrip", valueRoundTrip},
		{"EqualIffEncodingsEqual", equality},
		{"TotalOrder", totalOrder},
		{"HostileEncoding", hostileEncoding},
		{"HostileText", hostileText},
		{"Pattern", pattern},
		{"Derived", derived},
		{"Set", set},
		{"Cells", cells},
	}
}

// description is what a listing of the columns needs.
func description(c *columns.Column) error {
	switch found, ok := columns.Lookup(c.Name); {
	case !ok || found != c:
		return fmt.Errorf("lookup %q does not give the column", c.Name)
	case !strings.HasSuffix(c.Doc, ".") || strings.Contains(c.Doc, "\n"):
		return fmt.Errorf("documentation %q is not one sentence with a full stop", c.Doc)
	case c.Type == "":
		return errors.New("no type")
	case c.Side != columns.OfFlow && c.Sibling(columns.OfLocal).Sibling(columns.OfRemote).Base != c.Base:
		return errors.New("the ends are not siblings")
	}
	return nil
}

// examples are shown to users, so that they must work.
func examples(c *columns.Column) error {
	if len(c.Examples) == 0 {
		return errors.New("no examples")
	}
	for _, text := range c.Examples {
		v, err := c.Parse(text)
		if err != nil {
			return fmt.Errorf("example %q: %w", text, err)
		}
		if err := own(c, v); err != nil {
			return fmt.Errorf("example %q: %w", text, err)
		}
	}
	return nil
}

// own says whether an encoding is sound: its column knows it, and Parse reads what Format writes.
func own(c *columns.Column, v columns.Value) error {
	if v == "" {
		return errors.New("empty encoding, which means that there is no value")
	}
	if !c.Valid(v) {
		return fmt.Errorf("encoding %x: decode refuses it", v)
	}
	text := c.Format(v)
	back, err := c.Parse(text)
	if err != nil {
		return fmt.Errorf("encoding %x: parse what format gave: %w", v, err)
	}
	if back != v {
		return fmt.Errorf("encoding %x: %q parses to %x", v, text, back)
	}
	return nil
}

func valueRoundTrip(c *columns.Column, s *sample) error { return own(c, s.values[0]) }

// equality: Decode(Encode(v)) is v and nothing else, as far as Compare and Format can tell.
func equality(c *columns.Column, s *sample) error {
	a, b := s.values[0], s.values[1]
	same := a == b
	if got := c.Compare(a, b) == 0; got != same {
		return fmt.Errorf("%x and %x: encodings equal: %v, values equal: %v", a, b, same, got)
	}
	if got := c.Format(a) == c.Format(b); got != same {
		return fmt.Errorf("%x and %x: encodings equal: %v, texts equal: %v", a, b, same, got)
	}
	return nil
}

// totalOrder takes a foreign encoding too: a damaged file must not upset a sort.
func totalOrder(c *columns.Column, s *sample) error {
	vs := append(slices.Clone(s.values[:]), s.hostile)
	for _, a := range vs {
		if c.Compare(a, a) != 0 {
			return fmt.Errorf("%x is not equal to itself", a)
		}
		for _, b := range vs {
			ab := sign(c.Compare(a, b))
			if ab != -sign(c.Compare(b, a)) {
				return fmt.Errorf("%x and %x: the order depends on who asks", a, b)
			}
			if (ab == 0) != (a == b) {
				return fmt.Errorf("%x and %x: compare gives %d", a, b, ab)
			}
			for _, d := range vs {
				if ab <= 0 && c.Compare(b, d) <= 0 && c.Compare(a, d) > 0 {
					return fmt.Errorf("%x ≤ %x ≤ %x, but the first is after the last", a, b, d)
				}
			}
		}
	}
	return nil
}

func sign(n int) int { return cmp.Compare(n, 0) }

// hostileEncoding: bytes that Encode never wrote are refused, or they are a sound value.
func hostileEncoding(c *columns.Column, s *sample) error {
	for _, v := range []columns.Value{s.hostile, s.values[0] + s.hostile, s.values[0][1:], ""} {
		if n, most := len(c.Format(v)), 64+8*len(v); n > most {
			return fmt.Errorf("encoding %x formats to %d bytes, more than %d", v, n, most)
		}
		if !c.Valid(v) {
			continue
		}
		if err := own(c, v); err != nil {
			return err
		}
	}
	return nil
}

// hostileText: what a user types is refused, or it becomes a sound value.
func hostileText(c *columns.Column, s *sample) error {
	v, err := c.Parse(s.text)
	if err != nil {
		return nil //nolint:nilerr // Most texts are no values.
	}
	if err := own(c, v); err != nil {
		return fmt.Errorf("parse %q: %w", s.text, err)
	}
	return nil
}

// pattern: the test that an operand stands for takes any bytes, and says the same each time.
func pattern(c *columns.Column, s *sample) error {
	match, ok := c.Pattern(s.text)
	if !ok {
		return nil
	}
	for _, v := range []columns.Value{s.values[0], s.values[1], s.hostile, ""} {
		hit := match(v)
		if hit && !c.Valid(v) {
			return fmt.Errorf("pattern %q matches %x, which is no value", s.text, v)
		}
		if hit != match(v) {
			return fmt.Errorf("pattern %q matches %x only sometimes", s.text, v)
		}
	}
	return nil
}

// derived: a derived value is appended, and it is sound.
func derived(c *columns.Column, s *sample) error {
	got := c.AppendDerived(bytes.Clone(s.prefix), &s.flow)
	v, found := bytes.CutPrefix(got, s.prefix)
	switch {
	case !found:
		return fmt.Errorf("derive wrote over what was there: %x became %x", s.prefix, got)
	case len(v) == 0:
		return nil
	case !c.Derived:
		return fmt.Errorf("not a derived column, but it derived %x", v)
	}
	return own(c, columns.Value(v))
}

// set: joining forgets order and repetition and nothing else.
func set(c *columns.Column, s *sample) error {
	want := slices.Clone(s.set)
	slices.Sort(want)
	want = slices.Compact(want)
	twice := append(slices.Clone(s.set), s.set...)
	slices.Reverse(twice)
	cell := columns.JoinSet(s.set)
	if cell != columns.JoinSet(twice) {
		return fmt.Errorf("the set of %x depends on order or repetition", s.set)
	}
	if got := columns.SplitSet(cell); !slices.Equal(got, want) {
		return fmt.Errorf("%x splits to %x", want, got)
	}
	for _, v := range want {
		isV := func(o columns.Value) bool { return o == v }
		if c.Set && !c.MatchCell(cell, isV) {
			return fmt.Errorf("the set %x does not match its member %x", want, v)
		}
	}
	return nil
}

// cells: a cell prints and sorts like its values, and the empty cell comes last and matches nothing.
func cells(c *columns.Column, s *sample) error {
	a, b := s.values[0], s.values[1]
	if c.Set {
		a, b = columns.JoinSet(s.set), columns.JoinSet(s.values[:])
	}
	if sign(c.CompareCells(a, b)) != -sign(c.CompareCells(b, a)) || (c.CompareCells(a, b) == 0) != (a == b) {
		return fmt.Errorf("cells %x and %x: no order", a, b)
	}
	if a != "" && (c.CompareCells(a, "") >= 0 || c.CompareCells("", a) <= 0) {
		return fmt.Errorf("cell %x: the empty cell is not the last", a)
	}
	if c.MatchCell("", func(columns.Value) bool { return true }) {
		return errors.New("the empty cell matches")
	}
	for _, cell := range []columns.Value{a, s.hostile} {
		if n, most := len(c.FormatCell(cell)), (1+len(cell))*(65+8); n > most {
			return fmt.Errorf("cell %x formats to %d bytes, more than %d", cell, n, most)
		}
		c.CompareCells(cell, b)
	}
	return nil
}
