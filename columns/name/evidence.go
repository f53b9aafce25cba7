package name

import (
	"weir/columns"
	"weir/columns/word"
)

// Evidence says what told a name. The numbers are part of the stored format; their order is that of
// listings, with what belongs to the flow itself first.
type Evidence uint8

// The kinds of evidence.
const (
	SNI  Evidence = 1 // the client named the server in its TLS handshake
	QUIC Evidence = 2 // the client named the server in its QUIC handshake
	HTTP Evidence = 3 // the client named the server in an HTTP request (Host)
	DNS  Evidence = 4 // a DNS answer gave the address for the name
	CN   Evidence = 5 // the certificate of the server was made for the name
	PTR  Evidence = 6 // a DNS answer gave the name for the address
	DHCP Evidence = 7 // the device called itself so when it asked for its address
	MDNS Evidence = 8 // the device announced the name in its network
	Host Evidence = 9 // the device called itself so to a server (SMB, RDP)
)

// Source is local.name.source and remote.name.source.
var Source = columns.RegisterEndpoint(word.Column[Evidence]("name.source",
	"What told the name: sni the TLS handshake, quic the QUIC handshake, http the Host of a request, dns an answer "+
		"to a lookup, cn the certificate, ptr a reverse lookup, dhcp a lease, mdns an announcement, "+
		"host what the device called itself to a server.",
	"evidence", []string{
		SNI: "sni", QUIC: "quic", HTTP: "http", DNS: "dns", CN: "cn", PTR: "ptr",
		DHCP: "dhcp", MDNS: "mdns", Host: "host",
	}))

// String gives the word that queries and answers use.
func (e Evidence) String() string { return Source.Local.Format(Source.Value(e)) }

// Certainty says how sure a name is. The numbers are part of the stored format, and a higher one is surer.
type Certainty uint8

// The certainties.
const (
	Guess   Certainty = 1 // others fit as well, or the evidence is weak
	Likely  Certainty = 2 // the evidence points to this name alone, but the flow did not say it
	Certain Certainty = 3 // the flow itself said the name
)

// Sure is local.name.sure and remote.name.sure.
var Sure = columns.RegisterEndpoint(word.Column[Certainty]("name.sure",
	"How sure the name is: certain if the flow itself said it, likely if the evidence points to this name alone, "+
		"guess if others fit as well or the evidence is weak; certain is the highest.",
	"certainty", []string{Guess: "guess", Likely: "likely", Certain: "certain"}))

// String gives the word that queries and answers use.
func (c Certainty) String() string { return Sure.Local.Format(Sure.Value(c)) }
