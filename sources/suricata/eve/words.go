package eve

import "hash/maphash"

// wordSlots is how many texts are remembered, each of at most maxWord bytes: some 600 kB if all are.
const wordSlots = 4096

// words remembers texts that were seen, so that one that comes again needs no memory of its own. Each text
// has one place, chosen by a hash that nobody outside can foresee; the last one that came is there.
type words struct {
	seed  maphash.Seed
	slots *[wordSlots]string
}

func newWords() words {
	return words{seed: maphash.MakeSeed(), slots: new([wordSlots]string)}
}

// get returns b as a text that may be kept.
func (w *words) get(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > maxWord {
		return string(b)
	}
	slot := &w.slots[maphash.Bytes(w.seed, b)%wordSlots]
	if *slot != string(b) {
		*slot = string(b)
	}
	return *slot
}
