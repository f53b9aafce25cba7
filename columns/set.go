package columns

import (
	"encoding/binary"
	"slices"
	"strings"
)

// JoinSet encodes a set of values as one cell: the distinct values in byte order, each with its length
// (unsigned varint) before it. The empty set is the empty Value.
func JoinSet(values []Value) Value {
	vs := slices.Clone(values)
	slices.Sort(vs)
	vs = slices.Compact(vs)
	var b []byte
	for _, v := range vs {
		b = binary.AppendUvarint(b, uint64(len(v)))
		b = append(b, v...)
	}
	return Value(b)
}

// SplitSet gives the values of a cell that JoinSet made. Of a damaged cell it gives what comes before
// the damage.
func SplitSet(cell Value) []Value {
	var vs []Value
	for rest := []byte(cell); len(rest) > 0; {
		n, w := binary.Uvarint(rest)
		if w <= 0 || n > uint64(len(rest[w:])) {
			return vs
		}
		vs = append(vs, Value(rest[w:][:n]))
		rest = rest[w:][n:]
	}
	return vs
}

// FormatCell prints a cell: one value, or the values of a set in their order, separated by commas. Who prints for
// users takes the values of a set apart with FormatSet, since one may hold a comma.
func (c *Column) FormatCell(cell Value) string {
	if !c.Set {
		return c.Format(cell)
	}
	return strings.Join(c.FormatSet(cell), ",")
}

// FormatSet prints the values of a cell that holds a set, in their order.
func (c *Column) FormatSet(cell Value) []string {
	vs := SplitSet(cell)
	slices.SortFunc(vs, c.Compare)
	texts := make([]string, len(vs))
	for i, v := range vs {
		texts[i] = c.Format(v)
	}
	return texts
}

// MatchCell says whether any value of the cell passes the test; an empty cell never does.
func (c *Column) MatchCell(cell Value, match func(Value) bool) bool {
	if cell == "" {
		return false
	}
	if !c.Set {
		return match(cell)
	}
	return slices.ContainsFunc(SplitSet(cell), match)
}

// CompareCells orders two cells; an empty cell comes last.
func (c *Column) CompareCells(a, b Value) int {
	switch {
	case a == b:
		return 0
	case a == "":
		return 1
	case b == "":
		return -1
	case !c.Set:
		return c.Compare(a, b)
	}
	return slices.CompareFunc(SplitSet(a), SplitSet(b), c.Compare)
}
