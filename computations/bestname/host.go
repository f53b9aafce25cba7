package bestname

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"

	"weir/columns/name"
)

// hostname says whether a text is what a host can be called: labels of letters, digits, dashes and
// underscores, or of what is not ASCII, with dots between them.
func hostname(s string) bool {
	if s == "" || name.Clean(s) != s {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || strings.ContainsFunc(label, notInLabel) {
			return false
		}
	}
	return true
}

func notInLabel(c rune) bool {
	ok := 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c >= utf8.RuneSelf
	return !ok || c == utf8.RuneError
}

// asName gives what a client called a server as a name, empty if it is none, such as an address. A name
// without a dot is one in a home network only.
func asName(s string) (n string, dotted bool) {
	if host, port, ok := strings.Cut(s, ":"); ok && digits(port) {
		s = host
	}
	last := s[strings.LastIndexByte(s, '.')+1:]
	if last == "" || digits(last) || strings.ContainsAny(s, ":[]/") {
		return "", false
	}
	return s, len(last) < len(s)
}

// digits says whether a text is nothing but digits, as the last part of an address is and no domain.
func digits(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}

// covers says whether a certificate's name fits a host's; * stands for the first label.
func covers(cn, host string) bool {
	if domain, ok := strings.CutPrefix(cn, "*."); ok {
		_, above, _ := strings.Cut(host, ".")
		return domain != "" && above == domain
	}
	return cn == host
}

// siteOf gives the part of a name that somebody registered, or what is nearest to it; empty for a name that
// nobody did, as those of home networks are.
func siteOf(host string) string {
	suffix, official := publicsuffix.PublicSuffix(host)
	if !official && !strings.Contains(suffix, ".") || strings.HasSuffix(host, ".arpa") {
		return "" // No such domain at the top, or one for addresses and homes.
	}
	if site, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		return site
	}
	if suffix == host && !official {
		return host // Under it others register, but the name is somebody's.
	}
	return ""
}
