package actors

import (
	"sync"

	"weir/flows"
)

// tables makes fake tables and remembers them.
type tables struct {
	mu    sync.Mutex
	all   []*fakeTable
	setup func(*fakeTable)
}

func newTables() *tables { return &tables{setup: func(*fakeTable) {}} }

func (ts *tables) make(o flows.Options) table {
	t := &fakeTable{options: o}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.setup(t)
	ts.all = append(ts.all, t)
	return t
}

func (ts *tables) count(ok func(*fakeTable) bool) (n int) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, t := range ts.all {
		t.mu.Lock()
		if ok(t) {
			n++
		}
		t.mu.Unlock()
	}
	return n
}
