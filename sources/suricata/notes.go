package suricata

import (
	"strings"
	"sync"

	"weir/sources"
)

// note is something that the user should know; the order is the order in which they are told.
type note int

const (
	fileBroken note = iota
	smallQueue
	// Those from here on take nothing away.
	fileGone
	noteCount
)

// notes are what holds now, each with its sentence.
type notes struct {
	mu    sync.Mutex
	texts [noteCount]string
}

// set says that a note holds; it is true if it did not before.
func (n *notes) set(i note, text string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	fresh := n.texts[i] == ""
	n.texts[i] = text
	return fresh
}

func (n *notes) clear(i note) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.texts[i] = ""
}

// tell tells all that hold.
func (n *notes) tell(h *health) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, text := range n.texts {
		if text != "" {
			h.say(note(i) < fileGone, text)
		}
	}
}

// health gathers what the user should know.
type health struct {
	degraded bool
	texts    []string
}

func (h *health) say(degrades bool, text string) {
	h.degraded = h.degraded || degrades
	h.texts = append(h.texts, text)
}

func (h *health) result() (sources.State, string) {
	if h.degraded {
		return sources.Degraded, strings.Join(h.texts, "; ")
	}
	return sources.Running, strings.Join(h.texts, "; ")
}
