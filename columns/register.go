package columns

import (
	"encoding/hex"
	"errors"
	"math/rand/v2"
)

// Tag is a value for a flow. For an endpoint column End says which end of the flow's key it is for.
type Tag struct {
	Column *Column
	End    KeyEnd
	Value  Value
}

// KeyEnd names an end of a flow by its place in the key. Sources do not know which end is local; the
// shard does, and puts the tag on the right one.
type KeyEnd uint8

// The ends of a key, which is in canonical order.
const (
	NoEnd KeyEnd = iota // the tag belongs to the flow
	EndA
	EndB
)

// Handle makes tags of a column of the flow.
type Handle[T any] struct {
	Column *Column
	encode func([]byte, T) []byte
}

// EndpointHandle makes tags of an endpoint column.
type EndpointHandle[T any] struct {
	Local, Remote *Column
	encode        func([]byte, T) []byte
}

// Register adds a column of the flow. It panics if the spec is incomplete or the name is taken.
func Register[T any](s Spec[T]) Handle[T] {
	s.check()
	return Handle[T]{Column: global.add(column(&s, OfFlow, erase(&s))), encode: s.Encode}
}

// RegisterEndpoint adds a column for each end of the flow: "local." and "remote." plus the name.
func RegisterEndpoint[T any](s Spec[T]) EndpointHandle[T] {
	s.check()
	o := erase(&s)
	return EndpointHandle[T]{
		Local:  global.add(column(&s, OfLocal, o)),
		Remote: global.add(column(&s, OfRemote, o)),
		encode: s.Encode,
	}
}

// Tag makes a tag for the flow.
func (h Handle[T]) Tag(v T) Tag { return Tag{Column: h.Column, Value: Value(h.encode(nil, v))} }

// Value encodes a value as the column stores it.
func (h Handle[T]) Value(v T) Value { return Value(h.encode(nil, v)) }

// Tag makes a tag for one end of the flow.
func (h EndpointHandle[T]) Tag(end KeyEnd, v T) Tag {
	return Tag{Column: h.Local, End: end, Value: Value(h.encode(nil, v))}
}

// Value encodes a value as the columns store it.
func (h EndpointHandle[T]) Value(v T) Value { return Value(h.encode(nil, v)) }

// Sibling returns the column of the same family on another side, or c itself if it belongs to the flow.
func (c *Column) Sibling(s Side) *Column {
	if c.Side == OfFlow || c.Side == s {
		return c
	}
	o, _ := Lookup(sideName(s, c.Base))
	return o
}

func sideName(s Side, base string) string {
	switch s {
	case OfLocal:
		return "local." + base
	case OfRemote:
		return "remote." + base
	default:
		return base
	}
}

func column[T any](s *Spec[T], side Side, o *ops) *Column {
	return &Column{
		Name: sideName(side, s.Name), Base: s.Name, Side: side, Doc: s.Doc, Type: s.Type, Unit: s.Unit,
		Set: s.Set, Derived: s.Derive != nil, Examples: s.Examples, ops: o,
	}
}

// erase turns the typed functions of a spec into functions on encodings.
func erase[T any](s *Spec[T]) *ops {
	o := &ops{
		parse: func(text string) (Value, error) {
			v, err := s.Parse(text)
			if err != nil {
				return "", err
			}
			return Value(s.Encode(nil, v)), nil
		},
		format: func(enc Value) string {
			v, err := s.Decode(string(enc))
			if err != nil {
				return "0x" + hex.EncodeToString([]byte(enc))
			}
			return s.Format(v)
		},
		valid: func(enc Value) bool {
			_, err := s.Decode(string(enc))
			return err == nil
		},
		compare: func(a, b Value) int { return compare(s, a, b) },
		random:  func(r *rand.Rand) Value { return Value(s.Encode(nil, s.Random(r))) },
	}
	if s.Pattern != nil {
		o.pattern = func(text string) (func(Value) bool, bool) {
			match, ok := s.Pattern(text)
			if !ok {
				return nil, false
			}
			return func(enc Value) bool {
				v, err := s.Decode(string(enc))
				return err == nil && match(v)
			}, true
		}
	}
	if s.Derive != nil {
		o.derive = func(dst []byte, f *Flow, side Side) []byte {
			if v, ok := s.Derive(f, side); ok {
				return s.Encode(dst, v)
			}
			return dst
		}
	}
	return o
}

func compare[T any](s *Spec[T], a, b Value) int {
	va, errA := s.Decode(string(a))
	vb, errB := s.Decode(string(b))
	switch {
	case errA == nil && errB == nil:
		return s.Compare(va, vb)
	case errA == nil:
		return -1
	case errB == nil:
		return 1
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// ErrEncoding is what Decode functions return for bytes that they never wrote.
var ErrEncoding = errors.New("columns: not an encoding of this type")
