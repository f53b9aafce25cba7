package eve

import (
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// value is any JSON value, decoded by encoding/json: the oracle below makes an Event of it without a line of
// the decoder's code.
type value struct{ v any }

func (o value) get(key string) value {
	m, _ := o.v.(map[string]any)
	return value{m[key]}
}

func (o value) has() bool {
	_, ok := o.v.(map[string]any)
	return ok
}

func (o value) list(limit int) []value {
	var all []value
	list, _ := o.v.([]any)
	for i, v := range list {
		if i == limit {
			break
		}
		all = append(all, value{v})
	}
	return all
}

func (o value) text(limit int) string {
	s, _ := o.v.(string)
	for len(s) > limit {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}

func (o value) number(bits int) (uint64, bool) {
	n, _ := o.v.(json.Number)
	v, err := strconv.ParseUint(string(n), 10, bits)
	if err != nil {
		return 0, false
	}
	return v, true
}

func (o value) uint() uint64 {
	v, _ := o.number(64)
	return v
}

func (o value) bool() bool {
	v, _ := o.v.(bool)
	return v
}

func (o value) addr() netip.Addr {
	s, _ := o.v.(string)
	a, _ := netip.ParseAddr(s)
	return a.Unmap()
}

func (o value) mac() [6]byte {
	var a [6]byte
	s, _ := o.v.(string)
	if m, err := net.ParseMAC(s); err == nil && len(m) == len(a) {
		copy(a[:], m)
	}
	return a
}

func (o value) time() int64 {
	s, _ := o.v.(string)
	for _, layout := range []string{"2006-01-02T15:04:05.999999-0700", "2006-01-02T15:04:05.999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UnixNano()
		}
	}
	return 0
}

func (o value) texts(limit int) []string {
	var all []string
	for _, v := range o.list(limit) {
		all = append(all, v.text(1024))
	}
	return all
}

func (o value) first() value {
	if list := o.list(1); len(list) > 0 {
		return list[0]
	}
	return value{}
}

// oracle makes the event of a line.
func oracle(t testing.TB, line []byte) Event {
	t.Helper()
	var m map[string]any
	dec := json.NewDecoder(strings.NewReader(string(line)))
	dec.UseNumber()
	if err := dec.Decode(&m); err != nil {
		t.Fatal(err)
	}
	o := value{m}
	e := Event{
		Time: o.get("timestamp").time(), Type: o.get("event_type").text(128),
		FlowID: o.get("flow_id").uint(), ParentID: o.get("parent_id").uint(), Iface: o.get("in_iface").text(128),
		Src: o.get("src_ip").addr(), Dest: o.get("dest_ip").addr(),
		AppProto: o.get("app_proto").text(128), AppProtoOrig: o.get("app_proto_orig").text(128),
		PktSrc: o.get("pkt_src").text(128), Direction: o.get("direction").text(128),
	}
	src, ok1 := o.get("src_port").number(16)
	dest, ok2 := o.get("dest_port").number(16)
	e.SrcPort, e.DestPort = uint16(src), uint16(dest)
	kind, ok3 := o.get("icmp_type").number(8)
	code, _ := o.get("icmp_code").number(8)
	e.ICMPType, e.ICMPCode = uint8(kind), uint8(code)
	var ok4 bool
	e.Proto, ok4 = oracleProto(o.get("proto").text(128))
	e.set(HasPorts, ok1 && ok2)
	e.set(HasICMP, ok3)
	e.set(HasProto, ok4)
	vlans := o.get("vlan").list(4)
	if len(vlans) == 0 {
		vlans = []value{o.get("vlan")}
	}
	for _, v := range vlans {
		if n, ok := v.number(12); ok {
			e.VLANs = append(e.VLANs, uint16(n))
		}
	}
	ether := o.get("ether")
	if e.SrcMAC = ether.get("src_mac").mac(); ether.get("src_macs").v != nil {
		e.SrcMAC = ether.get("src_macs").first().mac()
	}
	if e.DestMAC = ether.get("dest_mac").mac(); ether.get("dest_macs").v != nil {
		e.DestMAC = ether.get("dest_macs").first().mac()
	}
	oracleParts(o, &e)
	oracleDNS(o, &e)
	return e
}

// oracleProto knows those that occur.
func oracleProto(s string) (uint8, bool) {
	names := map[string]uint8{
		"tcp": 6, "udp": 17, "icmp": 1, "ipv6-icmp": 58, "ipv6-frag": 44, "sctp": 132, "ipv6": 41, "ip-in-ip": 4,
		"gre": 47, "esp": 50, "ipsec-esp": 50, "ddx": 116,
	}
	if n, ok := names[strings.ToLower(s)]; ok {
		return n, true
	}
	n, err := strconv.ParseUint(s, 10, 8)
	return uint8(n), err == nil
}

func oracleParts(o value, e *Event) {
	part := func(name string, bit Object) value {
		p := o.get(name)
		if p.has() {
			e.Has |= bit
		}
		return p
	}
	flow := part("flow", HasFlow)
	e.Flow = Flow{
		Start: flow.get("start").time(), End: flow.get("end").time(),
		PktsToServer: flow.get("pkts_toserver").uint(), PktsToClient: flow.get("pkts_toclient").uint(),
		BytesToServer: flow.get("bytes_toserver").uint(), BytesToClient: flow.get("bytes_toclient").uint(),
		State: flow.get("state").text(128), Reason: flow.get("reason").text(128), Src: flow.get("src_ip").addr(),
	}
	tcp := part("tcp", HasTCP)
	e.TCP = TCP{SYN: tcp.get("syn").bool(), State: tcp.get("state").text(128)}
	http := part("http", HasHTTP)
	if h := part("http2", HasHTTP); h.has() {
		http = h
	}
	e.HTTP = HTTP{
		Host: http.get("hostname").text(1024), URL: http.get("url").text(4096),
		Method: http.get("http_method").text(128), Agent: http.get("http_user_agent").text(1024),
		Protocol: http.get("protocol").text(128), Version: http.get("version").text(128),
		Status: int(http.get("status").uint()),
	}
	tls := part("tls", HasTLS)
	e.TLS = TLS{
		SNI: tls.get("sni").text(1024), Subject: tls.get("subject").text(4096),
		Version: tls.get("version").text(128), FromProto: tls.get("from_proto").text(128),
		SANs: tls.get("subjectaltname").texts(64), ALPNs: tls.get("client_alpns").texts(16),
		ServerALPN: tls.get("server_alpns").first().text(128), JA3: tls.get("ja3").get("hash").text(128),
		JA3S: tls.get("ja3s").get("hash").text(128), JA4: tls.get("ja4").text(128),
		Resumed: tls.get("session_resumed").bool(),
	}
	quic := part("quic", HasQUIC)
	e.QUIC = QUIC{
		SNI: quic.get("sni").text(1024), Version: quic.get("version").text(128), UserAgent: quic.get("ua").text(1024),
		JA3: quic.get("ja3").get("hash").text(128), JA3S: quic.get("ja3s").get("hash").text(128),
		JA4: quic.get("ja4").text(128),
	}
	ssh := part("ssh", HasSSH)
	e.SSH = SSH{
		ClientSoftware: ssh.get("client").get("software_version").text(1024),
		ServerSoftware: ssh.get("server").get("software_version").text(1024),
	}
	smb := part("smb", HasSMB)
	e.SMB = SMB{
		Dialect: smb.get("dialect").text(128), Share: smb.get("share").text(1024),
		Host: smb.get("ntlmssp").get("host").text(1024),
	}
	e.RDP = RDP{ClientName: part("rdp", HasRDP).get("client").get("client_name").text(1024)}
	sip := part("sip", HasSIP)
	e.SIP = SIP{
		Method: sip.get("method").text(128), URI: sip.get("uri").text(1024), Code: sip.get("code").text(128),
	}
	e.MQTT = MQTT{ClientID: part("mqtt", HasMQTT).get("connect").get("client_id").text(1024)}
	e.SMTP = SMTP{Helo: part("smtp", HasSMTP).get("helo").text(1024)}
	dhcp := part("dhcp", HasDHCP)
	e.DHCP = DHCP{
		Type: dhcp.get("type").text(128), Message: dhcp.get("dhcp_type").text(128), ID: dhcp.get("id").uint(),
		ClientMAC: dhcp.get("client_mac").mac(), Assigned: dhcp.get("assigned_ip").addr(),
		Client: dhcp.get("client_ip").addr(), Lease: uint32(dhcp.get("lease_time").uint()),
		Hostname: dhcp.get("hostname").text(1024),
	}
	arp := part("arp", HasARP)
	e.ARP = ARP{
		Opcode: arp.get("opcode").text(128), SrcMAC: arp.get("src_mac").mac(), DestMAC: arp.get("dest_mac").mac(),
		SrcIP: arp.get("src_ip").addr(), DestIP: arp.get("dest_ip").addr(),
	}
	alert := part("alert", HasAlert)
	e.Alert = Alert{SID: uint32(alert.get("signature_id").uint()), Severity: int(alert.get("severity").uint())}
}

func oracleDNS(o value, e *Event) {
	dns := o.get("dns")
	if o.get("mdns").has() {
		dns = o.get("mdns")
	}
	if !dns.has() {
		return
	}
	e.Has |= HasDNS
	n := &e.DNS
	oracleMessage(dns, n)
	if o.get("mdns").has() {
		n.Answers = append(n.Answers, oracleAnswers(dns.get("additionals"))...)
		n.Answers = n.Answers[:min(len(n.Answers), 64)]
	}
	for _, q := range dns.get("query").list(64) {
		n.Type, n.ID = q.get("type").text(128), q.get("id").uint()
		n.Queries = append(n.Queries, Query{q.get("rrname").text(1024), oracleType(q)})
	}
	if answer := dns.get("answer"); answer.has() {
		oracleMessage(answer, n)
	}
}

func oracleMessage(dns value, n *DNS) {
	if v := dns.get("version"); v.v != nil {
		n.Version = int(v.uint())
	}
	if v := dns.get("type"); v.v != nil {
		n.Type = v.text(128)
	}
	if v := dns.get("id"); v.v != nil {
		n.ID = v.uint()
	}
	if v := dns.get("rcode"); v.v != nil {
		if n.Rcode = v.text(128); n.Rcode == "" && v.uint() == 0 {
			n.Rcode = "NOERROR"
		}
	}
	for _, q := range dns.get("queries").list(64) {
		n.Queries = append(n.Queries, Query{q.get("rrname").text(1024), oracleType(q)})
	}
	n.Answers = append(n.Answers, oracleAnswers(dns.get("answers"))...)
	if grouped, ok := dns.get("grouped").v.(map[string]any); ok {
		for kind, values := range grouped {
			for _, v := range (value{values}).list(64) {
				n.Grouped = append(n.Grouped, Answer{Type: kind, Data: oracleData(v)})
			}
		}
	}
	record, isRecord := oracleAnswer(dns)
	switch {
	case isRecord:
		n.Answers = append(n.Answers, record)
	case dns.get("rrname").v != nil && len(n.Queries) == 0:
		n.Queries = append(n.Queries, Query{record.Owner, record.Type})
	}
}

func oracleAnswers(list value) []Answer {
	var all []Answer
	for _, v := range list.list(64) {
		a, _ := oracleAnswer(v)
		all = append(all, a)
	}
	return all
}

func oracleAnswer(v value) (Answer, bool) {
	ttl, timed := v.get("ttl").number(32)
	a := Answer{Owner: v.get("rrname").text(1024), Type: oracleType(v), TTL: uint32(ttl)}
	full := timed || v.get("rdata").v != nil
	a.Data = v.get("rdata").text(1024)
	for _, kind := range []string{"a", "aaaa", "ptr", "cname", "ns", "srv", "txt", "nsec", "soa", "sshfp"} {
		if d := v.get(kind); d.v != nil {
			full = true
			a.Data = oracleData(d)
			if a.Type == "" {
				a.Type = strings.ToUpper(kind)
			}
		}
	}
	return a, full
}

func oracleData(v value) string {
	if v.has() {
		return v.get("name").text(1024)
	}
	return v.text(1024)
}

func oracleType(v value) string {
	kind := strings.ToUpper(v.get("rrtype").text(128))
	switch kind {
	case "64":
		return "SVCB"
	case "65":
		return "HTTPS"
	default:
		return kind
	}
}

// TestOracle compares the decoder with encoding/json, field by field, on the recorded lines that are odd and
// on some of the rest, with WEIR_TEST_LONG on all.
func TestOracle(t *testing.T) {
	for _, name := range corpusFiles(t) {
		t.Run(shortName(name), func(t *testing.T) {
			step := 3
			switch base := filepath.Base(name); {
			case strings.HasPrefix(base, "gen-"):
				step = 47
			case strings.HasPrefix(base, "odd-"):
				step = 1
			}
			if os.Getenv("WEIR_TEST_LONG") != "" {
				step = 1
			}
			d := NewDecoder()
			var e Event
			lines := corpusLines(t, name)
			for i := 0; i < len(lines); i += step {
				if json.Valid(lines[i]) {
					compare(t, d, &e, i+1, lines[i])
				}
			}
		})
	}
}

// compare decodes a line both ways.
func compare(t *testing.T, d *Decoder, e *Event, number int, line []byte) {
	t.Helper()
	if err := d.Decode(line, e); err != nil {
		t.Errorf("line %d: %v", number, err)
		return
	}
	got, want := normal(*e), normal(oracle(t, line))
	if !reflect.DeepEqual(got, want) {
		t.Errorf("line %d: %.2000s\n got %+v\nwant %+v", number, line, got, want)
	}
}

// normal makes events comparable: empty lists are as if absent, and the groups of DNS come in any order.
func normal(e Event) Event {
	if len(e.VLANs) == 0 {
		e.VLANs = nil
	}
	if len(e.TLS.SANs) == 0 {
		e.TLS.SANs = nil
	}
	if len(e.TLS.ALPNs) == 0 {
		e.TLS.ALPNs = nil
	}
	if len(e.DNS.Queries) == 0 {
		e.DNS.Queries = nil
	}
	if len(e.DNS.Answers) == 0 {
		e.DNS.Answers = nil
	}
	grouped := map[string][]string{}
	for _, a := range e.DNS.Grouped {
		grouped[a.Type] = append(grouped[a.Type], a.Data)
	}
	e.DNS.Grouped = nil
	for _, kind := range []string{"A", "AAAA", "CNAME", "MX", "NS", "NULL", "PTR", "SOA", "SRV", "SSHFP", "TXT"} {
		for _, data := range grouped[kind] {
			e.DNS.Grouped = append(e.DNS.Grouped, Answer{Type: kind, Data: data})
		}
		delete(grouped, kind)
	}
	if len(grouped) > 0 {
		panic("a type that the test does not know")
	}
	return e
}
