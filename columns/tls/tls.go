// Package tls gives a flow what its TLS handshake told.
package tls

import (
	"weir/columns"
	"weir/columns/text"
	"weir/columns/word"
)

const (
	// longestName is that of a host name, in bytes.
	longestName = 253
	// longestPrint is the bound of a fingerprint: JA3 is 32 bytes long, JA4 36.
	longestPrint = 64
)

// Version is tls.version.
var Version = columns.Register(text.Lower("tls.version",
	"The version of TLS that the server chose: 1.0 to 1.3, or ssl2, ssl3; from the handshake.", 32, false,
	"1.3", "1.2", "ssl3"))

// SNI is tls.sni.
var SNI = columns.Register(text.Host("tls.sni",
	"The server name that the client asked for (SNI), from the TLS handshake.", longestName, false, "www.example.org"))

// CN is tls.cn.
var CN = columns.Register(text.Host("tls.cn",
	"The common name of the server's certificate, from the TLS handshake; TLS 1.3 hides it.", longestName, false,
	"www.example.org", "example ca 1"))

// SAN is tls.san.
var SAN = columns.Register(text.Host("tls.san",
	"The alternative names of the server's certificate, from the TLS handshake; TLS 1.3 hides them.", longestName, true,
	"www.example.org", "192.0.2.1"))

// ALPN is tls.alpn.
var ALPN = columns.Register(text.Column("tls.alpn",
	"The protocols that the client offered or the server chose (ALPN), from the TLS handshake.", 64, true,
	"h2", "http/1.1"))

// JA3 is tls.ja3.
var JA3 = columns.Register(text.Lower("tls.ja3",
	"The JA3 fingerprint of the client, from its TLS or QUIC handshake.", longestPrint, false,
	"cd08e31494f9531f560d64c695473da9"))

// JA3S is tls.ja3s.
var JA3S = columns.Register(text.Lower("tls.ja3s",
	"The JA3S fingerprint of the server, from its TLS or QUIC handshake.", longestPrint, false,
	"eb1d94daa7e0344597e756a1fb6e7054"))

// JA4 is tls.ja4.
var JA4 = columns.Register(text.Lower("tls.ja4",
	"The JA4 fingerprint of the client, from its TLS or QUIC handshake.", longestPrint, false,
	"t13d1516h2_8daaf6152771_b186095e22b6"))

// Resumed is tls.resumed.
var Resumed = columns.Register(word.YesNo("tls.resumed",
	"Whether the TLS handshake went on with an earlier session (yes) or was a full one (no), if the inspector tells."))
