// Package ip gives each end of a flow its address.
package ip

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"

	"weir/columns"
)

// Columns are local.ip and remote.ip.
var Columns = columns.RegisterEndpoint(columns.Spec[netip.Addr]{
	Name:     "ip",
	Doc:      "The IPv4 or IPv6 address of the end as it is inside the network, from the flow's key.",
	Type:     "address",
	Examples: []string{"192.168.1.20", "2001:db8::7", "::ffff:192.0.2.1"},
	Parse:    parse,
	Format:   netip.Addr.String,
	Encode:   func(dst []byte, a netip.Addr) []byte { return append(dst, canonical(a).AsSlice()...) },
	Decode:   decode,
	Compare:  netip.Addr.Compare,
	Random:   random,
	Pattern:  pattern,
	Derive: func(f *columns.Flow, side columns.Side) (netip.Addr, bool) {
		a := f.End(side).Addr
		return a, a.IsValid()
	},
})

// canonical strips what makes two spellings of one address: the IPv4-mapped form and the scope.
func canonical(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

func parse(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("%q is not an address, a network (10.0.0.0/8) or a range (10.0.0.1-10.0.0.9)",
			text)
	}
	return canonical(a), nil
}

func decode(enc string) (netip.Addr, error) {
	a, ok := netip.AddrFromSlice([]byte(enc))
	if !ok || a.Is4In6() {
		return netip.Addr{}, columns.ErrEncoding
	}
	return a, nil
}

// random gives both families, and neighbours often enough that tests compare them.
func random(r *rand.Rand) netip.Addr {
	if r.IntN(2) == 0 {
		return netip.AddrFrom4([4]byte{192, 168, byte(r.IntN(4)), byte(r.IntN(256))})
	}
	a := [16]byte{0x20, 0x01, 0x0d, 0xb8}
	for i := 8; i < len(a); i++ {
		a[i] = byte(r.UintN(256))
	}
	return netip.AddrFrom16(a)
}

// pattern reads a network or a range of addresses. A network may have host bits, which are ignored.
func pattern(text string) (func(netip.Addr) bool, bool) {
	if first, last, ok := strings.Cut(text, "-"); ok {
		return between(first, last)
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return nil, false
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked().Contains, true
}

// between matches the addresses from first to last, which must be of one family and in order.
func between(first, last string) (func(netip.Addr) bool, bool) {
	a, errA := parse(first)
	b, errB := parse(last)
	if errA != nil || errB != nil || a.BitLen() != b.BitLen() || b.Less(a) {
		return nil, false
	}
	return func(v netip.Addr) bool { return v.BitLen() == a.BitLen() && !v.Less(a) && !b.Less(v) }, true
}
