package tiers

import (
	"strings"

	"weir/store/bucket"
)

// Holding is what one tier holds.
type Holding struct {
	Level Level
	// Files are its bucket files in order of time.
	Files []bucket.Info
	// Damaged counts files that were put aside since they cannot be read.
	Damaged int
}

// Holdings lists what the tiers hold, the finest first. The journal is not among them.
func (s *Store) Holdings() []Holding {
	s.mu.Lock()
	c := s.catalog
	s.mu.Unlock()
	all := make([]Holding, 0, len(s.options.Levels))
	for k := range s.options.Levels {
		h := Holding{Level: s.options.Levels[k]}
		for _, f := range c.files[k] {
			h.Files = append(h.Files, f.info)
		}
		// A folder that cannot be read is told by the state of the store.
		entries, _ := s.options.FS.ReadDir(s.folder(k))
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), damagedSuffix) {
				h.Damaged++
			}
		}
		all = append(all, h)
	}
	return all
}
