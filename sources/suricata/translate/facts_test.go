package translate

import (
	"fmt"
	"net/netip"
	"testing"
)

const (
	ask    = "192.168.1.10:5000>9.9.9.9:53/UDP"
	reply  = "9.9.9.9:53>192.168.1.10:5000/UDP"
	dnsKey = "17 9.9.9.9:53 192.168.1.10:5000"
)

// dnsTags is the update that goes with a fact.
func dnsTags(at string, tags string) string {
	return dnsKey + " at=12:00:0" + at + ".000000 app=\"dns\"" + tags
}

func answer(addr, name, ttl string, at string) string {
	if ttl != "" {
		ttl = " ttl=" + ttl
	}
	return fmt.Sprintf("answer %s to=192.168.1.10 name=%q%s source=dns at=12:00:0%s.000000", addr, name, ttl, at)
}

func TestAnswers(t *testing.T) {
	const noerror = ` dns.query="www.example.org" dns.rcode="NOERROR" dns.type="A"`
	play(t, Options{}, []scene{
		{
			name: "version 3 with a chain of CNAMEs in any order, and what is not the answer",
			lines: []string{line(0, "dns", reply, `"dns":{"version":3,"type":"response","id":7,"rcode":"NOERROR",
				"queries":[{"rrname":"WWW.example.org","rrtype":"A"}],"answers":[
				{"rrname":"edge.cdn.example","rrtype":"A","ttl":60,"rdata":"192.0.2.1"},
				{"rrname":"edge.cdn.example","rrtype":"A","ttl":60,"rdata":"192.0.2.2"},
				{"rrname":"www.example.org","rrtype":"CNAME","ttl":60,"rdata":"x.cdn.example"},
				{"rrname":"X.cdn.example","rrtype":"CNAME","ttl":60,"rdata":"edge.cdn.example."},
				{"rrname":"edge.cdn.example","rrtype":"A","ttl":1,"rdata":"0.0.0.0"},
				{"rrname":"edge.cdn.example","rrtype":"A","ttl":1,"rdata":"127.0.0.1"},
				{"rrname":"edge.cdn.example","rrtype":"A","ttl":1,"rdata":"2001:db8::1"},
				{"rrname":"edge.cdn.example","rrtype":"A","ttl":1,"rdata":"nonsense"},
				{"rrname":"www.example.org","rrtype":"TXT","ttl":1,"rdata":"192.0.2.9"}]}`)},
			want: []string{
				answer("192.0.2.1", "www.example.org", "1m0s", "0"), answer("192.0.2.2", "www.example.org", "1m0s",
					"0"),
				dnsTags("0", noerror),
			},
		},
		{
			name: "version 2: the source of the answer is the client",
			lines: []string{line(0, "dns", ask, `"dns":{"version":2,"type":"answer","id":7,"rcode":"NOERROR",
				"rrname":"www.example.org","rrtype":"A","answers":[
				{"rrname":"www.example.org","rrtype":"CNAME","ttl":60,"rdata":"a.example"},
				{"rrname":"a.example","rrtype":"A","ttl":60,"rdata":"192.0.2.1"}],"grouped":{"A":["192.0.2.9"]}}`)},
			want: []string{answer("192.0.2.1", "www.example.org", "1m0s", "0"), dnsTags("0", noerror)},
		},
		{
			name: "version 2, grouped alone",
			lines: []string{line(0, "dns", ask, `"dns":{"version":2,"type":"answer","id":7,"rcode":"NOERROR",
				"rrname":"www.example.org","rrtype":"A","grouped":{"CNAME":["a.example"],"A":["192.0.2.1"],
				"AAAA":["2001:0db8::1","::1","::"]}}`)},
			want: []string{
				answer("192.0.2.1", "www.example.org", "", "0"), answer("2001:db8::1", "www.example.org", "", "0"),
				dnsTags("0", noerror),
			},
		},
		{
			name: "version 1: one record an event, of all sections; those of Suricata 4 come from the server",
			lines: []string{
				line(0, "dns", ask, `"dns":{"type":"query","id":7,"rrname":"www.example.org","rrtype":"A"}`),
				line(1, "dns", reply, `"dns":{"type":"answer","id":7,"rcode":"NOERROR","rrname":"www.example.org",
					"rrtype":"CNAME","ttl":9,"rdata":"a.example"}`),
				line(1, "dns", reply, `"dns":{"type":"answer","id":7,"rcode":"NOERROR","rrname":"A.example",
					"rrtype":"CNAME","ttl":9,"rdata":"b.example"}`),
				line(1, "dns", reply, `"dns":{"type":"answer","id":7,"rcode":"NOERROR","rrname":"b.example",
					"rrtype":"A","ttl":9,"rdata":"192.0.2.1"}`),
				line(1, "dns", reply, `"dns":{"type":"answer","id":7,"rcode":"NOERROR","rrname":"ns1.example",
					"rrtype":"A","ttl":9,"rdata":"192.0.2.53"}`),
				line(2, "dns", reply, `"dns":{"type":"answer","id":8,"rcode":"NOERROR","rrname":"b.example",
					"rrtype":"A","ttl":9,"rdata":"192.0.2.1"}`),
			},
			want: []string{
				dnsTags("0", ` dns.query="www.example.org" dns.type="A"`),
				dnsTags("1", ` dns.rcode="NOERROR"`),
				dnsTags("1", ` dns.rcode="NOERROR"`),
				answer("192.0.2.1", "www.example.org", "9s", "1"),
				dnsTags("1", ` dns.rcode="NOERROR"`),
				dnsTags("1", ` dns.rcode="NOERROR"`),
				answer("192.0.2.1", "b.example", "9s", "2"),
				dnsTags("2", ` dns.rcode="NOERROR"`),
			},
		},
		{
			name: "version 1: the next exchange with the port and identifier begins anew",
			lines: []string{
				line(0, "dns", ask, `"flow_id":1,"dns":{"type":"answer","id":7,"rrname":"www.example.org",
					"rrtype":"CNAME","ttl":9,"rdata":"a.example"}`),
				line(0, "dns", ask, `"flow_id":1,"dns":{"type":"query","id":7,"rrname":"a.example","rrtype":"A"}`),
				line(1, "dns", ask, `"flow_id":1,"dns":{"type":"answer","id":7,"rrname":"a.example","rrtype":"A",
					"ttl":9,"rdata":"192.0.2.1"}`),
				line(20, "dns", ask, `"flow_id":1,"dns":{"type":"answer","id":7,"rrname":"www.example.org","rrtype":"A",
					"ttl":9,"rdata":"192.0.2.2"}`),
			},
			want: []string{
				dnsTags("0", ""), dnsTags("0", ` dns.query="a.example" dns.type="A"`),
				answer("192.0.2.1", "a.example", "9s", "1"),
				"answer 192.0.2.2 to=192.168.1.10 name=\"www.example.org\" ttl=9s source=dns at=12:00:20.000000",
				dnsKey + ` at=12:00:20.000000 app="dns"`,
			},
		},
		{
			name: "no fact without an answer, a name or a client",
			lines: []string{
				line(0, "dns", ask, `"dns":{"version":2,"type":"answer","rcode":"SERVFAIL","rrname":"a","rrtype":"A",
					"grouped":{"A":["192.0.2.1"]}}`),
				line(0, "dns", ask, `"dns":{"version":2,"type":"answer","rcode":"NOERROR","rrname":".","rrtype":"A",
					"grouped":{"A":["192.0.2.1"]}}`),
				line(0, "dns", "0.0.0.0:1>9.9.9.9:53/UDP", `"dns":{"version":2,"type":"answer","rrname":"a",
					"rrtype":"A","grouped":{"A":["192.0.2.1"]}}`),
			},
			want: []string{
				dnsTags("0", ` dns.query="a" dns.rcode="SERVFAIL" dns.type="A"`),
				dnsTags("0", ` dns.rcode="NOERROR" dns.type="A"`),
				`17 0.0.0.0:1 9.9.9.9:53 at=12:00:00.000000 app="dns" dns.query="a" dns.type="A"`,
			},
		},
		{
			name: "DNS over HTTPS: the source is the client",
			lines: []string{line(0, "dns", web, `"dns":{"version":3,"type":"response","rcode":"NOERROR",
				"queries":[{"rrname":"a.example","rrtype":"A"}],
				"answers":[{"rrname":"a.example","rrtype":"A","ttl":0,"rdata":"192.0.2.1"}]},
				"http":{"hostname":"doh.example"}`)},
			want: []string{
				answer("192.0.2.1", "a.example", "", "0"),
				key + at0 + ` app="doh2" dns.query="a.example" dns.rcode="NOERROR" dns.type="A"` +
					` http.host="doh.example"`,
			},
		},
		{
			name: "reverse",
			lines: []string{
				line(0, "dns", ask, `"flow_id":1,"dns":{"version":2,"type":"answer","rrname":"1.2.0.192.in-addr.arpa",
					"rrtype":"PTR","answers":[
					{"rrname":"1.2.0.192.in-addr.arpa","rrtype":"CNAME","ttl":9,"rdata":"1.0/25.2.0.192.in-addr.arpa"},
					{"rrname":"1.0/25.2.0.192.in-addr.arpa","rrtype":"PTR","ttl":9,"rdata":"Host.example."}]}`),
				line(0, "dns", ask, `"flow_id":1,"dns":{"version":2,"type":"answer","rrname":"a.example","rrtype":"PTR",
					"answers":[
					{"rrname":"a.example","rrtype":"PTR","ttl":9,"rdata":"b.example"}]}`),
			},
			want: []string{
				`reverse 192.0.2.1 name="host.example" ttl=9s source=dns at=12:00:00.000000`,
				dnsTags("0", ` dns.query="1.2.0.192.in-addr.arpa" dns.type="PTR"`),
				dnsTags("0", ` dns.query="a.example" dns.type="PTR"`),
			},
		},
		{
			name: "seen on two interfaces; asked for by another name and again",
			lines: []string{
				line(0, "dns", ask, `"flow_id":1,"dns":{"version":2,"type":"answer","rrname":"a","rrtype":"A",
					"grouped":{"A":["192.0.2.1"]}}`),
				line(0, "dns", ask, `"flow_id":1,"dns":{"version":2,"type":"answer","rrname":"a","rrtype":"A",
					"grouped":{"A":["192.0.2.1"]}}`),
				line(0, "dns", ask, `"flow_id":1,"dns":{"version":2,"type":"answer","rrname":"b","rrtype":"A",
					"grouped":{"A":["192.0.2.1"]}}`),
				line(0, "dns", ask, `"flow_id":1,"dns":{"version":2,"type":"answer","rrname":"a","rrtype":"A",
					"grouped":{"A":["192.0.2.1"]}}`),
				line(2, "dns", ask, `"flow_id":1,"dns":{"version":2,"type":"answer","rrname":"a","rrtype":"A",
					"grouped":{"A":["192.0.2.1"]}}`),
			},
			want: []string{
				answer("192.0.2.1", "a", "", "0"), dnsTags("0", ` dns.query="a" dns.type="A"`),
				answer("192.0.2.1", "b", "", "0"), dnsTags("0", ` dns.query="b" dns.type="A"`),
				answer("192.0.2.1", "a", "", "0"), answer("192.0.2.1", "a", "", "2"),
			},
			unused: map[Reason]uint64{Repeated: 1},
		},
	})
}

