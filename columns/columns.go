// Package columns is the registry of the tags a flow can carry.
//
// An extension registers a value type once, with [Register] (one value or set for the flow) or
// [RegisterEndpoint] (once for each end of the connection). From then on the column can be tagged,
// filtered, grouped, stored and printed, and no other line of the program changes.
//
// Outside the extension a value is an opaque [Value]: its canonical encoding, comparable and usable
// as a map key. The typed [Handle] that registration returns is how the owner makes tags.
package columns

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
)

// Value is the canonical encoding of a value of some column: equal values have equal encodings, on
// every machine and in every file. The empty Value means that the flow has no value there. For a
// column that holds a set it is the encoding of the whole set (see [JoinSet]).
type Value string

// Side says to what a column belongs: the flow, or one of its two ends.
type Side uint8

// The sides, in the order of listings.
const (
	OfFlow Side = iota
	OfLocal
	OfRemote
)

// End is one end of a flow as far as its key tells.
type End struct {
	// Addr is never an IPv4-mapped IPv6 address.
	Addr netip.Addr
	// Port is 0 for protocols without ports; for ICMP it is the id at the initiator and
	// type<<8|code at the responder.
	Port uint16
}

// Direction says how a flow lies to the home networks.
type Direction uint8

// The directions; the numbers are part of the stored format.
const (
	DirectionUnknown Direction = 0
	DirectionOut     Direction = 1 // from a home address to the world
	DirectionIn      Direction = 2 // from the world to a home address
	DirectionLAN     Direction = 3 // between home addresses
	DirectionTransit Direction = 4 // neither end is at home
	DirectionSelf    Direction = 5 // one end is the router itself
)

// Flow is what is known of a flow without any tag: columns whose Derive is set read it.
type Flow struct {
	Local, Remote End
	// Proto is the IANA protocol number of the IP header.
	Proto uint8
	// Zone is the conntrack zone (0 unless the ruleset assigns zones).
	Zone      uint16
	Direction Direction
}

// End returns the end that an endpoint column of this side describes.
func (f *Flow) End(s Side) *End {
	if s == OfRemote {
		return &f.Remote
	}
	return &f.Local
}

// Spec describes a value type when it is registered. All functions must be safe for use by several
// goroutines at once. Values come from the network: no function may panic on any input.
type Spec[T any] struct {
	// Name is lower case, dotted, without the end: "ip", "tls.sni".
	Name string
	// Doc is one sentence that says what the value means and where it comes from.
	Doc string
	// Type is the word that answers show for the value type: "address", "integer", "text", …
	Type string
	// Unit is empty unless the value is a quantity.
	Unit string
	// Set is true if a flow can have several values at once.
	Set bool
	// Examples are texts that Parse accepts; they are shown in help and used by tests.
	Examples []string

	// Parse reads what a user types.
	Parse func(text string) (T, error)
	// Format gives the one text that Parse reads back to the same value. Hostile bytes may be in
	// the result: whoever prints it escapes them for his medium.
	Format func(v T) string
	// Encode appends the canonical encoding, at least one byte.
	Encode func(dst []byte, v T) []byte
	// Decode reads what Encode wrote; anything else is an error.
	Decode func(enc string) (T, error)
	// Compare orders values as a user expects them sorted.
	Compare func(a, b T) int
	// Random makes some value, for tests.
	Random func(r *rand.Rand) T

	// Pattern is optional. It reads an operand of = or in that stands for many values, such as a
	// network for addresses, and returns its test. ok is false if the text is no such operand.
	Pattern func(text string) (match func(v T) bool, ok bool)
	// Derive is optional. It tells the value from the flow's key alone; ok is false if there is
	// none. side is OfFlow for a column of the flow. A derived column cannot be tagged.
	Derive func(f *Flow, side Side) (v T, ok bool)
}

// check panics when a spec cannot work: that is a mistake in the program, not in its input.
func (s *Spec[T]) check() {
	missing := ""
	switch {
	case s.Name == "":
		missing = "Name"
	case s.Doc == "":
		missing = "Doc"
	case s.Type == "":
		missing = "Type"
	case s.Parse == nil || s.Format == nil || s.Encode == nil || s.Decode == nil || s.Compare == nil || s.Random == nil:
		missing = "function"
	case len(s.Examples) == 0:
		missing = "Examples"
	case s.Set && s.Derive != nil:
		missing = "sense: a derived set"
	}
	if missing != "" {
		panic(fmt.Sprintf("columns: register %q: no %s", s.Name, missing))
	}
}
