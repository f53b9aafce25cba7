package columns

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
)

// Column is one registered column. Columns are compared by pointer; what is stored names them by
// Name, never by Index.
type Column struct {
	// Name is the full name: "proto", "local.ip".
	Name string
	// Base is the name that was registered: "proto", "ip".
	Base string
	Side Side
	Doc  string
	Type string
	Unit string
	Set  bool
	// Derived columns come from the flow's key and cannot be tagged.
	Derived  bool
	Examples []string

	index int
	ops   *ops
}

// ops is a value type with T erased: everything works on encodings.
type ops struct {
	parse   func(string) (Value, error)
	format  func(Value) string
	valid   func(Value) bool
	compare func(a, b Value) int
	pattern func(string) (func(Value) bool, bool)
	derive  func(dst []byte, f *Flow, side Side) []byte
	random  func(*rand.Rand) Value
}

// Index is a small number, unique in this process and dense from 0, for use in arrays.
func (c *Column) Index() int { return c.index }

// Parse reads one value as a user types it.
func (c *Column) Parse(text string) (Value, error) { return c.ops.parse(text) }

// Format prints one value. A value that is not of this column prints as hexadecimal.
func (c *Column) Format(v Value) string { return c.ops.format(v) }

// Valid says whether the bytes are an encoding of one value of this column.
func (c *Column) Valid(v Value) bool { return c.ops.valid(v) }

// Compare orders two single values; values that are not of this column come last.
func (c *Column) Compare(a, b Value) int { return c.ops.compare(a, b) }

// Pattern reads an operand that stands for many values; ok is false if the text is not one.
func (c *Column) Pattern(text string) (match func(Value) bool, ok bool) {
	if c.ops.pattern == nil {
		return nil, false
	}
	return c.ops.pattern(text)
}

// AppendDerived appends the encoding of the value that the flow's key tells, or nothing.
func (c *Column) AppendDerived(dst []byte, f *Flow) []byte {
	if c.ops.derive == nil {
		return dst
	}
	return c.ops.derive(dst, f, c.Side)
}

// Random makes some single value, for tests.
func (c *Column) Random(r *rand.Rand) Value { return c.ops.random(r) }

// registry is the only state of this package. Registration happens in init functions and in tests;
// the lock is for the latter.
type registry struct {
	mu     sync.RWMutex
	byName map[string]*Column
	all    []*Column // by index
}

var global = registry{byName: map[string]*Column{}} //nolint:gochecknoglobals // A registry is what design.md allows.

// Lookup finds a column by its full name.
func Lookup(name string) (*Column, bool) {
	global.mu.RLock()
	defer global.mu.RUnlock()
	c, ok := global.byName[name]
	return c, ok
}

// All lists the columns sorted by name.
func All() []*Column {
	cs := ByIndex()
	slices.SortFunc(cs, func(a, b *Column) int { return cmp.Compare(a.Name, b.Name) })
	return cs
}

// ByIndex lists the columns so that the column with Index i is the i-th.
func ByIndex() []*Column {
	global.mu.RLock()
	defer global.mu.RUnlock()
	return slices.Clone(global.all)
}

// Names lists the full names of all columns, sorted.
func Names() []string {
	cs := All()
	names := make([]string, len(cs))
	for i, c := range cs {
		names[i] = c.Name
	}
	return names
}

func (r *registry) add(c *Column) *Column {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !wellFormed(c.Name) {
		panic(fmt.Sprintf("columns: register %q: a name is lower-case words joined by dots", c.Name))
	}
	if _, dup := r.byName[c.Name]; dup {
		panic(fmt.Sprintf("columns: %q is registered twice", c.Name))
	}
	c.index = len(r.all)
	r.all = append(r.all, c)
	r.byName[c.Name] = c
	return c
}

// wellFormed says whether a name can be written in a query without quotes.
func wellFormed(name string) bool {
	start := true
	for _, b := range []byte(name) {
		switch {
		case 'a' <= b && b <= 'z':
			start = false
		case !start && (b == '_' || '0' <= b && b <= '9'):
		case !start && b == '.':
			start = true
		default:
			return false
		}
	}
	return !start
}
