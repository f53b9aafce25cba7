package translate

import "testing"

// The ends of most tests: the client is A of the key where the server is 198.51.100.80.
const (
	web  = "192.168.1.10:5000>198.51.100.80:443/TCP"
	back = "198.51.100.80:443>192.168.1.10:5000/TCP"
	key  = "6 192.168.1.10:5000 198.51.100.80:443"
	at0  = " at=12:00:00.000000"
)

func TestTags(t *testing.T) {
	play(t, Options{OwnMACs: [][6]byte{{2, 0xaa, 0xbb, 0xcc, 0, 1}}}, []scene{
		{
			name: "tls with everything",
			lines: []string{line(0, "tls", web, `"flow_id":1,"in_iface":"br-lan^","vlan":[10,20],
				"ether":{"src_mac":"02:11:22:33:44:10","dest_mac":"02:aa:bb:cc:00:01"},
				"tls":{"sni":"WWW.Example.org.","version":"TLS 1.2","from_proto":"smtp",
				"subject":"C=CZ, O=A, Inc., CN=www.example.org","subjectaltname":["a.example","Email=joe@example.org"],
				"client_alpns":["h2"],"server_alpns":["http/1.1"],"session_resumed":true,
				"ja3":{"hash":"AA"},"ja3s":{"hash":"bb"},"ja4":"t13"}`)},
			want: []string{key + at0 + ` app="tls" app.orig="smtp" iface="br-lan" mac@a="02:11:22:33:44:10"` +
				` tls.alpn="h2" tls.alpn="http/1.1" tls.cn="www.example.org" tls.ja3="aa" tls.ja3s="bb" tls.ja4="t13"` +
				` tls.resumed="yes" tls.san="a.example" tls.sni="www.example.org" tls.version="1.2" vlan="10"` +
				` vlan="20"`},
		},
		{
			name:  "tls from the other side has the same key",
			lines: []string{line(0, "tls", back, `"tls":{"sni":"192.0.2.1","version":"UNDETERMINED","ja3":{}}`)},
			want:  []string{key + at0 + ` app="tls" tls.sni="192.0.2.1"`},
		},
		{
			name: "http",
			lines: []string{
				line(0, "http", web, `"flow_id":1,"http":{"hostname":"A.example:8080",
					"url":"http://joe:pw@a.example/x?y=1",
					"http_method":"get","http_user_agent":"curl\u0007","status":200,"version":"2"}`),
				line(1, "http", web, `"flow_id":1,"http":{"url":"/libhtp::request_uri_not_seen","status":7,
					"protocol":"HTTP/1.1"}`),
			},
			want: []string{
				key + at0 + ` app="http2" http.agent="curl` + "\uFFFD" + `" http.host="a.example" http.method="GET"` +
					` http.status="200" http.url="http://a.example/x?y=1"`,
				key + at0 + ` app="http"`,
			},
		},
		{
			name: "addresses of mail and passwords where hosts belong",
			lines: []string{
				line(0, "dns", web, `"dns":{"version":3,"type":"request","queries":[{"rrname":"Joe@example.org",
					"rrtype":"A"}]}`),
				line(1, "tls", web, `"tls":{"sni":"joe@example.org","subject":"CN=joe@example.org"}`),
				line(2, "http", web, `"http":{"hostname":"joe:secret@a.example","url":"joe:secret@a.example:443",
					"http_method":"CONNECT"}`),
				line(3, "dns", web, `"dns":{"version":3,"type":"response","rcode":"NOERROR",
					"queries":[{"rrname":"joe@example.org","rrtype":"A"}],
					"answers":[{"rrname":"joe@example.org","rrtype":"A","ttl":60,"rdata":"192.0.2.1"}]}`),
			},
			want: []string{
				key + at0 + ` app="dns" dns.type="A"`, key + ` at=12:00:01.000000 app="tls"`,
				key + ` at=12:00:02.000000 app="http" http.host="a.example" http.method="CONNECT"` +
					` http.url="a.example:443"`,
				key + ` at=12:00:03.000000 app="dns" dns.rcode="NOERROR" dns.type="A"`,
			},
		},
		{
			name: "dns of all versions",
			lines: []string{
				line(0, "dns", "192.168.1.10:5000>9.9.9.9:53/UDP",
					`"dns":{"version":3,"type":"request","rcode":"NOERROR","queries":[{"rrname":"A.example",
					"rrtype":"65"}]}`),
				line(1, "dns", "192.168.1.10:5000>9.9.9.9:53/UDP",
					`"dns":{"type":"query","rrname":"b.example","rrtype":"A"}`),
				line(2, "dns", "192.168.1.10:5000>9.9.9.9:53/UDP",
					`"dns":{"version":2,"type":"answer","rrname":"b.example","rrtype":"A","rcode":"NXDOMAIN"}`),
				line(3, "dns", web,
					`"dns":{"version":3,"type":"response","rcode":"REFUSED"},"http":{"hostname":"doh.example",
					"version":"2"}`),
			},
			want: []string{
				`17 9.9.9.9:53 192.168.1.10:5000 at=12:00:00.000000 app="dns" dns.query="a.example" dns.type="HTTPS"`,
				`17 9.9.9.9:53 192.168.1.10:5000 at=12:00:01.000000 app="dns" dns.query="b.example" dns.type="A"`,
				`17 9.9.9.9:53 192.168.1.10:5000 at=12:00:02.000000 app="dns" dns.query="b.example"` +
					` dns.rcode="NXDOMAIN" dns.type="A"`,
				key + ` at=12:00:03.000000 app="doh2" dns.rcode="REFUSED" http.host="doh.example"`,
			},
		},
		{
			name: "quic",
			lines: []string{
				line(0, "quic", "192.168.1.10:5000>198.51.100.80:443/UDP",
					`"quic":{"version":"Q043","sni":"a.example","ja3":{"hash":"a"},"ja4":"q13"}`),
				line(0, "quic", "192.168.1.10:5000>198.51.100.80:443/UDP", `"quic":{"version":"e032a00"}`),
			},
			want: []string{`17 192.168.1.10:5000 198.51.100.80:443` + at0 +
				` app="quic" quic.version="Q043" tls.ja3="a" tls.ja4="q13" tls.sni="a.example"`},
			unused: map[Reason]uint64{Empty: 1},
		},
		{
			name: "ssh, smb, sip, mqtt, smtp, ftp",
			lines: []string{
				line(0, "ssh", web, `"ssh":{"client":{"software_version":"OpenSSH_9"},
					"server":{"software_version":"dropbear"}}`),
				line(0, "smb", web, `"smb":{"dialect":"3.11","share":"\\\\nas\\x","ntlmssp":{"host":"","user":"joe"}}`),
				line(0, "sip", web, `"sip":{"method":"INVITE","uri":"sip:joe@Pbx.example:5061;transport=udp"}`),
				line(0, "sip", web, `"sip":{"method":"INVITE","uri":"tel:+420123456789"}`),
				line(0, "mqtt", web, `"mqtt":{"connect":{"client_id":"th-2","username":"joe","password":"secret"}}`),
				line(0, "smtp", web, `"smtp":{"helo":"Laptop.lan","mail_from":"<joe@example.org>"}`),
				line(0, "smtp", web, `"smtp":{"helo":"joe@example.org"}`),
				line(0, "ftp", web, `"ftp":{"command":"USER","command_data":"joe"}`),
				line(0, "ftp_data", web, `"ftp_data":{"filename":"secret.txt"}`),
			},
			want: []string{
				key + at0 + ` app="ssh" ssh.software="OpenSSH_9" ssh.software="dropbear"`,
				key + at0 + ` app="smb" smb.dialect="3.11" smb.share="\\\\nas\\x"`,
				key + at0 + ` app="sip" sip.host="pbx.example" sip.method="INVITE"`,
				key + at0 + ` app="sip" sip.method="INVITE"`,
				key + at0 + ` app="mqtt" mqtt.client="th-2"`,
				key + at0 + ` app="smtp" smtp.helo="laptop.lan"`,
				key + at0 + ` app="smtp"`,
				key + at0 + ` app="ftp"`,
				key + at0 + ` app="ftp-data"`,
			},
		},
		{
			name: "alert with what is in it",
			lines: []string{
				line(0, "alert", back, `"app_proto":"http","alert":{"signature_id":7,"severity":3},
					"http":{"hostname":"a.example","protocol":"HTTP/1.1"}`),
				line(0, "alert", back, `"app_proto":"failed","alert":{"signature_id":8,"severity":300}`),
				line(0, "alert", back, `"app_proto":"tls","alert":{"signature_id":9,"severity":1},
					"tls":{"sni":"b.example"}`),
				line(0, "alert", "192.168.1.10:5000>9.9.9.9:53/UDP",
					`"app_proto":"dns","alert":{"signature_id":9,"severity":1},"dns":{"query":[{"type":"query",
					"rrname":"c.example","rrtype":"A"}]}`),
			},
			want: []string{
				key + at0 + ` alert.severity="3" alert.sid="7" app="http" http.host="a.example"`,
				key + at0 + ` alert.sid="8"`,
				key + at0 + ` alert.severity="1" alert.sid="9" app="tls" tls.sni="b.example"`,
				`17 9.9.9.9:53 192.168.1.10:5000` + at0 +
					` alert.severity="1" alert.sid="9" app="dns" dns.query="c.example" dns.type="A"`,
			},
		},
		{
			name: "fileinfo without the addresses of its frame, which may be those of the other direction",
			lines: []string{
				line(0, "fileinfo", back, `"app_proto":"http","http":{"hostname":"a.example"},
					"ether":{"src_mac":"02:11:22:33:44:10","dest_mac":"02:11:22:33:44:11"}`),
				line(0, "fileinfo", back, `"app_proto":"unknown","fileinfo":{"filename":"x"}`),
			},
			want:   []string{key + at0 + ` app="http" http.host="a.example"`},
			unused: map[Reason]uint64{Empty: 1},
		},
		{
			name: "flow and flow_start",
			lines: []string{
				line(0, "flow_start", web, `"flow_id":1,"in_iface":"lan0",
					"flow":{"start":"2026-11-22T11:59:59.5+0000"}`),
				line(9, "flow", web, `"flow_id":1,"in_iface":"lan0","app_proto":"tls","app_proto_orig":"smtp",
					"flow":{"start":"2026-11-22T11:59:59.5+0000","state":"closed","reason":"timeout","pkts_toserver":9},
					"ether":{"src_macs":["02:11:22:33:44:10"],"dest_macs":["02:aa:bb:cc:00:01"]}`),
				line(9, "flow", "192.168.1.10:1>198.51.100.80:2/TCP", `"flow_id":2,"app_proto":"failed","flow":{}`),
				line(9, "flow", "192.168.1.10:1>198.51.100.80:2/UDP", `"flow_id":3,"app_proto":"ntp",
					"flow":{"start":"2026-11-22T12:00:01+0000","end":"2026-11-22T12:00:02+0000"}`),
				line(9, "flow", "192.168.1.10:1>198.51.100.80:2/TCP",
					`"flow_id":4,"app_proto":"bittorrent_dht","flow":{}`),
			},
			want: []string{
				key + ` at=11:59:59.500000 iface="lan0"`,
				key + ` at=11:59:59.500000 app="tls" app.orig="smtp" iface="lan0" mac@a="02:11:22:33:44:10"`,
				`17 192.168.1.10:1 198.51.100.80:2 at=12:00:02.000000 app="ntp"`,
				`6 192.168.1.10:1 198.51.100.80:2 app="bittorrent-dht"`,
			},
			unused: map[Reason]uint64{Empty: 1},
		},
		{
			name: "types that name the application alone",
			lines: []string{
				line(0, "krb5", web, ""), line(0, "ikev2", web, ""), line(0, "bittorrent_dht", web, ""), line(0, "nfs",
					web, ""),
			},
			want: []string{
				key + at0 + ` app="krb5"`, key + at0 + ` app="ike"`, key + at0 + ` app="bittorrent-dht"`,
				key + at0 + ` app="nfs"`,
			},
		},
		{
			name: "other protocols have no ports",
			lines: []string{
				line(0, "flow", "192.168.1.10>198.51.100.80/ESP", `"in_iface":"lan0","spi":3`),
				line(0, "alert", "[2001:db8::2]:9>[2001:db8::1]:8/SCTP", `"alert":{"signature_id":7}`),
			},
			want: []string{
				`50 192.168.1.10:0 198.51.100.80:0 iface="lan0"`,
				`132 2001:db8::1:8 2001:db8::2:9` + at0 + ` alert.sid="7"`,
			},
		},
		{
			name: "what has no key, or no use",
			lines: []string{
				line(0, "tls", "", `"tls":{"sni":"a.example"}`),
				line(0, "tls", "192.168.1.10:1>[2001:db8::1]:2/TCP", `"tls":{"sni":"a.example"}`),
				line(0, "tls", "192.168.1.10>198.51.100.80/TCP", `"tls":{"sni":"a.example"}`),
				line(0, "tls", "192.168.1.10:1>198.51.100.80:2/nonsense", `"tls":{"sni":"a.example"}`),
				line(0, "alert", "192.168.1.10>198.51.100.80/ICMP", `"icmp_type":8,"alert":{"signature_id":1}`),
				line(0, "netflow", web, ""), line(0, "stats", "", ""), line(0, "anomaly", web, ""), line(0, "drop", web,
					""),
				line(0, "weather", web, ""),
			},
			unused: map[Reason]uint64{NoAddress: 2, NoPorts: 1, NoProtocol: 1, ICMP: 1, Ignored: 4, UnknownType: 1},
		},
	})
}

