// Package http gives a flow what its HTTP requests told.
package http

import (
	"weir/columns"
	"weir/columns/number"
	"weir/columns/text"
)

// Host is http.host.
var Host = columns.Register(text.Host("http.host",
	"The hosts that the HTTP requests of the flow were for.", 253, true, "www.example.org", "192.0.2.1"))

// URL is http.url.
var URL = columns.Register(text.Column("http.url",
	"What the HTTP requests of the flow asked for: a path, or a whole URL if they went to a proxy.", 2048, true,
	"/index.html", "http://www.example.org/"))

// Method is http.method.
var Method = columns.Register(text.Upper("http.method",
	"The methods of the HTTP requests of the flow.", 32, true, "GET", "POST"))

// Status is http.status.
var Status = columns.Register(number.Column[uint16]("http.status",
	"The status codes of the HTTP responses of the flow.", 0, 999, true, "200", "404"))

// Agent is http.agent.
var Agent = columns.Register(text.Column("http.agent",
	"What the clients of the HTTP requests of the flow call themselves (User-Agent).", 256, true, "curl/8.5.0"))
