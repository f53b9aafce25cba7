// Package columnstest is the contract that every column keeps, as tests. The folder of each family
// calls [Run] for its columns; a build that links many families calls [RunAll].
package columnstest

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"weir/columns"
)

// maxHostile bounds the foreign bytes that the suite makes up; it is longer than any fixed encoding.
const maxHostile = 80

// Run tests one column. Every property of the package's documentation is a subtest.
func Run(t *testing.T, col *columns.Column) {
	t.Helper()
	t.Run("Description", func(t *testing.T) {
		if err := description(col); err != nil {
			t.Error(err)
		}
	})
	t.Run("Examples", func(t *testing.T) {
		if err := examples(col); err != nil {
			t.Error(err)
		}
	})
	for _, p := range properties() {
		t.Run(p.name, rapid.MakeCheck(func(rt *rapid.T) {
			if err := p.holds(col, drawSample(rt, col)); err != nil {
				rt.Fatal(err)
			}
		}))
	}
}

// RunAll tests all columns that the test binary links.
func RunAll(t *testing.T) {
	t.Helper()
	for _, col := range columns.All() {
		t.Run(col.Name, func(t *testing.T) { Run(t, col) })
	}
}

// sample is what one property looks at: values that the column makes, and what an attacker makes.
type sample struct {
	values  [3]columns.Value
	set     []columns.Value
	hostile columns.Value
	text    string
	flow    columns.Flow
	prefix  []byte
}

func drawSample(rt *rapid.T, col *columns.Column) *sample {
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
	s := &sample{
		hostile: columns.Value(rapid.SliceOfN(rapid.Byte(), 0, maxHostile).Draw(rt, "hostile")),
		text:    rapid.OneOf(rapid.String(), rapid.SampledFrom(col.Examples), operands()).Draw(rt, "text"),
		prefix:  rapid.SliceOfN(rapid.Byte(), 0, 4).Draw(rt, "prefix"),
		flow:    drawFlow(rt),
	}
	for i := range s.values {
		s.values[i] = col.Random(r)
	}
	if rapid.Bool().Draw(rt, "equal") {
		s.values[1] = s.values[0]
	}
	for range rapid.IntRange(0, 6).Draw(rt, "members") {
		s.set = append(s.set, col.Random(r))
	}
	return s
}

// operands are texts that are nearly a pattern of some family.
func operands() *rapid.Generator[string] {
	return rapid.StringMatching(`[0-9a-fx.:]{0,12}[-/*][0-9a-fx.:]{0,12}`)
}
