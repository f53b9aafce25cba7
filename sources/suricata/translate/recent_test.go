package translate

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestRecent compares with a list.
func TestRecent(t *testing.T) {
	const most = 5
	r, rng := newRecent[int, int](most), rand.New(rand.NewPCG(1, 2))
	var model []int // Newest first.
	for step := range 20_000 {
		k := rng.IntN(12)
		at := slices.Index(model, k)
		switch rng.IntN(4) {
		case 0:
			r.remove(k)
			if at >= 0 {
				model = slices.Delete(model, at, at+1)
			}
		case 1:
			if (r.peek(k) != nil) != (at >= 0) {
				t.Fatal(step, k, model)
			}
		default:
			v := r.get(k)
			if (v != nil) != (at >= 0) || v != nil && *v != -k {
				t.Fatal(step, k, model)
			}
			if at >= 0 {
				model = slices.Delete(model, at, at+1)
			} else {
				r.put(k, -k)
			}
			model = slices.Insert(model, 0, k)
			model = model[:min(len(model), most)]
		}
		if r.len() != len(model) || r.full() != (len(model) == most) || len(r.nodes) > most+1 {
			t.Fatal(step, r.len(), model)
		}
		if o := r.oldest(); (o != nil) != (len(model) > 0) || o != nil && *o != model[len(model)-1] {
			t.Fatal(step, model)
		}
		all := r.keys(func(int) bool { return true })
		slices.Reverse(all)
		if !slices.Equal(all, model) {
			t.Fatal(step, all, model)
		}
	}
}
