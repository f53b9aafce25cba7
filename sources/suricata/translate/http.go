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

// anonymous gives a URL without the user and password that it may hold.
func anonymous(url string) string {
	i := strings.Index(url, "://")
	if i < 0 {
		return url
	}
	i += len("://")
	authority := url[i:]
	if end := strings.IndexAny(authority, "/?#"); end >= 0 {
		authority = authority[:end]
	}
	at := strings.LastIndexByte(authority, '@')
	if at < 0 {
		return url
	}
	return url[:i] + url[i+at+1:]
}
