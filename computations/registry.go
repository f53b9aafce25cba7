package computations

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
)

// Definition is one kind of computation.
type Definition struct {
	// Name is the table in the configuration: [computations.NAME].
	Name string
	// Doc is one sentence.
	Doc string
	// Rank orders the computations: one of a higher rank sees, in the same slice, the tags that those of
	// lower ranks have made.
	Rank int
	// Defaults makes the configuration with its default values: a pointer to a struct.
	Defaults func() Config
}

var global struct { //nolint:gochecknoglobals // A registry is what design.md allows.
	mu   sync.RWMutex
	defs map[string]Definition
}

// Register adds a kind of computation. It panics if the definition is incomplete or the name is taken.
func Register(d Definition) {
	global.mu.Lock()
	defer global.mu.Unlock()
	if d.Name == "" || d.Doc == "" || d.Defaults == nil {
		panic(fmt.Sprintf("computations: register %q: incomplete definition", d.Name))
	}
	if _, dup := global.defs[d.Name]; dup {
		panic(fmt.Sprintf("computations: %q is registered twice", d.Name))
	}
	if global.defs == nil {
		global.defs = map[string]Definition{}
	}
	global.defs[d.Name] = d
}

// All lists the kinds of computations of this build, sorted by name.
func All() []Definition {
	global.mu.RLock()
	defer global.mu.RUnlock()
	ds := make([]Definition, 0, len(global.defs))
	for _, d := range global.defs {
		ds = append(ds, d)
	}
	slices.SortFunc(ds, func(a, b Definition) int { return cmp.Compare(a.Name, b.Name) })
	return ds
}
