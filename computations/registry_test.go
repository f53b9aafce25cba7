package computations_test

import (
	"slices"
	"testing"

	"weir/computations"
)

// nothing is the configuration of a computation that is never made.
type nothing struct{ computations.Config }

func definition(name string) computations.Definition {
	return computations.Definition{
		Name: name, Doc: "A test.", Defaults: func() computations.Config { return nothing{} },
	}
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}

func TestRegister(t *testing.T) {
	computations.Register(definition("zebra"))
	computations.Register(definition("ant"))
	var names []string
	for _, d := range computations.All() {
		names = append(names, d.Name)
	}
	if !slices.Equal(names, []string{"ant", "zebra"}) {
		t.Errorf("registered: %v", names)
	}
	noDoc, noName, noDefaults := definition("bee"), definition(""), definition("bee")
	noDoc.Doc, noDefaults.Defaults = "", nil
	for _, d := range []computations.Definition{definition("ant"), noDoc, noName, noDefaults} {
		if !panics(func() { computations.Register(d) }) {
			t.Errorf("%q with doc %q was registered", d.Name, d.Doc)
		}
	}
}
