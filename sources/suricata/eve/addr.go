package eve

import "net/netip"

// maxAddr is longer than any address with a zone that could be meant seriously.
const maxAddr = 64

// parseAddr reads an address: fast as Suricata writes it, which is with dots or as eight groups of four, else
// as netip does. One that is IPv4-mapped becomes IPv4, a zone is dropped.
func parseAddr(s []byte) (netip.Addr, bool) {
	if a, ok := parseV4(s); ok {
		return a, true
	}
	if a, ok := parseV6(s); ok {
		return a, true
	}
	if len(s) > maxAddr {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(string(s))
	return a.Unmap().WithZone(""), err == nil
}

// parseV4 reads four decimal numbers, without zeros before them.
func parseV4(s []byte) (netip.Addr, bool) {
	var a [4]byte
	group, digits, v := 0, 0, 0
	for _, c := range s {
		switch {
		case '0' <= c && c <= '9':
			if digits > 0 && v == 0 {
				return netip.Addr{}, false
			}
			v = v*10 + int(c-'0')
			digits++
			if v > 255 {
				return netip.Addr{}, false
			}
		case c == '.' && digits > 0 && group < 3:
			a[group] = byte(v)
			group++
			digits, v = 0, 0
		default:
			return netip.Addr{}, false
		}
	}
	if group != 3 || digits == 0 {
		return netip.Addr{}, false
	}
	a[3] = byte(v)
	return netip.AddrFrom4(a), true
}

// parseV6 reads eight groups of four hexadecimal digits.
func parseV6(s []byte) (netip.Addr, bool) {
	if len(s) != 39 {
		return netip.Addr{}, false
	}
	var a [16]byte
	for group := range 8 {
		at := group * 5
		high, ok1 := hexByte(s[at:])
		low, ok2 := hexByte(s[at+2:])
		if !ok1 || !ok2 || group < 7 && s[at+4] != ':' {
			return netip.Addr{}, false
		}
		a[2*group], a[2*group+1] = high, low
	}
	return netip.AddrFrom16(a).Unmap(), true
}

// parseMAC reads six bytes in hexadecimal with colons between them.
func parseMAC(s []byte) ([6]byte, bool) {
	var a [6]byte
	if len(s) != 17 {
		return a, false
	}
	for i := range a {
		b, ok := hexByte(s[i*3:])
		if !ok || i < 5 && s[i*3+2] != ':' {
			return [6]byte{}, false
		}
		a[i] = b
	}
	return a, true
}

// hexByte reads two hexadecimal digits.
func hexByte(s []byte) (byte, bool) {
	high, low := hexDigit(s[0]), hexDigit(s[1])
	return high<<4 | low&15, high|low < 16
}

// hexDigit returns the value of a digit, more than 15 if it is none.
func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	default:
		return 255
	}
}
