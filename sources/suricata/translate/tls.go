package translate

import (
	"strings"

	"weir/columns"
	"weir/columns/app"
	"weir/columns/tls"
	"weir/sources/suricata/eve"
)

// tls gathers what a TLS handshake told.
func (g *tagger) tls(h *eve.TLS) {
	g.protocol(app.Original, h.FromProto)
	g.name(tls.SNI, h.SNI)
	g.text(tls.Version, tlsVersion(h.Version), maxWord)
	g.name(tls.CN, commonName(h.Subject))
	for _, s := range few(g, h.SANs) {
		g.name(tls.SAN, s)
	}
	for _, a := range few(g, h.ALPNs) {
		g.text(tls.ALPN, a, maxPrint)
	}
	g.text(tls.ALPN, h.ServerALPN, maxPrint)
	g.prints(h.JA3, h.JA3S, h.JA4)
	if h.Resumed {
		yes(g, tls.Resumed)
	}
}

// prints adds the fingerprints of a handshake of TLS or QUIC.
func (g *tagger) prints(ja3, ja3s, ja4 string) {
	g.text(tls.JA3, ja3, maxPrint)
	g.text(tls.JA3S, ja3s, maxPrint)
	g.text(tls.JA4, ja4, maxPrint)
}

// public says whether a name is not an address of mail, which is nobody's business: of such are certificates made,
// and some are asked for by DNS because somebody mistook them for a host.
func public(name string) bool { return strings.IndexByte(name, '@') < 0 }

// few gives the first values of a list, and counts the rest.
func few[T any](g *tagger, list []T) []T {
	if n := len(list); n > maxValues {
		g.excess += uint64(n - maxValues) //nolint:gosec // Never negative.
		list = list[:maxValues]
	}
	return list
}

// yes adds a tag of a column that knows yes and no.
func yes(g *tagger, h columns.Handle[bool]) {
	id := tagID{column: h.Column, number: 1}
	if !g.known(id) {
		g.add(id, h.Tag(true))
	}
}

// tlsVersion gives the version of TLS under the one name that it has for all versions of Suricata. It is empty if
// the server has not chosen any yet, or one that does not exist.
func tlsVersion(raw string) string {
	switch raw {
	case "TLS 1.3":
		return "1.3"
	case "TLS 1.2":
		return "1.2"
	case "TLS 1.1":
		return "1.1"
	case "TLSv1", "TLS 1.0":
		return "1.0"
	case "SSLv3":
		return "ssl3"
	case "SSLv2":
		return "ssl2"
	}
	// Drafts, under a name or under a number that this Suricata does not know.
	if strings.HasPrefix(raw, "TLS 1.3 ") || strings.HasPrefix(raw, "0x7f") || strings.HasPrefix(raw, "0xfb1a") {
		return "1.3"
	}
	return ""
}

// commonName gives the common name of a certificate's subject, such as "C=CZ, O=Example, Inc., CN=example.org".
// Its parts are not escaped: one ends where something that looks like the next one begins. Suricata 4 and
// older ones may join them by slashes.
func commonName(subject string) string {
	separator := ", "
	if !strings.Contains(subject, separator) {
		separator = "/"
	}
	return part(subject, "CN=", separator)
}

// part gives the first part with a key.
func part(subject, key, separator string) string {
	rest, ok := strings.CutPrefix(subject, key)
	if !ok {
		if _, rest, ok = strings.Cut(subject, separator+key); !ok {
			return ""
		}
	}
	for from := 0; ; {
		i := strings.Index(rest[from:], separator)
		if i < 0 {
			return rest
		}
		if from += i; isKey(rest[from+len(separator):]) {
			return rest[:from]
		}
		from += len(separator)
	}
}

// isKey says whether a text begins with letters and an equals sign.
func isKey(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '=':
			return i > 0
		case c|0x20 < 'a' || c|0x20 > 'z':
			return false
		}
	}
	return false
}
