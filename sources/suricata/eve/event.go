// Package eve decodes lines of Suricata's EVE output, of all versions from 4 to 8: only the fields that Weir
// uses, and what the lines say and nothing more. Text is as it stands in the line, unescaped; it comes from
// the network and is not clean.
package eve

import "net/netip"

// Object is a set of the objects that an event has.
type Object uint32

// The objects.
const (
	HasFlow Object = 1 << iota
	HasTCP
	HasDNS
	HasHTTP
	HasTLS
	HasQUIC
	HasSSH
	HasSMB
	HasRDP
	HasSIP
	HasMQTT
	HasSMTP
	HasDHCP
	HasARP
	HasAlert
	// HasPorts, HasProto and HasICMP: the envelope had both ports, a protocol that is known, an ICMP type.
	HasPorts
	HasProto
	HasICMP
)

// Event is one line. It is used again for the next one: whoever keeps a slice of it clones it. Strings may
// be kept. What is absent, of another type than expected or out of range is zero. Texts are cut at 1,024
// bytes, the URL and the subject at 4,096, words such as a state at 128; lists end after 64 elements, those of
// ALPN after 16 and of VLANs after 4. User names, passwords, messages and mail addresses are never read.
type Event struct {
	// Time is the timestamp in nanoseconds since 1970; 0 if it could not be read.
	Time int64
	// Type is event_type.
	Type string
	Has  Object

	FlowID, ParentID uint64
	Iface            string
	// VLANs are outer first.
	VLANs []uint16
	// Src and Dest are invalid if absent; never IPv4-mapped, never with a zone.
	Src, Dest         netip.Addr
	SrcPort, DestPort uint16
	// Proto is the IANA protocol number.
	Proto                  uint8
	AppProto, AppProtoOrig string
	// PktSrc tells where the packet was taken from: "wire/pcap", "stream (flow timeout)", …
	PktSrc string
	// SrcMAC and DestMAC are all zero if absent; of a flow record's lists it is the first of each.
	SrcMAC, DestMAC    [6]byte
	ICMPType, ICMPCode uint8
	// Direction is to_server, to_client or empty.
	Direction string

	Flow  Flow
	TCP   TCP
	DNS   DNS
	HTTP  HTTP
	TLS   TLS
	QUIC  QUIC
	SSH   SSH
	SMB   SMB
	RDP   RDP
	SIP   SIP
	MQTT  MQTT
	SMTP  SMTP
	DHCP  DHCP
	ARP   ARP
	Alert Alert
}

// Flow is the flow object of flow and flow_start; of alert the parts that it has. Times are in nanoseconds
// since 1970, 0 if absent; bytes are those of layer 2. A netflow event has none: its object is not read.
type Flow struct {
	Start, End                   int64
	PktsToServer, PktsToClient   uint64
	BytesToServer, BytesToClient uint64
	State, Reason                string
	// Src is the client, where an alert tells it.
	Src netip.Addr
}

// TCP is the tcp object.
type TCP struct {
	SYN   bool
	State string
}

// DNS is the dns object, whatever its version, or the mdns object, or what an alert has of it. Types of
// records are in capitals, also those of mdns, and HTTPS and SVCB instead of their numbers.
type DNS struct {
	// Version is 0 if absent.
	Version int
	// Type is query, request, answer or response.
	Type string
	ID   uint64
	// Rcode is the response code by name: NOERROR, NXDOMAIN, ….
	Rcode string
	// Queries are the names asked with their types; of version 2 there is one. So it is of version 1, but its
	// answers are one event for each record, which becomes the one of Answers, and what was asked is unknown.
	Queries []Query
	// Answers are those of the answer section, of mdns also the additional ones; of version 1 an authority
	// cannot be told from an answer but by its type. Grouped are the values by type, without owner or TTL.
	Answers []Answer
	Grouped []Answer
}

// Query is a question.
type Query struct{ Name, Type string }

// Answer is a resource record. Owner is empty in Grouped.
type Answer struct {
	Owner, Type string
	// TTL is in seconds.
	TTL uint32
	// Data is the rdata if it is a text, of SRV the target.
	Data string
}

// HTTP is the http object.
type HTTP struct {
	Host, URL, Method, Agent, Protocol, Version string
	// Status is 0 if absent.
	Status int
}

// TLS is the tls object.
type TLS struct {
	SNI, Subject, Version, FromProto string
	SANs                             []string
	// ALPNs are what the client offered; of the server, ServerALPN is what it chose.
	ALPNs          []string
	ServerALPN     string
	JA3, JA3S, JA4 string
	Resumed        bool
}

// QUIC is the quic object.
type QUIC struct{ SNI, Version, UserAgent, JA3, JA3S, JA4 string }

// SSH is the ssh object.
type SSH struct{ ClientSoftware, ServerSoftware string }

// SMB is the smb object. Host is the name of the client from NTLMSSP.
type SMB struct{ Dialect, Share, Host string }

// RDP is the rdp object.
type RDP struct{ ClientName string }

// SIP is the sip object.
type SIP struct{ Method, URI, Code string }

// MQTT is the mqtt object.
type MQTT struct{ ClientID string }

// SMTP is the smtp object.
type SMTP struct{ Helo string }

// DHCP is the dhcp object.
type DHCP struct {
	// Type is request or reply, Message is dhcp_type: discover, request, ack, ….
	Type, Message string
	ID            uint64
	ClientMAC     [6]byte
	Assigned      netip.Addr
	Client        netip.Addr
	// Lease is in seconds.
	Lease    uint32
	Hostname string
}

// ARP is the arp object.
type ARP struct {
	Opcode          string
	SrcMAC, DestMAC [6]byte
	SrcIP, DestIP   netip.Addr
}

// Alert is the alert object.
type Alert struct {
	SID      uint32
	Severity int
}
