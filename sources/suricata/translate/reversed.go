package translate

import (
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
)

// reversed reads the address in a cleaned name such as 4.3.2.1.in-addr.arpa.
func reversed(n string) (netip.Addr, bool) {
	if labels, ok := strings.CutSuffix(n, ".in-addr.arpa"); ok {
		return reversed4(labels)
	}
	if labels, ok := strings.CutSuffix(n, ".ip6.arpa"); ok {
		return reversed6(labels)
	}
	return netip.Addr{}, false
}

func reversed4(labels string) (netip.Addr, bool) {
	parts := strings.Split(labels, ".")
	slices.Reverse(parts)
	a, err := netip.ParseAddr(strings.Join(parts, "."))
	return a, err == nil && a.Is4()
}

func reversed6(labels string) (netip.Addr, bool) {
	const digits = 32
	if len(labels) != 2*digits-1 {
		return netip.Addr{}, false
	}
	var text [digits]byte
	for i := range text {
		if text[digits-1-i] = labels[2*i]; i > 0 && labels[2*i-1] != '.' {
			return netip.Addr{}, false
		}
	}
	var b [digits / 2]byte
	_, err := hex.Decode(b[:], text[:])
	a := netip.AddrFrom16(b)
	return a, err == nil && !a.Is4In6()
}
