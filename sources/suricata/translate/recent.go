package translate

// recent remembers what was used last, up to a number of things; the one that was used longest ago makes room.
// It belongs to one goroutine.
type recent[K comparable, V any] struct {
	places map[K]int32
	// nodes are a ring through the first one, which holds nothing: its next is the newest, its prev the oldest.
	nodes []node[K, V]
	free  int32 // first free node, chained by next; 0: none
	most  int
}

type node[K comparable, V any] struct {
	key        K
	value      V
	prev, next int32
}

func newRecent[K comparable, V any](most int) *recent[K, V] {
	return &recent[K, V]{places: map[K]int32{}, nodes: make([]node[K, V], 1), most: most}
}

func (r *recent[K, V]) len() int { return len(r.places) }

// get gives what is remembered of a key and makes it the newest, or nil. It is valid until the next put.
func (r *recent[K, V]) get(k K) *V {
	n, ok := r.places[k]
	if !ok {
		return nil
	}
	if r.nodes[0].next != n {
		r.unlink(n)
		r.link(n)
	}
	return &r.nodes[n].value
}

// put remembers a new key, which must not be there yet. If another one has to make room, that is the oldest: see
// full.
func (r *recent[K, V]) put(k K, v V) *V {
	if r.full() {
		r.remove(*r.oldest())
	}
	n := r.free
	if n == 0 {
		r.nodes = append(r.nodes, node[K, V]{})
		n = int32(len(r.nodes) - 1) //nolint:gosec // Far fewer.
	} else {
		r.free = r.nodes[n].next
	}
	r.nodes[n].key, r.nodes[n].value = k, v
	r.places[k] = n
	r.link(n)
	return &r.nodes[n].value
}

// full says whether the next put displaces the oldest.
func (r *recent[K, V]) full() bool { return len(r.places) >= r.most }

// oldest gives the key that was used longest ago, or nil.
func (r *recent[K, V]) oldest() *K {
	if len(r.places) == 0 {
		return nil
	}
	return &r.nodes[r.nodes[0].prev].key
}

// peek gives what is remembered of a key and leaves it as old as it is.
func (r *recent[K, V]) peek(k K) *V {
	n, ok := r.places[k]
	if !ok {
		return nil
	}
	return &r.nodes[n].value
}

func (r *recent[K, V]) remove(k K) {
	n, ok := r.places[k]
	if !ok {
		return
	}
	delete(r.places, k)
	r.unlink(n)
	r.nodes[n] = node[K, V]{next: r.free}
	r.free = n
}

// keys gives all keys that pass the test, oldest first.
func (r *recent[K, V]) keys(test func(K) bool) []K {
	var ks []K
	for n := r.nodes[0].prev; n != 0; n = r.nodes[n].prev {
		if test(r.nodes[n].key) {
			ks = append(ks, r.nodes[n].key)
		}
	}
	return ks
}

func (r *recent[K, V]) link(n int32) {
	first := r.nodes[0].next
	r.nodes[n].prev, r.nodes[n].next = 0, first
	r.nodes[first].prev, r.nodes[0].next = n, n
}

func (r *recent[K, V]) unlink(n int32) {
	prev, next := r.nodes[n].prev, r.nodes[n].next
	r.nodes[prev].next, r.nodes[next].prev = next, prev
}
