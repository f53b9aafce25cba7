package translate

import (
	"strings"

	"weir/columns/alert"
	"weir/columns/app"
	"weir/columns/dns"
	"weir/columns/iface"
	"weir/columns/mac"
	"weir/columns/mqtt"
	"weir/columns/quic"
	"weir/columns/sip"
	"weir/columns/smb"
	"weir/columns/smtp"
	"weir/columns/ssh"
	"weir/columns/tls"
	"weir/columns/vlan"
	"weir/sources/suricata/eve"
)

// The bounds of texts, in bytes, as their columns have them.
const (
	maxWord   = 32
	maxPrint  = 64
	maxBanner = 255
	maxText   = 256
	maxURL    = 2048
)

// collect gathers what an event says of its flow.
func (t *Translator) collect(k kind, x *work) {
	g := &t.tags
	switch k {
	case kindRecord:
		g.application(x.AppProto)
		g.protocol(app.Original, x.AppProtoOrig)
	case kindDNS:
		g.dns(x.Event)
	case kindHTTP:
		g.http(&x.HTTP)
	case kindTLS:
		g.application("tls")
		g.tls(&x.TLS)
	case kindQUIC:
		g.quic(&x.QUIC)
	case kindSSH:
		g.application("ssh")
		g.text(ssh.Software, x.SSH.ClientSoftware, maxBanner)
		g.text(ssh.Software, x.SSH.ServerSoftware, maxBanner)
	case kindSMB:
		g.application("smb")
		if d := x.SMB.Dialect; d != "unknown" && d != "2.??" { // Not agreed yet.
			g.text(smb.Dialect, d, maxPrint)
		}
		g.text(smb.Share, x.SMB.Share, maxText)
	case kindSIP:
		g.application("sip")
		g.text(sip.Method, x.SIP.Method, maxWord)
		g.name(sip.Host, sipHost(x.SIP.URI))
	case kindMQTT:
		g.application("mqtt")
		g.text(mqtt.Client, x.MQTT.ClientID, maxText)
	case kindSMTP:
		g.application("smtp")
		g.name(smtp.Helo, x.SMTP.Helo)
	case kindRDP, kindFTP, kindNamed, kindDHCP, kindMDNS:
		g.application(x.Type)
	case kindFileinfo:
		g.embedded(x)
	case kindAlert:
		number(g, alert.SID, x.Alert.SID)
		if s := x.Alert.Severity; 0 < s && s <= maxSeverity {
			number(g, alert.Severity, uint8(s))
		}
		g.embedded(x)
	default:
	}
}

const maxSeverity = 255

// embedded gathers what other events of the flow say, which alerts and files repeat.
func (g *tagger) embedded(x *work) {
	if x.has(eve.HasHTTP) {
		g.http(&x.HTTP)
	}
	if x.has(eve.HasTLS) {
		g.application("tls")
		g.tls(&x.TLS)
	}
	if x.has(eve.HasDNS) {
		g.dns(x.Event)
	}
	g.application(x.AppProto)
}

// place gathers where the flow was seen.
func (t *Translator) place(k kind, x *work) {
	g := &t.tags
	// Netmap marks the interfaces of the host with one of these.
	g.text(iface.Column, strings.TrimRight(x.Iface, "^+"), maxPrint)
	const last = 4094
	for _, v := range x.VLANs[:min(len(x.VLANs), maxVLANs)] {
		if 0 < v && v <= last {
			number(g, vlan.Column, v)
		}
	}
	if !x.framed(k) {
		return
	}
	src, dest := x.ends()
	if t.mac(x.Src, x.SrcMAC) {
		g.mac(mac.Columns, src, x.SrcMAC)
	}
	if t.mac(x.Dest, x.DestMAC) {
		g.mac(mac.Columns, dest, x.DestMAC)
	}
}

const maxVLANs = 3

func (g *tagger) quic(q *eve.QUIC) {
	if q.SNI == "" && q.JA3 == "" && q.JA3S == "" && q.JA4 == "" {
		return // Other protocols on UDP are taken for QUIC, and then there is no handshake.
	}
	g.application("quic")
	g.name(tls.SNI, q.SNI)
	g.prints(q.JA3, q.JA3S, q.JA4)
	g.text(quic.Version, q.Version, maxWord)
}

func (g *tagger) dns(e *eve.Event) {
	d := &e.DNS
	if e.Has&eve.HasHTTP != 0 {
		g.application("doh2")
	}
	g.application("dns")
	for _, q := range few(g, d.Queries) {
		g.name(dns.Query, q.Name)
		g.text(dns.Type, q.Type, maxWord)
	}
	if isAnswer(d.Type) { // Requests have a code too.
		g.text(dns.Rcode, d.Rcode, maxWord)
	}
	if e.Has&eve.HasHTTP != 0 {
		g.http(&e.HTTP)
	}
}

func isAnswer(typ string) bool { return typ == "answer" || typ == "response" }

// answers says whether the event is a DNS answer.
func (x *work) answers() bool { return isAnswer(x.DNS.Type) }

// sipHost gives the host of an address such as sip:alice@example.org:5061;transport=udp. The user before it
// is nobody's business, and other schemes have no host.
func sipHost(uri string) string {
	scheme, rest, ok := strings.Cut(uri, ":")
	if !ok || !strings.EqualFold(scheme, "sip") && !strings.EqualFold(scheme, "sips") {
		return ""
	}
	if _, after, ok := strings.Cut(rest, "@"); ok {
		rest = after
	}
	if i := strings.IndexAny(rest, ";?/>"); i >= 0 {
		rest = rest[:i]
	}
	return host(rest)
}
