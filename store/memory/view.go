package memory

import (
	"context"

	"weir/messages"
	"weir/store"
)

// Views gives what is held now. It stays as it is, whatever is appended or folded later.
func (t *Tier) Views() (views []store.View, done func()) {
	st := t.state.Load()
	v := store.View{
		TierInfo: store.TierInfo{Name: name, Resolution: t.options.Resolution, Volatile: true},
		Query: func(ctx context.Context, r *store.Request, into *store.Partial) error {
			return st.query(ctx, r, into)
		},
	}
	if len(st.slices) > 0 {
		v.Whole = []messages.Span{{Start: st.whole, End: store.Always().End}}
	}
	return []store.View{v}, func() {}
}
