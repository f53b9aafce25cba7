package flows

import (
	"net/netip"
	"slices"

	"weir/columns"
)

// Home tells which addresses are at home. It never changes; a change of the interfaces makes a new one.
type Home struct {
	prefixes []netip.Prefix
	router   map[netip.Addr]struct{}
}

// NewHome makes a Home of the home networks and of the router's own addresses, which count as home too.
func NewHome(prefixes []netip.Prefix, router []netip.Addr) *Home {
	h := &Home{router: make(map[netip.Addr]struct{}, len(router))}
	for _, p := range prefixes {
		if p.Addr().Is4In6() {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		if p.IsValid() {
			h.prefixes = append(h.prefixes, p.Masked())
		}
	}
	slices.SortFunc(h.prefixes, netip.Prefix.Compare)
	h.prefixes = slices.Compact(h.prefixes)
	for _, a := range router {
		h.router[a.Unmap().WithZone("")] = struct{}{}
	}
	return h
}

// Prefixes lists the home networks, sorted.
func (h *Home) Prefixes() []netip.Prefix { return slices.Clone(h.prefixes) }

// Router lists the router's own addresses, sorted.
func (h *Home) Router() []netip.Addr {
	as := make([]netip.Addr, 0, len(h.router))
	for a := range h.router {
		as = append(as, a)
	}
	slices.SortFunc(as, netip.Addr.Compare)
	return as
}

// Equal says whether the two know the same addresses.
func (h *Home) Equal(o *Home) bool {
	return slices.Equal(h.prefixes, o.prefixes) && slices.Equal(h.Router(), o.Router())
}

// Contains says whether an address is at home: in a home network, the router's own, or one that never
// leaves the link or site by itself (link-local, multicast, broadcast, loopback, unspecified).
func (h *Home) Contains(a netip.Addr) bool {
	if h.isRouter(a) || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsLoopback() || a.IsUnspecified() {
		return true
	}
	if a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return true
	}
	return slices.ContainsFunc(h.prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

func (h *Home) isRouter(a netip.Addr) bool {
	_, ok := h.router[a]
	return ok
}

// orient decides which end is the local one and how the flow lies to the home networks, given the two
// real ends. If nobody knows who opened the flow, the local end is taken to have done so.
func (h *Home) orient(initiator, responder netip.Addr, known bool) (localResponds bool, d columns.Direction) {
	ih, rh := h.Contains(initiator), h.Contains(responder)
	localResponds = rh && !ih
	switch {
	case h.isRouter(initiator) || h.isRouter(responder):
		return localResponds, columns.DirectionSelf
	case ih && rh:
		return localResponds, columns.DirectionLAN
	case ih:
		return localResponds, columns.DirectionOut
	case rh && !known:
		return localResponds, columns.DirectionOut
	case rh:
		return localResponds, columns.DirectionIn
	default:
		return localResponds, columns.DirectionTransit
	}
}