// TestRepeated says again what is new, what has waited, and what another value had replaced.
func TestRepeated(t *testing.T) {
	sni := func(at float64, id, name string) string {
		return line(at, "tls", web, `"flow_id":`+id+`,"tls":{"sni":"`+name+`"}`)
	}
	tags := func(sni string) string { return key + at0 + ` app="tls" tls.sni="` + sni + `"` }
	play(t, Options{}, []scene{{
		name: "tls",
		lines: []string{
			sni(0, "1", "a"), sni(1, "1", "a"), sni(2, "1", "b"), sni(3, "1", "a"), sni(4, "1", "a"), sni(12, "1", "a"),
			sni(13, "1", "a"),
		},
		want:   []string{tags("a"), tags("b"), tags("a"), tags("a")},
		unused: map[Reason]uint64{Repeated: 3},
	}, {
		name:   "another flow, and one without an identifier",
		lines:  []string{sni(0, "1", "a"), sni(0, "2", "a"), sni(0, "0", "a"), sni(0, "0", "a"), sni(0, "2", "a")},
		want:   []string{tags("a"), tags("a"), tags("a"), tags("a")},
		unused: map[Reason]uint64{Repeated: 1},
	}})
}

// TestSeen gives all events of a TCP flow the time of its first, however late they are logged.
func TestSeen(t *testing.T) {
	const gone = `"pkt_src":"stream (flow timeout)"`
	play(t, Options{}, []scene{{
		name: "tcp",
		lines: []string{
			line(0, "tls", web, `"flow_id":1,"tls":{}`),
			line(60, "http", web, `"flow_id":1,`+gone+`,"http":{}`),
			line(61, "flow", web, `"flow_id":1,"app_proto":"http"`),
			line(61, "tls", web, `"flow_id":2,"tls":{}`),
			line(99, "smtp", web, `"flow_id":3,`+gone+`,"smtp":{}`),
			line(99, "alert", web, `"flow_id":4,`+gone+`,"alert":{"signature_id":1},
				"flow":{"start":"2026-11-22T12:01:30+0000"}`),
		},
		want: []string{
			key + at0 + ` app="tls"`, key + at0 + ` app="http"`,
			key + ` at=12:01:01.000000 app="tls"`,
			key + ` app="smtp"`,
			key + ` at=12:01:30.000000 alert.sid="1"`,
		},
		unused: map[Reason]uint64{Repeated: 1},
	}, {
		name: "udp lives on and may be another flow for the kernel",
		lines: []string{
			line(0, "sip", "192.168.1.10:1>192.168.1.11:2/UDP", `"flow_id":1,"sip":{"method":"A"}`),
			line(100, "sip", "192.168.1.10:1>192.168.1.11:2/UDP", `"flow_id":1,"sip":{"method":"A"}`),
			line(300, "flow", "192.168.1.10:1>192.168.1.11:2/UDP", `"flow_id":1,"app_proto":"sip"`),
		},
		want: []string{
			`17 192.168.1.10:1 192.168.1.11:2` + at0 + ` app="sip" sip.method="A"`,
			`17 192.168.1.10:1 192.168.1.11:2 at=12:01:40.000000 app="sip" sip.method="A"`,
			`17 192.168.1.10:1 192.168.1.11:2 at=12:01:40.000000 app="sip"`,
		},
	}})
}
