package translate

import (
	"strings"

	"weir/columns/http"
	"weir/sources/suricata/eve"
)

const (
	// notSeen is what Suricata 6 and 7 say where they have not seen the request.
	notSeen = "/libhtp::request_uri_not_seen"
	// minStatus and maxStatus bound status codes.
	minStatus, maxStatus = 100, 999
)

// http gathers what a request and its response told.
func (g *tagger) http(h *eve.HTTP) {
	if h.Version == "2" || strings.HasPrefix(h.Protocol, "HTTP/2") {
		g.application("http2")
	}
	g.application("http")
	g.name(http.Host, host(h.Host))
	if h.URL != notSeen {
		g.text(http.URL, anonymous(h.URL), maxURL)
	}
	g.text(http.Method, h.Method, maxWord)
	if minStatus <= h.Status && h.Status <= maxStatus {
		number(g, http.Status, uint16(h.Status))
	}
	g.text(http.Agent, h.Agent, maxText)
}

// host gives a host without its port, user and brackets.
func host(s string) string {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		s = s[i+1:]
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		inner, _, _ = strings.Cut(inner, "]")
		return inner
	}
	if before, port, ok := strings.Cut(s, ":"); ok && strings.Trim(port, "0123456789") == "" {
		return before
	}
	return s
}

// anonymous gives a URL without the users and passwords that it may hold: before the host, also where there is nothing
// else, as in CONNECT, and in URLs within its query.
func anonymous(url string) string {
	if strings.IndexByte(url, '@') < 0 {
		return url
	}
	from := 0
	switch i := strings.IndexAny(url, ":/?#@"); {
	case strings.HasPrefix(url, "//"):
		from = len("//")
	case url[i] == '/' || url[i] == '?' || url[i] == '#' || strings.HasPrefix(url[i:], "://"):
		from = -1 // A path, or a scheme: the host stands behind it.
	}
	if from >= 0 {
		url = withoutUser(url, from)
	}
	for i := 0; ; {
		next := strings.Index(url[i:], "://")
		if next < 0 {
			return url
		}
		i += next + len("://")
		url = withoutUser(url, i)
	}
}

// withoutUser takes out of a URL the user before the host that begins at a place.
func withoutUser(url string, from int) string {
	authority := url[from:]
	if end := strings.IndexAny(authority, "/?#&"); end >= 0 {
		authority = authority[:end]
	}
	return url[:from] + authority[strings.LastIndexByte(authority, '@')+1:] + url[from+len(authority):]
}
