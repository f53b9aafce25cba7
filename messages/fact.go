package messages

import (
	"net/netip"
	"time"
)

// FactKind says what a fact tells.
type FactKind uint8

// The kinds of facts; the numbers are part of the format of recordings.
const (
	// FactAnswer: Client asked for Name by DNS and was told Addr, directly or over CNAMEs.
	FactAnswer FactKind = 1
	// FactReverse: Addr has Name, as a DNS answer to a reverse query (PTR) says.
	FactReverse FactKind = 2
	// FactLease: by DHCP Addr was given to the host MAC, which calls itself Name (empty if it did not say).
	FactLease FactKind = 3
	// FactNeighbour: Addr is at MAC, as ARP or a frame of the home network tells.
	FactNeighbour FactKind = 4
	// FactHost: the host at Addr calls itself Name (mDNS, SMB, RDP).
	FactHost FactKind = 5
)

// Fact is something that a source learned and that belongs to no flow. It goes to the computations, in
// the same batches as updates and by the same way.
type Fact struct {
	Kind FactKind
	// Time is when it was seen, in nanoseconds since 1970.
	Time int64
	// Client is who was told, in a FactAnswer.
	Client netip.Addr
	// Addr is the address that the fact is about. No address of a fact is an IPv4-mapped IPv6 address or has
	// a zone.
	Addr netip.Addr
	// Name is in lower case, without a trailing dot, of at most 253 bytes, and free of control characters.
	Name string
	// TTL says how long the fact holds; 0 if that is unknown.
	TTL time.Duration
	// MAC is a hardware address, all zero if unknown.
	MAC [6]byte
	// Source is which protocol told: "dns", "mdns", "dhcp", "arp", "smb", "rdp", ….
	Source string
}
