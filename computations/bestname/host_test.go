package bestname

import (
	"strings"
	"sync"
	"testing"

	"weir/columns/name"
)

func TestAsName(t *testing.T) {
	for raw, want := range map[string]string{
		"www.example.com": "www.example.com", "www.example.com:8080": "www.example.com", "nas": "nas", "nas:80": "nas",
		"": "", "192.0.2.1": "", "192.0.2.1:80": "", "[2001:db8::1]": "", "[2001:db8::1]:443": "", "2001:db8::1": "",
		"1": "", "10.": "", "a:b": "", "a:b:1": "", ":80": "", "example.com.": "", "http://x.example": "",
		"3com.com": "3com.com", "x.1a": "x.1a", "<b>.example.com": "<b>.example.com",
	} {
		got, dotted := asName(raw)
		if got != want || dotted != strings.Contains(want, ".") {
			t.Errorf("%q: %q, dotted %v, want %q", raw, got, dotted, want)
		}
	}
}

func TestHostname(t *testing.T) {
	for host, want := range map[string]bool{
		"www.example.com": true, "nas": true, "_dmarc.example.com": true, "bücher.example": true,
		"": false, ".": false, "a..b": false, ".a": false, "a.": false, "a b": false, "A.b": false, "*.a": false,
		"a\ufffd.b": false, "a/b": false, "acme ca 1": false, strings.Repeat("a", 254): false,
	} {
		if got := hostname(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		cn, host string
		want     bool
	}{
		{"www.example.com", "www.example.com", true},
		{"www.example.com", "example.com", false},
		{"*.example.com", "www.example.com", true},
		{"*.example.com", "example.com", false},
		{"*.example.com", "a.b.example.com", false},
		{"*.", "com", false},
		{"*", "com", false},
	} {
		if got := covers(c.cn, c.host); got != c.want {
			t.Errorf("%s, %s: %v", c.cn, c.host, got)
		}
	}
}

func TestSiteOf(t *testing.T) {
	for host, want := range map[string]string{
		"www.example.com": "example.com", "example.com": "example.com", "a.b.example.co.uk": "example.co.uk",
		"someone.github.io": "someone.github.io", "x.someone.github.io": "someone.github.io", "github.io": "github.io",
		"co.uk": "", "com": "", "nas": "", "nas.lan": "", "printer.local": "", "router.home.arpa": "",
		"1.2.0.192.in-addr.arpa": "", "": "", ".": "", "a..com": "", ".com": "", "bücher.de": "bücher.de",
		"facebook": "", "x.\ufffd": "",
	} {
		if got := siteOf(host); got != want {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
	}
}

// FuzzHost: whatever a client says, what is made of it is a name that can be stored, and nothing panics.
func FuzzHost(f *testing.F) {
	for _, s := range []string{
		"www.example.com:80", "[::1]:443", "a..b", "\xff.com", strings.Repeat("a.", 200), "*.example.com", "192.0.2.1",
		".", "-", ":", "\u202e.example", "com", "xn--.com",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		clean := name.Clean(raw)
		n, dotted := asName(clean)
		if n != "" && (!strings.HasPrefix(clean, n) || dotted != strings.Contains(n, ".")) {
			t.Errorf("%q is called %q", raw, n)
		}
		if site := siteOf(n); site != "" && !strings.HasSuffix(n, site) {
			t.Errorf("%q belongs to %q", n, site)
		}
		covers(raw, clean)
		hostname(raw)
		curatedOnce().find(clean)
	})
}

// curatedOnce makes the rules once for all runs of a fuzz test.
var curatedOnce = sync.OnceValue(curatedRules)