func TestHosts(t *testing.T) {
	const (
		group  = "192.168.1.10:5353>224.0.0.251:5353/UDP"
		device = `"02:11:22:33:44:10"`
		dora   = `"client_mac":` + device + `,"id":5,`
	)
	play(t, Options{OwnMACs: [][6]byte{{2, 0xaa, 0xbb, 0xcc, 0, 1}}}, []scene{
		{
			name: "dhcp: the request has the name and the acknowledgement the address",
			lines: []string{
				line(0, "dhcp", "0.0.0.0:68>255.255.255.255:67/UDP",
					`"dhcp":{"type":"request","dhcp_type":"discover",`+dora+`"hostname":"NAS1\u0000"}`),
				line(0, "dhcp", "192.168.1.1:67>192.168.1.10:68/UDP",
					`"dhcp":{"type":"reply","dhcp_type":"offer",`+dora+`"assigned_ip":"192.168.1.10"}`),
				line(0, "dhcp", "0.0.0.0:68>255.255.255.255:67/UDP",
					`"dhcp":{"type":"request","dhcp_type":"request",`+dora+`"requested_ip":"192.168.1.10"}`),
				line(0, "dhcp", "192.168.1.1:67>192.168.1.10:68/UDP",
					`"dhcp":{"type":"reply","dhcp_type":"ack",`+dora+`"assigned_ip":"192.168.1.10","lease_time":3600}`),
				line(1, "dhcp", "192.168.1.1:67>192.168.1.10:68/UDP",
					`"dhcp":{"type":"reply","dhcp_type":"ack",`+dora+`"assigned_ip":"192.168.1.10","lease_time":3600}`),
				line(1, "dhcp", "192.168.1.1:67>192.168.1.11:68/UDP",
					`"dhcp":{"type":"reply","dhcp_type":"ack","id":6,"client_mac":`+device+`,"assigned_ip":"0.0.0.0",
					"client_ip":"192.168.1.11"}`),
				line(99, "dhcp", "192.168.1.1:67>192.168.1.12:68/UDP",
					`"dhcp":{"type":"reply","dhcp_type":"ack",`+dora+`"assigned_ip":"192.168.1.12",
					"lease_time":4294967295}`),
				line(99, "dhcp", "192.168.1.1:67>192.168.1.12:68/UDP",
					`"dhcp":{"type":"reply","dhcp_type":"nak",`+dora+`"assigned_ip":"192.168.1.12"}`),
			},
			want: []string{
				"lease 192.168.1.10 name=\"nas1\" mac=021122334410 ttl=1h0m0s source=dhcp at=12:00:00.000000",
				"lease 192.168.1.11 mac=021122334410 source=dhcp at=12:00:01.000000",
				"lease 192.168.1.12 mac=021122334410 ttl=1193046h28m15s source=dhcp at=12:01:39.000000",
			},
			unused: map[Reason]uint64{NotBound: 4, Repeated: 1},
		},
		{
			name: "mdns",
			lines: []string{
				line(0, "mdns", group, `"ether":{"src_mac":`+device+`,"dest_mac":"01:00:5e:00:00:fb"},
					"mdns":{"type":"response","rcode":0,"answers":[
					{"rrname":"_x._tcp.local","ptr":"NAS (9)._x._tcp.local"},
					{"rrname":"10.1.168.192.in-addr.arpa","ptr":"Nas.local"}],
					"additionals":[{"rrname":"Nas.local","a":"192.168.1.10"},
					{"rrname":"nas.local","aaaa":"fe80:0:0:0:0:0:0:1"},{"rrname":"evil.example","a":"192.0.2.1"}]}`),
				line(0, "mdns", group, `"mdns":{"type":"request","queries":[{"rrname":"nas.local","rrtype":"a"}]}`),
				line(0, "mdns", "192.168.1.10:5000>208.67.222.222:5353/UDP", `"mdns":{"type":"response","rcode":0,
					"queries":[{"rrname":"a.example","rrtype":"a"}],"answers":[{"rrname":"a.example",
					"a":"192.0.2.1"}]}`),
			},
			want: []string{
				"host 192.168.1.10 name=\"nas.local\" mac=021122334410 source=mdns at=12:00:00.000000",
				"host fe80::1 name=\"nas.local\" source=mdns at=12:00:00.000000",
				"answer 192.0.2.1 to=192.168.1.10 name=\"a.example\" source=dns at=12:00:00.000000",
			},
			unused: map[Reason]uint64{Empty: 1},
		},
		{
			name: "arp",
			lines: []string{
				line(0, "arp", "", `"arp":{"opcode":"request","src_mac":`+device+`,"src_ip":"192.168.1.10",
					"dest_ip":"192.168.1.1"}`),
				line(1, "arp", "", `"arp":{"opcode":"reply","src_mac":`+device+`,"src_ip":"192.168.1.10"}`),
				line(2, "arp", "", `"arp":{"opcode":"reply","src_mac":"02:11:22:33:44:11","src_ip":"192.168.1.10"}`),
				line(3, "arp", "", `"arp":{"opcode":"request","src_mac":`+device+`,"src_ip":"0.0.0.0"}`),
				line(3, "arp", "", `"arp":{"opcode":"request","src_mac":"02:aa:bb:cc:00:01","src_ip":"192.168.1.1"}`),
				line(3, "arp", "", `"arp":{"opcode":"rreply","src_mac":`+device+`,"src_ip":"192.168.1.1"}`),
			},
			want: []string{
				"neighbour 192.168.1.10 mac=021122334410 source=arp at=12:00:00.000000",
				"neighbour 192.168.1.10 mac=021122334411 source=arp at=12:00:02.000000",
			},
			unused: map[Reason]uint64{Repeated: 1, Empty: 3},
		},
		{
			name: "smb and rdp",
			lines: []string{
				line(0, "smb", web, `"smb":{"ntlmssp":{"host":"DESKTOP-1","user":"joe"}}`),
				line(0, "rdp", "192.0.2.9:3389>192.168.1.11:5000/TCP", `"rdp":{"client":{"client_name":"PC2"}}`),
				line(0, "rdp", "192.168.1.12:5000>192.0.2.9:3390/TCP", `"rdp":{"client":{"client_name":"PC3"}}`),
			},
			want: []string{
				"host 192.168.1.10 name=\"desktop-1\" source=smb at=12:00:00.000000", key + at0 + ` app="smb"`,
				"host 192.168.1.11 name=\"pc2\" source=rdp at=12:00:00.000000",
				`6 192.0.2.9:3389 192.168.1.11:5000` + at0 + ` app="rdp"`,
				`6 192.0.2.9:3390 192.168.1.12:5000` + at0 + ` app="rdp"`,
			},
		},
	})
}

func TestReversed(t *testing.T) {
	for n, want := range map[string]string{
		"4.3.2.1.in-addr.arpa": "1.2.3.4",
		"8.1.3.e.7.1.8.7.a.1.9.0.a.b.4.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.e.f.ip6.arpa": "fe80::4ba:91a:7817:e318",
		"3.2.1.in-addr.arpa": "", "x.3.2.1.in-addr.arpa": "", "4.3.2.1": "",
		"b._dns-sd._udp.0.1.168.192.in-addr.arpa":                                  "",
		"8x1.3.e.7.1.8.7.a.1.9.0.a.b.4.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.e.f.ip6.arpa": "", "1.ip6.arpa": "",
		"::1.in-addr.arpa": "", "g.1.3.e.7.1.8.7.a.1.9.0.a.b.4.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.e.f.ip6.arpa": "",
	} {
		a, ok := reversed(n)
		var expected netip.Addr
		if want != "" {
			expected = netip.MustParseAddr(want)
		}
		if ok != expected.IsValid() || ok && a != expected {
			t.Errorf("%s: %v %v, want %q", n, a, ok, want)
		}
	}
}
